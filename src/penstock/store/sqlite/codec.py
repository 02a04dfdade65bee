"""Records to bytes and back: JSON by msgspec, times as microseconds, places of outputs as ordered text."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import cast

import msgspec

from penstock.model.execution import Execution, ExecutionContext, TaskRun

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_encoder = msgspec.json.Encoder()

decode_execution = msgspec.json.Decoder(Execution).decode
decode_context = msgspec.json.Decoder(ExecutionContext).decode
decode_run = msgspec.json.Decoder(TaskRun).decode
decode_strings = msgspec.json.Decoder(list[str]).decode
decode_map = msgspec.json.Decoder(dict[str, object]).decode
decode_labels = msgspec.json.Decoder(dict[str, str]).decode


def encode(record: object) -> bytes:
    """`record` as JSON. Halves of surrogate pairs, which no encoding of Unicode can hold, become U+FFFD."""
    try:
        return _encoder.encode(record)
    except UnicodeEncodeError:
        return _encoder.encode(_mended(msgspec.to_builtins(record)))


def text(value: str) -> str:
    """`value` without halves of surrogate pairs (they become U+FFFD); any other text as it is, NUL included."""
    if value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return value


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


def _mended(value: object) -> object:
    if isinstance(value, str):
        return text(value)
    if isinstance(value, dict):
        return {_mended(k): _mended(v) for k, v in cast("dict[object, object]", value).items()}
    if isinstance(value, (list, tuple)):
        return [_mended(item) for item in cast("list[object]", value)]
    return value
