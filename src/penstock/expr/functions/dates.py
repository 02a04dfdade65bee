"""`now` and the calendar."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from penstock.expr.dates.moment import Moment, read_iso
from penstock.expr.dates.patterns import last_day
from penstock.expr.dates.reading import moment_of
from penstock.expr.dates.writing import write_moment
from penstock.expr.dates.zones import zone_of
from penstock.expr.errors import EvaluationError, preview
from penstock.expr.functions.table import FUNCTIONS, need_text, optional_text
from penstock.expr.registry import MISSING, given
from penstock.expr.text import java_text

if TYPE_CHECKING:
    from penstock.expr.frame import Frame

DAYS: Final = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
_POSITIONS: Final = {"FIRST": 1, "SECOND": 2, "THIRD": 3, "FOURTH": 4, "LAST": 0}
_WORKING_DAYS: Final = "MONDAY,TUESDAY,WEDNESDAY,THURSDAY,FRIDAY"


@FUNCTIONS.add("now", "format", "timeZone", "existingFormat", "locale")
def now(frame: Frame, form: object, zone: object, existing: object, locale: object) -> object:
    """The present moment as text."""
    clock = zone_of(optional_text(frame, zone) or frame.context.timezone)
    return write_moment(
        Moment(frame.context.now()).in_zone(clock), optional_text(frame, form), optional_text(frame, locale)
    )


def _as_written(frame: Frame, name: str, value: object) -> datetime:
    """A date on its own clock: no zone is applied to one that is written with an offset."""
    if not given(value):
        raise EvaluationError(f"The '{name}' function expects an argument 'date'.")
    if isinstance(value, datetime):
        return value
    if isinstance(value, str):
        found = read_iso(str(value))
        if found is None:
            raise EvaluationError(
                f"The '{name}()' function could not parse 'date': {preview(value)}",
                hint="a date is written as 2024-01-31",
            )
        return found.at if isinstance(found, Moment) else found[0]
    if isinstance(value, bool):
        raise EvaluationError(f"The '{name}()' function could not parse 'date': {preview(value)}")
    return moment_of(frame, value).at


def _part(name: str, description: str, take: Callable[[datetime], object]) -> None:
    def part(frame: Frame, value: object) -> object:
        return take(_as_written(frame, name, value))

    part.__doc__ = description
    FUNCTIONS.add(name, "date")(part)


_part("dayOfWeek", "The day of the week, `MONDAY` to `SUNDAY`.", lambda at: DAYS[at.weekday()])
_part("dayOfMonth", "The day of the month, 1 to 31.", lambda at: at.day)
_part("monthOfYear", "The month, 1 to 12.", lambda at: at.month)
_part("hourOfDay", "The hour as written, 0 to 23.", lambda at: at.hour)
_part("isWeekend", "Whether it is a Saturday or Sunday.", lambda at: at.weekday() >= 5)


@FUNCTIONS.add("isDateBetween", "date", "after", "before")
def is_date_between(frame: Frame, value: object, after: object, before: object) -> object:
    """Whether a moment lies strictly between two others; each needs an offset."""
    moments = [
        _instant(frame, name, given_) for name, given_ in (("date", value), ("after", after), ("before", before))
    ]
    moment, start, end = moments
    return start < moment < end


def _instant(frame: Frame, name: str, value: object) -> int:
    if value is MISSING or value is None:
        raise EvaluationError(f"The 'isDateBetween()' function expects a '{name}' argument.")
    found = read_iso(str(value)) if isinstance(value, str) else None
    if isinstance(value, datetime) and value.tzinfo is not None:
        found = Moment(value)
    if not isinstance(found, Moment):
        shown = java_text(frame, value)[:100]
        raise EvaluationError(
            f"The 'isDateBetween()' function could not parse '{name}': Cannot convert value '{shown}' to ZonedDateTime",
            hint="write the offset, e.g. 2026-03-01T00:00:00Z",
        )
    return found.epoch_nanos


@FUNCTIONS.add("isDayWeekInMonth", "date", "dayOfWeek", "position")
def is_day_week_in_month(frame: Frame, value: object, weekday: object, position: object) -> object:
    """Whether a date is, say, the first Monday of its month."""
    at = _as_written(frame, "isDayWeekInMonth", value)
    wanted = _weekday("isDayWeekInMonth", "dayOfWeek", need_text(frame, "isDayWeekInMonth", "dayOfWeek", weekday))
    name = need_text(frame, "isDayWeekInMonth", "position", position)
    number = _POSITIONS.get(name.strip().upper())
    if number is None:
        raise EvaluationError(
            f"The 'isDayWeekInMonth()' function received an invalid 'position' value: '{name[:50]}'."
            f" Valid values are: {', '.join(_POSITIONS)}"
        )
    if at.weekday() != wanted:
        return False
    if number == 0:
        return at.day + 7 > last_day(at.year, at.month)
    return (at.day - 1) // 7 + 1 == number


def _weekday(function: str, argument: str, name: str) -> int:
    found = name.strip().upper()
    if found not in DAYS:
        raise EvaluationError(
            f"The '{function}()' function received an invalid '{argument}' value: '{name[:50]}'."
            f" Valid values are: {', '.join(DAYS)}"
        )
    return DAYS.index(found)


@FUNCTIONS.add("isLastWorkingDay", "date", "workingDays")
def is_last_working_day(frame: Frame, value: object, days: object) -> object:
    """Whether a date is the last working day of its month."""
    at = _as_written(frame, "isLastWorkingDay", value)
    names = optional_text(frame, days) or _WORKING_DAYS
    working = {_weekday("isLastWorkingDay", "workingDays", name) for name in names.split(",")}
    day = date(at.year, at.month, last_day(at.year, at.month))
    while day.weekday() not in working:
        day -= timedelta(days=1)
    return at.date() == day


@FUNCTIONS.add("isPublicHoliday", "date", "countryCode", "subDivision")
def is_public_holiday(frame: Frame, value: object, country: object, subdivision: object) -> object:
    """Whether a date is a public holiday of a country, or of a part of it."""
    import holidays

    at = _as_written(frame, "isPublicHoliday", value)
    code = optional_text(frame, country)
    if code is None:
        raise EvaluationError("The 'isPublicHoliday' function expects an argument 'countryCode'.")
    places = holidays.list_supported_countries()
    if code.upper() not in places:
        raise EvaluationError(f"The 'isPublicHoliday()' function does not know the country '{code[:20]}'.")
    part = (optional_text(frame, subdivision) or "").upper()
    # A part of a country without holidays of its own has those of the country.
    known = part if part in places[code.upper()] else None
    return at.date() in holidays.country_holidays(code.upper(), subdiv=known, years=at.year)
