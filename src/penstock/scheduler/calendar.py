"""Calendar questions of schedule conditions: weekdays, their number in the month, holidays. Pure."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta, tzinfo

WEEKDAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
_PLACES = {"FIRST": 1, "SECOND": 2, "THIRD": 3, "FOURTH": 4}


def weekday_of(day: date) -> str:
    """Its weekday in capitals, as `java.time.DayOfWeek`."""
    return WEEKDAYS[day.weekday()]


def is_weekend(day: date) -> bool:
    """Whether it is a Saturday or a Sunday."""
    return day.weekday() >= 5


def is_weekday_of_month(day: date, weekday: str, place: str) -> bool:
    """Whether it is the FIRST … FOURTH or LAST such weekday of its month."""
    if weekday_of(day) != weekday:
        return False
    if place == "LAST":
        return day.day + 7 > monthrange(day.year, day.month)[1]
    return (day.day + 6) // 7 == _PLACES[place]


def is_public_holiday(day: date, country: str, subdivision: str | None = None) -> bool:
    """Whether it is a public holiday of a country (ISO 3166-1 alpha-2) or of one of its subdivisions.

    Raises:
        ValueError: the country or the subdivision is not known.
    """
    import holidays

    try:
        return day in holidays.country_holidays(country.upper(), subdiv=subdivision or None, years=day.year)
    except (NotImplementedError, KeyError) as fault:
        where = country if not subdivision else f"{country}, {subdivision}"
        raise ValueError(f"no calendar of public holidays for {where}") from fault


def read_moment(value: object, zone: tzinfo = UTC) -> datetime:
    """A moment from an ISO text (Java's zone in brackets allowed) or a datetime; without offset it is in `zone`.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(value, datetime):
        moment = value
    else:
        text = str(value).strip().partition("[")[0]
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as fault:
            raise ValueError(f"expected an ISO date-time such as 2026-01-31T08:00:00Z, found {value!r}") from fault
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def read_time(value: object) -> time:
    """A time of day from an ISO text, perhaps with an offset, or a time.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(value, time):
        return value
    try:
        return time.fromisoformat(str(value).strip())
    except ValueError as fault:
        raise ValueError(f"expected a time such as 16:30:00+01:00, found {value!r}") from fault


def time_is_before(moment: datetime, limit: time) -> bool:
    """Whether the time of day of `moment` is before `limit`; one without offset is meant at the moment's own.

    Java's OffsetTime rule: the days are left out, the offsets are not.
    """
    return _past(moment, limit) < 0


def time_is_after(moment: datetime, limit: time) -> bool:
    """Whether the time of day of `moment` is after `limit`."""
    return _past(moment, limit) > 0


def _past(moment: datetime, limit: time) -> float:
    """How many seconds the time of `moment` is past `limit`, each counted from midnight UTC of its own day."""
    own = moment.utcoffset() or timedelta()
    given = limit.utcoffset()
    return _since_midnight(moment.time(), own) - _since_midnight(limit, own if given is None else given)


def _since_midnight(wall: time, offset: timedelta) -> float:
    seconds = wall.hour * 3600 + wall.minute * 60 + wall.second + wall.microsecond / 1e6
    return seconds - offset.total_seconds()
