"""The life of an execution: started, its tasks over, its outputs rendered, afterExecution, closed (engine.md 3.1-3.5, 5.1)."""

from __future__ import annotations

from collections.abc import Mapping

from penstock.engine import events as e
from penstock.engine.commands import StartExecution
from penstock.engine.draft import Draft
from penstock.engine.holding import go_on
from penstock.engine.rendering import ask_worker, needs_outside, render_here
from penstock.engine.runs import stop_run, worker_owns
from penstock.engine.scopes import advance
from penstock.engine.sla import check_assertions, set_deadlines
from penstock.expr import ExpressionError
from penstock.model.duration import format_clock, format_duration
from penstock.model.execution import Branch, Scope
from penstock.model.state import TERMINATED, State
from penstock.model.task import LogLevel


def start(draft: Draft, command: StartExecution) -> None:
    """An execution comes into being: held by its schedule date or its flow's limit, or running at once."""
    draft.emit(e.ExecutionCreated(command.execution, command.context))
    if command.final_state is not None:
        finish(draft, command.final_state)
        return
    set_out(draft)


def set_out(draft: Draft, *, forced: bool = False) -> None:
    """The checks before the first task: schedule date, SLA deadlines, concurrency limit."""
    execution = draft.state.execution
    now = draft.moment.now
    if not forced and execution.schedule_date is not None and execution.schedule_date > now:
        draft.emit(e.TimerSet("schedule", execution.schedule_date))
        return
    set_deadlines(draft)
    if not forced and not (_within_quotas(draft) and _take_slot(draft)):
        return
    run_tasks(draft)


def set_out_again(draft: Draft) -> None:
    """A restarted or replayed execution goes on from its task runs, after the same checks (engine.md 3.1, 5.1)."""
    set_deadlines(draft)
    if _take_slot(draft):
        run_tasks(draft)


def _within_quotas(draft: Draft) -> bool:
    """Whether the flow's quotas leave room; the first that is exceeded ends the execution (engine.md 3.1)."""
    for quota in draft.plan.flow.quotas or ():
        if draft.moment.created_since(draft.moment.now - quota.duration) <= quota.limit:
            continue
        length = format_duration(quota.duration)
        state = State.CANCELLED if str(quota.behavior) == "CANCEL" else State.FAILED
        draft.log(LogLevel.ERROR, f"Execution is {state} due to {length} quota limit exceeded")
        finish(draft, state)
        return False
    return True


def _take_slot(draft: Draft) -> bool:
    """Whether the execution may run now under its flow's concurrency limit (engine.md 5.1)."""
    limit = draft.plan.flow.concurrency
    if limit is None or draft.state.execution.slot:
        return True
    used = draft.moment.slots_used()
    if used < limit.limit:
        draft.emit(e.SlotTaken())
        return True
    behavior = str(limit.behavior)
    if behavior == "QUEUE":
        draft.emit(e.ExecutionMoved(State.QUEUED, draft.moment.now))
        message = f"Execution is queued due to concurrency limit exceeded, {used} running(s)"
        draft.log(LogLevel.INFO, message)
        return False
    if behavior == "FAIL":
        draft.log(LogLevel.ERROR, "Execution is FAILED due to concurrency limit exceeded")
    end_now(draft, State.CANCELLED if behavior == "CANCEL" else State.FAILED)
    return False


def run_tasks(draft: Draft) -> None:
    """RUNNING, and on to the first tasks, or to those it stands at."""
    draft.emit(e.ExecutionMoved(State.RUNNING, draft.moment.now))
    if draft.state.execution.scope.planned < 0:
        draft.emit(e.ScopeOpened("", Scope(planned=len(draft.plan.root.lists["tasks"]))))
    if check_assertions(draft):
        go_on(draft)


def tasks_over(draft: Draft, state: State) -> None:
    """The flow's own scope is over: its tasks, or (after the end) its afterExecution tasks."""
    execution = draft.state.execution
    if execution.state is State.KILLING:
        finish(draft, State.KILLED)
        return
    if execution.scope.branch is Branch.AFTER:
        close(draft)
        return
    if execution.state in TERMINATED or execution.awaiting is not None:
        return
    flow_outputs(draft, state)


def flow_outputs(draft: Draft, state: State) -> None:
    """Render the flow's outputs, then end (engine.md 3.4, 6.5)."""
    declared = draft.plan.flow.outputs
    if not declared:
        finish(draft, state)
        return
    templates = {output.id: output.value for output in declared}
    if needs_outside(templates):
        ask_worker(draft, templates, None, draft.plan.root, purpose=f"outputs:{state}")
        return
    values: dict[str, object] = {}
    for name, template in templates.items():
        try:
            values.update(render_here(draft, {name: template}, None, draft.plan.root))
        except ExpressionError as error:
            _outputs_failed(draft, str(error))
            return
    take_outputs(draft, state, values)


def take_outputs(draft: Draft, state: State, values: Mapping[str, object]) -> None:
    """Check the rendered outputs against their types, keep them, end."""
    try:
        typed = draft.moment.around.type_outputs(list(draft.plan.flow.outputs or ()), values)
    except ValueError as error:
        _outputs_failed(draft, str(error))
        return
    draft.emit(e.ExecutionOutputsSet(typed))
    finish(draft, state)


def _outputs_failed(draft: Draft, cause: str) -> None:
    draft.log(LogLevel.ERROR, f"Failed to render output values: {cause}")
    finish(draft, State.FAILED)


def finish(draft: Draft, state: State) -> None:
    """End the execution, unless it has ended already."""
    if draft.state.execution.state not in TERMINATED:
        reach_end(draft, state)


def reach_end(draft: Draft, state: State) -> None:
    """Give the execution its terminal state, then run afterExecution, then close."""
    execution = draft.state.execution
    now = draft.moment.now
    draft.emit(e.ExecutionRetried(now) if state is State.RETRIED else e.ExecutionMoved(state, now))
    length = format_clock(execution.histories[-1].date - execution.histories[0].date)
    draft.log(LogLevel.DEBUG, f"Flow completed with state {state} in {length}")
    after = 0 if state is State.RETRIED else len(draft.plan.root.lists["after"])
    draft.emit(e.BranchEntered("", Branch.AFTER, after))
    draft.later(advance, "")


def end_now(draft: Draft, state: State) -> None:
    """End the execution at once, whatever it is at: live task runs that no worker runs end with it (Exit, CANCEL, SLA)."""
    for run in reversed(draft.state.live()):
        if not worker_owns(draft, run):
            stop_run(draft, run, state)
    finish(draft, state)


def close(draft: Draft) -> None:
    """Fully terminated, unless task runs still run in a worker (after an Exit): then with the last of them."""
    execution = draft.state.execution
    if execution.closed or execution.state not in TERMINATED:
        return
    if any(run.state not in TERMINATED for run in draft.state.runs.values()):
        return
    draft.emit(e.ExecutionClosed())
    draft.decision.closed = True
    if execution.slot:
        draft.emit(e.SlotFreed())
        draft.decision.slot_freed = True
    for key in deadline_keys(draft):
        draft.emit(e.TimerCleared(key))


def deadline_keys(draft: Draft) -> list[str]:
    """Timers that belong to the execution itself and may still wait."""
    execution = draft.state.execution
    keys = [f"sla:{sla.id}" for sla in draft.plan.deadlines]
    if execution.schedule_date is not None:
        keys.append("schedule")
    if any(change.state is State.KILLING for change in execution.histories):
        keys.append("grace")
    return keys
