"""The life of one task run: created, let in, sent to a worker or begun here, ended."""

from __future__ import annotations

from collections.abc import Mapping

from penstock.engine import events as e
from penstock.engine.draft import Draft
from penstock.engine.plan import LOOPS_WITH_VALUE, Kind, Node
from penstock.engine.rendering import ask_worker, needs_outside, render_here
from penstock.expr import ExpressionError, truthy
from penstock.model.execution import Attempt, Branch, RunKind, TaskRun
from penstock.model.job import Job, JobKind
from penstock.model.state import TERMINATED, State, StateChange
from penstock.model.task import LogLevel

_WAITS = {Kind.LOOP_UNTIL: ("loop",), Kind.PAUSE: ("pause", "expire"), Kind.APPROVAL: ("expire",)}
"""Names of the timers a PAUSED task run may have set."""


def create_run(
    draft: Draft,
    node: Node,
    parent_id: str,
    *,
    branch: Branch,
    value: str | None = None,
    iteration: int | None = None,
    key: str | None = None,
    kind: RunKind = RunKind.TASK,
) -> TaskRun:
    """Bring a task run into being and let it in."""
    run = new_run(draft, node, parent_id, branch=branch, value=value, iteration=iteration, key=key, kind=kind)
    draft.emit(e.TaskRunCreated(run))
    enter(draft, run, node)
    return run


def new_run(
    draft: Draft,
    node: Node,
    parent_id: str,
    *,
    branch: Branch,
    value: str | None = None,
    iteration: int | None = None,
    key: str | None = None,
    kind: RunKind = RunKind.TASK,
) -> TaskRun:
    """A record for a new task run at its place; nothing has happened yet."""
    state = draft.state
    parent = state.runs[parent_id] if parent_id else None
    owner, path = "", ()
    if parent is not None:
        inside = parent.kind is RunKind.ITERATION
        owner, path = (parent.id, ()) if inside else (parent.owner, parent.path)
    if value is not None and node.parent is not None and node.parent.kind in LOOPS_WITH_VALUE:
        path = (*path, value)
    return TaskRun(
        id=draft.moment.new_id(),
        task_id=node.id,
        kind=kind,
        parent_id=parent_id or None,
        owner=owner,
        path=path,
        value=value,
        iteration=iteration,
        key=key,
        branch=branch,
        state=State.CREATED,
        histories=[StateChange(State.CREATED, draft.moment.now)],
        sequence=state.execution.sequence + 1,
        force_execution=node.after or bool(parent and parent.force_execution),
    )


def enter(draft: Draft, run: TaskRun, node: Node) -> None:
    """Let a CREATED or RESTARTED task run in: breakpoints, then `runIf`, then its work (engine.md 3.2, 3.3)."""
    if run.kind is RunKind.ITERATION:
        begin(draft, run, node)
        return
    if draft.state.execution.breakpoints and not node.after and stops_here(draft, run):
        hold_at_breakpoint(draft, run)
        return
    if node.run_if is None:
        begin(draft, run, node)
        return
    text = node.run_if
    if needs_outside(text):
        ask_worker(draft, {"runIf": text}, run, node, purpose="run_if")
        return
    try:
        answer = render_here(draft, {"runIf": text}, run, node)["runIf"]
    except ExpressionError as error:
        refuse(draft, run, node, str(error))
        return
    pass_condition(draft, run, node, answer)


def refuse(draft: Draft, run: TaskRun, node: Node, cause: str) -> None:
    """The condition could not be evaluated: the task run fails."""
    draft.log(LogLevel.ERROR, f"Failed to evaluate the runIf condition for task {node.id}. Cause: {cause}", run)
    end_run(draft, run, settle(node, State.FAILED, run))


def pass_condition(draft: Draft, run: TaskRun, node: Node, answer: object) -> None:
    """Skip the task run when its condition is falsy, else begin it."""
    if truthy(as_condition(answer)):
        begin(draft, run, node)
        return
    now = draft.moment.now
    skipped = [StateChange(State.CREATED, run.histories[-1].date), StateChange(State.SKIPPED, now)]
    draft.emit(e.AttemptAdded(run.id, Attempt(state=State.SKIPPED, histories=skipped)))
    end_run(draft, run, State.SKIPPED)


