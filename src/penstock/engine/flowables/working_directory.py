"""WorkingDirectory: one job runs all children in one folder; the engine sees their task runs come in (engine.md 3.10)."""

from __future__ import annotations

from collections.abc import Mapping

from penstock.engine import events as e
from penstock.engine.draft import Draft
from penstock.engine.flowables.sequential import SequentialBehaviour
from penstock.engine.plan import Node
from penstock.engine.runs import end_run, job_of, settle, stop_run
from penstock.engine.scopes import advance
from penstock.model.execution import Scope, TaskRun
from penstock.model.job import JobKind, Result
from penstock.model.state import TERMINATED, State


class WorkingDirectoryBehaviour(SequentialBehaviour):
    """The scope stays open (`planned` = -1) until the job's result is there."""

    def start(self, draft: Draft, run: TaskRun, node: Node, values: Mapping[str, object]) -> None:
        draft.emit(e.ScopeOpened(run.id, Scope(planned=-1)))
        draft.emit(e.EvaluationAsked(run.id, "working_directory"))
        draft.decision.jobs.append(job_of(draft, run, node, JobKind.WORKING_DIRECTORY))

    def grow(self, draft: Draft, run_id: str, node: Node, scope: Scope) -> None:
        """The worker starts the children."""

    def complete(self, draft: Draft, run_id: str, node: Node, scope: Scope) -> bool:
        return scope.planned >= 0


def directory_ended(draft: Draft, run: TaskRun, result: Result) -> None:
    """The job is done: children's task runs are in, now errors, finally and the end."""
    for child_id in list(draft.state.children.get(run.id, ())):  # whatever the worker left unended
        stop_run(draft, draft.state.runs[child_id], State.KILLED if result.state is State.SUCCESS else result.state)
    node = draft.state.node_of(run)
    scope = draft.state.scope_at(run.id)
    if result.outputs:
        draft.emit(e.OutputsSet(run.id, result.outputs))
    if not draft.killing and not draft.may_start(node) and draft.state.execution.state in TERMINATED:
        end_run(draft, run, settle(node, result.state, run))  # after an Exit: it may finish, nothing follows
        return
    tally = dict(scope.tally)
    if result.state is not State.SUCCESS and not any(tally.get(s) for s in (State.FAILED, State.KILLED)):
        tally[result.state] = tally.get(result.state, 0) + 1
    failed = bool(tally.get(State.FAILED))
    draft.emit(e.ScopeOpened(run.id, Scope(planned=0, tally=tally, failed=failed)))
    draft.later(advance, run.id)
