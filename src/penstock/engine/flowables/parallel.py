"""All children at once, or at most `concurrent` of them: Parallel, and Dag with its dependencies."""

from __future__ import annotations

from collections.abc import Mapping

from penstock.engine import events as e
from penstock.engine.commands import Continue
from penstock.engine.draft import Draft
from penstock.engine.flowables.sequential import SequentialBehaviour
from penstock.engine.plan import Node
from penstock.engine.runs import create_run, fail_run
from penstock.engine.scopes import advance
from penstock.model.execution import Branch, Scope, TaskRun
from penstock.model.task import Task


def read_limit(value: object) -> int:
    """A rendered limit of concurrency: a whole number, 0 meaning all.

    Raises:
        ValueError: it is no whole number of 0 or more.
    """
    try:
        limit = int(str(value if value is not None else 0).strip() or 0)
    except ValueError as error:
        raise ValueError(f"concurrency must be a whole number, found `{value}`") from error
    if limit < 0:
        raise ValueError(f"concurrency must be 0 (no limit) or more, found {limit}")
    return limit


def room(scope: Scope, active: int) -> bool:
    """Whether one more may start: every child that exists and has not ended counts (a hard limit, engine.md 3.6)."""
    return scope.limit == 0 or active < scope.limit


class ParallelBehaviour(SequentialBehaviour):
    """Starts children in order as long as the limit allows; long lists go in stretches."""

    def templates(self, task: Task) -> Mapping[str, object]:
        return {"concurrent": getattr(task, "concurrent", 0)}

    def start(self, draft: Draft, run: TaskRun, node: Node, values: Mapping[str, object]) -> None:
        try:
            limit = read_limit(values["concurrent"])
        except ValueError as error:
            fail_run(draft, run, node, str(error))
            return
        self.open(draft, run, node, limit=limit)
        draft.later(advance, run.id)

    def grow(self, draft: Draft, run_id: str, node: Node, scope: Scope) -> None:
        children = node.lists["tasks"]
        stop = min(scope.planned, scope.cursor + draft.moment.around.chunk)
        while scope.cursor < stop and room(scope, scope.active) and not scope.failed and draft.may_start(node):
            child = children[scope.cursor]
            draft.emit(e.CursorMoved(run_id, scope.cursor + 1))
            create_run(draft, child, run_id, branch=Branch.TASKS)
        if stop < scope.planned and scope.cursor == stop and room(scope, scope.active):
            draft.decision.continues.append(Continue(execution_id=draft.state.execution.id, task_run_id=run_id))


class DagBehaviour(ParallelBehaviour):
    """Like Parallel, for children whose dependencies have all ended, in whatever state.

    The cursor goes over the children without dependencies; those that have become free since are in the state's memory of
    the Dag.
    """

    def grow(self, draft: Draft, run_id: str, node: Node, scope: Scope) -> None:
        self._start_ready(draft, run_id, node, scope)
        roots = node.lists["roots"]
        while scope.cursor < len(roots) and room(scope, scope.active) and not scope.failed and draft.may_start(node):
            child = roots[scope.cursor]
            draft.emit(e.CursorMoved(run_id, scope.cursor + 1))
            create_run(draft, child, run_id, branch=Branch.TASKS)

    def _start_ready(self, draft: Draft, run_id: str, node: Node, scope: Scope) -> None:
        children = node.lists["tasks"]
        ready = draft.state.dag(run_id).ready
        while ready and room(scope, scope.active) and not scope.failed and draft.may_start(node):
            create_run(draft, children[ready[0]], run_id, branch=Branch.TASKS)
