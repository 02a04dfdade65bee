"""JSON the way Kestra's mapper writes and reads it: compact, null map entries left out, dates as ISO text."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any, Final

from penstock.expr.dates.zones import in_zone, zone_of
from penstock.expr.errors import EvaluationError, LimitReached
from penstock.expr.text import double_text, integer_text, java_text, offset_text, scalar_text
from penstock.expr.values import PLAIN, Entry, as_list, as_map, is_map, settle
from penstock.model.duration import format_duration

if TYPE_CHECKING:
    from penstock.expr.frame import Frame

_CONTROL: Final = re.compile(r"\\u00[01][0-9a-f]")
_MAX_NUMBER: Final = 1000
_LARGE: Final = 4096


def json_text(frame: Frame, value: object) -> str:
    """`value` as compact JSON."""
    return _Writer(frame).text(value, 0)


def print_text(frame: Frame, value: object) -> str:
    """The text of a printed value (expressions.md 9.3): maps and lists as compact JSON, null as nothing."""
    kind = type(value)
    if kind is float:
        return double_text(value)  # pyright: ignore[reportArgumentType]
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if kind is list or is_map(value):
        return json_text(frame, value)
    return scalar_text(value)


class _Writer:
    """Writes one value; stops where the text of a part grows beyond the limit."""

    __slots__ = ("_frame", "_keys", "_limit")

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._limit = frame.context.limits.output
        self._keys: dict[str, str] = {}

    def text(self, value: object, depth: int) -> str:
        """The JSON of a value at a depth."""
        writer = _SIMPLE.get(type(value))
        if writer is not None:
            return writer(value)
        if type(value) not in PLAIN:
            value = settle(self._frame, value)
        if is_map(value):
            return self._map(as_map(value), _deeper(self._frame, depth))
        if type(value) is list:
            return self._list(as_list(value), _deeper(self._frame, depth))
        if isinstance(value, Entry):
            return self._map({java_text(self._frame, value.key): value.value}, _deeper(self._frame, depth))
        return "null" if value is None else _scalar(self._frame, value)

    def _map(self, mapping: Mapping[object, object], depth: int) -> str:
        parts: list[str] = []
        keys = self._keys
        large = 0
        for key, item in mapping.items():
            writer = _SIMPLE.get(type(item))
            if writer is not None:
                text = writer(item)
            elif item is None or (item := settle(self._frame, item)) is None:
                continue
            else:
                text = self.text(item, depth)
            name = keys.get(key) if type(key) is str else None  # pyright: ignore[reportArgumentType]
            parts.append((name or self._name(key)) + text)
            if len(text) > _LARGE:
                large = self._grown(large + len(text))
        return self._checked("{" + ",".join(parts) + "}")

    def _name(self, key: object) -> str:
        """A key with its colon; texts are remembered, since rows repeat them."""
        if type(key) is not str:
            return quoted(_key(self._frame, key)) + ":"
        written = quoted(key) + ":"
        if len(self._keys) < 1000:
            self._keys[key] = written
        return written

    def _list(self, value: list[object], depth: int) -> str:
        parts: list[str] = []
        large = 0
        for item in value:
            writer = _SIMPLE.get(type(item))
            text = writer(item) if writer is not None else self.text(item, depth)
            parts.append(text)
            if len(text) > _LARGE:
                large = self._grown(large + len(text))
        return self._checked("[" + ",".join(parts) + "]")

    def _grown(self, size: int) -> int:
        if size > self._limit:
            self._frame.budget.text(size)
        return size

    def _checked(self, text: str) -> str:
        if len(text) > _LARGE:
            self._frame.budget.text(len(text))
        return text


def _deeper(frame: Frame, depth: int) -> int:
    if depth >= frame.context.limits.depth:
        raise LimitReached(f"A value is nested deeper than {frame.context.limits.depth} levels")
    return depth + 1


def _key(frame: Frame, key: object) -> str:
    return "" if key is None else java_text(frame, key)


def _scalar(frame: Frame, value: object) -> str:
    if isinstance(value, str):
        return quoted(str(value))
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return quoted(scalar_text(value))
    if isinstance(value, int) and not isinstance(value, bool):
        return integer_text(value)
    if isinstance(value, datetime):
        return quoted(json_moment(frame, value))
    if isinstance(value, (date, time)):
        return quoted(value.isoformat())
    if isinstance(value, timedelta):
        return quoted(format_duration(value))
    if isinstance(value, bytes):
        return quoted(base64.b64encode(value).decode())
    return scalar_text(value)


def json_moment(frame: Frame, value: datetime) -> str:
    """A moment in JSON: ISO with six digits of fraction in the context's zone; without a zone as it stands."""
    if value.tzinfo is None:
        return value.isoformat()
    local = in_zone(value, zone_of(frame.context.timezone))
    return f"{local:%Y-%m-%dT%H:%M:%S}.{local.microsecond:06}{offset_text(local)}"


def quoted(text: str) -> str:
    """A JSON string; control characters in upper-case hex, everything beyond ASCII as it stands."""
    written = encode_basestring(text)
    if "\\u00" in written:
        return _CONTROL.sub(lambda code: "\\u" + code[0][2:].upper(), written)
    return written


def _fraction(value: float) -> str:
    if value != value or value in (float("inf"), float("-inf")):
        return quoted(scalar_text(value))
    return double_text(value)


_SIMPLE: Final[dict[type, Callable[[Any], str]]] = {
    str: quoted,
    int: integer_text,
    bool: lambda value: "true" if value else "false",
    float: _fraction,
}


def parse_json(text: str) -> object:
    """The value of a JSON text. Raises ValueError with a short reason."""
    try:
        return json.loads(text, parse_int=_integer, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _integer(digits: str) -> int:
    if len(digits) > _MAX_NUMBER:
        raise ValueError(f"a number has more than {_MAX_NUMBER} digits")
    return int(digits)


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def read_json(text: str, *, what: str) -> object:
    """The value of a JSON text, for a function or filter. Raises EvaluationError."""
    try:
        return parse_json(text)
    except ValueError as error:
        raise EvaluationError(f"Invalid {what}: {error}") from error


def plain(frame: Frame, value: object, *, depth: int = 0) -> object:
    """`value` with nothing but JSON's types in it, null map entries left out; for jq."""
    if type(value) not in PLAIN:
        value = settle(frame, value)
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return str(value)
    if is_map(value):
        deeper = _deeper(frame, depth)
        frame.budget.items(len(as_map(value)))
        pairs = ((key, plain(frame, item, depth=deeper)) for key, item in as_map(value).items())
        return {_key(frame, key): item for key, item in pairs if item is not None}
    if type(value) is list:
        deeper = _deeper(frame, depth)
        frame.budget.items(len(as_list(value)))
        return [plain(frame, item, depth=deeper) for item in as_list(value)]
    if isinstance(value, Decimal):
        return float(value)
    return value if isinstance(value, float) else json.loads(json_text(frame, value))
