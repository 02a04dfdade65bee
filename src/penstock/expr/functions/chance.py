"""Functions of chance; it comes from the context, so a test knows what it gets."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final
from uuid import UUID

from penstock.expr.errors import EvaluationError, preview
from penstock.expr.functions.table import FUNCTIONS
from penstock.expr.registry import MISSING, given
from penstock.expr.text import java_text

if TYPE_CHECKING:
    from penstock.expr.frame import Frame

_BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_NANO_ALPHABET: Final = "_-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_MAX_NANO: Final = 1000
_KSUID_EPOCH: Final = 1_400_000_000
_FIRST_PORT, _LAST_PORT = 49152, 65535


def _random_bytes(frame: Frame, count: int) -> bytes:
    """Bytes of chance from the context's own sources."""
    seed = f"{frame.context.new_id()} {frame.context.random()!r} {frame.context.random()!r}"
    return hashlib.sha256(seed.encode()).digest()[:count]


@FUNCTIONS.add("uuid")
def uuid(frame: Frame) -> object:
    """A random UUID of 36 characters."""
    return str(UUID(bytes=_random_bytes(frame, 16), version=4))


@FUNCTIONS.add("id")
def short_id(frame: Frame) -> object:
    """A short identifier: a UUID in base 62."""
    return frame.context.new_id()


@FUNCTIONS.add("ksuid")
def ksuid(frame: Frame) -> object:
    """27 characters that sort by time: seconds since 2014, then 16 bytes of chance, in base 62."""
    seconds = int(frame.context.now().timestamp()) - _KSUID_EPOCH
    number = (seconds & 0xFFFFFFFF) << 128 | int.from_bytes(_random_bytes(frame, 16), "big")
    digits = ""
    while number:
        number, rest = divmod(number, 62)
        digits = _BASE62[rest] + digits
    return digits.rjust(27, "0")


@FUNCTIONS.add("nanoId", "length", "alphabet")
def nano_id(frame: Frame, length: object, alphabet: object) -> object:
    """A random text of an alphabet, 21 characters long unless told."""
    size = 21
    if given(length):
        if not isinstance(length, int) or isinstance(length, bool) or not 1 <= length <= _MAX_NANO:
            raise EvaluationError(f"The 'nanoId' function expects a 'length' between 1 and {_MAX_NANO}.")
        size = length
    signs = java_text(frame, alphabet) if given(alphabet) else _NANO_ALPHABET
    if not signs:
        raise EvaluationError("The 'nanoId' function expects an 'alphabet' that is not empty.")
    return "".join([signs[int(frame.context.random() * len(signs))] for _ in range(size)])


@FUNCTIONS.add("randomInt", "lower", "upper")
def random_int(frame: Frame, lower: object, upper: object) -> object:
    """An integer from lower up to, not including, upper; equal bounds give the bound."""
    low, high = _bound("lower", lower), _bound("upper", upper)
    if high < low:
        raise EvaluationError("In 'randomInt' upper is less than lower", hint=f"lower is {low}, upper is {high}")
    return low if low == high else low + int(frame.context.random() * (high - low))


def _bound(name: str, value: object) -> int:
    if value is MISSING or value is None:
        raise EvaluationError(f"The 'randomInt' function expects an argument '{name}'.")
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
        return value
    raise EvaluationError(
        f"The 'randomInt' function expects '{name}' to be an integer.", hint=f"it is {preview(value)}"
    )


@FUNCTIONS.add("randomPort")
def random_port(frame: Frame) -> object:
    """A free TCP port of this machine; without a host, one of the range nobody is given for good."""
    host = frame.context.host
    if host is not None:
        return host.random_port()
    return _FIRST_PORT + int(frame.context.random() * (_LAST_PORT - _FIRST_PORT + 1))
