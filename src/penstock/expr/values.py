"""The values a template works on, and how one is reached from another; never an attribute of a Python object."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import TYPE_CHECKING, Final, cast
from uuid import UUID

from penstock.expr.errors import EvaluationError, preview
from penstock.expr.secrets import Secret

if TYPE_CHECKING:
    from penstock.expr.frame import Frame


class Undefined:
    """The type of UNDEFINED, the answer for a name that does not exist. It never gets out of a lookup."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNDEFINED"


UNDEFINED: Final = Undefined()


class Float32(float):
    """A Java Float, as the `number` filter makes them; rounded to 32 bits."""

    __slots__ = ()

    def __new__(cls, value: float | str) -> Float32:
        try:
            rounded = struct.unpack("f", struct.pack("f", float(value)))[0]
        except OverflowError:
            rounded = float("inf") if float(value) > 0 else float("-inf")
        return super().__new__(cls, rounded)


class Int32(int):
    """A Java Integer where the class matters: `('3' | number) | className`."""

    __slots__ = ()


class Int64(int):
    """A Java Long where the class matters: `('3' | number('LONG')) | className`."""

    __slots__ = ()


class Character(str):
    """A Java Character, as `'Mitch' | first` gives one."""

    __slots__ = ()


class Entry:
    """An entry of a map, as `{% for %}` gives them."""

    __slots__ = ("key", "value")

    def __init__(self, key: object, value: object) -> None:
        self.key = key
        self.value = value

    def __getitem__(self, name: str) -> object:
        if name == "key":
            return self.key
        if name == "value":
            return self.value
        raise KeyError(name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Entry) and self.key == other.key and self.value == other.value

    def __hash__(self) -> int:
        return hash(str(self.key))


PLAIN: Final = frozenset(
    {str, int, float, bool, type(None), dict, list, datetime, date, timedelta, Decimal, bytes, Entry}
)
"""Types that are values as they stand; anything else goes through `settle`."""

_KEPT: Final = (Float32, Int32, Int64, Character, time)


def settle(frame: Frame, value: object) -> object:
    """`value` as one of the language's own types: lazy values loaded, secrets noted, foreign types turned into text.

    Raises EvaluationError for an object that is not data.
    """
    kind = type(value)
    if kind in PLAIN:
        return value
    if kind is Secret:
        frame.touch(cast("Secret", value))
        return value
    if isinstance(value, (Mapping, *_KEPT)):
        return value
    if isinstance(value, Enum):
        return value.name
    if hasattr(kind, "load"):
        return settle(frame, value.load())  # pyright: ignore[reportAttributeAccessIssue]
    return _convert(value)


def _convert(value: object) -> object:
    if isinstance(value, (tuple, set, frozenset)):
        return list(value)
    if isinstance(value, (UUID, PurePath)):
        return str(value)
    for kind in (bool, int, float, str, list, datetime, date, timedelta, Decimal):
        if isinstance(value, kind):
            return _exact(value, kind)
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    raise EvaluationError(f"A value of the type {type(value).__name__} can not be used in an expression")


def _exact(value: object, kind: type) -> object:
    """A value of a subclass as its plain type, so that nothing a subclass defines is ever run by a template."""
    if kind in (int, float, str, list):
        return kind.__call__(value) if kind is not str else str.__str__(cast("str", value))
    return value


def is_map(value: object) -> bool:
    """Whether the language calls it a map."""
    return type(value) is dict or isinstance(value, Mapping)


def is_number(value: object) -> bool:
    """Whether it is a number; a boolean is not."""
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


def is_text(value: object) -> bool:
    """Whether it is a text; a date is not."""
    return isinstance(value, str)


def as_map(value: object) -> Mapping[object, object]:
    """A value known to be a map."""
    return cast("Mapping[object, object]", value)


def as_list(value: object) -> list[object]:
    """A value known to be a list."""
    return cast("list[object]", value)


def items(frame: Frame, value: object) -> list[tuple[object, object]]:
    """The entries of a map, each value settled."""
    mapping = as_map(value)
    if type(mapping) is dict:
        return [(key, item if type(item) in PLAIN else settle(frame, item)) for key, item in mapping.items()]
    return [(key, settle(frame, mapping[key])) for key in mapping]


