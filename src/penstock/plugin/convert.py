"""Rendered values made into the types that task properties have (expressions.md 9.6)."""

from __future__ import annotations

import enum
import functools
import json
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args, get_origin

from penstock.errors import TaskFailed
from penstock.model.duration import format_duration, parse_duration

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_LISTS = (list, tuple, set)


def convert(value: object, as_type: object) -> object:
    """`value`, already rendered, as `as_type`.

    Raises:
        TaskFailed: it cannot be read so; the message names both.
    """
    if value is None or as_type is object:
        return value
    if as_type is str:
        return text_of(value)
    origin = get_origin(as_type)
    if origin in _LISTS or as_type in _LISTS:
        return _list(value, as_type)
    if origin is dict or as_type is dict or origin is Mapping:
        return _map(value, as_type)
    return _scalar(value, as_type)


def text_of(value: object) -> str:
    """`value` as a template would print it: texts as they are, maps and lists as JSON."""
    if isinstance(value, str):
        return value if not isinstance(value, enum.Enum) else str(value.value)
    if value is None:
        return ""
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, (Mapping, list, tuple)):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=text_of)
    return str(value)


def _list(value: object, as_type: object) -> list[object]:
    items = _from_json(value, as_type) if isinstance(value, str) else value
    if not isinstance(items, (list, tuple)):
        raise _unreadable(value, "a list")
    parts = get_args(as_type)
    return [convert(item, parts[0]) for item in items] if parts else list(items)


def _map(value: object, as_type: object) -> dict[str, object]:
    found = _from_json(value, as_type) if isinstance(value, str) else value
    if not isinstance(found, Mapping):
        raise _unreadable(value, "a map")
    parts = get_args(as_type)
    inner = parts[1] if parts else object
    pairs = cast("Mapping[object, object]", found).items()
    return {text_of(key): convert(item, inner) for key, item in pairs}


def _from_json(text: str, as_type: object) -> object:
    if not text.strip():
        return {} if as_type is dict or get_origin(as_type) in (dict, Mapping) else []
    try:
        return json.loads(text)
    except json.JSONDecodeError as problem:
        raise _unreadable(text, "JSON") from problem


def _scalar(value: object, as_type: object) -> object:
    if isinstance(as_type, type) and type(value) is as_type:
        return value
    try:
        return _read_scalar(value, as_type)
    except (ValueError, TypeError, OverflowError) as problem:
        name = getattr(as_type, "__name__", str(as_type))
        raise _unreadable(value, name) from problem


def _read_scalar(value: object, as_type: object) -> object:
    if as_type is bool:
        return _boolean(value)
    if as_type is int:
        return _integer(value)
    if as_type is float:
        return float(text_of(value))
    if as_type is timedelta:
        return parse_duration(text_of(value))
    if as_type is datetime:
        return _moment(text_of(value))
    if as_type is Path:
        return Path(text_of(value))
    if isinstance(as_type, type) and issubclass(as_type, enum.Enum):
        return _member(text_of(value), as_type)
    return _adapter(as_type).validate_python(value)


def _boolean(value: object) -> bool:
    text = text_of(value).strip().lower()
    if text not in ("true", "false"):
        raise ValueError("expected true or false")
    return text == "true"


def _integer(value: object) -> int:
    if isinstance(value, float):
        if not value.is_integer():
            raise ValueError("expected a whole number")
        return int(value)
    return int(text_of(value).strip())


def _moment(text: str) -> datetime:
    """An ISO date-time; the region Java appends in brackets adds nothing to the offset before it."""
    return datetime.fromisoformat(text.partition("[")[0])


def _member(text: str, kind: type[enum.Enum]) -> enum.Enum:
    wanted = text.strip()
    for member in kind:
        if wanted == member.value or wanted.upper() == member.name.upper():
            return member
    names = ", ".join(str(member.value) for member in kind)
    raise ValueError(f"expected one of {names}")


@functools.lru_cache(maxsize=256)
def _adapter(as_type: Any) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(as_type)


def _unreadable(value: object, kind: str) -> TaskFailed:
    shown = text_of(value)
    return TaskFailed(f"expected {kind}, found `{shown[:200]}{'…' if len(shown) > 200 else ''}`")
