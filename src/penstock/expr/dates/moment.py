"""A moment with nanoseconds, and how a template's values become one."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING, Final

from penstock.expr.dates.zones import ZULU, in_zone, zone_of
from penstock.expr.errors import EvaluationError, preview, shorten

if TYPE_CHECKING:
    from penstock.expr.frame import Frame

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


def moment_of(frame: Frame, value: object, *, zone: str | None = None, existing: str | None = None) -> Moment:
    """The moment a value stands for (expressions.md 7.5), on the clock of `zone` or the context's.

    Dates and date-times without an offset are taken in that zone; a date value is at noon, a date text at midnight; a
    number is epoch seconds. Raises EvaluationError for anything else.
    """
    clock = zone_of(zone or frame.context.timezone)
    if isinstance(value, datetime):
        return Moment(value.replace(tzinfo=clock) if value.tzinfo is None else in_zone(value, clock))
    if isinstance(value, date):
        return Moment(datetime.combine(value, time(12), clock))
    if isinstance(value, int) and not isinstance(value, bool):
        return from_epoch(value).in_zone(clock)
    if isinstance(value, str):
        return _read(str(value), clock, existing, frame).in_zone(clock)
    raise EvaluationError(
        f"Unable to convert {preview(value)} to a date", hint="a date is a text as `2024-01-31`, or epoch seconds"
    )


def _read(text: str, clock: tzinfo, existing: str | None, frame: Frame) -> Moment:
    if existing is not None:
        from penstock.expr.dates.reading import read_with

        return read_with(text, existing, clock)
    found = read_iso(text)
    if found is None:
        raise EvaluationError(
            f"Text '{shorten(text, 100)}' could not be parsed at index 0",
            hint="it is not ISO: give its pattern as existingFormat='dd/MM/yyyy'",
        )
    if isinstance(found, Moment):
        return found
    return Moment(found[0].replace(tzinfo=clock), found[1])


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
