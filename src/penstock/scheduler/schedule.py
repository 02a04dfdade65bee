"""The dates of a Schedule: next and previous matching ones, what is done about missed and late ones (engine.md 7.3).

Pure. Conditions are asked through `Dates.verdict`, a function of the candidate's date.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from penstock.scheduler.cron import Cron
from penstock.scheduler.verdict import HOLDS, Verdict

HORIZON = timedelta(days=3653)
"""How far ahead a matching date is looked for: ten years, as Kestra."""
CANDIDATES = 400
"""How many dates are tried at a time, so that a condition that never holds cannot hold up other triggers."""
EARLY = timedelta(seconds=1)
"""A date further in the future than this is never fired."""
_MICROSECOND = timedelta(microseconds=1)


class Recovery(StrEnum):
    """What happens to dates missed while no scheduler ran."""

    ALL = "ALL"
    LAST = "LAST"
    NONE = "NONE"


@dataclass(frozen=True, slots=True)
class DateVariables:
    """What `trigger.date`, `next` and `previous` are for one planned date."""

    date: datetime
    next: datetime | None
    previous: datetime | None

    def as_mapping(self) -> dict[str, object]:
        """The variables as Kestra writes them: ISO texts with the offset of the schedule's zone."""
        named = {"date": self.date, "next": self.next, "previous": self.previous}
        return {name: iso(moment) for name, moment in named.items() if moment is not None}


Judge = Callable[[DateVariables], Verdict]


def _always(_: DateVariables) -> Verdict:
    return HOLDS


@dataclass(frozen=True, slots=True)
class Dates:
    """The planned dates of one Schedule, in UTC: arithmetic in a zone that jumps goes by the hands of its clock.

    judge: says of a candidate whether the conditions hold. late: dates later than this are not run.
    conditional: whether `judge` has anything to say; without, every cron date is planned.
    """

    cron: Cron
    zone: tzinfo = UTC
    recovery: Recovery = Recovery.ALL
    late: timedelta | None = None
    judge: Judge = field(default=_always)
    conditional: bool = False

    def next(self, after: datetime) -> datetime | None:
        """The first planned date later than `after`.

        When none of the next dates matches, the first of them all the same: the condition is asked again when it is
        due, and may depend on more than the date.
        """
        if not self.conditional:
            return self._cron_next(after)
        found = next(self._matching(after, limit=CANDIDATES), None)
        return found or self._cron_next(after)

    def next_within(self, after: datetime, end: datetime) -> datetime | None:
        """The first matching date in (after, end], without regard to how many have to be tried."""
        for date in self._candidates(after):
            if date > end:
                return None
            if not self.conditional or self.verdict(date).holds:
                return date
        return None

    def upcoming(self, after: datetime, count: int) -> list[datetime]:
        """The next `count` matching dates within ten years; of a condition that rarely holds perhaps fewer."""
        dates: list[datetime] = []
        for date in self._matching(after, limit=CANDIDATES * 10):
            dates.append(date)
            if len(dates) == count:
                break
        return dates

    def previous(self, before: datetime) -> datetime | None:
        """The last matching date earlier than `before`."""
        if not self.conditional:
            return self._cron_previous(before)
        date: datetime | None = before
        for _ in range(CANDIDATES):
            date = self._cron_previous(date)
            if date is None or self.verdict(date).holds:
                return date
        return None

    def verdict(self, date: datetime) -> Verdict:
        """Whether the conditions hold at a date; they see the dates of the cron alone as its neighbours."""
        if not self.conditional:
            return HOLDS
        return self.judge(self._shown(date, self._cron_next(date), self._cron_previous(date)))

    def has(self, date: datetime) -> bool:
        """Whether `date` is one of the cron's dates, whatever the conditions say."""
        return self._cron_next(date.astimezone(UTC) - _MICROSECOND) == date

    def variables(self, date: datetime) -> DateVariables:
        """The variables of the execution for a planned date; its neighbours are matching dates."""
        return self._shown(date, self._next_matching(date), self.previous(date))

    def after_absence(self, planned: datetime, now: datetime) -> datetime | None:
        """What becomes of the date `planned` when a scheduler starts at `now` (recoverMissedSchedules)."""
        if planned >= now or self.recovery is Recovery.ALL:
            return planned
        if self.recovery is Recovery.NONE:
            return self.next(now)
        latest = self.previous(now + _MICROSECOND)
        return latest if latest is not None and latest > planned else planned

    def is_late(self, date: datetime, now: datetime) -> bool:
        """Whether lateMaximumDelay forbids to run a date at `now`."""
        return self.late is not None and date + self.late < now

    def first_not_late(self, now: datetime) -> datetime | None:
        """The first date that lateMaximumDelay still allows at `now`."""
        return self.next(now - (self.late or timedelta()) - _MICROSECOND)

    def _next_matching(self, after: datetime) -> datetime | None:
        if not self.conditional:
            return self._cron_next(after)
        return next(self._matching(after, limit=CANDIDATES), None)

    def _cron_next(self, after: datetime) -> datetime | None:
        found = self.cron.next(after, self.zone)
        return found.astimezone(UTC) if found is not None else None

    def _cron_previous(self, before: datetime) -> datetime | None:
        found = self.cron.previous(before, self.zone)
        return found.astimezone(UTC) if found is not None else None

    def _shown(self, date: datetime, following: datetime | None, previous: datetime | None) -> DateVariables:
        """Dates as templates see them: in the schedule's zone."""
        zone = self.zone
        return DateVariables(
            date.astimezone(zone),
            following.astimezone(zone) if following is not None else None,
            previous.astimezone(zone) if previous is not None else None,
        )

    def _matching(self, after: datetime, *, limit: int) -> Iterator[datetime]:
        for tried, date in enumerate(self._candidates(after)):
            if tried >= limit:
                return
            if self.verdict(date).holds:
                yield date

    def _candidates(self, after: datetime) -> Iterator[datetime]:
        end = after + HORIZON
        date: datetime | None = after
        while (date := self._cron_next(date)) is not None and date <= end:
            yield date


@lru_cache(maxsize=1024)
def zone_of(name: str) -> tzinfo:
    """The time zone of an IANA name or an offset (`Europe/Paris`, `UTC`, `Z`, `+02:00`).

    Raises:
        ValueError: there is no such zone.
    """
    if name in ("UTC", "Z", "GMT", "Etc/UTC"):
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    offset = name.removeprefix("UTC").removeprefix("GMT")
    try:
        parsed = datetime.strptime(offset, "%z").tzinfo
    except ValueError as fault:
        raise ValueError(f"Unknown time zone {name!r}: expected a name such as Europe/Paris, or an offset") from fault
    return parsed or UTC


def iso(moment: datetime) -> str:
    """A moment as `java.time` writes it with its offset (`2024-02-01T00:00:00+01:00`, `Z` for UTC)."""
    text = moment.isoformat()
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text
