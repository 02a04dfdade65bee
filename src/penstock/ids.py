"""Identifiers: a random UUID written in base 62, as Kestra's (about 22 characters, case-sensitive)."""

from __future__ import annotations

import os

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]
_BASE = len(_PAIRS)


def new_id() -> str:
    """A new identifier of 22 characters of `[0-9A-Za-z]`."""
    return encode(int.from_bytes(os.urandom(16), "big"))


def encode(number: int) -> str:
    """`number` (128 bits) in base 62, always 22 characters."""
    parts: list[str] = []
    for _ in range(11):
        number, rest = divmod(number, _BASE)
        parts.append(_PAIRS[rest])
    parts.reverse()
    return "".join(parts)