def as_condition(value: object) -> str | None:
    """A rendered condition as the text its truth is read from (engine.md 1.3)."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def stops_here(draft: Draft, run: TaskRun) -> bool:
    """Whether a breakpoint names this task run."""
    return any(
        b.id == run.task_id and (b.value is None or b.value == run.value) for b in draft.state.execution.breakpoints
    )


def hold_at_breakpoint(draft: Draft, run: TaskRun) -> None:
    """The task run and the whole execution wait for `resume-from-breakpoint`."""
    now = draft.moment.now
    draft.emit(e.TaskRunMoved(run.id, State.BREAKPOINT, now))
    if draft.state.execution.state is not State.BREAKPOINT:
        draft.emit(e.ExecutionMoved(State.BREAKPOINT, now))
        draft.log(LogLevel.INFO, "Flow is suspended at a breakpoint.", run)


def begin(draft: Draft, run: TaskRun, node: Node) -> None:
    """Start the work of a task run: a job for a worker, or its flowable."""
    if node.kind is Kind.RUNNABLE:
        submit(draft, run, node)
        return
    now = draft.moment.now
    draft.emit(e.TaskRunMoved(run.id, State.RUNNING, now))
    if not run.attempts or run.attempts[-1].state in TERMINATED:  # a restarted wait goes on with the attempt it has
        attempt = Attempt(state=State.RUNNING, histories=[run.histories[0], StateChange(State.RUNNING, now)])
        draft.emit(e.AttemptAdded(run.id, attempt))
    if node.kind in (Kind.PAUSE, Kind.APPROVAL):
        draft.later(_prepare_held, run.id)
        return
    prepare(draft, run, node)


def _prepare_held(draft: Draft, run_id: str) -> None:
    """A pause holds the execution only after its siblings have been let in (engine.md 3.2: flowables come last)."""
    run = draft.state.runs[run_id]
    if run.state is State.RUNNING and run.scope is None and run.awaiting is None:
        prepare(draft, run, draft.state.node_of(run))


def prepare(draft: Draft, run: TaskRun, node: Node) -> None:
    """Render what the flowable needs to start, here or by a worker, then start it."""
    behaviour = draft.behaviours[node.kind]
    templates = behaviour.templates(node.task)
    if not templates:
        behaviour.start(draft, run, node, templates)
        return
    if needs_outside(templates):
        ask_worker(draft, templates, run, node, purpose="start")
        return
    try:
        values = render_here(draft, templates, run, node)
    except ExpressionError as error:
        fail_run(draft, run, node, str(error))
        return
    behaviour.start(draft, run, node, values)


def submit(draft: Draft, run: TaskRun, node: Node, *, kind: JobKind = JobKind.TASK, **extra: object) -> None:
    """Send a job to the workers."""
    if kind is JobKind.TASK:
        draft.emit(e.TaskRunSubmitted(run.id, draft.moment.now))
    draft.decision.jobs.append(job_of(draft, run, node, kind))


def job_of(draft: Draft, run: TaskRun, node: Node, kind: JobKind = JobKind.TASK) -> Job:
    """The job for the present attempt of a task run."""
    execution = draft.state.execution
    children = [t for t in getattr(node.task, "tasks", ()) if not t.disabled] if kind is not JobKind.TASK else []
    return Job(
        kind=kind,
        tenant_id=execution.tenant_id,
        namespace=execution.namespace,
        flow_id=execution.flow_id,
        flow_revision=execution.flow_revision,
        execution_id=execution.id,
        task_run_id=run.id,
        task=node.task,
        stamp=run.stamp,
        attempt=len(run.attempts) if kind is JobKind.TASK else max(len(run.attempts) - 1, 0),
        variables=draft.variables(run, node.task),
        value=run.value,
        path=run.path,
        children=children,
        force=run.force_execution,
    )


def fail_run(draft: Draft, run: TaskRun, node: Node, message: str) -> None:
    """The engine itself cannot go on with a task run: the reason in its log, then FAILED."""
    draft.log(LogLevel.ERROR, message, run)
    end_run(draft, run, settle(node, State.FAILED, run))


def settle(node: Node, state: State, run: TaskRun) -> State:
    """The final state after warningOnRetry, allowFailure and allowWarning (engine.md 3.3)."""
    retry = node.retry
    if state is State.SUCCESS and retry is not None and retry.warning_on_retry and len(run.attempts) > 1:
        state = State.WARNING
    if state is State.FAILED and allows_failure(node):
        state = State.WARNING
    if state is State.WARNING and node.task.allow_warning and run.kind is RunKind.TASK:
        state = State.SUCCESS
    return state


def allows_failure(node: Node) -> bool:
    """Whether FAILED is WARNING here; the block AllowFailure is made for that. An iteration never allows by itself."""
    if node.kind is Kind.ITERATION:
        return False
    return node.task.allow_failure or type(node.task).__name__ == "AllowFailure"


def end_run(
    draft: Draft,
    run: TaskRun,
    state: State,
    *,
    outputs: Mapping[str, object] | None = None,
    log_file: str | None = None,
) -> None:
    """End a task run and tell its parent."""
    now = draft.moment.now
    if outputs is not None:
        draft.emit(e.OutputsSet(run.id, outputs))
    end_wait(draft, run)
    close_attempt(draft, run, state, log_file=log_file)
    parent_id = run.parent_id or ""
    draft.emit(e.TaskRunMoved(run.id, state, now))
    draft.later(draft.rules.child_ended, parent_id, run)


def stop_run(draft: Draft, run: TaskRun, state: State) -> None:
    """End a task run without a word to its parent: the parent is ending, too."""
    end_wait(draft, run)
    close_attempt(draft, run, state)
    draft.emit(e.TaskRunMoved(run.id, state, draft.moment.now))


def end_wait(draft: Draft, run: TaskRun) -> None:
    """Clear the timers a task run waits for: a retry, a pause, the next round of a loop."""
    if run.state is State.RETRYING:
        draft.emit(e.TimerCleared(f"retry:{run.id}"))
    elif run.state is State.PAUSED:
        for name in _WAITS.get(draft.state.node_of(run).kind, ()):
            draft.emit(e.TimerCleared(f"{name}:{run.id}"))


def worker_owns(draft: Draft, run: TaskRun) -> bool:
    """Whether a worker has the task run and will report its end."""
    if run.state not in (State.SUBMITTED, State.RUNNING) or run.child_id is not None:
        return False
    if run.awaiting is not None:
        return run.awaiting in ("job", "working_directory")
    return run.scope is None


def close_attempt(draft: Draft, run: TaskRun, state: State, *, log_file: str | None = None) -> None:
    """End the last attempt with the task run, if it still runs."""
    if run.attempts and run.attempts[-1].state not in TERMINATED:
        draft.emit(e.AttemptMoved(run.id, state, draft.moment.now, log_file))
