"""Values of columns: times as microseconds, places of outputs as ordered text."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from penstock.store.records import decode_strings, encode

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(moment: datetime) -> int:
    """Microseconds since 1970 (UTC)."""
    return (moment - _EPOCH) // _MICROSECOND


def micros_or_none(moment: datetime | None) -> int | None:
    """As `micros`, for what may be absent."""
    return None if moment is None else (moment - _EPOCH) // _MICROSECOND


def moment(value: int) -> datetime:
    """The moment (UTC) of so many microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=value)


def moment_or_none(value: int | None) -> datetime | None:
    """As `moment`, for what may be absent."""
    return None if value is None else _EPOCH + timedelta(microseconds=value)


def place(path: Iterable[str]) -> str:
    """`path` as a JSON array without its closing bracket: what lies below it begins with the same text and a comma."""
    elements = list(path)
    return encode(elements)[:-1].decode() if elements else "["


def path_of(place_text: str) -> tuple[str, ...]:
    """The path that `place` wrote."""
    return tuple(decode_strings(place_text + "]"))


def below(path: Iterable[str]) -> tuple[str, str]:
    """The bounds, first included and last excluded, of the places below `path`."""
    elements = list(path)
    prefix = place(elements) + ("," if elements else '"')
    return prefix, prefix[:-1] + chr(ord(prefix[-1]) + 1)
