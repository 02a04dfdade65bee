"""Holding an execution and letting it go: one PAUSED task run stops all branches (engine.md 3.11, quirk 10)."""

from __future__ import annotations

from penstock.engine import events as e
from penstock.engine.draft import Draft
from penstock.engine.runs import enter
from penstock.engine.scopes import advance
from penstock.model.execution import TaskRun
from penstock.model.state import State


def hold(draft: Draft, run: TaskRun) -> None:
    """The task run and with it the whole execution are PAUSED."""
    now = draft.moment.now
    draft.emit(e.TaskRunMoved(run.id, State.PAUSED, now))
    if draft.state.execution.state not in (State.PAUSED, State.KILLING):
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
        if run.state in (State.CREATED, State.RESTARTED) and run.awaiting is None:
            draft.later(_enter_again, run.id)
        elif run.scope is not None and run.state is State.RUNNING:
            draft.later(advance, run.id)
    draft.later(advance, "")


def _enter_again(draft: Draft, run_id: str) -> None:
    run = draft.state.runs.get(run_id)
    if run is not None and run.state in (State.CREATED, State.RESTARTED) and run.awaiting is None:
        enter(draft, run, draft.state.node_of(run))
