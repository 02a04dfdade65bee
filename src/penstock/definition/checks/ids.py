"""Ids must be unique, and the flow's own must not be a word of the API."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from penstock.definition.draft import Draft
from penstock.definition.type_index import CORE_TYPES, canonical
from penstock.definition.yaml_source import Path
from penstock.model.flowables import ForEachItem

_RESERVED = (
    "pause", "resume", "force-run", "change-status", "kill", "executions", "search", "source", "disable", "enable",
)  # fmt: skip
_PARTS_OF_FOR_EACH_ITEM = ("_split", "_items", "_merge")


def flow_id(draft: Draft) -> Iterator[tuple[Path, str]]:
    """1.1: words that stand after an execution's or a flow's id in the addresses of the API are no ids of flows."""
    if draft.document.get("id") in _RESERVED:
        words = ", ".join(_RESERVED)
        yield ("id",), f"Flow id is a reserved keyword: {draft.document['id']}. List of reserved keywords: {words}"


def task_ids(draft: Draft) -> Iterator[tuple[Path, str]]:
    """Unique over the whole flow: nested, errors, finally, afterExecution, onPause and listeners too."""
    seen: set[str] = set()
    for task in draft.tasks:
        names = [task.id]
        if CORE_TYPES.get(canonical(str(task.written.get("type")))) is ForEachItem:
            names += [task.id + part for part in _PARTS_OF_FOR_EACH_ITEM]
        for name in names:
            if name and name in seen:
                yield (*task.path, "id"), f"Duplicate task id with name [{name}]"
            seen.add(name)


def trigger_ids(draft: Draft) -> Iterator[tuple[Path, str]]:
    """Unique among the triggers."""
    yield from repeated(((t.path, t.written) for t in draft.triggers), "trigger id")


def output_ids(draft: Draft) -> Iterator[tuple[Path, str]]:
    """Unique among the outputs of the flow, and of each Loop."""
    yield from repeated(draft.entries("outputs"), "output")
    for task in draft.tasks:
        declared = task.written.get("outputs")
        if isinstance(declared, list):
            entries = [((*task.path, "outputs", i), o) for i, o in enumerate(declared) if isinstance(o, Mapping)]
            yield from repeated(entries, "output")


def quota_durations(draft: Draft) -> Iterator[tuple[Path, str]]:
    """The duration is the identity of a quota."""
    yield from repeated(draft.entries("quotas"), "quota", key="duration")


def repeated(
    entries: Iterable[tuple[Path, Mapping[str, object]]], what: str, *, key: str = "id"
) -> Iterator[tuple[Path, str]]:
    """The entries whose `key` an earlier one has."""
    seen: set[str] = set()
    for path, entry in entries:
        name = entry.get(key)
        if isinstance(name, str):
            if name in seen:
                yield (*path, key), f"Duplicate {what} with name [{name}]"
            seen.add(name)


CHECKS = (flow_id, task_ids, trigger_ids, output_ids, quota_durations)
