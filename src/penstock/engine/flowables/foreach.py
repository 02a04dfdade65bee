"""Loops inside the execution: ForEach, EachSequential, EachParallel. One flat list of task runs, each with its value.

An iteration is a group: its tasks run one after another, `limit` groups at a time. Where a group stands is known from
the child that ended last, so no state is kept per iteration (engine.md 3.6.1).
"""

from __future__ import annotations

from collections.abc import Mapping

from penstock.engine import events as e
from penstock.engine.commands import Continue
from penstock.engine.draft import Draft
from penstock.engine.flowables.parallel import read_limit, room
from penstock.engine.flowables.sequential import SequentialBehaviour
from penstock.engine.flowables.values import BadValues, each_values
from penstock.engine.plan import Node
from penstock.engine.runs import create_run, end_run, fail_run, settle
from penstock.engine.scopes import advance
from penstock.model import flowables as f
from penstock.model.execution import Branch, Scope, TaskRun
from penstock.model.state import State
from penstock.model.task import Task


class ForEachBehaviour(SequentialBehaviour):
    """A group of tasks for each value."""

    def templates(self, task: Task) -> Mapping[str, object]:
        if isinstance(task, f.EachSequential):
            return {"values": task.value, "limit": 1}
        if isinstance(task, f.EachParallel):
            return {"values": task.value, "limit": task.concurrent}
        assert isinstance(task, f.ForEach)
        return {"values": task.values, "limit": task.concurrency_limit}

    def start(self, draft: Draft, run: TaskRun, node: Node, values: Mapping[str, object]) -> None:
        try:
            texts = each_values(values["values"])
            limit = read_limit(values["limit"])
        except ValueError as error:
            fail_run(draft, run, node, str(error) if isinstance(error, BadValues) else f"{node.id}: {error}")
            return
        if not texts or not node.lists["tasks"]:
            draft.emit(e.ScopeOpened(run.id, Scope(planned=0)))
            end_run(draft, run, settle(node, State.SUCCESS, run))
            return
        draft.emit(e.ScopeOpened(run.id, Scope(planned=len(texts), limit=limit)))
        draft.emit(e.ValuesPlanned(run.id, texts))
        draft.later(advance, run.id)

    def grow(self, draft: Draft, run_id: str, node: Node, scope: Scope) -> None:
        values = draft.state.values[run_id].values
        self._go_on(draft, run_id, node, scope, values)
        stop = min(scope.planned, scope.cursor + draft.moment.around.chunk)
        while scope.cursor < stop and self._has_room(scope) and not scope.failed and draft.may_start(node):
            iteration = scope.cursor
            draft.emit(e.CursorMoved(run_id, iteration + 1))
            self._start(draft, run_id, node, values, iteration=iteration, index=0)
        if stop < scope.planned and scope.cursor == stop and self._has_room(scope):
            draft.decision.continues.append(Continue(execution_id=draft.state.execution.id, task_run_id=run_id))

    def _has_room(self, scope: Scope) -> bool:
        return room(scope, scope.cursor - scope.groups)

    def _go_on(self, draft: Draft, run_id: str, node: Node, scope: Scope, values: list[str]) -> None:
        """Groups whose last task has ended go on with their next, earlier values first."""
        if not scope.ready or scope.failed or not draft.may_start(node):
            return
        waiting = sorted(scope.ready)
        draft.emit(e.ReadySet(run_id, []))
        for iteration, index in waiting:
            self._start(draft, run_id, node, values, iteration=iteration, index=index)

    def _start(self, draft: Draft, run_id: str, node: Node, values: list[str], *, iteration: int, index: int) -> None:
        child = node.lists["tasks"][index]
        create_run(draft, child, run_id, branch=Branch.TASKS, value=values[iteration], iteration=iteration)

    def complete(self, draft: Draft, run_id: str, node: Node, scope: Scope) -> bool:
        return scope.groups >= scope.planned

    def child_ended(self, draft: Draft, run_id: str, node: Node, child: TaskRun) -> None:
        index = draft.state.plan.by_id[child.task_id].index + 1
        assert child.iteration is not None
        if index >= len(node.lists["tasks"]):
            draft.emit(e.GroupEnded(run_id))
            return
        scope = draft.state.scope_at(run_id)
        draft.emit(e.ReadySet(run_id, [*scope.ready, (child.iteration, index)]))
