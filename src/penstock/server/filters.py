"""Query parameters into questions: paging, sorting, and filters in Kestra's notation (api.md 4, 5)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.datastructures import QueryParams

from penstock.errors import BadRequest, Unprocessable
from penstock.ports.reads import AllOf, AnyOf, Condition, Filter, Sort

_PART = re.compile(r"\[([^\]]*)\]")
OPERATIONS = frozenset({
    "EQUALS", "NOT_EQUALS", "GREATER_THAN", "LESS_THAN", "GREATER_THAN_OR_EQUAL_TO", "LESS_THAN_OR_EQUAL_TO", "IN",
    "NOT_IN", "STARTS_WITH", "ENDS_WITH", "CONTAINS", "REGEX", "PREFIX", "NOT_CONTAINS", "IS_NULL", "IS_NOT_NULL",
})  # fmt: skip
KNOWN_FIELDS = (
    "attemptNumber", "childFilter", "metadata", "triggerState", "endDate", "parentPath", "source", "type", "taskRunId",
    "path", "flowRevision", "id", "state", "locked", "timeRange", "workerId", "level", "kind", "created", "triggerId",
    "version", "labels", "tags", "executionId", "updated", "startDate", "nextExecutionDate", "triggerExecutionId",
    "assetId", "scope", "flowId", "parentId", "q", "existingOnly", "namespace", "lastTriggeredDate", "taskId",
)  # fmt: skip
_MAPS = frozenset({"labels", "metadata"})


@dataclass(frozen=True, slots=True)
class Paging:
    """Which page of a list, and in which order."""

    page: int
    size: int
    sort: list[Sort]


def paging(params: QueryParams, *, size: int = 10) -> Paging:
    """`page`, `size` and `sort` of a request.

    Raises:
        BadRequest: page or size is no positive number. Unprocessable: a sort is not `field:asc|desc`.
    """
    return Paging(_positive(params, "page", 1), _positive(params, "size", size), _sorts(params))


def _positive(params: QueryParams, name: str, default: int) -> int:
    text = params.get(name)
    if text is None or text == "":
        return default
    try:
        value = int(text)
    except ValueError as error:
        raise BadRequest(f"`{name}` must be a whole number, found `{text}`") from error
    if value < 1:
        raise BadRequest(f"`{name}` must be 1 or more, found {value}")
    return value


def _sorts(params: QueryParams) -> list[Sort]:
    found: list[Sort] = []
    for text in params.getlist("sort"):
        field, _, direction = text.partition(":")
        if direction.lower() not in ("", "asc", "desc"):
            raise Unprocessable(f"Invalid sort parameter `{text}`, expected field:asc or field:desc")
        found.append(Sort(field, direction.lower() == "desc"))
    return found


def filters(params: QueryParams, *, legacy: Mapping[str, str] | None = None) -> list[Condition]:
    """The filters of a request: `filters[field][OP]=value`, groups with `or`/`and`, and flat ones of older clients.

    legacy: flat parameter -> `field` or `field:OPERATION` to read it as.

    Raises:
        Unprocessable: an unknown field. BadRequest: an unknown operation.
    """
    found: list[Condition] = []
    groups: dict[tuple[str, ...], list[tuple[list[str], str]]] = {}
    for name, value in params.multi_items():
        if name.startswith("filters["):
            parts = _PART.findall(name[len("filters") :])
            if parts and parts[0] in ("or", "and"):
                groups.setdefault((parts[0],), []).append((parts[1:], value))
            else:
                found.append(_leaf(parts, value))
        elif legacy and name in legacy and value != "":
            found.append(_flat(legacy[name], value))
    for (operator,), leaves in groups.items():
        found.append(_group(operator, leaves))
    return found


def _group(operator: str, leaves: list[tuple[list[str], str]]) -> Condition:
    members: dict[str, list[tuple[list[str], str]]] = {}
    for parts, value in leaves:
        members.setdefault(parts[0] if parts else "0", []).append((parts[1:], value))
    conditions: list[Condition] = []
    for inner in members.values():
        first = inner[0][0]
        if first and first[0] in ("or", "and"):
            conditions.append(_group(first[0], [(parts[1:], value) for parts, value in inner]))
        else:
            leaf = [_leaf(parts, value) for parts, value in inner]
            conditions.append(leaf[0] if len(leaf) == 1 else AllOf(tuple(leaf)))
    return AnyOf(tuple(conditions)) if operator == "or" else AllOf(tuple(conditions))


def _leaf(parts: list[str], value: str) -> Filter:
    if len(parts) < 2:
        raise BadRequest("Invalid query filters: expected filters[field][OPERATION]=value")
    field, operation, *rest = parts
    if field not in KNOWN_FIELDS:
        raise Unprocessable(
            f"Illegal argument: Unsupported field '{field}'. Expected one of: [{', '.join(KNOWN_FIELDS)}]"
        )
    if operation not in OPERATIONS:
        raise BadRequest(f"Invalid query filters: unknown operation {operation} for field {field}")
    key = ".".join(rest) if rest else None
    return Filter(field, operation, _value(operation, value), key)


def _value(operation: str, text: str) -> object:
    return [part for part in text.split(",") if part] if operation in ("IN", "NOT_IN") else text


def _flat(target: str, value: str) -> Filter:
    field, _, operation = target.partition(":")
    if field == "labels":
        key, _, text = value.partition(":")
        return Filter(field, operation or "EQUALS", text, key)
    if field == "state":
        return Filter(field, "IN", [part for part in value.split(",") if part])
    return Filter(field, operation or "EQUALS", value)


EXECUTION_LEGACY = {
    "namespace": "namespace:PREFIX", "flowId": "flowId", "state": "state", "q": "q", "labels": "labels",
    "triggerExecutionId": "triggerExecutionId", "timeRange": "timeRange", "childFilter": "childFilter",
}  # fmt: skip
LOG_LEGACY = {
    "minLevel": "level:GREATER_THAN_OR_EQUAL_TO", "taskRunId": "taskRunId", "taskId": "taskId", "attempt": "attemptNumber",
    "namespace": "namespace:PREFIX", "flowId": "flowId", "q": "q", "triggerId": "triggerId",
}  # fmt: skip
FLOW_LEGACY = {"namespace": "namespace:PREFIX", "q": "q", "labels": "labels"}
TRIGGER_LEGACY = {"namespace": "namespace:PREFIX", "flowId": "flowId", "q": "q"}


def flag(params: QueryParams, name: str, *, default: bool = False) -> bool:
    """A yes-or-no parameter."""
    text = params.get(name)
    return default if text is None else text.lower() in ("true", "1", "")
