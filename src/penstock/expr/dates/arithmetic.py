"""Adding a number of Java's ChronoUnits to a moment."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from penstock.expr.dates.moment import Moment
from penstock.expr.dates.patterns import last_day
from penstock.expr.errors import EvaluationError

_NANOS: Final = {
    "NANOS": 1,
    "MICROS": 1000,
    "MILLIS": 1_000_000,
    "SECONDS": 1_000_000_000,
    "MINUTES": 60_000_000_000,
    "HOURS": 3_600_000_000_000,
    "HALF_DAYS": 43_200_000_000_000,
}
_DAYS: Final = {"DAYS": 1, "WEEKS": 7}
_MONTHS: Final = {"MONTHS": 1, "YEARS": 12, "DECADES": 120, "CENTURIES": 1200, "MILLENNIA": 12000}


def plus(moment: Moment, amount: int, unit: str) -> Moment:
    """The moment so many units later. Hours and below count real time, days and above keep the clock of the zone."""
    try:
        if unit in _NANOS:
            return _plus_nanos(moment, amount * _NANOS[unit])
        if unit in _DAYS:
            return replace(moment, at=_valid(moment.at + timedelta(days=amount * _DAYS[unit])))
        if unit in _MONTHS:
            return replace(moment, at=_valid(_plus_months(moment.at, amount * _MONTHS[unit])))
    except (OverflowError, ValueError) as error:
        raise EvaluationError("The date is out of range: years go from 1 to 9999") from error
    known = ", ".join([*_NANOS, *_DAYS, *_MONTHS])
    raise EvaluationError(
        f"No enum constant java.time.temporal.ChronoUnit.{unit[:50]}", hint=f"a unit is one of {known}"
    )


def _plus_nanos(moment: Moment, nanos: int) -> Moment:
    micros, rest = divmod(moment.nanos + nanos, 1000)
    at = (moment.at.astimezone(UTC) + timedelta(microseconds=micros)).astimezone(moment.at.tzinfo)
    return Moment(at, rest)


def _plus_months(at: datetime, months: int) -> datetime:
    year, month = divmod(at.year * 12 + at.month - 1 + months, 12)
    return at.replace(year=year, month=month + 1, day=min(at.day, last_day(year, month + 1)))


def _valid(at: datetime) -> datetime:
    """A clock time that a change of offset leaves out is moved on by the gap, as Java does."""
    return at.astimezone(UTC).astimezone(at.tzinfo)
