"""Conditions of a search as SQL: a `WHERE` with parameters, never with values in its text."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache

import msgspec

from penstock.errors import BadRequest
from penstock.ports.reads import AllOf, AnyOf, Condition, Filter, Sort
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
from penstock.store.records import encode, text
from penstock.store.sqlite.codec import micros

Parameters = list[object]


class Column(msgspec.Struct, frozen=True):
    """Where a field lies.

    sql: the expression that holds it; for labels what goes between `FROM` and the conditions on `l.key` and `l.value`;
        for a free search the expressions it looks into, joined by ` | `.
    exact: for EQUALS of one text, a condition that finds the rows faster; each of its `?` is the value.
    """

    kind: Kind
    sql: str
    exact: str | None = None


Columns = Mapping[str, Column]

_COMPARE = {
    Operation.GREATER_THAN: ">",
    Operation.LESS_THAN: "<",
    Operation.GREATER_THAN_OR_EQUAL_TO: ">=",
    Operation.LESS_THAN_OR_EQUAL_TO: "<=",
}


def where(conditions: Sequence[Condition], columns: Columns) -> tuple[str, Parameters]:
    """The conjunction of all conditions, and its parameters; `1` when there are none.

    Raises:
        BadRequest: an unknown field, an operation the field does not have, a value that cannot be read.
    """
    return _joined(conditions, columns, " AND ")


def order(sorts: Sequence[Sort], columns: Mapping[str, str], *, default: str, last: str) -> str:
    """The `ORDER BY` list of a search; `last` decides between equals.

    Raises:
        BadRequest: an unknown field.
    """
    if not sorts:
        return default
    terms: list[str] = []
    for sort in sorts:
        if sort.field not in columns:
            raise BadRequest(f"Cannot sort by '{sort.field}'. Expected one of: [{', '.join(sorted(columns))}]")
        terms.append(f"{columns[sort.field]} {'DESC' if sort.descending else 'ASC'}")
    return ", ".join([*terms, last])


def window(page: int, size: int | None) -> tuple[int, int]:
    """LIMIT and OFFSET of a page (from 1); without a size everything."""
    return (-1, 0) if size is None else (size, (max(page, 1) - 1) * size)


def register(connection: sqlite3.Connection) -> None:
    """The functions that conditions need beside SQLite's own."""
    connection.create_function("penstock_regex", 2, _regex, deterministic=True)
    connection.create_function("penstock_fold", 1, _fold, deterministic=True)


def _joined(conditions: Sequence[Condition], columns: Columns, glue: str) -> tuple[str, Parameters]:
    parts: list[str] = []
    parameters: Parameters = []
    for condition in conditions:
        part, more = _one(condition, columns)
        parts.append(f"({part})")
        parameters.extend(more)
    return glue.join(parts) or "1", parameters


def _one(condition: Condition, columns: Columns) -> tuple[str, Parameters]:
    if isinstance(condition, AllOf):
        return _joined(condition.conditions, columns, " AND ")
    if isinstance(condition, AnyOf):
        return _joined(condition.conditions, columns, " OR ")
    column = columns.get(condition.field)
    if column is None:
        raise unsupported(condition.field, list(columns))
    operation = operation_of(condition, column.kind)
    special = _SPECIAL.get(column.kind)
    return special(condition, operation, column) if special else _plain(condition, operation, column)


def _plain(condition: Filter, operation: Operation, column: Column) -> tuple[str, Parameters]:
    sql = column.sql
    if operation is Operation.IS_NULL or operation is Operation.IS_NOT_NULL:
        return f"{sql} IS {'NOT ' if operation is Operation.IS_NOT_NULL else ''}NULL", []
    if operation in (Operation.IN, Operation.NOT_IN):
        array = encode([_bound(value) for value in values_of(condition, column.kind)]).decode()
        member = f"{sql} IN (SELECT value FROM json_each(?))"
        return (member if operation is Operation.IN else f"{sql} IS NULL OR NOT {member}"), [array]
    if operation is Operation.REGEX:
        return f"penstock_regex(?, {sql})", [pattern_of(condition).pattern]
    value = _bound(value_of(condition, column.kind))
    if operation in _COMPARE:
        return f"{sql} {_COMPARE[operation]} ?", [value]
    if operation is Operation.EQUALS and column.exact:
        return column.exact, [value] * column.exact.count("?")
    if operation is Operation.EQUALS:
        return f"{sql} = ?", [value]
    if operation is Operation.NOT_EQUALS:
        return f"{sql} IS NOT ?", [value]
    return _text_operation(operation, sql, str(value))


