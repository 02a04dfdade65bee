"""A moment with nanoseconds, from epoch seconds or an ISO text."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from penstock.expr.dates.zones import ZULU, in_zone, zone_of
from penstock.expr.errors import EvaluationError

_ISO: Final = re.compile(
    r"([+-]?\d{4,9})-(\d{2})-(\d{2})"
    r"(?:[Tt](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?"
    r"([Zz]|[+-]\d{2}(?::?\d{2}(?::?\d{2})?)?)?(?:\[([\w/+\-:]{1,60})\])?)?"
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Moment:
    """An aware date-time and the nanoseconds below its microsecond (0-999)."""

    at: datetime
    nanos: int = 0

    @property
    def nano_of_second(self) -> int:
        """Nanoseconds of the second, 0-999,999,999."""
        return self.at.microsecond * 1000 + self.nanos

    @property
    def epoch_nanos(self) -> int:
        """Nanoseconds since 1970."""
        since = self.at - _EPOCH
        return ((since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds) * 1000 + self.nanos

    def in_zone(self, zone: tzinfo) -> Moment:
        """The same moment on another clock."""
        return replace(self, at=in_zone(self.at, zone))


def from_epoch(seconds: int, nanos: int = 0) -> Moment:
    """The moment so many seconds (and nanoseconds) after 1970."""
    try:
        return Moment(_EPOCH + timedelta(seconds=seconds, microseconds=nanos // 1000), nanos % 1000)
    except OverflowError as error:
        raise EvaluationError(
            "The date is out of range: years go from 1 to 9999", hint="a number is epoch seconds"
        ) from error


def read_iso(text: str) -> Moment | tuple[datetime, int] | None:
    """An ISO text: a Moment when it has an offset, else a local date-time and nanoseconds; None when it is not ISO."""
    found = _ISO.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, offset, region = found.groups()
    nanos = int((fraction or "0").ljust(9, "0"))
    try:
        local = datetime(  # noqa: DTZ001 - the zone comes from elsewhere
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), nanos // 1000
        )
    except ValueError:
        return None
    if offset is None:
        return (local, nanos % 1000) if region is None else None
    zone = ZULU if offset in "Zz" else zone_of(offset)
    at = local.replace(tzinfo=zone)
    return Moment(in_zone(at, zone_of(region)) if region else at, nanos % 1000)
