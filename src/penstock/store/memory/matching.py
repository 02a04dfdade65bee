"""Conditions of a search on records in memory: filter, sort, page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from penstock.errors import BadRequest
from penstock.ports.reads import AllOf, AnyOf, Condition, Filter, Page, Sort
from penstock.store.filters import (
    SYSTEM_NAMESPACE,
    Kind,
    Operation,
    operation_of,
    pairs_of,
    pattern_of,
    unsupported,
    value_of,
    values_of,
    words_of,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Field(Generic[T]):
    """How a field is read off a record: for labels a map, for a free search a sequence of texts."""

    kind: Kind
    get: Callable[[T], Any]


Fields = Mapping[str, Field[T]]


def matching(items: Iterable[T], conditions: Sequence[Condition], fields: Fields[T]) -> list[T]:
    """The items that satisfy all conditions.

    Raises:
        BadRequest: an unknown field, an operation the field does not have, a value that cannot be read.
    """
    tests = [_test(condition, fields) for condition in conditions]
    return [item for item in items if all(test(item) for test in tests)]


def ordered(items: list[T], sorts: Sequence[Sort], keys: Mapping[str, Callable[[T], Any]]) -> list[T]:
    """The items sorted; what is absent comes first when ascending. Equals stay as they were.

    Raises:
        BadRequest: an unknown field.
    """
    for sort in reversed(sorts):
        if sort.field not in keys:
            raise BadRequest(f"Cannot sort by '{sort.field}'. Expected one of: [{', '.join(sorted(keys))}]")
        get = keys[sort.field]
        items = sorted(items, key=lambda item, get=get: _sortable(get(item)), reverse=sort.descending)
    return items


def page_of(items: Sequence[T], page: int, size: int | None) -> Page[T]:
    """One page (from 1) of all items; without a size everything."""
    if size is None:
        return Page(results=list(items), total=len(items))
    start = (max(page, 1) - 1) * size
    return Page(results=list(items[start : start + size]), total=len(items))


def _sortable(value: object) -> tuple[bool, Any]:
    return (value is not None, 0 if value is None else value)


def _test(condition: Condition, fields: Fields[T]) -> Callable[[T], bool]:
    if isinstance(condition, (AllOf, AnyOf)):
        tests = [_test(inner, fields) for inner in condition.conditions]
        join = all if isinstance(condition, AllOf) or not tests else any
        return lambda item: join(test(item) for test in tests)
    field = fields.get(condition.field)
    if field is None:
        raise unsupported(condition.field, list(fields))
    operation = operation_of(condition, field.kind)
    test = _SPECIAL.get(field.kind, _plain)(condition, operation, field.kind)
    get = field.get
    return lambda item: test(get(item))


def _plain(condition: Filter, operation: Operation, kind: Kind) -> Callable[[Any], bool]:
    if operation is Operation.IS_NULL:
        return lambda found: found is None
    if operation is Operation.IS_NOT_NULL:
        return lambda found: found is not None
    if operation is Operation.IN or operation is Operation.NOT_IN:
        wanted, inside = values_of(condition, kind), operation is Operation.IN
        return lambda found: (found in wanted) is inside
    if operation is Operation.REGEX:
        pattern = pattern_of(condition)
        return lambda found: found is not None and pattern.search(found) is not None
    value = cast("Any", value_of(condition, kind))
    if operation is Operation.NOT_EQUALS:
        return lambda found: found != value
    if operation is Operation.NOT_CONTAINS:
        return lambda found: found is None or value not in found
    compare = _COMPARE[operation]
    return lambda found: found is not None and compare(found, value)


_COMPARE: Mapping[Operation, Callable[[Any, Any], bool]] = {
    Operation.EQUALS: lambda found, value: found == value,
    Operation.GREATER_THAN: lambda found, value: found > value,
    Operation.LESS_THAN: lambda found, value: found < value,
    Operation.GREATER_THAN_OR_EQUAL_TO: lambda found, value: found >= value,
    Operation.LESS_THAN_OR_EQUAL_TO: lambda found, value: found <= value,
    Operation.CONTAINS: lambda found, value: value in found,
    Operation.STARTS_WITH: lambda found, value: found.startswith(value),
    Operation.ENDS_WITH: lambda found, value: found.endswith(value),
    Operation.PREFIX: lambda found, value: found == value or found.startswith(value + "."),
}


def _level(condition: Filter, operation: Operation, kind: Kind) -> Callable[[Any], bool]:
    if operation is Operation.EQUALS:
        operation = Operation.GREATER_THAN_OR_EQUAL_TO
    if operation is Operation.NOT_EQUALS:
        operation = Operation.LESS_THAN
    return _plain(condition, operation, kind)


def _labels(condition: Filter, operation: Operation, kind: Kind) -> Callable[[Any], bool]:
    pairs = pairs_of(condition, lists=operation in (Operation.IN, Operation.NOT_IN))
    contained = operation in (Operation.CONTAINS, Operation.NOT_CONTAINS)
    join = any if operation in (Operation.IN, Operation.NOT_IN) else all
    negated = operation in (Operation.NOT_EQUALS, Operation.NOT_IN, Operation.NOT_CONTAINS)

    def holds(found: Mapping[str, str], key: str, value: str) -> bool:
        return key in found and (value in found[key] if contained else found[key] == value)

    return lambda found: join(holds(found, key, value) for key, value in pairs) is not negated


def _query(condition: Filter, operation: Operation, kind: Kind) -> Callable[[Any], bool]:
    words = [word.casefold() for word in words_of(condition)]
    wanted = operation is Operation.EQUALS

    def test(texts: Sequence[str | None]) -> bool:
        folded = [text.casefold() for text in texts if text is not None]
        return all(any(word in text for text in folded) for word in words) is wanted

    return test


def _scope(condition: Filter, operation: Operation, kind: Kind) -> Callable[[Any], bool]:
    wanted = set(values_of(condition, kind))
    if operation in (Operation.NOT_EQUALS, Operation.NOT_IN):
        wanted = {"USER", "SYSTEM"} - wanted
    return lambda namespace: ("SYSTEM" if namespace == SYSTEM_NAMESPACE else "USER") in wanted


def _child(condition: Filter, operation: Operation, kind: Kind) -> Callable[[Any], bool]:
    child = (value_of(condition, kind) == "CHILD") == (operation is Operation.EQUALS)
    return lambda found: (found is not None) is child


_SPECIAL: Mapping[Kind, Callable[[Filter, Operation, Kind], Callable[[Any], bool]]] = {
    Kind.LEVEL: _level,
    Kind.LABELS: _labels,
    Kind.QUERY: _query,
    Kind.SCOPE: _scope,
    Kind.CHILD: _child,
}
