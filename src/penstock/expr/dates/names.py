"""Names of months, days and zones in a language. English is built in, others come from Babel when one is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from penstock.expr.dates.zones import zone_id
from penstock.expr.errors import EvaluationError, shorten

_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_DAYS: Final = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one language: lists from January and Monday on, and its weeks (`first_day` 0 is Monday)."""

    months: tuple[str, ...]
    short_months: tuple[str, ...]
    days: tuple[str, ...]
    short_days: tuple[str, ...]
    halves: tuple[str, str]
    eras: tuple[str, str]
    first_day: int
    least_days: int
    locale: Any = None


ENGLISH: Final = Names(
    tuple(_MONTHS),
    tuple(name[:3] for name in _MONTHS),
    tuple(_DAYS),
    tuple(name[:3] for name in _DAYS),
    ("AM", "PM"),
    ("BC", "AD"),
    first_day=6,
    least_days=1,
)


def names_of(locale: str | None) -> Names:
    """The names of a locale as `fr` or `en_US`. Raises EvaluationError for an unknown one."""
    if locale is None or locale.replace("-", "_") in ("en", "en_US"):
        return ENGLISH
    return _from_babel(locale)


@lru_cache(maxsize=50)
def _from_babel(locale: str) -> Names:
    from babel import Locale, UnknownLocaleError

    try:
        found = Locale.parse(locale.replace("-", "_"))
    except (ValueError, TypeError, UnknownLocaleError) as error:
        raise EvaluationError(f"Unknown locale: {shorten(locale, 50)}", hint="a locale is `fr` or `en_US`") from error
    months, days = found.months["format"], found.days["format"]
    halves = found.day_periods.get("format", {}).get("abbreviated", {})
    return Names(
        tuple(months["wide"][number] for number in range(1, 13)),
        tuple(months["abbreviated"][number] for number in range(1, 13)),
        tuple(days["wide"][number] for number in range(7)),
        tuple(days["abbreviated"][number] for number in range(7)),
        (halves.get("am", "AM"), halves.get("pm", "PM")),
        (str(found.eras["abbreviated"][0]), str(found.eras["abbreviated"][1])),
        found.first_week_day,
        found.min_week_days,
        found,
    )


def zone_name(at: datetime, names: Names, *, full: bool) -> str:
    """The name of a moment's zone: `CET`, or in full `Central European Standard Time`."""
    if zone_id(at) is None and not full:
        return at.tzname() or "Z"
    if not full:
        return at.tzname() or "UTC"
    from babel.dates import get_timezone_name

    return get_timezone_name(at, width="long", locale=names.locale or "en_US")


def styled(at: datetime, style: str, names: Names) -> str:
    """The localised styles `full`, `long`, `medium` and `short`."""
    if names is not ENGLISH:
        from babel.dates import format_datetime

        return format_datetime(at, style, locale=names.locale)
    clock = f"{(at.hour - 1) % 12 + 1}:{at.minute:02}"
    half = names.halves[at.hour >= 12]
    day = f"{at.day}, {at.year}"
    match style:
        case "short":
            return f"{at.month}/{at.day}/{at.year % 100:02}, {clock} {half}"
        case "medium":
            return f"{names.short_months[at.month - 1]} {day}, {clock}:{at.second:02} {half}"
        case "long":
            zone = zone_name(at, names, full=False)
            return f"{names.months[at.month - 1]} {day} at {clock}:{at.second:02} {half} {zone}"
        case _:
            weekday, zone = names.days[at.weekday()], zone_name(at, names, full=True)
            return f"{weekday}, {names.months[at.month - 1]} {day} at {clock}:{at.second:02} {half} {zone}"
