"""How a list of children goes on: which branch is worked on, what may start, when it is over and how (engine.md 3.4).

Everything is read from the scope's counters, so a step costs the same with ten siblings and with ten thousand.
`advance` may be called at any time: it starts what can start, or ends the scope, or does nothing.
"""

from __future__ import annotations

from penstock.engine import events as e
from penstock.engine.draft import Draft
from penstock.engine.plan import Kind, Node
from penstock.engine.runs import create_run, end_run, settle, stop_run, worker_owns
from penstock.model.execution import Branch, Scope, TaskRun
from penstock.model.state import TERMINATED, WORST_FIRST, State


def child_ended(draft: Draft, parent_id: str, child: TaskRun) -> None:
    """A child has ended: let its parent note it and go on."""
    if parent_id:
        parent = draft.state.runs.get(parent_id)
        if parent is None or parent.state in TERMINATED:
            if draft.state.execution.state in TERMINATED:
                advance(draft, "")  # the last one that still ran after an Exit closes the execution
            return
    node = draft.state.node_at(parent_id)
    if child.branch is Branch.TASKS and draft.state.scope_at(parent_id).branch is Branch.TASKS:
        draft.behaviours[node.kind].child_ended(draft, parent_id, node, child)
    advance(draft, parent_id)


def advance(draft: Draft, run_id: str) -> None:
    """Start what can start below a scope, turn to the next branch, or end it."""
    state = draft.state
    run = state.runs.get(run_id) if run_id else None
    if run_id and (run is None or run.state in TERMINATED or run.scope is None):
        return
    scope = state.scope_at(run_id)
    if draft.killing and not (run is not None and run.force_execution):
        if not state.children.get(run_id):
            _end(draft, run, State.KILLED)
        return
    node = state.node_at(run_id)
    if not draft.may_start(node) and not (run is not None and run.force_execution and not draft.killing):
        return
    if run is not None and run.state is State.PAUSED:
        return
    while not _branch_over(draft, run_id, node, scope):
        before = (scope.branch, scope.cursor, scope.active, scope.done, len(scope.ready))
        _grow(draft, run_id, node, scope)
        if before == (scope.branch, scope.cursor, scope.active, scope.done, len(scope.ready)) or not draft.may_start(
            node
        ):
            return
        if scope.active:
            return
    following = _next_branch(node, scope)
    if following is None:
        _end(draft, run, verdict(scope))
        return
    draft.emit(e.BranchEntered(run_id, following, len(node.list_of(following, scope.choice))))
    advance(draft, run_id)


def _branch_over(draft: Draft, run_id: str, node: Node, scope: Scope) -> bool:
    if scope.branch is Branch.TASKS:
        # A Loop decides by itself what a failed iteration means (`transmitFailed`).
        failed = scope.failed and node.kind is not Kind.LOOP
        return failed or draft.behaviours[node.kind].complete(draft, run_id, node, scope)
    return scope.done >= scope.planned


def _grow(draft: Draft, run_id: str, node: Node, scope: Scope) -> None:
    if scope.branch is Branch.TASKS:
        draft.behaviours[node.kind].grow(draft, run_id, node, scope)
    else:
        start_next(draft, run_id, node, scope)


def start_next(draft: Draft, run_id: str, node: Node, scope: Scope) -> None:
    """Start the next child of the current branch when none is active: the sequential rule."""
    if scope.active or scope.cursor >= scope.planned:
        return
    child = node.list_of(scope.branch, scope.choice)[scope.cursor]
    draft.emit(e.CursorMoved(run_id, scope.cursor + 1))
    create_run(draft, child, run_id, branch=scope.branch, iteration=_round(node, scope))


def _round(node: Node, scope: Scope) -> int | None:
    return scope.iteration if node.kind is Kind.LOOP_UNTIL and scope.branch is Branch.TASKS else None


def _next_branch(node: Node, scope: Scope) -> Branch | None:
    """The branch after the present one, skipping empty ones; ERRORS only after a final failure."""
    if scope.branch is Branch.TASKS and scope.failed and node.lists.get("errors"):
        return Branch.ERRORS
    if scope.branch in (Branch.TASKS, Branch.ERRORS) and node.lists.get("finally"):
        return Branch.FINALLY
    return None


def verdict(scope: Scope) -> State:
    """The worst state among the runs of TASKS, else SUCCESS; errors and finally do not count."""
    for state in WORST_FIRST:
        if scope.tally.get(state):
            return state
    return State.SUCCESS


def _end(draft: Draft, run: TaskRun | None, state: State) -> None:
    if run is None:
        if draft.state.execution.scope.branch is Branch.TASKS and not draft.killing:
            # Revived by hand before a task that had failed already: it ends with the flow.
            stop_children(draft, state)
        draft.rules.tasks_over(draft, state)
        return
    node = draft.state.node_of(run)
    final: State | None = state
    if state is not State.KILLED or not draft.killing:
        final = draft.behaviours[node.kind].before_end(draft, run, node, state)
        if final is None or run.state in TERMINATED:
            return
        final = settle(node, final, run)
    end_scope(draft, run, final)


def stop_children(draft: Draft, state: State) -> None:
    """What the flow itself no longer waits for takes its state; tasks beside the list (`onPause`) go on."""
    for child_id in list(draft.state.children.get("", ())):
        child = draft.state.runs[child_id]
        if child.branch is Branch.TASKS and child.scope is not None:
            orphan_children(draft, child_id, state)
            stop_run(draft, child, state)


def end_scope(draft: Draft, run: TaskRun, state: State) -> None:
    """End a flowable; children that still run take its state at once (engine.md 3.4)."""
    orphan_children(draft, run.id, state)
    end_run(draft, run, state)


def orphan_children(draft: Draft, run_id: str, state: State) -> None:
    """Whatever still runs below takes the state of its parent; a late result of a worker is recorded, no more."""
    for child_id in list(draft.state.children.get(run_id, ())):
        child = draft.state.runs[child_id]
        orphan_children(draft, child_id, state)
        if child.awaiting is None and worker_owns(draft, child):
            draft.emit(e.TaskRunOrphaned(child_id, state, draft.moment.now))
        else:
            stop_run(draft, child, state)
    execution = draft.state.execution
    if execution.state is State.RETRYING and not execution.retrying:
        draft.emit(e.ExecutionMoved(State.RUNNING, draft.moment.now))
