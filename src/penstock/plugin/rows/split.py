"""Cutting a file of lines into pieces, streaming; for `core.storage.Split` and `ForEachItem`.

A *rule* names the piece each line goes to. Pieces come out as data to append, so neither open files nor memory grow
with their number.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from penstock.errors import BadRequest
from penstock.plugin.rows.chunks import CHUNK

_UNITS = {"": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3}
_SIZE = re.compile(r"\s*(\d+)\s*([KMG]B)?\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece: its number from 0, its lines and its bytes (separators included)."""

    index: int
    rows: int
    bytes: int


class Rule(Protocol):
    """Says where lines go; it may remember what it has seen, so each split needs a new one."""

    def piece_of(self, line: bytes, size: int) -> int | None:
        """The piece for `line` (without its end), which takes `size` bytes there; None leaves it out."""
        ...


def split(
    source: BinaryIO, rule: Rule, *, append: Callable[[int, bytes], object], separator: str = "\n"
) -> list[Piece]:
    """Sends the lines of `source` to pieces and returns those that got any, in order of their number.

    `append(index, data)` adds data to a piece; by rows and by bytes a piece is complete when the next one begins.
    Kestra's rule: lines end at a line break, whatever the `separator`, which is written after each line instead.
    """
    end = separator.encode()
    held = _Held(append)
    for line in source:
        text = line.removesuffix(b"\n").removesuffix(b"\r")
        index = rule.piece_of(text, len(text) + len(end))
        if index is not None:
            held.add(index, text + end)
    return held.finish()


def split_rule(
    *, rows: int | None = None, partitions: int | None = None, size: str | int | None = None, pattern: str | None = None
) -> Rule:
    """The rule for a task's properties `rows`, `partitions`, `bytes` (here `size`) and `regexPattern` (`pattern`).

    Kestra's precedence where several are set: regexPattern, bytes, partitions, rows.

    Raises:
        BadRequest: none is set, or one has no usable value.
    """
    if pattern is not None:
        return ByPattern(pattern)
    if size is not None:
        return ByBytes(parse_size(size))
    if partitions is not None:
        return ByPartitions(partitions)
    if rows is not None:
        return ByRows(rows)
    raise BadRequest("Nothing says how to split: expected one of `bytes`, `partitions`, `rows` or `regexPattern`")


def parse_size(text: str | int) -> int:
    """Bytes in a text such as `10MB`, `512kb` or `1000`; units are powers of 1024, as in Kestra.

    Raises:
        BadRequest: it is none of these, or is 0.
    """
    found = _SIZE.fullmatch(str(text))
    size = int(found[1]) * _UNITS[(found[2] or "").upper()] if found else 0
    if size < 1:
        raise BadRequest(f"Invalid size with value '{text}': expected a number of bytes, or one with KB, MB or GB")
    return size


class ByRows:
    """Pieces of `rows` lines; the last may be shorter."""

    def __init__(self, rows: int) -> None:
        self._rows = _positive(rows, "rows")
        self._seen = 0

    def piece_of(self, line: bytes, size: int) -> int:
        self._seen += 1
        return (self._seen - 1) // self._rows


class ByBytes:
    """Pieces closed by the line that brings them to `limit` bytes: they may exceed it by less than that line."""

    def __init__(self, limit: int) -> None:
        self._limit = _positive(limit, "bytes")
        self._index = 0
        self._bytes = 0

    def piece_of(self, line: bytes, size: int) -> int:
        if self._bytes >= self._limit:
            self._index += 1
            self._bytes = 0
        self._bytes += size
        return self._index


class ByPartitions:
    """`count` pieces that take lines in turn."""

    def __init__(self, count: int) -> None:
        self._count = _positive(count, "partitions")
        self._next = -1

    def piece_of(self, line: bytes, size: int) -> int:
        self._next = (self._next + 1) % self._count
        return self._next


class ByPattern:
    """A piece for each text that the pattern's first group finds, in order of appearance; other lines are left out."""

    def __init__(self, pattern: str) -> None:
        try:
            self._search = re.compile(pattern).search
        except re.error as fault:
            raise BadRequest(f"Invalid `regexPattern` {pattern!r}: {fault}") from fault
        self._has_group = re.compile(pattern).groups > 0
        self._pieces: dict[str | None, int] = {}

    def piece_of(self, line: bytes, size: int) -> int | None:
        found = self._search(line.decode(errors="replace")) if self._has_group else None
        if found is None:
            return None
        return self._pieces.setdefault(found[1], len(self._pieces))


class _Held:
    """Lines waiting to be appended; all go out once they exceed a chunk together."""

    def __init__(self, append: Callable[[int, bytes], object]) -> None:
        self._append = append
        self._waiting: dict[int, list[bytes]] = {}
        self._size = 0
        self._totals: dict[int, list[int]] = {}

    def add(self, index: int, line: bytes) -> None:
        self._waiting.setdefault(index, []).append(line)
        totals = self._totals.setdefault(index, [0, 0])
        totals[0] += 1
        totals[1] += len(line)
        self._size += len(line)
        if self._size >= CHUNK:
            self._flush()

    def finish(self) -> list[Piece]:
        self._flush()
        return [Piece(index=index, rows=rows, bytes=size) for index, (rows, size) in sorted(self._totals.items())]

    def _flush(self) -> None:
        for index, lines in sorted(self._waiting.items()):
            self._append(index, b"".join(lines))
        self._waiting = {}
        self._size = 0


def _positive(number: int, name: str) -> int:
    if number < 1:
        raise BadRequest(f"Invalid `{name}`: expected 1 or more, found {number}")
    return number
