"""Records to bytes and back: JSON by msgspec, the same for every store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import TypeVar, cast

import msgspec

from penstock.errors import Bug
from penstock.model.execution import Execution, ExecutionContext, TaskRun

T = TypeVar("T")


def _plain(value: object) -> object:
    """What msgspec does not know by itself: texts that carry a mark, mappings that load lazily, sets, other sequences."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        return dict(cast("Mapping[object, object]", value))
    if isinstance(value, (Set, Sequence)):
        return list(cast("Sequence[object]", value))
    raise TypeError(f"a value of type {type(value).__name__}")


_encoder = msgspec.json.Encoder(enc_hook=_plain)

decode_execution = msgspec.json.Decoder(Execution).decode
decode_context = msgspec.json.Decoder(ExecutionContext).decode
decode_run = msgspec.json.Decoder(TaskRun).decode
decode_strings = msgspec.json.Decoder(list[str]).decode
decode_map = msgspec.json.Decoder(dict[str, object]).decode
decode_labels = msgspec.json.Decoder(dict[str, str]).decode


def encode(record: object) -> bytes:
    """`record` as JSON.

    Halves of surrogate pairs, which no encoding of Unicode can hold, become U+FFFD; keys that are no text are written
    as JSON writes such values (`null`, `true`), others as their text.

    Raises:
        Bug: something in it is no value of JSON; whoever made the record must have turned it into one.
    """
    try:
        return _encoder.encode(record)
    except (UnicodeEncodeError, TypeError):
        return _encoded_anew(record)


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


def _encoded_anew(record: object) -> bytes:
    try:
        builtins = msgspec.to_builtins(record, enc_hook=_plain)
        return _encoder.encode(_mended(builtins))
    except TypeError as fault:
        raise Bug(f"A record cannot be written as JSON: {fault}") from fault


def _mended(value: object) -> object:
    if isinstance(value, str):
        return text(value)
    if isinstance(value, dict):
        return {_key(k): _mended(v) for k, v in cast("dict[object, object]", value).items()}
    if isinstance(value, (list, tuple)):
        return [_mended(item) for item in cast("list[object]", value)]
    return value


def _key(key: object) -> str:
    if isinstance(key, str):
        return text(key)
    return _encoder.encode(key).decode() if key is None or isinstance(key, (bool, int, float)) else str(key)
