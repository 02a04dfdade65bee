"""Labels: those of the system are not for authors, and none is empty."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from penstock.definition.draft import Draft
from penstock.definition.yaml_source import Path
from penstock.model.flowables import ForEachItem, LabelsTask, Subflow
from penstock.model.triggers import Trigger

_SYSTEM = "system."
_OF_FLOWS = frozenset({"system.readOnly"})
_LABELLING = (Trigger, LabelsTask, Subflow, ForEachItem)


def check_labels(draft: Draft) -> Iterator[tuple[Path, str]]:
    """Labels of the flow, its triggers, SLAs, subflows and Labels tasks."""
    yield from _checked(draft.document.get("labels"), ("labels",), allowed=_OF_FLOWS)
    for path, sla in draft.entries("sla"):
        yield from _checked(sla.get("labels"), (*path, "labels"))
    for one in draft.placed:
        if one.cls is not None and issubclass(one.cls, _LABELLING):
            yield from _checked(one.written.get("labels"), (*one.path, "labels"))


def _checked(labels: object, path: Path, *, allowed: frozenset[str] = frozenset()) -> Iterator[tuple[Path, str]]:
    for where, key, value in _pairs(labels, path):
        if key.startswith(_SYSTEM) and key not in allowed:
            yield where, f"System labels can only be set by Kestra itself, offending label: {key}={value}"
        elif not key.strip():
            yield where, "a label has a key that is not empty"


def _pairs(labels: object, path: Path) -> Iterator[tuple[Path, str, object]]:
    if isinstance(labels, Mapping):
        for key, value in labels.items():
            yield (*path, key), str(key), value
    elif isinstance(labels, list):
        for place, one in enumerate(labels):
            if isinstance(one, Mapping) and "key" in one:
                yield (*path, place), str(one["key"]), one.get("value")


CHECKS = (check_labels,)
