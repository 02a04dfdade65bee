"""Amazon Ion text: written as Kestra's `toIon` does, read for `fromIon`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, cast

from penstock.expr.errors import EvaluationError, LimitReached
from penstock.expr.text import integer_text, java_text
from penstock.expr.values import as_list, as_map, is_map, settle
from penstock.model.duration import format_duration

if TYPE_CHECKING:
    from penstock.expr.frame import Frame

_SYMBOL: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_RESERVED: Final = frozenset(("null", "true", "false", "nan"))
_ESCAPES: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def ion_text(frame: Frame, value: object, depth: int = 0) -> str:
    """`value` as Ion text: bare symbols as keys, floats as `1.5e0`, dates annotated with their type."""
    value = settle(frame, value)
    if depth > frame.context.limits.depth:
        raise LimitReached(f"A value is nested deeper than {frame.context.limits.depth} levels")
    if type(value) is list:
        frame.budget.items(len(as_list(value)))
        return _bounded(frame, "[" + ",".join([ion_text(frame, item, depth + 1) for item in as_list(value)]) + "]")
    if is_map(value):
        frame.budget.items(len(as_map(value)))
        fields = [_field(frame, key, as_map(value)[key], depth) for key in as_map(value)]
        return _bounded(frame, "{" + ",".join(filter(None, fields)) + "}")
    return _bounded(frame, _scalar(value))


def _bounded(frame: Frame, text: str) -> str:
    if len(text) > 4096:
        frame.budget.text(len(text))
    return text


def _field(frame: Frame, key: object, item: object, depth: int) -> str:
    found = settle(frame, item)
    if found is None:
        return ""
    name = java_text(frame, key)
    symbol = name if _SYMBOL.fullmatch(name) and name not in _RESERVED else "'" + name.replace("'", "\\'") + "'"
    return f"{symbol}:{ion_text(frame, found, depth + 1)}"


def _scalar(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + "".join(_ESCAPES.get(sign, sign) for sign in value) + '"'
    if isinstance(value, int):
        return integer_text(value)
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, Decimal):
        return str(value).replace("E", "d")
    if isinstance(value, datetime):
        return _moment(value)
    if isinstance(value, (date, time)):
        return f'{"LocalDate" if isinstance(value, date) else "LocalTime"}::"{value.isoformat()}"'
    if isinstance(value, timedelta):
        return f'Duration::"{format_duration(value)}"'
    return '"' + str(value) + '"'


def _float(value: float) -> str:
    if value != value:
        return "nan"
    if value in (float("inf"), float("-inf")):
        return "+inf" if value > 0 else "-inf"
    text = repr(float(value))
    mantissa, _, exponent = text.partition("e")
    return f"{mantissa}e{int(exponent or 0)}"


def _moment(value: datetime) -> str:
    if value.tzinfo is None:
        return f'LocalDateTime::"{value.isoformat()}"'
    if value.tzinfo is UTC:
        return f'Instant::"{value.isoformat().replace("+00:00", "Z")}"'
    return f'ZonedDateTime::"{value.isoformat().replace("+00:00", "Z")}"'


def read_ion(source: str | bytes, *, every: bool) -> object:
    """The first value of an Ion text or binary, or the list of all. Raises EvaluationError."""
    from amazon.ion import simpleion
    from amazon.ion.exceptions import IonException

    try:
        found: Any = simpleion.loads(source, single_value=False)
        values = [_plain(value) for value in found]
    except (IonException, ValueError, TypeError, RecursionError, AttributeError, ArithmeticError, LookupError) as error:
        raise EvaluationError(f"Invalid ion: {str(error)[:200] or type(error).__name__}") from error
    if every:
        return values
    return values[0] if values else None


def _plain(value: Any) -> object:
    """An Ion value as one of the language's own types."""
    kind = type(value).__name__
    if value is None or kind == "IonPyNull":
        return None
    if kind in ("bool", "IonPyBool"):
        return bool(value)
    if isinstance(value, Mapping) or hasattr(value, "items"):
        return {str(getattr(key, "text", key)): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)) and kind not in ("SymbolToken", "IonPySymbol"):
        return [_plain(item) for item in value]
    if kind in ("SymbolToken", "IonPySymbol"):
        return str(cast("Any", value).text)
    if isinstance(value, datetime):
        return _plain_moment(value)
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    for plain in (int, float, str):
        if isinstance(value, plain):
            return plain(value)
    if isinstance(value, Decimal):
        return Decimal(value)
    raise ValueError(f"a value of the type {kind} can not be used")


def _plain_moment(value: datetime) -> datetime:
    offset = value.utcoffset()
    zone = UTC if not offset else timezone(offset)
    return datetime(
        value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond, tzinfo=zone
    )
