"""Records to bytes and back: JSON by msgspec, the same for every store."""

from __future__ import annotations

from typing import TypeVar, cast

import msgspec

from penstock.model.execution import Execution, ExecutionContext, TaskRun

T = TypeVar("T")

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


def copied(record: T) -> T:
    """A record of its own that equals `record`, as a store on disk would give it back."""
    return msgspec.json.decode(encode(record), type=type(record))


def _mended(value: object) -> object:
    if isinstance(value, str):
        return text(value)
    if isinstance(value, dict):
        return {_mended(k): _mended(v) for k, v in cast("dict[object, object]", value).items()}
    if isinstance(value, (list, tuple)):
        return [_mended(item) for item in cast("list[object]", value)]
    return value
