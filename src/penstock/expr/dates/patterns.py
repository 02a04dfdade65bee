"""Java's date patterns: cut into fields once, and written for a moment."""

from __future__ import annotations

import calendar
from collections.abc import Callable
from datetime import date, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

from penstock.expr.dates.moment import Moment
from penstock.expr.dates.names import Names, zone_name
from penstock.expr.dates.zones import offset_seconds, zone_id
from penstock.expr.errors import EvaluationError, shorten

_MAX_PATTERN: Final = 500


class Field(NamedTuple):
    """A run of one pattern letter, or literal text (`letter` is empty); `[` and `]` bound optional parts."""

    letter: str
    length: int
    text: str = ""


@lru_cache(maxsize=500)
def fields_of(pattern: str) -> tuple[Field, ...]:
    """The fields of a pattern. Raises EvaluationError for a letter Java does not know."""
    if len(pattern) > _MAX_PATTERN:
        raise EvaluationError(f"A date pattern may have {_MAX_PATTERN} characters")
    fields: list[Field] = []
    index = 0
    while index < len(pattern):
        sign = pattern[index]
        if sign == "'":
            text, index = _quoted(pattern, index)
            fields.append(Field("", 0, text))
        elif sign.isascii() and sign.isalpha():
            end = index
            while end < len(pattern) and pattern[end] == sign:
                end += 1
            fields.append(_letter(sign, end - index, pattern))
            index = end
        elif sign in "{}#":
            raise EvaluationError(
                f"Pattern includes reserved character: '{sign}'", hint=f"in `{shorten(pattern, 100)}`"
            )
        else:
            fields.append(Field(sign, 0) if sign in "[]" else Field("", 0, sign))
            index += 1
    return tuple(fields)


def _quoted(pattern: str, index: int) -> tuple[str, int]:
    if pattern.startswith("''", index):
        return "'", index + 2
    text = ""
    index += 1
    while index < len(pattern):
        if pattern.startswith("''", index):
            text += "'"
            index += 2
        elif pattern[index] == "'":
            return text, index + 1
        else:
            text += pattern[index]
            index += 1
    raise EvaluationError(f"Pattern ends with an incomplete string literal: {shorten(pattern, 100)}")


def _letter(letter: str, count: int, pattern: str) -> Field:
    if letter not in _WRITERS:
        raise EvaluationError(
            f"Unknown pattern letter: {letter}", hint=f"in `{shorten(pattern, 100)}`; text goes in quotes"
        )
    if count > _MOST.get(letter, 19):
        raise EvaluationError(f"Too many pattern letters: {letter}", hint=f"in `{shorten(pattern, 100)}`")
    return Field(letter, count)


def write(moment: Moment, pattern: str, names: Names) -> str:
    """The moment as a pattern says. Raises EvaluationError for a wrong pattern."""
    parts: list[str] = []
    for letter, count, text in fields_of(pattern):
        if not letter:
            parts.append(text)
        elif letter not in "[]":
            parts.append(_WRITERS[letter](moment, count, names))
    return "".join(parts)


Writer = Callable[[Moment, int, Names], str]


def _number(take: Callable[[Moment], int]) -> Writer:
    return lambda moment, count, _: str(take(moment)).rjust(count, "0")


def _year(moment: Moment, count: int, _: Names) -> str:
    year = moment.at.year
    return f"{year % 100:02}" if count == 2 else str(year).rjust(count, "0")


def _text(names: tuple[str, ...], short: tuple[str, ...], index: int, count: int) -> str:
    if count == 5:
        return names[index][0]
    return names[index] if count == 4 else short[index]


def _month(moment: Moment, count: int, names: Names) -> str:
    number = moment.at.month
    return str(number).rjust(count, "0") if count < 3 else _text(names.months, names.short_months, number - 1, count)


def _weekday(moment: Moment, count: int, names: Names) -> str:
    return _text(names.days, names.short_days, moment.at.weekday(), count)


def _local_weekday(moment: Moment, count: int, names: Names) -> str:
    if count > 2:
        return _weekday(moment, count, names)
    return str((moment.at.weekday() - names.first_day) % 7 + 1).rjust(count, "0")


def _quarter(moment: Moment, count: int, _: Names) -> str:
    number = (moment.at.month - 1) // 3 + 1
    if count < 3:
        return str(number).rjust(count, "0")
    return f"Q{number}" if count == 3 else f"{number}{('st', 'nd', 'rd', 'th')[number - 1]} quarter"


def _half(moment: Moment, _: int, names: Names) -> str:
    return names.halves[moment.at.hour >= 12]


def _era(_: Moment, count: int, names: Names) -> str:
    if count == 5:
        return "A"
    return "Anno Domini" if count == 4 and names.locale is None else names.eras[1]


def _fraction(moment: Moment, count: int, _: Names) -> str:
    return f"{moment.nano_of_second:09}".ljust(count, "0")[:count]


