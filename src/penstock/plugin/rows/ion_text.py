"""Rows as Ion text, one value per line: Kestra's format of row files.

Written here rather than by `amazon.ion`, which joins values by spaces and takes longer. Timestamps, decimals and
bytes keep their types; struct keys are bare symbols, floats carry an exponent (`1.5e0`), as Kestra writes them.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from json.encoder import encode_basestring as _quoted  # escapes what Ion asks for; the rest stays as it is
from typing import Any

from penstock.errors import BadRequest
from penstock.plugin.rows.chunks import in_chunks
from penstock.plugin.rows.plain_values import plain

_BARE_SYMBOL = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_RESERVED = re.compile(r"null|true|false|nan|\$[0-9]+")
_SYMBOL_ESCAPES = str.maketrans({"'": r"\'", "\\": r"\\", "\n": r"\n", "\r": r"\r", "\t": r"\t"})
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def write_ion(rows: Iterable[object]) -> Iterator[bytes]:
    """`rows` as chunks of Ion text, one value per line; bounded memory.

    Raises:
        BadRequest: a value that Ion cannot hold, with the number of its row (1-based).
    """
    return in_chunks(_lines(rows))


def ion_text(value: object) -> str:
    """One value as Ion text on one line.

    A datetime without a zone gets Ion's unknown offset (`-00:00`); an offset with seconds is brought to UTC.

    Raises:
        BadRequest: a type that is none of Ion's.
    """
    return _WRITERS.get(type(value), _other)(value)


def _lines(rows: Iterable[object]) -> Iterator[str]:
    for number, row in enumerate(rows, 1):
        try:
            yield ion_text(row) + "\n"
        except (BadRequest, RecursionError) as fault:
            reason = fault if isinstance(fault, BadRequest) else "it is nested too deeply"
            raise BadRequest(f"Row {number} cannot be written: {reason}") from fault


def _struct(value: Mapping[object, object]) -> str:
    find = _WRITERS.get
    return "{" + ",".join([_key(key) + find(type(item), _other)(item) for key, item in value.items()]) + "}"


def _list(value: Iterable[object]) -> str:
    find = _WRITERS.get
    return "[" + ",".join([find(type(item), _other)(item) for item in value]) + "]"


@lru_cache(maxsize=4096)
def _key(key: object) -> str:
    """`key` as a symbol and the colon after it; quoted where a bare one would mean something else."""
    name = key if isinstance(key, str) else str(key)
    if _BARE_SYMBOL.fullmatch(name) and not _RESERVED.fullmatch(name):
        return name + ":"
    escaped = _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", name.translate(_SYMBOL_ESCAPES))
    return f"'{escaped}':"


def _float(value: float) -> str:
    if value != value:
        return "nan"
    if value in (float("inf"), float("-inf")):
        return "+inf" if value > 0 else "-inf"
    text = repr(value)
    return text if "e" in text else text + "e0"


def _decimal(value: Decimal) -> str:
    if not value.is_finite():
        return _float(float(value))
    text = str(value).replace("E", "d")
    return text if "." in text or "d" in text else text + "."


def _timestamp(value: datetime) -> str:
    offset = value.utcoffset()
    if offset is None:
        return value.replace(tzinfo=None).isoformat() + "-00:00"
    if offset.microseconds or offset.seconds % 60:
        value = value.astimezone(UTC)
        offset = value.utcoffset()
    if not offset:
        return value.replace(tzinfo=None).isoformat() + "Z"
    return value.isoformat()


def _blob(value: bytes) -> str:
    return "{{" + base64.b64encode(value).decode() + "}}"


def _other(value: object) -> str:
    if isinstance(value, datetime):
        return _timestamp(value)
    if isinstance(value, date):
        return date.isoformat(value)
    return ion_text(plain(value))


_WRITERS: dict[type, Callable[[Any], str]] = {
    str: _quoted,
    int: int.__repr__,
    bool: lambda value: "true" if value else "false",
    type(None): lambda _: "null",
    float: _float,
    Decimal: _decimal,
    datetime: _timestamp,
    date: date.isoformat,
    bytes: _blob,
    dict: _struct,
    list: _list,
    tuple: _list,
}
