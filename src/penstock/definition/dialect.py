"""Which dialect each construct of a flow belongs to: 1.x, 2.0, or both (engine.md, table D).

The dialect is a matter of each construct, never of the flow: one that mixes both is valid.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from penstock.definition.type_index import CORE_ALIASES
from penstock.definition.yaml_source import Path

_CORE = "io.kestra.plugin.core."
_OLD = tuple(f"io.kestra.core.{part}." for part in ("tasks", "models.conditions", "models.triggers", "models.tasks"))
_KESTRA = "io.kestra.plugin.kestra."


class Dialect(StrEnum):
    """A generation of the flow language."""

    V1 = "1.x"
    V2 = "2.0"


@dataclass(frozen=True, slots=True)
class Construct:
    """A part of a flow that only one dialect has.

    name: the type, or `Owner.property`. instead: what the other dialect has for it, None when there is nothing.
    deprecated: whether 1.x itself advises against it.
    """

    path: Path
    name: str
    dialect: Dialect
    instead: str | None = None
    deprecated: bool = False


@dataclass(frozen=True, slots=True)
class _Entry:
    dialect: Dialect
    instead: str | None = None
    deprecated: bool = False


def _v1(instead: str | None = None, *, deprecated: bool = False) -> _Entry:
    return _Entry(Dialect.V1, instead, deprecated)


def _v2(instead: str | None = None) -> _Entry:
    return _Entry(Dialect.V2, instead)


_TYPES: dict[str, _Entry] = {
    _CORE + "flow.ForEach": _v1("flow.Loop"),
    _CORE + "flow.EachSequential": _v1("flow.Loop", deprecated=True),
    _CORE + "flow.EachParallel": _v1("flow.Loop", deprecated=True),
    _CORE + "flow.ForEachItem": _v1("flow.Loop over the file with a flow.Subflow"),
    _CORE + "flow.Template": _v1("a subflow", deprecated=True),
    _CORE + "flow.WaitFor": _v1("flow.LoopUntil", deprecated=True),
    _CORE + "flow.Loop": _v2("flow.ForEach"),
    _CORE + "flow.Approval": _v2("flow.Pause"),
    _CORE + "debug.Echo": _v1("log.Log", deprecated=True),
    _CORE + "trigger.Toggle": _v1(_KESTRA + "triggers.Toggle"),
    _CORE + "execution.Resume": _v1(_KESTRA + "executions.Resume"),
    _CORE + "execution.Count": _v1(_KESTRA + "executions.Count"),
    _CORE + "log.Fetch": _v1(_KESTRA + "logs.Fetch"),
    _CORE + "storage.LocalFiles": _v1("inputFiles and outputFiles", deprecated=True),
    _CORE + "state.Get": _v1("kv.Get"),
    _CORE + "state.Set": _v1("kv.Set"),
    _CORE + "state.Delete": _v1("kv.Delete"),
    _CORE + "condition.FlowCondition": _v1("`when`", deprecated=True),
    _CORE + "condition.FlowNamespaceCondition": _v1("`when`", deprecated=True),
    _CORE + "condition.MultipleCondition": _v1("`dependsOn`", deprecated=True),
    _KESTRA + "triggers.Toggle": _v2(_CORE + "trigger.Toggle"),
    _KESTRA + "executions.Resume": _v2(_CORE + "execution.Resume"),
    _KESTRA + "executions.Count": _v2(_CORE + "execution.Count"),
    _KESTRA + "logs.Fetch": _v2(_CORE + "log.Fetch"),
}

_FLOW: dict[str, _Entry] = {
    "pluginDefaults": _v1("the properties at each task"),
    "taskDefaults": _v1("the properties at each task", deprecated=True),
    "listeners": _v1("afterExecution, or a Flow trigger", deprecated=True),
    "workerGroup": _v1("workerSelector"),
    "workerSelector": _v2("workerGroup"),
    "quotas": _v2(),
}
_PLUGIN: dict[str, _Entry] = {"workerGroup": _v1("workerSelector"), "workerSelector": _v2("workerGroup")}
_TASK: dict[str, _Entry] = {"when": _v2("runIf")}
_TRIGGER: dict[str, _Entry] = {"conditions": _v1("when"), "when": _v2("conditions")}
_OWN: dict[str, dict[str, _Entry]] = {
    _CORE + "flow.Pause": {
        "delay": _v1("pauseDuration", deprecated=True),
        "tasks": _v1("the tasks behind the Pause", deprecated=True),
    },
    _CORE + "flow.Subflow": {"outputs": _v1("the outputs of the flow that is called", deprecated=True)},
    _CORE + "trigger.Schedule": {
        "scheduleConditions": _v1("when", deprecated=True),
        "backfill": _v1("a backfill through the API", deprecated=True),
    },
    _CORE + "trigger.Flow": {
        "conditions": _v1("dependsOn"),
        "preconditions": _v1("dependsOn with window"),
        "dependsOn": _v2("preconditions"),
        "window": _v2("preconditions.timeWindow"),
        "mode": _v2(),
        "minSatisfied": _v2(),
        "onMiss": _v2(),
    },
}
_INPUT_TYPES: dict[str, _Entry] = {
    "BOOLEAN": _v1("BOOL", deprecated=True),
    "ENUM": _v1("SELECT", deprecated=True),
    "FORM": _v2(),
    "REUSABLE_INPUTS": _v2(),
    "ION": _v2(),
}
_RETRY: dict[str, _Entry] = {"maxAttempt": _v1("maxAttempts")}
_CHECK: dict[str, _Entry] = {"condition": _v1("when"), "when": _v2("condition")}
_DATA = frozenset({"variables", "pluginDefaults", "taskDefaults", "labels", "extend", "outputs", "values"})


def constructs(document: Mapping[str, object]) -> Iterator[Construct]:
    """Every construct of a flow that only one dialect has, in order of appearance."""
    for name, value in document.items():
        if name in _FLOW:
            yield _construct((name,), name, _FLOW[name])
        if name == "inputs":
            yield from _inputs(value, ("inputs",))
        elif name == "checks":
            yield from _checks(value)
        elif name == "retry":
            yield from _properties(value, ("retry",), "retry", _RETRY)
        elif name not in _DATA:
            yield from _inside(value, (name,), of_trigger=name == "triggers")


def type_entry(name: str) -> tuple[Dialect, str | None] | None:
    """The dialect of a type that only one dialect has, and what the other has for it."""
    entry = _type_entry(name)
    return (entry.dialect, entry.instead) if entry is not None else None


def _type_entry(name: str) -> _Entry | None:
    found = _TYPES.get(name)
    if found is not None:
        return found
    target = CORE_ALIASES.get(name, name)
    if name.startswith(_OLD):
        entry = _TYPES.get(target)
        return _v1(entry.instead if entry else target if target != name else None, deprecated=True)
    if target.startswith(_CORE + "condition."):
        return _v1("`when`", deprecated=target != name or target in _TYPES)
    return None


def _inside(value: object, path: Path, *, of_trigger: bool) -> Iterator[Construct]:
    if isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _inside(inner, (*path, place), of_trigger=of_trigger)
    elif isinstance(value, Mapping):
        name = value.get("type")
        if isinstance(name, str) and "." in name:
            yield from _plugin(name, value, path, of_trigger=of_trigger)
        for key, inner in value.items():
            yield from _property(str(key), inner, (*path, str(key)), of_trigger=of_trigger)


def _property(name: str, value: object, path: Path, *, of_trigger: bool) -> Iterator[Construct]:
    if name == "onResume" or (name == "inputs" and isinstance(value, list)):
        yield from _inputs(value, path)
    elif name == "retry":
        yield from _properties(value, path, "retry", _RETRY)
    elif isinstance(value, Mapping | list):
        yield from _inside(value, path, of_trigger=of_trigger)


def _plugin(name: str, value: Mapping[str, object], path: Path, *, of_trigger: bool) -> Iterator[Construct]:
    entry = _type_entry(name)
    if entry is not None:
        yield _construct(path, name, entry)
    target = CORE_ALIASES.get(name, name)
    shared = _TRIGGER if of_trigger and len(path) == 2 else {} if of_trigger else _TASK
    yield from _properties(value, path, target.rpartition(".")[2], {**_PLUGIN, **shared, **_OWN.get(target, {})})


def _properties(value: object, path: Path, owner: str, table: Mapping[str, _Entry]) -> Iterator[Construct]:
    for name in value if isinstance(value, Mapping) else ():
        if name in table:
            yield _construct((*path, name), f"{owner}.{name}", table[name])


def _inputs(value: object, path: Path) -> Iterator[Construct]:
    for place, one in enumerate(value if isinstance(value, list) else ()):
        if not isinstance(one, Mapping):
            continue
        kind = str(one.get("type")).upper()
        if kind in _INPUT_TYPES:
            yield _construct((*path, place, "type"), kind, _INPUT_TYPES[kind])
        if "name" in one and "id" not in one:
            yield _construct((*path, place, "name"), "input.name", _v1("id", deprecated=True))
        yield from _inputs(one.get("inputs"), (*path, place, "inputs"))


def _checks(value: object) -> Iterator[Construct]:
    for place, one in enumerate(value if isinstance(value, list) else ()):
        yield from _properties(one, ("checks", place), "check", _CHECK)


def _construct(path: Path, name: str, entry: _Entry) -> Construct:
    return Construct(path, name, entry.dialect, entry.instead, entry.deprecated)
