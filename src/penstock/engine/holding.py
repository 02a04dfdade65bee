"""Holding an execution and letting it go: one PAUSED task run stops all branches (engine.md 3.11, quirk 10)."""

from __future__ import annotations

from penstock.engine import events as e
from penstock.engine.draft import Draft
from penstock.engine.plan import Kind
from penstock.engine.runs import enter, prepare
from penstock.engine.scopes import advance
from penstock.model.execution import Branch, TaskRun
from penstock.model.state import TERMINATED, State

_UNMOVED = TERMINATED | {State.PAUSED, State.KILLING}
"""States of an execution that a PAUSED task run does not change: a Pause in afterExecution holds itself alone."""


def hold(draft: Draft, run: TaskRun) -> None:
    """The task run and with it the whole execution are PAUSED."""
    now = draft.moment.now
    draft.emit(e.TaskRunMoved(run.id, State.PAUSED, now))
    if draft.state.execution.state not in _UNMOVED:
        draft.emit(e.ExecutionMoved(State.PAUSED, now))


def release(draft: Draft, run: TaskRun, to: State, *, through: State | None = None) -> None:
    """The task run goes on; the execution too, once nothing else holds it (`through` is a state it passes)."""
    draft.emit(e.TaskRunMoved(run.id, to, draft.moment.now))
    let_go(draft, through=through)


def let_go(draft: Draft, *, through: State | None = None) -> None:
    """The execution runs again unless something still holds it; every scope then goes on from where it stood."""
    execution = draft.state.execution
    if execution.held or execution.state not in (State.PAUSED, State.BREAKPOINT):
        return
    now = draft.moment.now
    if through is not None:
        draft.emit(e.ExecutionMoved(through, now))
    draft.emit(e.ExecutionMoved(State.RUNNING, now))
    go_on(draft)


def go_on(draft: Draft) -> None:
    """Start whatever the hold kept from starting."""
    for run in list(draft.state.runs.values()):
        if run.awaiting is not None:
            continue
        if run.state in (State.CREATED, State.RESTARTED):
            draft.later(_enter_again, run.id)
        elif run.state is State.RUNNING:
            draft.later(_resume_run, run.id)
    draft.later(advance, "")


def _enter_again(draft: Draft, run_id: str) -> None:
    run = draft.state.runs.get(run_id)
    if run is None or run.state not in (State.CREATED, State.RESTARTED) or run.awaiting is not None:
        return
    node = draft.state.node_of(run)
    if run.branch is Branch.ASIDE or draft.may_start(node):
        enter(draft, run, node)


def _resume_run(draft: Draft, run_id: str) -> None:
    """A flowable goes on from its scope, or is begun when it was held before it had one."""
    run = draft.state.runs.get(run_id)
    if run is None or run.state is not State.RUNNING or run.awaiting is not None:
        return
    if run.scope is not None:
        advance(draft, run_id)
        return
    node = draft.plan.by_id.get(run.task_id)
    if node is not None and node.kind is not Kind.RUNNABLE and run.child_id is None and draft.may_start(node):
        prepare(draft, run, node)
