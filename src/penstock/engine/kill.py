"""Killing: workers are told at once, what no worker runs ends at once, the rest within a grace period (engine.md 5.3)."""

from __future__ import annotations

from penstock.engine import events as e
from penstock.engine.draft import Draft
from penstock.engine.runs import end_run, stop_run
from penstock.engine.scopes import advance
from penstock.errors import Conflict
from penstock.model.execution import TaskRun
from penstock.model.state import TERMINATED, State

GRACE = "grace"
"""Key of the timer that ends whatever a kill has not ended."""


def kill_asked(draft: Draft, *, cascade: bool) -> None:
    """A person or a parent asks for the kill.

    Raises:
        Conflict: the execution is over already (with `cascade` its children are killed all the same).
    """
    execution = draft.state.execution
    if execution.state in TERMINATED:
        if not cascade:
            raise Conflict("Cannot kill execution: execution is already terminated.")
        draft.decision.cascade = True
        for run in reversed(draft.state.live()):  # what still runs after an Exit ends; afterExecution goes on
            if not run.force_execution:
                draft.decision.kills.append(run.id)
                stop_run(draft, run, State.KILLED)
        draft.later(advance, "")
        return
    kill(draft, cascade=cascade)


def kill(draft: Draft, *, cascade: bool) -> None:
    """KILLING; errors and finally do not run, afterExecution will."""
    execution = draft.state.execution
    if execution.state is State.KILLING:
        return
    now = draft.moment.now
    draft.emit(e.ExecutionMoved(State.KILLING, now))
    draft.decision.kills.append(None)
    draft.decision.cascade = cascade
    if execution.awaiting is not None:
        draft.emit(e.EvaluationAnswered(""))
    for run in draft.state.live():
        if run.scope is None and not _owned(run, cascade=cascade):
            end_run(draft, run, State.KILLED)
    for run in reversed(draft.state.live()):
        if run.scope is not None and not draft.state.children.get(run.id) and run.awaiting != "working_directory":
            draft.later(advance, run.id)
    draft.emit(e.TimerSet(GRACE, now + draft.moment.around.grace))
    draft.later(advance, "")


def _owned(run: TaskRun, *, cascade: bool) -> bool:
    """Whether somebody will report the end of a task run: a worker, or a child execution that is killed too."""
    if run.child_id is not None and run.state is State.RUNNING:
        return cascade
    return run.state in (State.SUBMITTED, State.RUNNING) and run.awaiting in (None, "job")


def settle_after_recovery(draft: Draft) -> None:
    """A kill that a crash interrupted: no worker runs anything of it any more."""
    for run in reversed(draft.state.live()):
        if run.child_id is None and not draft.state.children.get(run.id):
            end_run(draft, run, State.KILLED)
    draft.decision.cascade = True
    draft.later(advance, "")


def grace_over(draft: Draft) -> None:
    """What is still there ends now: a kill always ends."""
    if draft.state.execution.state is not State.KILLING:
        return
    for run in reversed(draft.state.live()):
        stop_run(draft, run, State.KILLED)
    draft.later(advance, "")
