"""jq's broken-down times: year, month from 0, day, hour, minute, second, weekday from Sunday, day of the year."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from penstock.expr.jq.values import JqError, normal, type_of

if TYPE_CHECKING:
    from penstock.expr.jq.machine import Machine

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DIRECTIVE: Final = re.compile(r"%(-?)([A-Za-z%])")
_DIRECTIVES: Final = frozenset("aAbBcdDeFHIjklmMnprRsStTuUwWxXyYZz%GVhC")
_MAX_FORMAT: Final = 1000


def _moment(seconds: float) -> datetime:
    try:
        return _EPOCH + timedelta(seconds=seconds)
    except (OverflowError, ValueError) as error:
        raise JqError("error converting number of seconds since epoch to datetime") from error


def gmtime(machine: Machine, value: Any) -> object:
    """Seconds since 1970 -> a broken-down time."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
        raise JqError("gmtime() requires a number")
    whole = math.floor(value)
    at = _moment(whole)
    second = at.second + (value - whole)
    return _broken_down(at, normal(second))


def _broken_down(at: datetime, second: float) -> list[Any]:
    day = at.timetuple().tm_yday - 1
    return [at.year, at.month - 1, at.day, at.hour, at.minute, second, at.isoweekday() % 7, day]


def mktime(machine: Machine, value: Any) -> object:
    """A broken-down time -> seconds since 1970."""
    at = _from_parts(value, "mktime")
    return math.floor((at - _EPOCH).total_seconds())


def _from_parts(value: Any, name: str) -> datetime:
    if not isinstance(value, list):
        raise JqError(f"{name} requires array of 6 numbers")
    if len(value) < 6 or not all(_finite(part) for part in value[:6]):
        raise JqError(f"{name} requires parsed datetime inputs")
    year, month, day, hour, minute, second = (math.floor(part) for part in value[:6])
    if not 1 <= year + month // 12 <= 9999:
        raise JqError(f"{name}: invalid gmtime representation")
    try:
        first = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
        return first + timedelta(days=day - 1, hours=hour, minutes=minute, seconds=second)
    except (OverflowError, ValueError) as error:
        raise JqError(f"{name}: invalid gmtime representation") from error


def _finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def strftime(machine: Machine, value: Any, form: Any) -> object:
    """A time as text, after C's directives."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = gmtime(machine, value)
    if not isinstance(value, list):
        raise JqError(f"strftime/1 requires parsed datetime inputs, not {type_of(value)}")
    at = _from_parts(value, "strftime/1")
    return _DIRECTIVE.sub(lambda found: _written(at, found[2], unpadded=found[1] == "-"), _form(form, "strftime/1"))


def _form(form: Any, name: str) -> str:
    if not isinstance(form, str):
        raise JqError(f"{name} requires a string format")
    if len(form) > _MAX_FORMAT:
        raise JqError(f"{name}: the format is too long")
    return form


def _written(at: datetime, letter: str, *, unpadded: bool) -> str:
    if letter not in _DIRECTIVES:
        return f"%{letter}"
    match letter:
        case "s":
            text = str(math.floor((at - _EPOCH).total_seconds()))
        case "Z":
            text = "UTC"
        case "z":
            text = "+0000"
        case "e" | "k":
            text = f"{at.day if letter == 'e' else at.hour:2}"
        case "l":
            text = f"{(at.hour - 1) % 12 + 1:2}"
        case _:
            text = at.strftime(f"%{letter}")
    return text.lstrip("0 ") or "0" if unpadded else text


def strptime(machine: Machine, value: Any, form: Any) -> object:
    """A text -> a broken-down time, after C's directives."""
    if not isinstance(value, str):
        raise JqError(f"strptime/1 requires string inputs and arguments, not {type_of(value)}")
    wanted = _form(form, "strptime/1").replace("%T", "%H:%M:%S").replace("%F", "%Y-%m-%d").replace("%e", "%d")
    text = value
    if text.endswith("Z") and wanted.endswith("%Z"):
        wanted, text = wanted[:-2], text[:-1]
    try:
        found = datetime.strptime(text, wanted)  # noqa: DTZ007 - a broken-down time has no zone
    except (ValueError, re.error, IndexError) as error:
        raise JqError(f'date "{value[:100]}" does not match format "{wanted[:100]}"') from error
    return _broken_down(found, found.second)