def _text_operation(operation: Operation, sql: str, value: str) -> tuple[str, Parameters]:
    match operation:
        case Operation.CONTAINS:
            return f"instr({sql}, ?) > 0", [value]
        case Operation.NOT_CONTAINS:
            return f"{sql} IS NULL OR instr({sql}, ?) = 0", [value]
        case Operation.STARTS_WITH:
            return f"substr({sql}, 1, ?) = ?", [len(value), value]
        case Operation.ENDS_WITH:
            return (f"substr({sql}, ?) = ?", [-len(value), value]) if value else (f"{sql} IS NOT NULL", [])
        case _:
            # PREFIX: the value itself or anything below it; `/` is the sign after `.`.
            return f"{sql} = ? OR ({sql} >= ? AND {sql} < ?)", [value, value + ".", value + "/"]


def _level(condition: Filter, operation: Operation, column: Column) -> tuple[str, Parameters]:
    if operation is Operation.EQUALS:
        operation = Operation.GREATER_THAN_OR_EQUAL_TO
    if operation is Operation.NOT_EQUALS:
        operation = Operation.LESS_THAN
    return _plain(_with_operation(condition, operation), operation, Column(Kind.LEVEL, column.sql))


def _labels(condition: Filter, operation: Operation, column: Column) -> tuple[str, Parameters]:
    listed = operation in (Operation.IN, Operation.NOT_IN)
    pairs = pairs_of(condition, lists=listed)
    contained = operation in (Operation.CONTAINS, Operation.NOT_CONTAINS)
    test = "instr(l.value, ?) > 0" if contained else "l.value = ?"
    each = f"EXISTS (SELECT 1 FROM {column.sql} l.key = ? AND {test})"
    sql = (" OR " if listed else " AND ").join([each] * len(pairs)) or "1"
    parameters: Parameters = [text(part) for pair in pairs for part in pair]
    negated = operation in (Operation.NOT_EQUALS, Operation.NOT_IN, Operation.NOT_CONTAINS)
    return (f"NOT ({sql})" if negated else sql), parameters


def _query(condition: Filter, operation: Operation, column: Column) -> tuple[str, Parameters]:
    expressions = column.sql.split(" | ")
    parts: list[str] = []
    parameters: Parameters = []
    for word in words_of(condition):
        fold = "lower" if word.isascii() else "penstock_fold"
        folded = word.lower() if word.isascii() else word.casefold()
        parts.append("(" + " OR ".join(f"instr({fold}({sql}), ?) > 0" for sql in expressions) + ")")
        parameters.extend([text(folded)] * len(expressions))
    sql = " AND ".join(parts) or "1"
    return (f"NOT coalesce({sql}, 0)" if operation is Operation.NOT_EQUALS else sql), parameters


def _scope(condition: Filter, operation: Operation, column: Column) -> tuple[str, Parameters]:
    wanted = set(values_of(condition, Kind.SCOPE))
    if operation in (Operation.NOT_EQUALS, Operation.NOT_IN):
        wanted = {"USER", "SYSTEM"} - wanted
    if len(wanted) == 1:
        return f"{column.sql} {'=' if 'SYSTEM' in wanted else '<>'} ?", [SYSTEM_NAMESPACE]
    return ("1" if wanted else "0"), []


def _child(condition: Filter, operation: Operation, column: Column) -> tuple[str, Parameters]:
    child = (value_of(condition, Kind.CHILD) == "CHILD") == (operation is Operation.EQUALS)
    return f"{column.sql} IS {'NOT ' if child else ''}NULL", []


_SPECIAL: Mapping[Kind, Callable[[Filter, Operation, Column], tuple[str, Parameters]]] = {
    Kind.LEVEL: _level,
    Kind.LABELS: _labels,
    Kind.QUERY: _query,
    Kind.SCOPE: _scope,
    Kind.CHILD: _child,
}


def _with_operation(condition: Filter, operation: Operation) -> Filter:
    return Filter(field=condition.field, operation=operation.value, value=condition.value, key=condition.key)


def _bound(value: object) -> object:
    if isinstance(value, datetime):
        return micros(value)
    return text(value) if isinstance(value, str) else value


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _regex(pattern: str, value: str | None) -> bool:
    return value is not None and _compiled(pattern).search(value) is not None


def _fold(value: str | None) -> str | None:
    return None if value is None else value.casefold()
