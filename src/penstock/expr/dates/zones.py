"""Time zones by Java's names: regions (`Europe/Paris`), offsets (`+03:00`), `Z`, `UTC+2`."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from penstock.expr.errors import EvaluationError, shorten

_OFFSET: Final = re.compile(r"(?:UTC|GMT|UT)?([+-])(\d{1,2})(?::?(\d{2}))?(?::?(\d{2}))?")
_MAX_OFFSET: Final = timedelta(hours=18)
ZULU: Final = timezone(timedelta(0), "Z")
"""Offset zero as an offset: a moment in it is zoned, while `datetime.UTC` stands for an Instant."""


@lru_cache(maxsize=500)
def zone_of(name: str) -> tzinfo:
    """The time zone of a name. Raises EvaluationError for an unknown one."""
    if name in ("Z", "+00:00", "-00:00"):
        return ZULU
    found = _OFFSET.fullmatch(name)
    if found:
        offset = timedelta(hours=int(found[2]), minutes=int(found[3] or 0), seconds=int(found[4] or 0))
        if offset <= _MAX_OFFSET:
            return timezone(-offset if found[1] == "-" else offset) if offset else ZULU
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise EvaluationError(
            f"Unknown time-zone ID: {shorten(name, 100)}",
            hint="a zone is `Europe/Paris`, `UTC` or an offset as `+03:00`",
        ) from error


def in_zone(value: datetime, zone: tzinfo) -> datetime:
    """An aware moment on the clock of another zone. Raises EvaluationError beyond the years 1 to 9999."""
    try:
        return value.astimezone(zone)
    except (OverflowError, ValueError) as error:
        raise EvaluationError("The date is out of range: years go from 1 to 9999") from error


def zone_id(value: datetime) -> str | None:
    """The region of a moment's zone, None when it only has an offset."""
    key = getattr(value.tzinfo, "key", None)
    return key if isinstance(key, str) else None


def offset_seconds(value: datetime) -> int:
    """The offset of an aware moment in seconds."""
    return int((value.utcoffset() or timedelta()).total_seconds())
