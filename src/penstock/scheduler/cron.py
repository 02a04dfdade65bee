"""Cron expressions: which wall-clock times they name, and the next and previous such moment in a time zone.

Five fields, or six with leading seconds; nicknames; names of months and days; day of week 0-7 with 0 and 7 for Sunday;
`L` for the last day of the month. As Kestra's: when both days are restricted, either suffices; a range never wraps.

Daylight saving follows the distinction of Debian's cron. A *fixed* time (neither minutes nor hours start with `*`)
happens once a day: when the clock skips it, as much later as the clock skipped (02:30 becomes 03:30, `java.time`'s
rule); when the clock repeats it, only the first time. Anything else is an *interval* and follows the hands: what is
skipped does not happen, what is repeated happens twice.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache

NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
"""The words that stand for five fields."""

_MONTH_NAMES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_MONTHS = {name: n for n, name in enumerate(_MONTH_NAMES, 1)}
_DAYS = {name: n for n, name in enumerate(["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"])}
_SECOND = timedelta(seconds=1)
_PROBE = timedelta(days=7)
"""No zone changes its offset twice within a week."""
_NEAR = timedelta(hours=26)
"""Longer than any jump of a clock (Samoa skipped a whole day)."""
_YEARS = 40
"""How far a date is looked for: every date of the calendar comes again within 28 years, 40 across 2100."""


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    names: dict[str, int]


_SECONDS = _Field("second", 0, 59, {})
_MINUTES = _Field("minute", 0, 59, {})
_HOURS = _Field("hour", 0, 23, {})
_MONTH_DAYS = _Field("day of month", 1, 31, {})
_MONTHS_FIELD = _Field("month", 1, 12, _MONTHS)
_WEEK_DAYS = _Field("day of week", 0, 7, _DAYS)


@dataclass(frozen=True, slots=True)
class Cron:
    """A parsed expression; `parse_cron` makes one."""

    text: str
    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    months: frozenset[int]
    days: frozenset[int]
    last_day: bool
    weekdays: frozenset[int]
    last_weekdays: frozenset[int]
    nth_weekdays: frozenset[tuple[int, int]]
    any_day: bool
    any_weekday: bool
    fixed: bool

    def next(self, after: datetime, zone: tzinfo) -> datetime | None:
        """The first matching moment later than `after`, in `zone`; None when there is none for 40 years."""
        start = after.astimezone(UTC)
        found = self._next_fixed(start, zone) if self.fixed else self._next_interval(start, zone)
        return found.astimezone(zone) if found else None

    def previous(self, before: datetime, zone: tzinfo) -> datetime | None:
        """The last matching moment earlier than `before`, in `zone`; None when there is none for 40 years."""
        end = before.astimezone(UTC)
        found = self._previous_fixed(end, zone) if self.fixed else self._previous_interval(end, zone)
        return found.astimezone(zone) if found else None

    # -- fixed times: each wall time is one moment --------------------------------------------------------------

    def _next_fixed(self, after: datetime, zone: tzinfo) -> datetime | None:
        wall = _wall(after, zone) - _skipped(after, zone)
        best: datetime | None = None
        for candidate in self._walls_after(wall):
            moment = _moment(candidate, zone)
            if best is not None and candidate > _wall(best, zone):
                return best
            if moment > after and (best is None or moment < best):
                best = moment
            if best is not None and _wall(best, zone) == candidate:
                return best
        return best

    def _previous_fixed(self, before: datetime, zone: tzinfo) -> datetime | None:
        wall = _ceil(_wall(before, zone)) + _repeated(before, zone)
        skipped = _skipped(before, zone)
        best: datetime | None = None
        for candidate in self._walls_before(wall):
            moment = _moment(candidate, zone)
            if best is not None and candidate < _wall(best, zone) - skipped:
                return best
            if moment < before and (best is None or moment > best):
                best = moment
            if best is not None and not skipped and _wall(best, zone) == candidate:
                return best
        return best

    # -- intervals: stretches of constant offset, one after the other ------------------------------------------

    def _next_interval(self, after: datetime, zone: tzinfo) -> datetime | None:
        start = after
        while True:
            offset = _offset(start, zone)
            wall = next(self._walls_after(_at_offset(start, offset)), None)
            if wall is None:
                return None
            moment = (wall - offset).replace(tzinfo=UTC)
            change = _next_change(start, moment, zone)
            if change is None or moment < change:
                return moment
            earlier = change - _SECOND
            wall = next(self._walls_after(_at_offset(earlier, _offset(change, zone))), None)
            if wall is None:
                return None
            moment = (wall - _offset(change, zone)).replace(tzinfo=UTC)
            if _next_change(change, moment, zone) is None:
                return moment
            start = change

    def _previous_interval(self, before: datetime, zone: tzinfo) -> datetime | None:
        end = before
        while True:
            offset = _offset(end - timedelta(microseconds=1), zone)
            wall = next(self._walls_before(_ceil(_at_offset(end, offset))), None)
            if wall is None:
                return None
            moment = (wall - offset).replace(tzinfo=UTC)
            change = _last_change(moment, end - timedelta(microseconds=1), zone)
            if change is None:
                return moment
            end = change

    # -- wall times ----------------------------------------------------------------------------------------------

    def _walls_after(self, wall: datetime) -> Iterator[datetime]:
        """Matching wall times later than `wall`, in order."""
        start = wall.replace(microsecond=0) + _SECOND
        for day in self._days_from(start.date()):
            first = (start.hour, start.minute, start.second) if day == start.date() else (0, 0, 0)
            for hour, minute, second in self._times_from(first):
                yield datetime.combine(day, time(hour, minute, second))

    def _walls_before(self, wall: datetime) -> Iterator[datetime]:
        """Matching wall times earlier than `wall` (whole seconds), in falling order."""
        end = wall - _SECOND
        for day in self._days_until(end.date()):
            last = (end.hour, end.minute, end.second) if day == end.date() else (23, 59, 59)
            for hour, minute, second in self._times_until(last):
                yield datetime.combine(day, time(hour, minute, second))

    def _times_from(self, first: tuple[int, int, int]) -> Iterator[tuple[int, int, int]]:
        hour0, minute0, second0 = first
        for hour in self.hours[bisect_left(self.hours, hour0) :]:
            minutes = self.minutes if hour > hour0 else self.minutes[bisect_left(self.minutes, minute0) :]
            for minute in minutes:
                later = hour > hour0 or minute > minute0
                for second in self.seconds if later else self.seconds[bisect_left(self.seconds, second0) :]:
                    yield hour, minute, second

    def _times_until(self, last: tuple[int, int, int]) -> Iterator[tuple[int, int, int]]:
        hour0, minute0, second0 = last
        for hour in reversed(self.hours[: bisect_right(self.hours, hour0)]):
            minutes = self.minutes if hour < hour0 else self.minutes[: bisect_right(self.minutes, minute0)]
            for minute in reversed(minutes):
                earlier = hour < hour0 or minute < minute0
                seconds = self.seconds if earlier else self.seconds[: bisect_right(self.seconds, second0)]
                for second in reversed(seconds):
                    yield hour, minute, second

    def _days_from(self, start: date) -> Iterator[date]:
        for year in range(start.year, min(start.year + _YEARS, 9998) + 1):
            for month in range(start.month if year == start.year else 1, 13):
                if month not in self.months:
                    continue
                same = year == start.year and month == start.month
                for day in self._matching_days(year, month, low=start.day if same else 1):
                    yield date(year, month, day)

    def _days_until(self, end: date) -> Iterator[date]:
        for year in range(end.year, max(end.year - _YEARS, 2) - 1, -1):
            for month in range(end.month if year == end.year else 12, 0, -1):
                if month not in self.months:
                    continue
                same = year == end.year and month == end.month
                for day in reversed(self._matching_days(year, month, high=end.day if same else 31)):
                    yield date(year, month, day)

    def _matching_days(self, year: int, month: int, *, low: int = 1, high: int = 31) -> list[int]:
        first, length = monthrange(year, month)
        within = range(low, min(high, length) + 1)
        if self.any_day and self.any_weekday:
            return list(within)
        return [day for day in within if self._day_matches(day, weekday=(first + day) % 7, length=length)]

    def _day_matches(self, day: int, *, weekday: int, length: int) -> bool:
        if self.any_day:
            return self._weekday_matches(day, weekday=weekday, length=length)
        by_day = day in self.days or (self.last_day and day == length)
        if self.any_weekday:
            return by_day
        return by_day or self._weekday_matches(day, weekday=weekday, length=length)

    def _weekday_matches(self, day: int, *, weekday: int, length: int) -> bool:
        if weekday in self.weekdays:
            return True
        if weekday in self.last_weekdays and day + 7 > length:
            return True
        return (weekday, (day + 6) // 7) in self.nth_weekdays


@lru_cache(maxsize=4096)
def parse_cron(text: str, *, with_seconds: bool = False) -> Cron:
    """The expression `text`.

    Six fields are read only `with_seconds`, five only without (a nickname either way).

    Raises:
        ValueError: it is not a cron expression; the message names the field.
    """
    written = NICKNAMES.get(text.strip().lower(), text).upper().split()
    if text.strip().startswith("@"):
        if len(written) != 5:
            raise ValueError(f"Invalid cron expression {text!r}: expected one of {', '.join(NICKNAMES)}")
        written.insert(0, "0")
    else:
        wanted = 6 if with_seconds else 5
        if len(written) != wanted:
            raise ValueError(f"Invalid cron expression {text!r}: expected {wanted} fields, found {len(written)}")
        if not with_seconds:
            written.insert(0, "0")
    return _cron_of(text, written)


def _cron_of(text: str, written: list[str]) -> Cron:
    second, minute, hour, day, month, weekday = written
    try:
        days, last_day = _month_days(day)
        weekdays, last_weekdays, nth = _week_days(weekday)
        return Cron(
            text=text,
            seconds=tuple(sorted(_values(second, _SECONDS))),
            minutes=tuple(sorted(_values(minute, _MINUTES))),
            hours=tuple(sorted(_values(hour, _HOURS))),
            months=frozenset(_values(month, _MONTHS_FIELD)),
            days=frozenset(days),
            last_day=last_day,
            weekdays=frozenset(weekdays),
            last_weekdays=frozenset(last_weekdays),
            nth_weekdays=frozenset(nth),
            any_day=day in ("*", "?", "*/1"),
            any_weekday=weekday in ("*", "?", "*/1"),
            fixed=not minute.startswith("*") and not hour.startswith("*"),
        )
    except ValueError as fault:
        raise ValueError(f"Invalid cron expression {text!r}: {fault}") from fault


def _month_days(text: str) -> tuple[set[int], bool]:
    if text == "?":
        text = "*"
    terms = text.split(",")
    rest = [term for term in terms if term != "L"]
    return (_values(",".join(rest), _MONTH_DAYS) if rest else set()), len(rest) < len(terms)


def _week_days(text: str) -> tuple[set[int], set[int], set[tuple[int, int]]]:
    """Plain days, days meant as the last of the month (`5L`), and days with their number (`1#2`)."""
    plain: set[int] = set()
    last: set[int] = set()
    nth: set[tuple[int, int]] = set()
    for term in ("*" if text == "?" else text).split(","):
        if "#" in term:
            name, _, number = term.partition("#")
            nth.add((_number(name, _WEEK_DAYS) % 7, _step(number, highest=5)))
        elif term.endswith("L") and len(term) > 1:
            last.add(_number(term[:-1], _WEEK_DAYS) % 7)
        else:
            plain |= {day % 7 for day in _values(term, _WEEK_DAYS)}
    return plain, last, nth


def _values(text: str, field: _Field) -> set[int]:
    found: set[int] = set()
    for term in text.split(","):
        found |= _term(term, field)
    return found


def _term(term: str, field: _Field) -> set[int]:
    span, slash, step_text = term.partition("/")
    step = _step(step_text, highest=field.high) if slash else 1
    if span == "*":
        high = 6 if field is _WEEK_DAYS else field.high
        return set(range(field.low, high + 1, step))
    low_text, dash, high_text = span.partition("-")
    low = _number(low_text, field)
    if not dash:
        return set(range(low, field.high + 1, step)) if slash else {low}
    high = _number(high_text, field)
    if high < low:
        raise ValueError(f"range {span!r} of the {field.name} runs backwards")
    return set(range(low, high + 1, step))


def _number(text: str, field: _Field) -> int:
    if text in field.names:
        return field.names[text]
    if not (text.isascii() and text.isdigit()) or not field.low <= int(text) <= field.high:
        raise ValueError(f"expected {field.low} to {field.high} for the {field.name}, found {text!r}")
    return int(text)


def _step(text: str, *, highest: int) -> int:
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= max(highest, 1):
        raise ValueError(f"expected a number from 1 to {highest} behind `/` or `#`, found {text!r}")
    return int(text)


# -- clocks -------------------------------------------------------------------------------------------------------


def _offset(moment: datetime, zone: tzinfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()


def _at_offset(moment: datetime, offset: timedelta) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None) + offset


def _wall(moment: datetime, zone: tzinfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None)


def _moment(wall: datetime, zone: tzinfo) -> datetime:
    """The moment of a wall time: the first of two, or as much after a jump as the clock jumped."""
    return wall.replace(tzinfo=zone).astimezone(UTC)


def _ceil(wall: datetime) -> datetime:
    return wall if not wall.microsecond else wall.replace(microsecond=0) + _SECOND


def _skipped(moment: datetime, zone: tzinfo) -> timedelta:
    """How much the clock was put forward during the day before `moment`."""
    return max(_offset(moment, zone) - _offset(moment - _NEAR, zone), timedelta())


def _repeated(moment: datetime, zone: tzinfo) -> timedelta:
    """How much the clock was put back during the day before `moment`."""
    return max(_offset(moment - _NEAR, zone) - _offset(moment, zone), timedelta())


def _next_change(start: datetime, end: datetime, zone: tzinfo) -> datetime | None:
    """The first moment in (start, end] from which on another offset holds than at `start`."""
    if zone is UTC:
        return None
    low, offset = start, _offset(start, zone)
    while low < end:
        high = min(low + _PROBE, end)
        if _offset(high, zone) != offset:
            return _bisect(low, high, zone)
        low = high
    return None


def _last_change(start: datetime, end: datetime, zone: tzinfo) -> datetime | None:
    """The last moment in (start, end] at which the offset changed to the one that holds at `end`."""
    if zone is UTC:
        return None
    high, offset = end, _offset(end, zone)
    while high > start:
        low = max(high - _PROBE, start)
        if _offset(low, zone) != offset:
            return _bisect(low, high, zone)
        high = low
    return None


def _bisect(low: datetime, high: datetime, zone: tzinfo) -> datetime:
    """The change between `low` (before it) and `high` (at or after it), to the second."""
    before = _offset(low, zone)
    first, last = int(low.timestamp()), -int(-high.timestamp() // 1)
    while last - first > 1:
        middle = (first + last) // 2
        if _offset(datetime.fromtimestamp(middle, UTC), zone) == before:
            first = middle
        else:
            last = middle
    return datetime.fromtimestamp(last, UTC)
