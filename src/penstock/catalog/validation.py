"""What the validation of sources answers: one result per document, valid or not (engine.md 6.7, api.md 9)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from penstock.catalog.sources import heading_of, split_documents
from penstock.errors import FlowInvalid
from penstock.model.mappings import maps_within

if TYPE_CHECKING:
    from penstock.catalog.flows import FlowShelf
    from penstock.definition import ParsedFlow

SUBFLOW_TYPES = (
    "io.kestra.plugin.core.flow.Subflow",
    "io.kestra.core.tasks.flows.Subflow",
    "io.kestra.core.tasks.flows.Flow",
)


class Validation(msgspec.Struct, kw_only=True, omit_defaults=False, rename="camel"):
    """The result for one document; a valid one has no `constraints`."""

    index: int
    flow: str | msgspec.UnsetType = msgspec.UNSET
    namespace: str | msgspec.UnsetType = msgspec.UNSET
    filename: str | msgspec.UnsetType = msgspec.UNSET
    constraints: str | msgspec.UnsetType = msgspec.UNSET
    outdated: bool = False
    deprecation_paths: list[str] = []
    warnings: list[str] = []
    infos: list[str] = []


def validate(shelf: FlowShelf, tenant: str, text: str, *, filename: str | None = None) -> list[Validation]:
    """A result for each document of `text`; `filename` is repeated in each where it is given."""
    documents = split_documents(text) or [text]
    return [_validate_one(shelf, tenant, source, index, filename) for index, source in enumerate(documents)]


def _validate_one(shelf: FlowShelf, tenant: str, source: str, index: int, filename: str | None) -> Validation:
    head = heading_of(source)
    result = Validation(
        index=index,
        flow=head.id or msgspec.UNSET,
        namespace=head.namespace or msgspec.UNSET,
        filename=filename or msgspec.UNSET,
    )
    try:
        parsed = shelf.parse(source)
    except FlowInvalid as fault:
        result.constraints = ", ".join(str(problem) for problem in fault.problems)
        return result
    flow = parsed.flow
    result.flow, result.namespace = flow.id, flow.namespace
    newest = shelf.rows.latest(tenant, flow.namespace, flow.id)
    result.outdated = head.revision is not None and newest is not None and head.revision != newest.revision + 1
    result.deprecation_paths = list(parsed.deprecations)
    result.warnings = [*parsed.warnings, *_missing_subflows(shelf, tenant, parsed)]
    result.infos = list(parsed.infos)
    return result


def _missing_subflows(shelf: FlowShelf, tenant: str, parsed: ParsedFlow) -> Iterator[str]:
    seen: set[tuple[str, str]] = set()
    for task in maps_within(parsed.document):
        if task.get("type") not in SUBFLOW_TYPES:
            continue
        namespace, flow_id = task.get("namespace"), task.get("flowId")
        if not isinstance(namespace, str) or not isinstance(flow_id, str) or "{" in namespace + flow_id:
            continue
        if (namespace, flow_id) in seen or (namespace, flow_id) == (parsed.flow.namespace, parsed.flow.id):
            continue
        seen.add((namespace, flow_id))
        if shelf.rows.latest(tenant, namespace, flow_id) is None:
            yield f"The subflow '{flow_id}' not found in namespace '{namespace}'."
