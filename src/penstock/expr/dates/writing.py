"""Moments as text: Kestra's preset names, the localised styles, or a Java pattern."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from penstock.expr.dates.moment import Moment
from penstock.expr.dates.names import ENGLISH, names_of, styled
from penstock.expr.dates.patterns import write
from penstock.expr.dates.zones import zone_id
from penstock.expr.text import offset_text

PATTERNS: Final = {
    "iso": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX",
    "iso_sec": "yyyy-MM-dd'T'HH:mm:ssXXX",
    "iso_milli": "yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
    "sql": "yyyy-MM-dd HH:mm:ss.SSSSSS",
    "sql_sec": "yyyy-MM-dd HH:mm:ss",
    "sql_milli": "yyyy-MM-dd HH:mm:ss.SSS",
}


def write_moment(moment: Moment, format_name: str | None, locale: str | None = None) -> str:
    """The moment in a preset, style or pattern; `iso` when none is given."""
    chosen = format_name or "iso"
    pattern = PATTERNS.get(chosen.lower())
    if pattern is not None:
        return write(moment, pattern, ENGLISH)
    preset = _PRESETS.get(chosen.lower())
    if preset is not None:
        return preset(moment)
    names = names_of(locale)
    if chosen.lower() in ("full", "long", "medium", "short"):
        return styled(moment.at, chosen.lower(), names)
    return write(moment, chosen, names)


def _date(moment: Moment) -> str:
    return moment.at.date().isoformat()


def _time(moment: Moment) -> str:
    fraction = f"{moment.nano_of_second:09}".rstrip("0")
    return f"{moment.at:%H:%M:%S}" + (f".{fraction}" if fraction else "")


def _offset(moment: Moment) -> str:
    return offset_text(moment.at)


def _region(moment: Moment) -> str:
    zone = zone_id(moment.at)
    return f"[{zone}]" if zone else ""


def _zoned(moment: Moment) -> str:
    return f"{_date(moment)}T{_time(moment)}{_offset(moment)}{_region(moment)}"


def _instant(moment: Moment) -> str:
    from penstock.expr.dates.zones import ZULU

    utc = moment.in_zone(ZULU)
    nanos = utc.nano_of_second
    digits = 0 if not nanos else 3 if nanos % 1_000_000 == 0 else 6 if nanos % 1000 == 0 else 9
    fraction = f".{nanos:09}"[: digits + 1] if digits else ""
    return f"{_date(utc)}T{utc.at:%H:%M:%S}{fraction}Z"


def _week_date(moment: Moment) -> str:
    year, week, day = moment.at.isocalendar()
    return f"{year:04}-W{week:02}-{day}{_offset(moment)}"


def _rfc_1123(moment: Moment) -> str:
    at = moment.at
    zone = "GMT" if _offset(moment) == "Z" else write(moment, "Z", ENGLISH)
    return f"{ENGLISH.short_days[at.weekday()]}, {at.day} {ENGLISH.short_months[at.month - 1]} {at:%Y %H:%M:%S} {zone}"


_PRESETS: Final[dict[str, Callable[[Moment], str]]] = {
    "iso_date_time": _zoned,
    "iso_zoned_date_time": _zoned,
    "iso_offset_date_time": lambda moment: f"{_date(moment)}T{_time(moment)}{_offset(moment)}",
    "iso_local_date_time": lambda moment: f"{_date(moment)}T{_time(moment)}",
    "iso_date": lambda moment: f"{_date(moment)}{_offset(moment)}",
    "iso_offset_date": lambda moment: f"{_date(moment)}{_offset(moment)}",
    "iso_local_date": _date,
    "iso_time": lambda moment: f"{_time(moment)}{_offset(moment)}",
    "iso_offset_time": lambda moment: f"{_time(moment)}{_offset(moment)}",
    "iso_local_time": _time,
    "iso_instant": _instant,
    "iso_ordinal_date": lambda moment: f"{moment.at:%Y-%j}{_offset(moment)}",
    "iso_week_date": _week_date,
    "basic_iso_date": lambda moment: write(moment, "yyyyMMddZ", ENGLISH).replace("+0000", "Z"),
    "rfc_1123_date_time": _rfc_1123,
}
