"""From small pieces of text to chunks worth writing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from penstock.errors import BadRequest

CHUNK = 1024 * 1024
"""Characters collected before a chunk is handed on; what a stream of rows holds at a time."""


def in_chunks(pieces: Iterable[str], *, encoding: str = "utf-8") -> Iterator[bytes]:
    """The pieces joined to encoded chunks of about `CHUNK` characters.

    Raises:
        BadRequest: a text that cannot be encoded (half a surrogate pair, or a sign the charset lacks).
    """
    held: list[str] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= CHUNK:
            yield _encoded("".join(held), encoding)
            held.clear()
            size = 0
    if held:
        yield _encoded("".join(held), encoding)


def _encoded(text: str, encoding: str) -> bytes:
    try:
        return text.encode(encoding)
    except UnicodeEncodeError as fault:
        around = text[max(0, fault.start - 40) : fault.start]
        raise BadRequest(f"Cannot write {text[fault.start]!a} as {encoding}, found after {around!a}") from fault
