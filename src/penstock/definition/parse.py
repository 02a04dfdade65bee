"""A flow's source into `model.Flow`, with every problem at once, each with its path and line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import ValidationError

from penstock.definition.checks import check_draft
from penstock.definition.defaults import apply_defaults
from penstock.definition.reading import Reader
from penstock.definition.type_index import TypeIndex
from penstock.definition.warnings import deprecations_of, infos_of, warnings_of
from penstock.definition.yaml_source import Document, load_document
from penstock.errors import FlowInvalid, Problem
from penstock.model.conditions import Condition
from penstock.model.flow import Flow, PluginDefault
from penstock.model.task import Task
from penstock.model.triggers import Trigger

_SECTIONS: dict[str, type] = {"TASKS": Task, "TRIGGERS": Trigger, "CONDITIONS": Condition}
_IGNORED = ("extend",)
"""Keys that published flows carry for catalogues and that are no properties of a flow."""


@dataclass(slots=True)
class ParsedFlow:
    """A flow, the plain document it was written as, and what its author should know.

    deprecations: paths of deprecated constructs. infos: aliases and what replaces them. warnings: likely mistakes.
    """

    flow: Flow
    document: dict[str, object]
    warnings: list[str] = field(default_factory=list)
    infos: list[str] = field(default_factory=list)
    deprecations: list[str] = field(default_factory=list)


def parse_flow(source: str, *, types: TypeIndex, defaults: Sequence[PluginDefault] = ()) -> ParsedFlow:
    """Parse and validate a flow; `defaults` are those of its namespace and the server, nearest first.

    Raises:
        FlowInvalid: with all problems, each with path and line.
    """
    return parse_document(load_document(source), types=types, defaults=defaults)


def parse_document(document: Document, *, types: TypeIndex, defaults: Sequence[PluginDefault] = ()) -> ParsedFlow:
    """Parse and validate a flow that is loaded already.

    Raises:
        FlowInvalid: with all problems, each with path and line.
    """
    if not isinstance(document.value, dict):
        raise FlowInvalid([Problem("Illegal flow source: expected a map with id, namespace and tasks", line=1)])
    written = {name: value for name, value in document.value.items() if name not in _IGNORED}
    filled = apply_defaults(written, types, flow=_own_defaults(written), others=defaults)
    reader = Reader(document, filled, types)
    flow = reader.flow()
    for path, message in check_draft(reader.draft):
        reader.report(message, path)
    if reader.problems or flow is None:
        raise FlowInvalid(_in_order(reader.problems), flow=str(written.get("id")))
    return ParsedFlow(
        flow,
        written,
        list(warnings_of(flow, reader.draft)),
        list(infos_of(reader.draft, types)),
        list(deprecations_of(reader.draft, written, types)),
    )


def problems_of_part(source: str, *, section: str, types: TypeIndex) -> list[Problem]:
    """What is wrong with a single task or trigger; `section` is `TASKS`, `TRIGGERS` or `CONDITIONS`, in any case.

    Rules between it and its flow are not judged, those between it and its children are.
    """
    root = _SECTIONS.get(section.upper(), Task)
    try:
        document = load_document(source)
    except FlowInvalid as error:
        return error.problems
    if not isinstance(document.value, dict):
        return [Problem("expected a map with a type", line=1)]
    reader = Reader(document, document.value, types)
    reader.part(root)
    for path, message in check_draft(reader.draft):
        reader.report(message, path)
    return _in_order(reader.problems)


def _own_defaults(written: Mapping[str, object]) -> list[PluginDefault]:
    entries = written.get("pluginDefaults") or written.get("taskDefaults") or []
    found: list[PluginDefault] = []
    for entry in entries if isinstance(entries, list) else []:
        try:
            found.append(PluginDefault.model_validate(entry, by_alias=True, by_name=False))
        except ValidationError:
            continue  # reported where the flow itself is validated
    return found


def _in_order(problems: Sequence[Problem]) -> list[Problem]:
    """By their place in the source; those of the same place as they were found."""
    return sorted(problems, key=lambda problem: (problem.line or 0, problem.column or 0))
