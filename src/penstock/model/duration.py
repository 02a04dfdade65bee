"""ISO 8601 durations as Kestra reads and writes them (`PT1.5S`, `P1D`, `PT10M`)."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

_PATTERN = re.compile(
    r"(?P<sign>[+-])?P(?:(?P<years>[+-]?\d+)Y)?(?:(?P<months>[+-]?\d+)M)?(?:(?P<weeks>[+-]?\d+)W)?(?:(?P<days>[+-]?\d+)D)?"
    r"(?:T(?=[-+\d])(?:(?P<hours>[+-]?\d+)H)?(?:(?P<minutes>[+-]?\d+)M)?(?:(?P<seconds>[+-]?\d+(?:[.,]\d{1,9})?)S)?)?$",
    re.IGNORECASE,
)
_DAYS = {"years": 365, "months": 30, "weeks": 7, "days": 1}


def parse_duration(text: str) -> timedelta:
    """The length of an ISO 8601 duration; years count 365 days and months 30.

    Raises:
        ValueError: `text` is not an ISO 8601 duration.
    """
    match = _PATTERN.match(text.strip())
    if match is None or not any(match[g] for g in ("years", "months", "weeks", "days", "hours", "minutes", "seconds")):
        raise ValueError(f"expected an ISO 8601 duration such as PT30S or P1D, found {text!r}")
    days = sum(int(match[g] or 0) * n for g, n in _DAYS.items())
    seconds = float((match["seconds"] or "0").replace(",", "."))
    length = timedelta(days=days, hours=int(match["hours"] or 0), minutes=int(match["minutes"] or 0), seconds=seconds)
    return -length if match["sign"] == "-" else length


def format_duration(length: timedelta) -> str:
    """`length` as Java's `Duration` prints it: hours, minutes and seconds, never days (`PT25H1.5S`)."""
    micros = length // timedelta(microseconds=1)
    if micros == 0:
        return "PT0S"
    sign = "-" if micros < 0 else ""
    total, fraction = divmod(abs(micros), 1_000_000)
    hours, rest = divmod(total, 3600)
    minutes, seconds = divmod(rest, 60)
    text = "PT"
    if hours:
        text += f"{sign}{hours}H"
    if minutes:
        text += f"{sign}{minutes}M"
    if seconds or fraction:
        decimals = f".{fraction:06d}".rstrip("0") if fraction else ""
        text += f"{sign}{seconds}{decimals}S"
    return text


def format_clock(length: timedelta) -> str:
    """`length` as `HH:MM:SS.mmm`, the form Kestra's log lines use."""
    millis = length // timedelta(milliseconds=1)
    hours, rest = divmod(millis, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    seconds, millis = divmod(rest, 1000)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}.{millis:03d}"


def _read(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


IsoDuration = Annotated[timedelta, BeforeValidator(_read), PlainSerializer(format_duration, return_type=str)]
"""A length of time written in ISO 8601."""
