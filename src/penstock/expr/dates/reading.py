"""How a template's values become moments; a preset or Java pattern becomes a regular expression, a group for each field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from penstock.expr.dates.moment import Moment, from_epoch, read_iso
from penstock.expr.dates.names import ENGLISH
from penstock.expr.dates.patterns import Field, fields_of
from penstock.expr.dates.writing import PATTERNS
from penstock.expr.dates.zones import ZULU, in_zone, zone_of
from penstock.expr.errors import EvaluationError, preview, shorten

if TYPE_CHECKING:
    from penstock.expr.frame import Frame

_NUMERIC: Final = frozenset("uyMLdDHkhKmsnAN")
_MOST_DIGITS: Final = {"u": 9, "y": 9, "n": 9, "A": 8, "N": 14, "D": 3}
_RFC_1123: Final = re.compile(
    r"(?:[A-Z][a-z]{2}, )?(?P<d1>\d{1,2}) (?P<M1>[A-Z][a-z]{2}) (?P<y1>\d{4})"
    r" (?P<H1>\d{2}):(?P<m1>\d{2})(?::(?P<s1>\d{2}))?"
    r" (?P<Z1>GMT|[+-]\d{4})"
)
_MISMATCH_HINT: Final = "compare the text with its existingFormat, sign by sign"


def moment_of(frame: Frame, value: object, *, zone: str | None = None, existing: str | None = None) -> Moment:
    """The moment a value stands for (expressions.md 7.5), on the clock of `zone` or the context's.

    Dates and date-times without an offset are taken in that zone; a date value is at noon, a date text at midnight; a
    number is epoch seconds. Raises EvaluationError for anything else.
    """
    clock = zone_of(zone or frame.context.timezone)
    if isinstance(value, datetime):
        return Moment(value.replace(tzinfo=clock) if value.tzinfo is None else in_zone(value, clock))
    if isinstance(value, date):
        return Moment(datetime.combine(value, time(12), clock))
    if isinstance(value, int) and not isinstance(value, bool):
        return from_epoch(value).in_zone(clock)
    if isinstance(value, str):
        return _read(str(value), clock, existing, frame).in_zone(clock)
    raise EvaluationError(
        f"Unable to convert {preview(value)} to a date", hint="a date is a text as `2024-01-31`, or epoch seconds"
    )


def _read(text: str, clock: tzinfo, existing: str | None, frame: Frame) -> Moment:
    if existing is not None:
        return read_with(text, existing, clock)
    found = read_iso(text)
    if found is None:
        raise EvaluationError(
            f"Text '{shorten(text, 100)}' could not be parsed at index 0",
            hint="it is not ISO: give its pattern as existingFormat='dd/MM/yyyy'",
        )
    if isinstance(found, Moment):
        return found
    return Moment(found[0].replace(tzinfo=clock), found[1])


def read_with(text: str, existing: str, clock: tzinfo) -> Moment:
    """The moment of a text written in a preset or pattern; what it lacks comes from `clock` and midnight."""
    name = existing.lower()
    if name == "rfc_1123_date_time":
        return _assembled(text, _RFC_1123, clock)
    if name.startswith("iso_") or name == "iso":
        found = read_iso(text)
        if found is None:
            raise _mismatch(text)
        return found if isinstance(found, Moment) else Moment(found[0].replace(tzinfo=clock), found[1])
    return _assembled(text, _expression(PATTERNS.get(name, existing)), clock)


def _mismatch(text: str) -> EvaluationError:
    return EvaluationError(f"Text '{shorten(text, 100)}' could not be parsed at index 0", hint=_MISMATCH_HINT)


@lru_cache(maxsize=200)
def _expression(pattern: str) -> re.Pattern[str]:
    fields = fields_of(pattern)
    if sum(1 for field in fields if field.letter == "[") > 8:
        raise EvaluationError("A date pattern may have 8 optional parts")
    parts: list[str] = []
    seen: dict[str, int] = {}
    for index, field in enumerate(fields):
        following = fields[index + 1] if index + 1 < len(fields) else None
        parts.append(_part(field, following, seen))
    try:
        return re.compile("".join(parts))
    except re.error as error:
        raise EvaluationError(f"The date pattern `{shorten(pattern, 100)}` can not be read") from error


def _part(field: Field, following: Field | None, seen: dict[str, int]) -> str:
    letter, count, text = field
    if not letter:
        return re.escape(text)
    if letter in "[]":
        return "(?:" if letter == "[" else ")?"
    seen[letter] = seen.get(letter, 0) + 1
    return f"(?P<{letter}{seen[letter]}>{_body(letter, count, following)})"


def _body(letter: str, count: int, following: Field | None) -> str:
    if letter == "S":
        return rf"\d{{{count}}}"
    if letter in _NUMERIC and (letter not in "ML" or count < 3):
        adjacent = following is not None and following.letter in _NUMERIC | {"S"}
        if count > 1 and (adjacent or letter not in _MOST_DIGITS or (letter in "uy" and count == 2)):
            return rf"\d{{{count}}}"
        return rf"\d{{{count},{max(count, _MOST_DIGITS.get(letter, 2))}}}"
    names = {"M": (ENGLISH.months, ENGLISH.short_months), "L": (ENGLISH.months, ENGLISH.short_months),
             "E": (ENGLISH.days, ENGLISH.short_days), "a": (ENGLISH.halves, ENGLISH.halves)}.get(letter)  # fmt: skip
    if names is not None:
        return "|".join(names[0] if count == 4 else names[1])
    if letter in "XxZO":
        return r"Z|GMT(?:[+-]\d{1,2}(?::?\d{2})?)?|[+-]\d{2}(?::?\d{2}(?::?\d{2})?)?"
    if letter in "Vzv":
        return r"[A-Za-z][A-Za-z0-9/_+\-:]{0,60}|[+-]\d{2}:?\d{2}"
    if letter == "G":
        return "AD|BC|Anno Domini"
    raise EvaluationError(f"The pattern letter {letter} can not be read from a text")


def _assembled(text: str, expression: re.Pattern[str], clock: tzinfo) -> Moment:
    found = expression.fullmatch(text)
    if found is None:
        raise _mismatch(text)
    values: dict[str, str] = {}
    for name, value in found.groupdict().items():
        if value is not None and values.setdefault(name[0], value) != value:
            raise _mismatch(text)
    nanos = int(values["S"].ljust(9, "0")) if "S" in values else int(values.get("n", "0"))
    try:
        day = _day(values)
        local = datetime(  # noqa: DTZ001 - the zone comes from elsewhere
            day.year, day.month, day.day, *_clock(values), nanos // 1000
        )
    except (ValueError, KeyError, OverflowError) as error:
        raise EvaluationError(
            f"Text '{shorten(text, 100)}' could not be parsed: it is not a complete, existing date", hint=_MISMATCH_HINT
        ) from error
    return Moment(local.replace(tzinfo=_zone(values) or clock), nanos % 1000)


def _day(values: Mapping[str, str]) -> date:
    written = values["y"] if "y" in values else values["u"]
    year = int(written) + 2000 if len(written) == 2 else int(written)
    if "D" in values:
        return date(year, 1, 1) + timedelta(days=int(values["D"]) - 1)
    month = values["M"] if "M" in values else values["L"]
    return date(year, int(month) if month.isdigit() else _index(month), int(values["d"]))


def _index(name: str) -> int:
    names = ENGLISH.months if name in ENGLISH.months else ENGLISH.short_months
    return names.index(name) + 1


def _clock(values: Mapping[str, str]) -> tuple[int, int, int]:
    minute, second = int(values.get("m", "0")), int(values.get("s", "0"))
    if "H" in values or "k" in values:
        return int(values.get("H", values.get("k", "0"))) % (25 if "H" in values else 24), minute, second
    if "h" in values or "K" in values:
        hour = int(values.get("h", values.get("K", "0")))
        if hour > 12:
            raise ValueError(hour)
        return hour % 12 + (12 if values["a"] == ENGLISH.halves[1] else 0), minute, second
    return 0, minute, second


def _zone(values: Mapping[str, str]) -> tzinfo | None:
    for letter in "VvzXxZO":
        name = values.get(letter)
        if name is None:
            continue
        if name in ("Z", "GMT", "UTC"):
            return ZULU
        found = re.fullmatch(r"(?:GMT)?([+-])(\d{1,2}):?(\d{2})?:?(\d{2})?", name)
        if found is None:
            return zone_of(name)
        offset = timedelta(hours=int(found[2]), minutes=int(found[3] or 0), seconds=int(found[4] or 0))
        return timezone(-offset if found[1] == "-" else offset)
    return None
