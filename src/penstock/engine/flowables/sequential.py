"""One child after another: Sequential, AllowFailure, one iteration of a Loop, and the flow itself."""

from __future__ import annotations

from collections.abc import Mapping

from penstock.engine import events as e
from penstock.engine.draft import Draft
from penstock.engine.plan import Node
from penstock.engine.scopes import advance, start_next
from penstock.model.execution import Scope, TaskRun
from penstock.model.state import State
from penstock.model.task import Task


class SequentialBehaviour:
    """The base rule of all flowables; the others change what they must."""

    def templates(self, task: Task) -> Mapping[str, object]:
        return {}

    def start(self, draft: Draft, run: TaskRun, node: Node, values: Mapping[str, object]) -> None:
        self.open(draft, run, node)
        draft.later(advance, run.id)

    def open(self, draft: Draft, run: TaskRun, node: Node, **counters: object) -> None:
        """Open the scope over the `tasks` list."""
        scope = Scope(planned=len(node.lists.get("tasks", ())))
        for name, value in counters.items():
            setattr(scope, name, value)
        draft.emit(e.ScopeOpened(run.id, scope))

    def grow(self, draft: Draft, run_id: str, node: Node, scope: Scope) -> None:
        start_next(draft, run_id, node, scope)

    def complete(self, draft: Draft, run_id: str, node: Node, scope: Scope) -> bool:
        return scope.planned >= 0 and scope.done >= scope.planned

    def child_ended(self, draft: Draft, run_id: str, node: Node, child: TaskRun) -> None:
        """The cursor says what comes next: nothing to note."""

    def before_end(self, draft: Draft, run: TaskRun, node: Node, state: State) -> State | None:
        return state

    def evaluated(self, draft: Draft, run: TaskRun, node: Node, purpose: str, values: Mapping[str, object]) -> None:
        """Nothing is asked for on the way."""

    def woken(self, draft: Draft, run: TaskRun, node: Node, stamp: int) -> None:
        """It sets no timer."""
