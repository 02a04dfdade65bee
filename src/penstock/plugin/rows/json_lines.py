"""Rows as JSON lines: one JSON value per line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import BinaryIO

import msgspec

from penstock.errors import BadRequest
from penstock.plugin.rows.chunks import CHUNK
from penstock.plugin.rows.plain_values import plain

_BOM = b"\xef\xbb\xbf"


def read_json_lines(source: BinaryIO) -> Iterator[object]:
    """The values in `source`, one per line, streaming; blank lines are passed over, a byte-order mark too.

    Raises:
        BadRequest: a line that is not JSON, named by its number (1-based).
    """
    decode = msgspec.json.Decoder().decode
    for number, line in enumerate(source, 1):
        text = line.removeprefix(_BOM) if number == 1 else line
        if text.isspace() or not text:
            continue
        try:
            yield decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError) as fault:
            raise BadRequest(f"Line {number} is not JSON: {fault}") from fault


def write_json_lines(rows: Iterable[object]) -> Iterator[bytes]:
    """`rows` as chunks of JSON lines; bounded memory.

    Dates and times are ISO-8601 texts, decimals numbers, bytes base64, NaN and infinities null.

    Raises:
        BadRequest: a value that JSON cannot hold, with the number of its row (1-based).
    """
    encode = msgspec.json.Encoder(enc_hook=_known, decimal_format="number").encode
    held = bytearray()
    for number, row in enumerate(rows, 1):
        try:
            held += encode(row)
        except (TypeError, ValueError, RecursionError, BadRequest) as fault:
            raise BadRequest(f"Row {number} cannot be written: {fault}") from fault
        held += b"\n"
        if len(held) >= CHUNK:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)


def _known(value: object) -> object:
    known = plain(value)
    return str(known) if isinstance(known, Decimal) and not known.is_finite() else known