def _offset(moment: Moment, count: int, _: Names, *, zulu: str) -> str:
    seconds = offset_seconds(moment.at)
    if seconds == 0 and zulu:
        return zulu
    sign = "-" if seconds < 0 else "+"
    hours, rest = divmod(abs(seconds), 3600)
    minutes, left = divmod(rest, 60)
    colon = ":" if count in (3, 5) else ""
    text = f"{sign}{hours:02}"
    if count > 1 or minutes:
        text += f"{colon}{minutes:02}"
    if count > 3 and left:
        text += f"{colon}{left:02}"
    return text


def _rfc_offset(moment: Moment, count: int, names: Names) -> str:
    if count == 5:
        return _offset(moment, 5, names, zulu="Z")
    return _gmt_offset(moment, 4, names) if count == 4 else _offset(moment, 2, names, zulu="")


def _gmt_offset(moment: Moment, count: int, _: Names) -> str:
    seconds = offset_seconds(moment.at)
    if seconds == 0:
        return "GMT"
    hours, rest = divmod(abs(seconds), 3600)
    minutes = rest // 60
    sign = "-" if seconds < 0 else "+"
    if count == 4:
        return f"GMT{sign}{hours:02}:{minutes:02}"
    return f"GMT{sign}{hours}" + (f":{minutes:02}" if minutes else "")


def _zone(moment: Moment, count: int, names: Names) -> str:
    return zone_name(moment.at, names, full=count == 4)


def _zone_id(moment: Moment, _: int, names: Names) -> str:
    return zone_id(moment.at) or _offset(moment, 3, names, zulu="Z")


def week_of(day: date, names: Names) -> tuple[int, int]:
    """The week-based year and week of a day, after the weeks of a language."""
    for year in (day.year + 1, day.year, day.year - 1):
        first = _first_week(year, names)
        if first is not None and day >= first:
            return year, (day - first).days // 7 + 1
    return day.year, 1


def _first_week(year: int, names: Names) -> date | None:
    if not 1 < year < 9999:
        return None
    january = date(year, 1, 1)
    into = (january.weekday() - names.first_day) % 7
    start = january - timedelta(days=into)
    return start if 7 - into >= names.least_days else start + timedelta(days=7)


def _week_of_month(moment: Moment, names: Names) -> int:
    into = (moment.at.replace(day=1).weekday() - names.first_day) % 7
    week = (moment.at.day - 1 + into) // 7 + 1
    return week if 7 - into >= names.least_days else week - 1


def _nano_of_day(moment: Moment) -> int:
    at = moment.at
    return (at.hour * 3600 + at.minute * 60 + at.second) * 1_000_000_000 + moment.nano_of_second


_WRITERS: Final[dict[str, Writer]] = {
    "u": _year,
    "y": _year,
    "M": _month,
    "L": _month,
    "d": _number(lambda moment: moment.at.day),
    "D": _number(lambda moment: moment.at.timetuple().tm_yday),
    "E": _weekday,
    "e": _local_weekday,
    "c": _local_weekday,
    "Q": _quarter,
    "q": _quarter,
    "Y": lambda moment, count, names: (
        f"{week_of(moment.at.date(), names)[0] % 100:02}"
        if count == 2
        else str(week_of(moment.at.date(), names)[0]).rjust(count, "0")
    ),
    "w": lambda moment, count, names: str(week_of(moment.at.date(), names)[1]).rjust(count, "0"),
    "W": lambda moment, count, names: str(_week_of_month(moment, names)).rjust(count, "0"),
    "F": _number(lambda moment: (moment.at.day - 1) // 7 + 1),
    "G": _era,
    "a": _half,
    "H": _number(lambda moment: moment.at.hour),
    "k": _number(lambda moment: moment.at.hour or 24),
    "h": _number(lambda moment: (moment.at.hour - 1) % 12 + 1),
    "K": _number(lambda moment: moment.at.hour % 12),
    "m": _number(lambda moment: moment.at.minute),
    "s": _number(lambda moment: moment.at.second),
    "S": _fraction,
    "A": _number(lambda moment: _nano_of_day(moment) // 1_000_000),
    "n": _number(lambda moment: moment.nano_of_second),
    "N": _number(_nano_of_day),
    "X": lambda moment, count, names: _offset(moment, count, names, zulu="Z"),
    "x": lambda moment, count, names: _offset(moment, count, names, zulu=""),
    "Z": _rfc_offset,
    "O": _gmt_offset,
    "z": _zone,
    "v": _zone,
    "V": _zone_id,
}
_MOST: Final = {
    "d": 2, "D": 3, "E": 5, "e": 5, "c": 5, "Q": 5, "q": 5, "M": 5, "L": 5, "w": 2, "W": 1, "F": 1, "G": 5, "a": 1,
    "H": 2, "k": 2, "h": 2, "K": 2, "m": 2, "s": 2, "S": 9, "X": 5, "x": 5, "Z": 5, "O": 4, "z": 4, "v": 4, "V": 2,
}  # fmt: skip


def last_day(year: int, month: int) -> int:
    """The number of days of a month."""
    return calendar.monthrange(year, month)[1]
