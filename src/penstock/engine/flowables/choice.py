"""One list out of several: If and Switch. The choice is made once, at the start, and kept."""

from __future__ import annotations

from collections.abc import Mapping

from penstock.engine import events as e
from penstock.engine.draft import Draft
from penstock.engine.flowables.sequential import SequentialBehaviour
from penstock.engine.plan import Node
from penstock.engine.runs import as_condition, end_run, settle
from penstock.engine.scopes import advance
from penstock.expr import shown, truthy
from penstock.model import flowables as f
from penstock.model.execution import Scope, TaskRun
from penstock.model.state import State
from penstock.model.task import LogLevel, Task


class IfBehaviour(SequentialBehaviour):
    """`then` or `else`; a missing branch is SUCCESS."""

    def templates(self, task: Task) -> Mapping[str, object]:
        assert isinstance(task, f.If)
        return {"condition": task.condition}

    def start(self, draft: Draft, run: TaskRun, node: Node, values: Mapping[str, object]) -> None:
        holds = truthy(as_condition(values["condition"]))
        choice = "then" if holds else "else"
        draft.emit(e.OutputsSet(run.id, {"evaluationResult": holds}))
        draft.emit(e.ScopeOpened(run.id, Scope(planned=len(node.lists.get(choice, ())), choice=choice)))
        draft.later(advance, run.id)


class SwitchBehaviour(SequentialBehaviour):
    """The case whose key equals the value as text, else `defaults`; neither is a failure (engine.md 3.4)."""

    def templates(self, task: Task) -> Mapping[str, object]:
        assert isinstance(task, f.Switch)
        return {"value": task.value}

    def start(self, draft: Draft, run: TaskRun, node: Node, values: Mapping[str, object]) -> None:
        value = as_condition(values["value"]) or ""
        choice = f"case:{value}"
        matched = choice in node.lists
        draft.emit(e.OutputsSet(run.id, {"value": shown(value), "defaults": not matched}))
        if not matched:
            choice = "defaults"
        if choice not in node.lists:
            draft.log(LogLevel.WARN, f"No task found on flow for the value `{shown(value)}` of Switch {node.id}", run)
            end_run(draft, run, settle(node, State.FAILED, run))
            return
        draft.emit(e.ScopeOpened(run.id, Scope(planned=len(node.lists[choice]), choice=choice)))
        draft.later(advance, run.id)
