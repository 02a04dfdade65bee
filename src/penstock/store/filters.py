"""What the conditions of a search mean, the same for every store: fields by kind, operations, values as they must be.

Values come from people and clients (api.md section 5): dates as ISO 8601 text, numbers as text, lists joined by commas.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum, StrEnum
from typing import cast

from penstock.errors import BadRequest
from penstock.model.task import LogLevel
from penstock.ports.reads import AllOf, AnyOf, Condition, Filter

SYSTEM_NAMESPACE = "system"
"""Kestra's namespace of system flows: what `scope` tells apart."""


class Kind(Enum):
    """What a field holds, and so how its values are read and which operations there are."""

    TEXT = "text"
    NUMBER = "number"
    MOMENT = "moment"
    FLAG = "flag"
    LEVEL = "level"
    LABELS = "labels"
    QUERY = "query"
    SCOPE = "scope"
    CHILD = "child"


class Operation(StrEnum):
    """Operations of api.md section 5."""

    EQUALS = "EQUALS"
    NOT_EQUALS = "NOT_EQUALS"
    GREATER_THAN = "GREATER_THAN"
    LESS_THAN = "LESS_THAN"
    GREATER_THAN_OR_EQUAL_TO = "GREATER_THAN_OR_EQUAL_TO"
    LESS_THAN_OR_EQUAL_TO = "LESS_THAN_OR_EQUAL_TO"
    IN = "IN"
    NOT_IN = "NOT_IN"
    STARTS_WITH = "STARTS_WITH"
    ENDS_WITH = "ENDS_WITH"
    CONTAINS = "CONTAINS"
    NOT_CONTAINS = "NOT_CONTAINS"
    REGEX = "REGEX"
    PREFIX = "PREFIX"
    IS_NULL = "IS_NULL"
    IS_NOT_NULL = "IS_NOT_NULL"


LISTS = frozenset({Operation.IN, Operation.NOT_IN})
NULLS = frozenset({Operation.IS_NULL, Operation.IS_NOT_NULL})
_SAME = frozenset({Operation.EQUALS, Operation.NOT_EQUALS})
_ORDER = frozenset(
    {
        Operation.GREATER_THAN,
        Operation.LESS_THAN,
        Operation.GREATER_THAN_OR_EQUAL_TO,
        Operation.LESS_THAN_OR_EQUAL_TO,
    }
)
_TEXT = frozenset(
    {
        Operation.STARTS_WITH,
        Operation.ENDS_WITH,
        Operation.CONTAINS,
        Operation.NOT_CONTAINS,
        Operation.REGEX,
        Operation.PREFIX,
    }
)

ALLOWED: Mapping[Kind, frozenset[Operation]] = {
    Kind.TEXT: _SAME | LISTS | NULLS | _TEXT,
    Kind.NUMBER: _SAME | LISTS | NULLS | _ORDER,
    Kind.MOMENT: _SAME | LISTS | NULLS | _ORDER,
    Kind.FLAG: _SAME | NULLS,
    Kind.LEVEL: _SAME | LISTS | _ORDER,
    Kind.LABELS: _SAME | LISTS | {Operation.CONTAINS, Operation.NOT_CONTAINS},
    Kind.QUERY: _SAME,
    Kind.SCOPE: _SAME | LISTS,
    Kind.CHILD: _SAME,
}
"""Operations of each kind. EQUALS of a level means that level or above, as in Kestra 1.x."""

_LEVELS = {level.value: rank for rank, level in enumerate(LogLevel)}


def operation_of(condition: Filter, kind: Kind) -> Operation:
    """The operation of a condition on a field of that kind.

    Raises:
        BadRequest: there is none of that name, or not for such a field.
    """
    try:
        operation = Operation(condition.operation)
    except ValueError:
        raise BadRequest(f"Unknown operation `{condition.operation}` for field `{condition.field}`") from None
    if operation not in ALLOWED[kind]:
        expected = ", ".join(sorted(ALLOWED[kind]))
        raise BadRequest(
            f"Operation `{operation}` is not supported for field `{condition.field}`, expected one of: {expected}"
        )
    return operation


