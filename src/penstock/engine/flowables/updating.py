"""Tasks that change the execution itself, here and not on a worker: Labels, SetVariables, UnsetVariables, Exit (engine.md 3.12)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from penstock.engine import events as e
from penstock.engine.draft import Draft
from penstock.engine.flowables.sequential import SequentialBehaviour
from penstock.engine.flowables.subflow import raw_labels
from penstock.engine.flowables.values import as_text, shorten
from penstock.engine.kill import kill
from penstock.engine.lifecycle import end_now
from penstock.engine.plan import Node
from penstock.engine.runs import end_run, fail_run, stop_run
from penstock.model import flowables as f
from penstock.model.execution import Label, TaskRun, merge_labels
from penstock.model.state import TERMINATED, State
from penstock.model.task import Task


class UpdatingBehaviour(SequentialBehaviour):
    """Renders its properties, changes the execution, ends."""

    def templates(self, task: Task) -> Mapping[str, object]:
        match task:
            case f.LabelsTask():
                return {"labels": raw_labels(task.labels)}
            case f.SetVariables():
                return {"variables": task.variables, "overwrite": task.overwrite}
            case f.UnsetVariables():
                return {"variables": task.variables, "ignoreMissing": task.ignore_missing}
            case f.Exit():
                return {"state": task.state}
            case _:
                return {}

    def start(self, draft: Draft, run: TaskRun, node: Node, values: Mapping[str, object]) -> None:
        try:
            self._change(draft, run, node, values)
        except ValueError as error:
            fail_run(draft, run, node, str(error))

    def _change(self, draft: Draft, run: TaskRun, node: Node, values: Mapping[str, object]) -> None:
        match node.task:
            case f.Exit():
                leave(draft, run, State.read(str(values["state"]).rpartition(".")[2]))
                return
            case f.LabelsTask():
                labels = merge_labels(draft.state.context.labels, read_new_labels(values["labels"]))
                draft.emit(e.LabelsSet(labels))
            case f.SetVariables():
                overwrite = str(values["overwrite"]).lower() != "false"
                merged = merge_variables(draft.state.context.variables, _map(values["variables"]), overwrite=overwrite)
                draft.emit(e.VariablesSet(merged))
            case f.UnsetVariables():
                lenient = str(values["ignoreMissing"]).lower() == "true"
                left = without_variables(draft.state.context.variables, _list(values["variables"]), lenient=lenient)
                draft.emit(e.VariablesSet(left))
            case _:
                raise ValueError(f"{node.task.type} cannot run inside the executor")
        end_run(draft, run, State.SUCCESS)


def leave(draft: Draft, run: TaskRun, state: State) -> None:
    """Exit: this task run, its ancestors and the execution take the state; nothing more starts but afterExecution."""
    if draft.state.execution.state in TERMINATED:
        end_run(draft, run, state)  # in afterExecution there is nothing left to leave
        return
    if state is State.KILLED:
        stop_run(draft, run, state)
        kill(draft, cascade=True)
        return
    for link in [run, *draft.state.ancestors(run)]:
        stop_run(draft, link, state)
    end_now(draft, state)


def read_new_labels(value: object) -> list[Label]:
    """Labels of the Labels task: a map, a list of `{key, value}`, or their JSON.

    Raises:
        ValueError: a system label, an empty value, or neither form.
    """
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value)
        except msgspec.DecodeError as error:
            raise ValueError(
                f"labels must be a map, a list of key and value, or their JSON, found `{value}`"
            ) from error
    if isinstance(value, Mapping):
        pairs = [(str(k), v) for k, v in value.items()]
    elif isinstance(value, Sequence):
        pairs = [_pair(entry) for entry in value]
    else:
        raise ValueError("labels must be a map, a list of key and value, or their JSON")
    return [_label(key, text) for key, text in pairs]


def _pair(entry: object) -> tuple[str, object]:
    if not isinstance(entry, Mapping) or "key" not in entry:
        raise ValueError(f"a label must be a map with key and value, found `{shorten(entry)}`")
    return str(entry["key"]), entry.get("value")


def _label(key: str, value: object) -> Label:
    if key.startswith("system."):
        raise ValueError(f"System labels can only be set by Kestra itself, offending label: {key}={value}")
    if value is None or str(value) == "":
        raise ValueError(f"Label values cannot be empty, offending label: {key}")
    return Label(key, as_text(value))


def merge_variables(old: Mapping[str, object], new: Mapping[str, object], *, overwrite: bool) -> dict[str, object]:
    """`new` merged deeply into `old`.

    Raises:
        ValueError: a key exists already and `overwrite` is false.
    """
    merged = dict(old)
    for key, value in new.items():
        present = merged.get(key)
        if isinstance(present, Mapping) and isinstance(value, Mapping):
            merged[key] = merge_variables(present, value, overwrite=overwrite)
            continue
        if key in merged and not overwrite:
            raise ValueError(f"Variable `{key}` already exists and overwrite is set to false")
        merged[key] = value
    return merged


def without_variables(old: Mapping[str, object], paths: Sequence[str], *, lenient: bool) -> dict[str, object]:
    """`old` without the variables at the dotted `paths`.

    Raises:
        ValueError: one is missing and `lenient` is false.
    """
    left = dict(old)
    for path in paths:
        left = _without(left, path.split("."), path, lenient=lenient)
    return left


def _without(level: Mapping[str, object], path: list[str], whole: str, *, lenient: bool) -> dict[str, object]:
    head, *rest = path
    if head not in level:
        if lenient:
            return dict(level)
        raise ValueError(f"Variable `{whole}` does not exist: set ignoreMissing to true to go on without it")
    copy = dict(level)
    below = copy[head]
    if not rest:
        del copy[head]
    elif isinstance(below, Mapping):
        copy[head] = _without(below, rest, whole, lenient=lenient)
    elif not lenient:
        raise ValueError(f"Variable `{whole}` does not exist: `{head}` is no map")
    return copy


def _map(value: object) -> Mapping[str, object]:
    found = _decoded(value)
    if not isinstance(found, Mapping):
        raise ValueError(f"variables must be a map or its JSON, found `{shorten(value)}`")
    return found


def _decoded(value: object) -> object:
    """A text that holds JSON as what it says; anything else as it is."""
    if not isinstance(value, str):
        return value
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError:
        return value


def _list(value: object) -> list[str]:
    found = _decoded(value)
    if isinstance(found, str):
        return [found]
    if not isinstance(found, Sequence):
        raise ValueError(f"variables must be a list of names or its JSON, found `{shorten(value)}`")
    return [str(name) for name in found]
