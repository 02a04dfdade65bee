"""Windows of time in which a Flow trigger gathers its dependencies, in both dialects (engine.md 7.4, 7.5).

Pure: a moment and a specification in, the window's two inclusive ends out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from enum import StrEnum

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)
_TICK = timedelta(milliseconds=1)


class WindowType(StrEnum):
    """Kinds of windows of the 1.x dialect; those of 2.0 are the same under other names."""

    DURATION_WINDOW = "DURATION_WINDOW"
    SLIDING_WINDOW = "SLIDING_WINDOW"
    DAILY_TIME_DEADLINE = "DAILY_TIME_DEADLINE"
    DAILY_TIME_WINDOW = "DAILY_TIME_WINDOW"


@dataclass(frozen=True, slots=True)
class WindowRule:
    """How windows follow one another.

    length, advance: of a DURATION_WINDOW (and the length of a sliding one). start, end: wall times of the daily kinds
    (`end` alone for a deadline), in `zone`.
    """

    type: WindowType = WindowType.DURATION_WINDOW
    length: timedelta = DAY
    advance: timedelta = timedelta()
    start: time = time(0, 0)
    end: time = time(23, 59, 59, 999000)
    zone: tzinfo = UTC

    def around(self, now: datetime) -> tuple[datetime, datetime]:
        """The window for an event at `now`: its first and last moment. `now` may lie outside of a daily one.

        A DURATION_WINDOW is aligned as Kestra does: hours are zeroed for a day or more, minutes for an hour or more,
        else minutes are floored to a multiple of the length; then `advance` is added. Windows that `advance` has
        moved into the future or past are stepped by their length until one holds `now`.
        """
        match self.type:
            case WindowType.DURATION_WINDOW:
                return self._aligned(now)
            case WindowType.SLIDING_WINDOW:
                return now, now + self.length
            case WindowType.DAILY_TIME_DEADLINE:
                return self._at(now, time(0, 0)), self._at(now, self.end)
            case WindowType.DAILY_TIME_WINDOW:
                return self._daily(now)

    def _aligned(self, now: datetime) -> tuple[datetime, datetime]:
        length = max(self.length, _TICK)
        local = now.astimezone(self.zone)
        start = _floor(local, length) + self.advance
        if start > local:
            start -= -((local - start) // length) * length
        if start + length <= local:
            start += (local - start) // length * length
        start = start.astimezone(UTC)
        return start, start + length - _TICK

    def _daily(self, now: datetime) -> tuple[datetime, datetime]:
        """Today's window; one that ends before it starts lasts over midnight."""
        start, end = self._at(now, self.start), self._at(now, self.end)
        if start <= end:
            return start, end
        if now <= end:
            return self._at(now - DAY, self.start), end
        return start, self._at(now + DAY, self.end)

    def _at(self, now: datetime, wall: time) -> datetime:
        """The moment of a wall time on the day of `now`."""
        day = now.astimezone(self.zone).date()
        return datetime.combine(day, wall.replace(tzinfo=None), wall.tzinfo or self.zone).astimezone(UTC)


def _floor(moment: datetime, length: timedelta) -> datetime:
    if length >= DAY:
        return moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if length >= HOUR:
        return moment.replace(minute=0, second=0, microsecond=0)
    if length < _MINUTE:
        return moment.replace(microsecond=0)
    whole = length // _MINUTE
    return moment.replace(minute=moment.minute // whole * whole, second=0, microsecond=0)
