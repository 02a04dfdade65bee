"""What templates see at one place of one execution (expressions.md 10)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from penstock.engine.moment import Moment
from penstock.engine.outputs import OutputsView
from penstock.engine.state import ExecutionState
from penstock.model.execution import Execution, RunKind, TaskRun
from penstock.model.mappings import nested
from penstock.model.state import TERMINATED

if TYPE_CHECKING:
    from penstock.model.task import Task


def variables_of(
    state: ExecutionState, moment: Moment, run: TaskRun | None = None, task: Task | None = None
) -> dict[str, object]:
    """Everything a template may name at `run` (or at the flow itself). Cheap: nothing is loaded before it is touched."""
    context = state.context
    around = moment.around
    ancestors = state.ancestors(run) if run is not None and run.parent_id else []
    variables: dict[str, object] = {
        "flow": state.plan.flow_variables,
        "execution": _execution(state),
        "outputs": _outputs(state, moment, _owners(run, ancestors)),
        "inputs": _inputs(state, moment),
        "vars": context.variables,
        "labels": _labels(state),
        "envs": around.envs,
        "globals": around.globals,
        "kestra": around.kestra,
        "tasks": TasksView(state, moment),
    }
    if context.trigger is not None:
        variables["trigger"] = _trigger(state)
    if run is None:
        return variables
    if task is not None:
        variables["task"] = {"id": task.id, "type": task.type}
    variables["taskrun"] = _taskrun(run)
    if ancestors:
        parents = [_parent(a) for a in ancestors]
        variables["parents"] = parents
        variables["parent"] = parents[0]
    if run.owner or run.kind is RunKind.ITERATION:
        variables["item"] = _item(run, ancestors)
    return variables


def _execution(state: ExecutionState) -> object:
    found = state.cache.get("execution")
    if found is None:
        found = _execution_variables(state.execution, state.cache.get("execution_outputs"))
        state.cache["execution"] = found
    return found


def _execution_variables(execution: Execution, outputs: object) -> dict[str, object]:
    found: dict[str, object] = {
        "id": execution.id,
        "startDate": execution.histories[0].date,
        "state": str(execution.state),
        "originalId": execution.original_id,
    }
    if execution.state in TERMINATED:
        found["endDate"] = execution.histories[-1].date
    if outputs is not None:
        found["outputs"] = outputs
    return found


def _inputs(state: ExecutionState, moment: Moment) -> Mapping[str, object]:
    inputs = state.context.inputs
    found = state.cache.get("inputs")
    if found is None:
        found = nest(moment.around.reveal(inputs) if state.plan.secret_inputs else inputs)
        state.cache["inputs"] = found
    assert isinstance(found, Mapping)
    return found


def _labels(state: ExecutionState) -> object:
    found = state.cache.get("labels")
    if found is None:
        found = nest({label.key: label.value for label in state.context.labels})
        state.cache["labels"] = found
    return found


def _trigger(state: ExecutionState) -> object:
    found = state.cache.get("trigger")
    if found is None:
        trigger = state.context.trigger
        assert trigger is not None
        found = {**trigger.variables, "_context": {"id": trigger.id, "type": trigger.type}}
        state.cache["trigger"] = found
    return found


def nest(flat: Mapping[str, object]) -> Mapping[str, object]:
    """Dotted keys as nested maps (`a.b` -> `a: {b: …}`); a map without dotted keys is given back as it is."""
    if not any("." in key for key in flat):
        return flat
    return nested(flat)


def _owners(run: TaskRun | None, ancestors: list[TaskRun]) -> list[str]:
    if run is None or not (run.owner or run.kind is RunKind.ITERATION):
        return [""]
    chain = [run, *ancestors] if run.kind is RunKind.ITERATION else ancestors
    return [*(a.id for a in chain if a.kind is RunKind.ITERATION), ""]


def _outputs(state: ExecutionState, moment: Moment, owners: list[str]) -> OutputsView:
    return OutputsView(state.execution.id, owners, depths=state.plan.depths, recent=state.recent, reader=moment.archive)


def _taskrun(run: TaskRun) -> dict[str, object]:
    found: dict[str, object] = {
        "id": run.id,
        "startDate": run.histories[0].date,
        "attemptsCount": len(run.attempts),
    }
    if run.parent_id:
        found["parentId"] = run.parent_id
    if run.value is not None:
        found["value"] = run.value
    if run.iteration is not None:
        found["iteration"] = run.iteration
    return found


def _parent(run: TaskRun) -> dict[str, object]:
    found: dict[str, object] = {"task": {"id": run.task_id}}
    found["taskrun"] = {"value": run.value} if run.value is not None else {}
    return found


def _item(run: TaskRun, ancestors: list[TaskRun]) -> dict[str, object]:
    """`item` of the nearest iteration; its `parents` are listed outermost first (engine.md 3.7)."""
    chain = [run, *ancestors] if run.kind is RunKind.ITERATION else ancestors
    iterations = [_item_facts(r) for r in chain if r.kind is RunKind.ITERATION]
    item, outer = iterations[0], iterations[1:]
    if outer:
        item["parents"] = outer[::-1]
        item["parent"] = outer[0]
    return item


def _item_facts(run: TaskRun) -> dict[str, object]:
    facts: dict[str, object] = {"index": run.iteration, "value": run.value}
    if run.key is not None:
        facts["key"] = run.key
    return facts


class TasksView(Mapping[str, object]):
    """`tasks`: the states of the execution's task runs, read from the archive only when a template asks."""

    __slots__ = ("_found", "_moment", "_state")

    def __init__(self, state: ExecutionState, moment: Moment) -> None:
        self._state = state
        self._moment = moment
        self._found: dict[str, object] | None = None

    def _load(self) -> dict[str, object]:
        if self._found is None:
            runs = {r.id: r for r in self._moment.archive.runs(self._state.execution.id)}
            runs.update(self._state.runs)
            self._found = task_states(list(runs.values()))
        return self._found

    def __getitem__(self, key: str) -> object:
        return self._load()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._load())

    def __len__(self) -> int:
        return len(self._load())


def task_states(runs: list[TaskRun]) -> dict[str, object]:
    """`tasks.<id>.state`, or `tasks.<id>[value].state` for task runs with a loop value."""
    found: dict[str, object] = {}
    for run in runs:
        if run.kind is RunKind.ITERATION:
            continue
        entry = {"state": str(run.state)}
        if run.value is None:
            found[run.task_id] = entry
            continue
        level = found.setdefault(run.task_id, {})
        assert isinstance(level, dict)
        level[run.value] = entry
    return found
