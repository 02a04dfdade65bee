"""JSON the way Kestra's mapper writes and reads it: compact, null map entries left out, dates as ISO text."""

from __future__ import annotations

import base64
import json
import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Final

from penstock.expr.errors import EvaluationError, LimitReached
from penstock.expr.text import duration_text, integer_text, java_text, offset_text, scalar_text
from penstock.expr.values import PLAIN, Entry, as_list, as_map, is_map, settle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penstock.expr.frame import Frame

_CONTROL: Final = re.compile(r"\\u00[01][0-9a-f]")
_MAX_NUMBER: Final = 1000


def json_text(frame: Frame, value: object) -> str:
    """`value` as compact JSON."""
    writer = _Writer(frame)
    writer.value(value, 0)
    if writer.size > 4096:
        frame.budget.text(writer.size)
    return "".join(writer.parts)


class _Writer:
    """Writes one value; stops when the text grows beyond the limit."""

    __slots__ = ("_frame", "_limit", "parts", "size")

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._limit = frame.context.limits.output
        self.parts: list[str] = []
        self.size = 0

    def _emit(self, text: str) -> None:
        self.parts.append(text)
        self.size += len(text)
        if self.size > self._limit:
            self._frame.budget.text(self.size)

    def value(self, value: object, depth: int) -> None:
        kind = type(value)
        if kind is str:
            self._emit(quoted(value))  # pyright: ignore[reportArgumentType]
            return
        if kind not in PLAIN:
            value = settle(self._frame, value)
            kind = type(value)
        if value is None:
            self._emit("null")
        elif kind is dict or is_map(value):
            self._map(as_map(value), _deeper(self._frame, depth))
        elif kind is list:
            self._list(as_list(value), _deeper(self._frame, depth))
        elif isinstance(value, Entry):
            self._map({java_text(self._frame, value.key): value.value}, _deeper(self._frame, depth))
        else:
            self._emit(_scalar(self._frame, value))

    def _map(self, mapping: Mapping[object, object], depth: int) -> None:
        separator = "{"
        for key in mapping:
            item = mapping[key]
            if type(item) not in PLAIN:
                item = settle(self._frame, item)
            if item is None:
                continue
            self._emit(f"{separator}{quoted(key if type(key) is str else _key(self._frame, key))}:")
            self.value(item, depth)
            separator = ","
        self._emit("{}" if separator == "{" else "}")

    def _list(self, value: list[object], depth: int) -> None:
        separator = "["
        for item in value:
            self._emit(separator)
            self.value(item, depth)
            separator = ","
        self._emit("[]" if separator == "[" else "]")


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
        return quoted(duration_text(value))
    if isinstance(value, bytes):
        return quoted(base64.b64encode(value).decode())
    return scalar_text(value)


def json_moment(frame: Frame, value: datetime) -> str:
    """A moment in JSON: ISO with six digits of fraction in the context's zone; without a zone as it stands."""
    if value.tzinfo is None:
        return value.isoformat()
    from penstock.expr.dates.zones import in_zone, zone_of

    local = in_zone(value, zone_of(frame.context.timezone))
    return f"{local:%Y-%m-%dT%H:%M:%S}.{local.microsecond:06}{offset_text(local)}"


def quoted(text: str) -> str:
    """A JSON string; control characters in upper-case hex, everything beyond ASCII as it stands."""
    written = encode_basestring(text)
    if "\\u00" in written:
        return _CONTROL.sub(lambda code: "\\u" + code[0][2:].upper(), written)
    return written


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