def unsupported(field: str, expected: Sequence[str]) -> BadRequest:
    """The error for a field that the searched things do not have."""
    return BadRequest(f"Unsupported field '{field}'. Expected one of: [{', '.join(sorted(expected))}]")


def flat(conditions: Sequence[Condition]) -> list[Filter]:
    """All single conditions, however deep they stand in groups."""
    found: list[Filter] = []
    for condition in conditions:
        if isinstance(condition, (AllOf, AnyOf)):
            found.extend(flat(condition.conditions))
        else:
            found.append(condition)
    return found


def values_of(condition: Filter, kind: Kind) -> list[object]:
    """The values of a list operation (a list, or text joined by commas), each as the field's kind has it."""
    given = condition.value
    if isinstance(given, str):
        given = given.split(",")
    if not isinstance(given, (list, tuple, set, frozenset)):
        given = [given]
    return [_read(condition.field, item, kind) for item in cast("Sequence[object]", given)]


def value_of(condition: Filter, kind: Kind) -> object:
    """The value of any other operation, as the field's kind has it: text, number, moment in UTC, flag, rank of level.

    Raises:
        BadRequest: it cannot be read as such.
    """
    return _read(condition.field, condition.value, kind)


def pairs_of(condition: Filter, *, lists: bool) -> list[tuple[str, str]]:
    """The labels that a condition names: by `key`, as a map, or as `key:value` text (one, or a list of them).

    lists: the operation takes a list, so text is several values joined by commas.
    """
    value = condition.value
    if lists and isinstance(value, str):
        value = value.split(",")
    if condition.key is not None:
        return [(condition.key, item) for item in _texts(value)]
    if isinstance(value, Mapping):
        return [(str(k), str(v)) for k, v in cast("Mapping[object, object]", value).items()]
    pairs = [item.partition(":") for item in _texts(value)]
    if not all(colon for _, colon, _ in pairs):
        raise BadRequest(f"Invalid value for field `{condition.field}`: expected `key:value`")
    return [(key, rest) for key, _, rest in pairs]


def words_of(condition: Filter) -> list[str]:
    """The words of a free search: each must occur somewhere, whatever the case of its letters."""
    return _text(condition.value).split()


def pattern_of(condition: Filter) -> re.Pattern[str]:
    """The regular expression of a REGEX; it may match anywhere.

    Raises:
        BadRequest: it is none.
    """
    try:
        return re.compile(_text(condition.value))
    except re.error as fault:
        raise BadRequest(f"Invalid regular expression for field `{condition.field}`: {fault}") from fault


def _texts(value: object) -> list[str]:
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_text(item) for item in cast("Sequence[object]", value)]
    return [_text(value)]


def _read(field: str, value: object, kind: Kind) -> object:
    try:
        return _READERS[kind](value)
    except (ValueError, TypeError, OverflowError) as fault:
        raise BadRequest(f"Invalid value {value!r} for field `{field}`: expected a {kind.value}") from fault


def _text(value: object) -> str:
    if isinstance(value, str):
        return value.value if isinstance(value, Enum) else value
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _number(value: object) -> int | float:
    if isinstance(value, (int, float)):
        return value
    text = _text(value).strip()
    try:
        return int(text)
    except ValueError:
        return float(text)


def _moment(value: object) -> datetime:
    found = value if isinstance(value, datetime) else datetime.fromisoformat(_text(value).strip().replace(" ", "+"))
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    text = _text(value).strip().lower()
    if text not in ("true", "false"):
        raise ValueError(text)
    return text == "true"


def _level(value: object) -> int:
    return _LEVELS[LogLevel(_text(value).strip().upper()).value]


def _choice(*names: str) -> object:
    def read(value: object) -> str:
        text = _text(value).strip().upper()
        if text not in names:
            raise ValueError(text)
        return text

    return read


_READERS = {
    Kind.TEXT: _text,
    Kind.NUMBER: _number,
    Kind.MOMENT: _moment,
    Kind.FLAG: _flag,
    Kind.LEVEL: _level,
    Kind.LABELS: _text,
    Kind.QUERY: _text,
    Kind.SCOPE: _choice("USER", "SYSTEM"),
    Kind.CHILD: _choice("MAIN", "CHILD"),
}
