"""Query parameters into questions: paging, sorting, and filters in Kestra's notation (api.md 4, 5)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from starlette.datastructures import QueryParams

from penstock.clock import Clock
from penstock.errors import Unprocessable
from penstock.model.duration import parse_duration
from penstock.ports.reads import AllOf, AnyOf, Condition, Filter, Sort
from penstock.server.asked import number
from penstock.server.errors import InvalidFilters
from penstock.server.searchable import FIELDS, OPERATIONS, Searchable

_PART = re.compile(r"\[([^\]]*)\]")
_GROUPS = ("or", "and")
MOST_ROWS = 10_000
"""Rows of one page at the most. Kestra 2.0 answers any size."""

_DEPTH = 4
"""How deep groups of filters may stand in one another."""

Leaf = tuple[list[str], str]
"""The bracketed parts of a filter's name, and its value."""


@dataclass(frozen=True, slots=True)
class Paging:
    """Which page of a list, and in which order."""

    page: int
    size: int
    sort: list[Sort]


def paging(params: QueryParams, *, size: int = 10) -> Paging:
    """`page`, `size` and `sort` of a request.

    Raises:
        InvalidParameter: page or size is no positive number. Unprocessable: a sort is not `field:asc|desc`.
    """
    return Paging(number(params, "page", 1), number(params, "size", size, most=MOST_ROWS), list(_sorts(params)))


def _sorts(params: QueryParams) -> Iterator[Sort]:
    for text in params.getlist("sort"):
        field, _, direction = text.rpartition(":")
        if not field or direction.lower() not in ("asc", "desc"):
            raise Unprocessable(
                f"Unprocessable Entity: Invalid sort parameter, expected field:asc or field:desc, found `{text}`"
            )
        yield Sort(field, direction.lower() == "desc")


def filters(params: QueryParams, of: Searchable, clock: Clock) -> list[Condition]:
    """The filters of a request: `filters[field][OP]=value`, groups with `or`/`and`, and flat ones of older clients.

    `timeRange` becomes a comparison with a moment: what is asked knows no clock.

    Raises:
        Unprocessable: an unknown field. InvalidFilters: a field or operation that these things do not have; all at once.
    """
    reader = _Reader(of, clock)
    found = reader.conditions(params)
    if reader.faults:
        raise InvalidFilters(f"Invalid query filters: Provided query filters are invalid: {', '.join(reader.faults)}")
    return found


def refuse_flat(params: QueryParams, of: Searchable) -> None:
    """A bulk by query must not overlook a filter: flat ones of older clients are refused. Raises InvalidFilters."""
    for name in params:
        if name in of.legacy:
            raise InvalidFilters(f"`{name}` is not read here, use filters[{name}][EQUALS]")


class _Reader:
    """Reads the filters of one request; `faults` are told together."""

    def __init__(self, of: Searchable, clock: Clock) -> None:
        self._of = of
        self._clock = clock
        self.faults: list[str] = []

    def conditions(self, params: QueryParams) -> list[Condition]:
        found: list[Condition] = []
        groups: dict[str, list[Leaf]] = {}
        for name, value in params.multi_items():
            if name.startswith("filters["):
                parts = _PART.findall(name[len("filters") :])
                if parts and parts[0] in _GROUPS:
                    groups.setdefault(parts[0], []).append((parts[1:], value))
                else:
                    found.append(self._leaf(parts, value))
            elif name in self._of.legacy and value != "":
                found.append(self._flat(self._of.legacy[name], value))
        found.extend(self._group(operator, leaves, 1) for operator, leaves in groups.items())
        return found

    def _group(self, operator: str, leaves: Sequence[Leaf], depth: int) -> Condition:
        if depth > _DEPTH:
            raise InvalidFilters(f"Invalid query filters: groups may stand {_DEPTH} deep in one another, not deeper")
        members: dict[str, list[Leaf]] = {}
        for parts, value in leaves:
            members.setdefault(parts[0] if parts else "0", []).append((parts[1:], value))
        conditions = tuple(self._member(inner, depth) for inner in members.values())
        return AnyOf(conditions) if operator == "or" else AllOf(conditions)

    def _member(self, inner: Sequence[Leaf], depth: int) -> Condition:
        first = inner[0][0]
        if first and first[0] in _GROUPS:
            return self._group(first[0], [(parts[1:], value) for parts, value in inner], depth + 1)
        leaves = [self._leaf(parts, value) for parts, value in inner]
        return leaves[0] if len(leaves) == 1 else AllOf(tuple(leaves))

    def _leaf(self, parts: Sequence[str], value: str) -> Condition:
        if len(parts) < 2:
            raise InvalidFilters("Invalid query filters: expected filters[field][OPERATION]=value")
        field, operation, *rest = parts
        if field not in FIELDS:
            raise Unprocessable(
                f"Illegal argument: Unsupported field '{field}'. Expected one of: [{', '.join(FIELDS)}]"
            )
        self._check(field, operation)
        key = ".".join(rest) if rest else None
        return self._condition(field, operation, _value(operation, value), key)

    def _check(self, field: str, operation: str) -> None:
        if field not in self._of.fields:
            self.faults.append(f"Field {_constant(field)} is not supported for {self._of.name}")
        elif operation not in FIELDS[field]:
            expected = ", ".join(FIELDS[field])
            self.faults.append(
                f"Operation {operation} is not supported for field {_constant(field)}. "
                f"Supported operations are {expected}"
                if operation in OPERATIONS
                else f"Unknown operation {operation} for field {_constant(field)}"
            )

    def _flat(self, target: str, value: str) -> Condition:
        field, _, operation = target.partition(":")
        if field == "labels":
            key, _, text = value.partition(":")
            return Filter(field, operation or "EQUALS", text, key)
        if field == "state":
            return Filter(field, "IN", _value("IN", value))
        return self._condition(field, operation or "EQUALS", value, None)

    def _condition(self, field: str, operation: str, value: object, key: str | None) -> Condition:
        if field == "timeRange":
            return self._since(str(value))
        if field == "scope" and "," in str(value) and operation in ("EQUALS", "NOT_EQUALS"):
            operation = "IN" if operation == "EQUALS" else "NOT_IN"
            value = _value(operation, str(value))
        return Filter(self._of.renamed.get(field, field), operation, value, key)

    def _since(self, text: str) -> Condition:
        field = self._of.time or "startDate"
        try:
            since = self._clock.now() - parse_duration(text)
        except (ValueError, OverflowError) as error:
            raise InvalidFilters(
                f"Invalid query filters: `timeRange` must be a duration such as PT24H, found `{text}`"
            ) from error
        return Filter(self._of.renamed.get(field, field), "GREATER_THAN_OR_EQUAL_TO", since.isoformat())


def _value(operation: str, text: str) -> object:
    return [part for part in text.split(",") if part] if operation in ("IN", "NOT_IN") else text


def _constant(field: str) -> str:
    """A field's name as Kestra's messages have it: FLOW_ID for `flowId`."""
    return re.sub(r"([A-Z])", r"_\1", field).upper()


def renamed(asked: Sequence[Condition], names: Mapping[str, str]) -> list[Condition]:
    """Conditions with fields called otherwise, at any depth."""
    return [_renamed(condition, names) for condition in asked]


def _renamed(condition: Condition, names: Mapping[str, str]) -> Condition:
    if isinstance(condition, AllOf):
        return AllOf(tuple(_renamed(c, names) for c in condition.conditions))
    if isinstance(condition, AnyOf):
        return AnyOf(tuple(_renamed(c, names) for c in condition.conditions))
    return Filter(names.get(condition.field, condition.field), condition.operation, condition.value, condition.key)
