"""Filters on numbers."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Final

from penstock.expr.errors import EvaluationError, preview, shorten
from penstock.expr.filters.table import FILTERS
from penstock.expr.registry import given
from penstock.expr.text import java_text
from penstock.expr.values import Float32, Int32, Int64, is_number, type_name

if TYPE_CHECKING:
    from datetime import datetime

    from penstock.expr.frame import Frame

_MAX_TEXT: Final = 400
_DECIMAL: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?[fFdD]?")
_INTEGER: Final = re.compile(r"[+-]?\d+[lL]?")
_HEX: Final = re.compile(r"[+-]?(?:0[xX]|#)[0-9a-fA-F]+")


@FILTERS.add("abs")
def absolute(frame: Frame, value: object) -> object:
    """The number without its sign, of the same type."""
    if value is None:
        raise EvaluationError('Can not pass null value to "abs" filter.')
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        return Float32(abs(value)) if isinstance(value, Float32) else abs(value)
    raise EvaluationError("The 'abs' filter does require as input a number.", hint=f"it is {preview(value)}")


@FILTERS.add("className")
def class_name(frame: Frame, value: object) -> object:
    """The Java class Kestra would have; an integer of the context is an Integer when it fits in 32 bits."""
    from datetime import UTC, date, datetime

    if value is None:
        return None
    if isinstance(value, datetime):
        return _moment_class(value, UTC)
    if isinstance(value, date):
        return "java.time.LocalDate"
    if type(value) is int and -(2**31) <= value < 2**31:
        return "java.lang.Integer"
    return type_name(value)


def _moment_class(value: datetime, utc: object) -> str:
    if value.tzinfo is None:
        return "java.time.LocalDateTime"
    return "java.time.Instant" if value.tzinfo is utc else "java.time.ZonedDateTime"


@FILTERS.add("number", "type")
def number(frame: Frame, value: object, kind: object) -> object:
    """The number a text holds, in the smallest type that holds it, or of a named type."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise EvaluationError(
            f"'number' filter can only be applied to String. Actual type was: {type_name(value)}",
            hint=f"it is {preview(value)}",
        )
    text = str(value)
    if len(text) > _MAX_TEXT:
        raise _invalid(text)
    read = _TYPES.get(java_text(frame, kind).upper(), _inferred) if given(kind) else _inferred
    try:
        return read(text)
    except (ValueError, InvalidOperation, OverflowError) as error:
        raise _invalid(text) from error


def _invalid(text: str) -> EvaluationError:
    return EvaluationError(f"{shorten(text, 100)} is not a valid number.")


def _inferred(text: str) -> object:
    if _HEX.fullmatch(text):
        return _sized(int(text.replace("#", "").replace("0x", "").replace("0X", ""), 16))
    if _INTEGER.fullmatch(text):
        found = int(text.rstrip("lL"))
        return Int64(found) if text[-1] in "lL" else _sized(found)
    if not _DECIMAL.fullmatch(text):
        raise ValueError(text)
    if text[-1] in "fF":
        return Float32(text[:-1])
    if text[-1] in "dD":
        return float(text[:-1])
    return _fraction(text)


def _sized(found: int) -> int:
    return Int32(found) if -(2**31) <= found < 2**31 else found


def _fraction(text: str) -> object:
    """A Float up to 7 decimals, a Double up to 16, else a BigDecimal; the next when it would overflow or vanish."""
    mantissa = re.split("[eE]", text)[0]
    decimals = len(mantissa.partition(".")[2])
    exact = Decimal(text)
    for kind, most in ((Float32, 7), (float, 16)):
        made = kind(text)
        if decimals <= most and abs(made) != float("inf") and (made != 0 or exact == 0):
            return made
    return exact


def _integer(text: str) -> int:
    if not re.fullmatch(r"[+-]?\d+", text):
        raise ValueError(text)
    return int(text)


def _int32(text: str) -> int:
    found = _integer(text)
    if not -(2**31) <= found < 2**31:
        raise ValueError(text)
    return Int32(found)


def _long(text: str) -> int:
    found = _integer(text)
    if not -(2**63) <= found < 2**63:
        raise ValueError(text)
    return Int64(found)


def _float(text: str) -> float:
    if not _DECIMAL.fullmatch(text.strip()):
        raise ValueError(text)
    return float(text.strip().rstrip("fFdD"))


def _decimal(text: str) -> Decimal:
    if not _DECIMAL.fullmatch(text):
        raise ValueError(text)
    return Decimal(text)


_TYPES: Final = {
    "INT": _int32,
    "INTEGER": _int32,
    "LONG": _long,
    "FLOAT": lambda text: Float32(_float(text)),
    "DOUBLE": _float,
    "BIGDECIMAL": _decimal,
    "BIGINTEGER": _integer,
}


@FILTERS.add("numberFormat", "format")
def number_format(frame: Frame, value: object, pattern: object) -> object:
    """The number written after a DecimalFormat pattern, or with groups of three digits."""
    from penstock.expr.decimal_format import DEFAULT_PATTERN, format_number

    if value is None:
        return None
    if not is_number(value):
        raise EvaluationError(
            "The input for the 'NumberFormat' filter has to be a number.", hint=f"it is {preview(value)}"
        )
    chosen = java_text(frame, pattern) if given(pattern) else DEFAULT_PATTERN
    exact = value if isinstance(value, Decimal) else Decimal(value)  # pyright: ignore[reportArgumentType]
    return format_number(exact, chosen)