def settled(frame: Frame, value: object) -> list[object]:
    """A new list of the items of a list, each settled."""
    return [item if type(item) in PLAIN else settle(frame, item) for item in as_list(value)]


def stream(value: object) -> Iterator[object] | None:
    """The items of a lazy value that can give them one by one, else None."""
    kind = type(value)
    if kind in PLAIN or isinstance(value, (Mapping, str)) or not hasattr(kind, "load") or not hasattr(kind, "__iter__"):
        return None
    return iter(value)  # pyright: ignore[reportArgumentType, reportCallIssue]


def look_up(owner: object, key: object) -> object:
    """`owner[key]`, or UNDEFINED. Not settled. Raises EvaluationError for a number as key of a map with text keys."""
    if is_map(owner):
        return _in_map(as_map(owner), key)
    if type(owner) is list:
        return _in_list(as_list(owner), key)
    if type(owner) is Entry:
        return owner.key if key == "key" else owner.value if key == "value" else UNDEFINED
    return UNDEFINED


def _in_map(owner: Mapping[object, object], key: object) -> object:
    if is_number(key):
        return _by_number(owner, cast("int", key))
    if not isinstance(key, (str, bool, type(None), date, timedelta, bytes)):
        return UNDEFINED
    try:
        return owner[key]
    except KeyError:
        return UNDEFINED


def _by_number(owner: Mapping[object, object], key: float) -> object:
    if type(owner) is not dict:
        raise EvaluationError(f"type class java.lang.String not supported for key {key}", hint=f"write ['{key}']")
    first = next(iter(owner), None)
    if first is None:
        return UNDEFINED
    if not is_number(first):
        kind = "java.lang.String" if isinstance(first, str) else "java.lang.Object"
        raise EvaluationError(
            f"type class {kind} not supported for key {key}", hint=f"the keys are texts: write ['{key}']"
        )
    return owner.get(key, UNDEFINED)


def _in_list(owner: list[object], key: object) -> object:
    if key == "size":
        return len(owner)
    if key == "empty":
        return not owner
    index = _index(key)
    return owner[index] if index is not None and 0 <= index < len(owner) else UNDEFINED


def _index(key: object) -> int | None:
    if isinstance(key, bool):
        return None
    if isinstance(key, int):
        return key
    text = str(key) if isinstance(key, str) else ""
    digits = text[1:] if text[:1] in ("+", "-") else text
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) < 10 else None


def type_name(value: object) -> str:
    """The Java class Kestra would name in a message."""
    for kind, name in _JAVA_NAMES:
        if isinstance(value, kind):
            return name
    if isinstance(value, int):
        return "java.lang.Long" if -(2**63) <= value < 2**63 else "java.math.BigInteger"
    return "java.lang.Object" if value is not None else "null"


_JAVA_NAMES: Final[tuple[tuple[type, str], ...]] = (
    (Character, "java.lang.Character"),
    (str, "java.lang.String"),
    (bool, "java.lang.Boolean"),
    (Int32, "java.lang.Integer"),
    (Float32, "java.lang.Float"),
    (float, "java.lang.Double"),
    (Decimal, "java.math.BigDecimal"),
    (list, "java.util.ArrayList"),
    (Mapping, "java.util.LinkedHashMap"),
    (timedelta, "java.time.Duration"),
    (bytes, "[B"),
    (time, "java.time.LocalTime"),
    (Entry, "java.util.Map$Entry"),
)


def condition(value: object, *, what: str) -> bool:
    """The boolean a value stands for in `and`, `or`, `not`, `if` and the ternary.

    Kestra's rule: a boolean, a number (zero is false) or a text (empty is false); anything else is an error.
    """
    if value is True or value is False:
        return value
    if isinstance(value, str):
        return len(value) > 0
    if isinstance(value, (int, float, Decimal)):
        return value == value and value != 0
    raise EvaluationError(
        f"Unsupported value type {type_name(value).rpartition('.')[2]}. Expected Boolean, String, Number in {what}",
        hint=f"it is {preview(value)}: compare it, or write `is empty` / `is not empty`",
    )
