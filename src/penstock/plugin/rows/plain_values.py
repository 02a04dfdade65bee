"""Values of unusual types, brought to the few types that row files know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from uuid import UUID

from penstock.errors import BadRequest
from penstock.model.duration import format_duration

_KNOWN = (bool, int, float, Decimal, str, datetime, date, bytes)


def plain(value: object) -> object:
    """`value` as None, bool, int, float, Decimal, str, datetime, date, bytes, list or dict (one level of it).

    An enum becomes its value, a UUID, a path or a time of day its text, a duration ISO-8601, any other sequence or set
    a list, a numpy-like scalar its `item()`.

    Raises:
        BadRequest: the type is none of these.
    """
    if isinstance(value, Enum):
        return value.value
    for kind in _KNOWN:
        if isinstance(value, kind):
            return _bare(value, kind)
    return _converted(value)


def output_value(value: object) -> object:
    """`value` as an output holds it, at every depth: what JSON or msgspec can write, and numbers as numbers.

    A decimal becomes an int or a float, as in Kestra once outputs have been stored; row files keep it exact.
    """
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, Decimal):
        scale = value.as_tuple().exponent
        return int(value) if isinstance(scale, int) and scale >= 0 else float(value)
    if isinstance(value, Mapping):
        return {str(key): output_value(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [output_value(item) for item in value]
    return value if isinstance(value, (datetime, date, bytes)) else output_value(plain(value))


def _bare(value: object, kind: type) -> object:
    """A value of a subclass as the class itself, so that it is written by the rule of the class."""
    if kind in (datetime, date) or type(value) is kind:
        return value
    return kind(value)


def _converted(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (UUID, PurePath)):
        return str(value)
    if isinstance(value, time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, (Sequence, Set)):
        return list(value)
    item = getattr(value, "item", None)
    if callable(item):
        return item()
    raise BadRequest(f"Cannot write a value of type `{type(value).__qualname__}` to a row file")
