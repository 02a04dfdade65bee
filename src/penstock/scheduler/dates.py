"""The dates of a ScheduleOnDates: a list, once each (engine.md 7.3). Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from penstock.scheduler.calendar import read_moment
from penstock.scheduler.schedule import DateVariables, Recovery
from penstock.scheduler.verdict import HOLDS, Verdict

AGAIN = timedelta(days=365)
"""When the list is looked at again once none of its dates is left; it may be an expression."""


@dataclass(frozen=True, slots=True)
class GivenDates:
    """Dates in order; `verdict` and the rest answer as `schedule.Dates`, so that both are driven alike."""

    moments: tuple[datetime, ...]
    zone: tzinfo = UTC
    recovery: Recovery = Recovery.ALL

    def next(self, after: datetime) -> datetime | None:
        """The first date later than `after`."""
        index = bisect_right(self.moments, after)
        return self.moments[index] if index < len(self.moments) else None

    def next_within(self, after: datetime, end: datetime) -> datetime | None:
        """The first date in (after, end]."""
        found = self.next(after)
        return found if found is not None and found <= end else None

    def upcoming(self, after: datetime, count: int) -> list[datetime]:
        """The next dates, at most `count`."""
        index = bisect_right(self.moments, after)
        return list(self.moments[index : index + count])

    def verdict(self, date: datetime) -> Verdict:
        """A given date needs no condition."""
        del date
        return HOLDS

    def has(self, date: datetime) -> bool:
        """Whether `date` is one of the dates."""
        return date in self.moments

    def variables(self, date: datetime) -> DateVariables:
        """Only `trigger.date` (engine.md 7.10)."""
        return DateVariables(date.astimezone(self.zone), None, None)

    def after_absence(self, planned: datetime, now: datetime) -> datetime | None:
        """What becomes of the date `planned` when a scheduler starts at `now` (recoverMissedSchedules)."""
        if planned >= now or self.recovery is Recovery.ALL:
            return planned
        if self.recovery is Recovery.NONE:
            return self.next(now)
        latest = bisect_right(self.moments, now) - 1
        return max(self.moments[latest], planned) if latest >= 0 else planned

    def is_late(self, date: datetime, now: datetime) -> bool:
        """Never: these triggers have no lateMaximumDelay."""
        del date, now
        return False

    def first_not_late(self, now: datetime) -> datetime | None:
        """The first date from `now` on."""
        index = bisect_left(self.moments, now)
        return self.moments[index] if index < len(self.moments) else None


def read_dates(values: Iterable[object], zone: tzinfo) -> tuple[datetime, ...]:
    """The moments (UTC) of ISO texts or datetimes in order, each once; one without an offset is in `zone`.

    Raises:
        ValueError: a value is not an ISO date-time.
    """
    return tuple(sorted({read_moment(value, zone).astimezone(UTC) for value in values}))
