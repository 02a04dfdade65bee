"""What people ask of an execution while it runs or after: pause, resume, labels, status, queue, breakpoints (engine.md 5)."""

from __future__ import annotations

from penstock.engine import commands as c
from penstock.engine import events as e
from penstock.engine.draft import Draft
from penstock.engine.flowables.pause import decide_approval, resume
from penstock.engine.holding import let_go
from penstock.engine.lifecycle import end_now, run_tasks, set_out
from penstock.engine.plan import Kind
from penstock.errors import BadRequest, Conflict, NotFound, Unprocessable
from penstock.model.execution import Label, TaskRun, merge_labels
from penstock.model.state import TERMINATED, State


def pause(draft: Draft, command: c.PauseExecution) -> None:
    """Hold a RUNNING execution by hand: no task run changes."""
    execution = draft.state.execution
    if execution.state is not State.RUNNING:
        raise Conflict(f"Cannot pause execution '{execution.id}': it is {execution.state}, expected RUNNING.")
    draft.emit(e.ExecutionMoved(State.PAUSED, draft.moment.now))


def resume_execution(draft: Draft, command: c.ResumeExecution) -> None:
    """Resume the first PAUSED Pause, or an execution paused by hand."""
    execution = draft.state.execution
    waits_after_end = execution.state in TERMINATED and execution.held > 0
    if execution.state is not State.PAUSED and not waits_after_end:
        raise Conflict(f"Execution '{execution.id}' is not paused, can't resume it")
    run = _paused_run(draft, command.task_run_id)
    if run is None:
        let_go(draft)
        return
    node = draft.state.node_of(run)
    if node.kind is Kind.PAUSE:
        inputs = command.inputs if getattr(node.task, "on_resume", None) else None
        resume(draft, run, node, to=command.to, inputs=inputs, by=command.by)
        return
    if node.kind is Kind.APPROVAL:
        decide_approval(draft, run, node, "APPROVED", by=command.by, comment=None, inputs=command.inputs)
        return
    draft.behaviours[node.kind].woken(draft, run, node, run.stamp)


def review(draft: Draft, command: c.ReviewApproval) -> None:
    """Decide an Approval that waits."""
    run = _paused_run(draft, command.task_run_id, kind=Kind.APPROVAL)
    if run is None:
        raise Conflict(f"Execution '{draft.state.execution.id}' has no approval that waits for a review.")
    node = draft.state.node_of(run)
    decide_approval(draft, run, node, command.decision, by=command.by, comment=command.comment, inputs=command.inputs)


def _paused_run(draft: Draft, run_id: str | None, kind: Kind | None = None) -> TaskRun | None:
    paused = [r for r in draft.state.runs.values() if r.state is State.PAUSED]
    if kind is not None:
        paused = [r for r in paused if draft.state.node_of(r).kind is kind]
    if run_id is not None:
        paused = [r for r in paused if r.id == run_id]
        if not paused:
            raise NotFound(f"Task run '{run_id}' of execution '{draft.state.execution.id}' is not paused")
    return paused[0] if paused else None


def resume_from_breakpoint(draft: Draft, command: c.ResumeFromBreakpoint) -> None:
    """Let the held task runs in, with a new list of breakpoints."""
    execution = draft.state.execution
    if execution.state is not State.BREAKPOINT:
        raise Conflict(f"Execution '{execution.id}' is not suspended at a breakpoint, it is {execution.state}")
    draft.emit(e.BreakpointsSet(command.breakpoints))
    for run in [r for r in draft.state.runs.values() if r.state is State.BREAKPOINT]:
        draft.emit(e.TaskRunMoved(run.id, State.CREATED, draft.moment.now))
    let_go(draft)


def change_status(draft: Draft, command: c.ChangeStatus) -> None:
    """Another terminal state for an execution that has ended."""
    execution = draft.state.execution
    if execution.state not in TERMINATED or execution.state is State.KILLED:
        raise Conflict(f"Cannot change the status of execution '{execution.id}': it is {execution.state}")
    if command.state not in TERMINATED:
        raise Unprocessable(f"Expected a terminal state, found {command.state}")
    draft.emit(e.ExecutionMoved(command.state, draft.moment.now))


def force_run(draft: Draft, command: c.ForceRun) -> None:
    """Run now: past the schedule date, the limit, a pause."""
    execution = draft.state.execution
    if execution.state in TERMINATED or execution.state is State.KILLING:
        raise Conflict(f"Cannot force run execution '{execution.id}': it is {execution.state}")
    if execution.state is State.CREATED:
        draft.emit(e.TimerCleared("schedule"))
        set_out(draft, forced=True)
    elif execution.state is State.QUEUED:
        _leave_queue(draft)
    elif execution.state is State.PAUSED:
        resume_execution(draft, c.ResumeExecution(execution_id=execution.id))


def unqueue(draft: Draft, command: c.Unqueue) -> None:
    """Take out of the concurrency queue."""
    execution = draft.state.execution
    if execution.state is not State.QUEUED:
        if command.freed:
            return
        raise Conflict(f"Cannot unqueue execution '{execution.id}': it is {execution.state}, expected QUEUED")
    if command.freed:
        limit = draft.plan.flow.concurrency
        if limit is not None and draft.moment.slots_used() >= limit.limit:
            return
    if command.state is State.RUNNING:
        _leave_queue(draft)
    elif command.state in (State.CANCELLED, State.FAILED):
        end_now(draft, command.state)
    else:
        raise Unprocessable(f"Expected RUNNING, CANCELLED or FAILED, found {command.state}")


def _leave_queue(draft: Draft) -> None:
    if draft.plan.flow.concurrency is not None:
        draft.emit(e.SlotTaken())
    run_tasks(draft)


def set_labels(draft: Draft, command: c.SetLabels) -> None:
    """The full new list of labels; system labels stay as they are."""
    execution = draft.state.execution
    if execution.state not in TERMINATED:
        raise BadRequest("The execution is not terminated")
    old = {label.key: label.value for label in draft.state.context.labels}
    for label in command.labels:
        if label.key.startswith("system.") and old.get(label.key) != label.value:
            text = f"System labels can only be set by Kestra itself, offending label: {label.key}={label.value}"
            raise Unprocessable(text)
    kept = [label for label in draft.state.context.labels if label.key.startswith("system.")]
    draft.emit(e.LabelsSet(merge_labels([x for x in command.labels if not x.key.startswith("system.")], kept)))


def add_system_labels(draft: Draft, labels: list[Label]) -> None:
    """Labels that the system itself adds."""
    draft.emit(e.LabelsSet(merge_labels(draft.state.context.labels, labels)))
