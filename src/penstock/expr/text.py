"""Values as text, the way Java writes them: `java_text` for `~`, `+` and `join`, and a function for each kind."""

from __future__ import annotations

import struct
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from penstock.expr.errors import EvaluationError, LimitReached
from penstock.expr.values import PLAIN, Entry, Float32, as_list, is_map, items, settle
from penstock.model.duration import format_duration

if TYPE_CHECKING:
    from penstock.expr.frame import Frame

_SMALL: Final = 10**18


def java_text(frame: Frame, value: object, *, depth: int = 0) -> str:
    """Java's `String.valueOf`: null is `null`, a list `[1, 2]`, a map `{a=b}`."""
    if type(value) not in PLAIN:
        value = settle(frame, value)
    if isinstance(value, str):
        return value
    if value is None:
        return "null"
    if depth > frame.context.limits.depth:
        raise LimitReached(f"A value is nested deeper than {frame.context.limits.depth} levels")
    if type(value) is list:
        text = "[" + ", ".join([java_text(frame, item, depth=depth + 1) for item in as_list(value)]) + "]"
    elif is_map(value):
        text = "{" + ", ".join([_entry_text(frame, key, item, depth + 1) for key, item in items(frame, value)]) + "}"
    elif type(value) is Entry:
        return _entry_text(frame, value.key, value.value, depth + 1)
    else:
        return scalar_text(value)
    if len(text) > 4096:
        frame.budget.text(len(text))
    return text


def _entry_text(frame: Frame, key: object, item: object, depth: int) -> str:
    return f"{java_text(frame, key, depth=depth)}={java_text(frame, item, depth=depth)}"


def scalar_text(value: object) -> str:
    """The text of a value that is neither text, null, list nor map."""
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, int):
        return integer_text(value)
    if isinstance(value, float):
        return float_text(value) if isinstance(value, Float32) else double_text(value)
    if isinstance(value, datetime):
        return moment_text(value)
    if isinstance(value, (date, time)):
        return value.isoformat() if isinstance(value, date) else _clock_text(value)
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, Entry):
        return f"{value.key}={value.value}"
    return str(value)


def integer_text(value: int) -> str:
    """The digits of an integer; EvaluationError for one of thousands of digits."""
    if -_SMALL < value < _SMALL:
        return int.__repr__(value)
    if value.bit_length() > 10_000:
        raise EvaluationError("The number is too large to be written")
    return int.__repr__(value)


def double_text(value: float) -> str:
    """Java's `Double.toString`: `1.0`, `1.23456789E7` from 1e7, `1.0E-4` below 1e-3."""
    if 1e-3 <= value < 1e7 or -1e7 < value <= -1e-3:
        return float.__repr__(value)  # between these bounds Python writes the same digits in the same form
    return _java_float(value, repr(float(value)))


def float_text(value: float) -> str:
    """Java's `Float.toString`: the shortest digits that give the same 32 bits."""
    target = float(value)
    for digits in range(1, 10):
        text = f"{target:.{digits}g}"
        try:
            again = struct.unpack("f", struct.pack("f", float(text)))[0]
        except OverflowError:
            continue
        if again == target:
            return _java_float(target, repr(float(text)))
    return _java_float(target, repr(target))


def _java_float(value: float, shortest: str) -> str:
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "-0.0" if shortest.startswith("-") else "0.0"
    sign, number, exponent = Decimal(shortest).as_tuple()
    digits = "".join(map(str, number)).rstrip("0") or "0"
    power = len(number) + int(exponent) - 1
    minus = "-" if sign else ""
    if 1e-3 <= abs(value) < 1e7:
        return minus + _positional(digits, power)
    return f"{minus}{digits[0]}.{digits[1:] or '0'}E{power}"


def _positional(digits: str, power: int) -> str:
    if power < 0:
        return "0." + "0" * (-power - 1) + digits
    padded = digits.ljust(power + 1, "0")
    return f"{padded[: power + 1]}.{padded[power + 1 :] or '0'}"


def moment_text(value: datetime) -> str:
    """A date and time as Java prints it.

    In UTC (`datetime.UTC`) it is an Instant: `2024-05-06T07:08:09.120Z`. Elsewhere a zoned date-time, zero seconds
    dropped and the region appended; without a zone a local date-time.
    """
    if value.tzinfo is UTC:
        return f"{value:%Y-%m-%dT%H:%M:%S}{_fraction(value.microsecond)}Z" if value.year > 999 else value.isoformat()
    text = f"{value.date().isoformat()}T{_clock_text(value.time())}"
    if value.tzinfo is None:
        return text
    zone = getattr(value.tzinfo, "key", None)
    region = f"[{zone}]" if isinstance(zone, str) else ""
    return f"{text}{offset_text(value)}{region}"


def offset_text(value: datetime) -> str:
    """The offset of a zoned moment: `Z` or `+02:00`."""
    offset = value.utcoffset() or timedelta()
    seconds = int(offset.total_seconds())
    if seconds == 0:
        return "Z"
    sign = "-" if seconds < 0 else "+"
    hours, rest = divmod(abs(seconds), 3600)
    minutes, left = divmod(rest, 60)
    return f"{sign}{hours:02}:{minutes:02}" + (f":{left:02}" if left else "")


def _clock_text(value: time) -> str:
    text = f"{value.hour:02}:{value.minute:02}"
    if value.second or value.microsecond:
        text += f":{value.second:02}{_fraction(value.microsecond)}"
    return text


def _fraction(microsecond: int) -> str:
    if microsecond == 0:
        return ""
    return f".{microsecond // 1000:03}" if microsecond % 1000 == 0 else f".{microsecond:06}"
