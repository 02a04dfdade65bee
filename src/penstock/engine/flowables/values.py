"""The values loops go over, as text (engine.md 3.6.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

_ENCODER = msgspec.json.Encoder(enc_hook=str)


class BadValues(ValueError):
    """The values of a loop cannot be looped over."""


def as_text(value: object) -> str:
    """One value as task runs carry it: text as it is, numbers and booleans as text, maps and lists as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return _ENCODER.encode(value).decode()


def read_list(rendered: object) -> list[object]:
    """The elements of a rendered `values` property: a list, or a text that holds a JSON array."""
    if isinstance(rendered, str):
        try:
            rendered = msgspec.json.decode(rendered)
        except msgspec.DecodeError as error:
            raise BadValues(
                f"expected a list or a text that holds a JSON array, found `{shorten(rendered)}`"
            ) from error
    if isinstance(rendered, Sequence) and not isinstance(rendered, str | bytes):
        return list(rendered)
    raise BadValues(f"expected a list or a text that holds a JSON array, found `{shorten(rendered)}`")


def each_values(rendered: object) -> list[str]:
    """Values of ForEach and Each*: text, duplicates dropped, the first kept; a null element is an error."""
    elements = read_list(rendered)
    nulls = sum(1 for element in elements if element is None)
    if nulls:
        raise BadValues(f"Found '{nulls}' null values on Each, with values={_ENCODER.encode(elements).decode()}")
    return list(dict.fromkeys(as_text(element) for element in elements))


def loop_values(rendered: object) -> tuple[list[str], list[str] | None]:
    """Values and keys of a Loop: lists lose duplicates, maps give keys; a null value is an error."""
    if isinstance(rendered, str) and rendered.lstrip().startswith("{"):
        try:
            rendered = msgspec.json.decode(rendered)
        except msgspec.DecodeError as error:
            raise BadValues(f"expected a list, a map or their JSON, found `{shorten(rendered)}`") from error
    if isinstance(rendered, Mapping):
        _refuse_nulls(list(rendered.values()))
        return [as_text(v) for v in rendered.values()], [str(k) for k in rendered]
    elements = read_list(rendered)
    _refuse_nulls(elements)
    return list(dict.fromkeys(as_text(element) for element in elements)), None


def _refuse_nulls(elements: Sequence[object]) -> None:
    if any(element is None for element in elements):
        raise BadValues(f"Found a null value inside the iteration values={_ENCODER.encode(elements).decode()}")


def is_uri(rendered: object) -> bool:
    """Whether a rendered `values` names a file of records."""
    return isinstance(rendered, str) and rendered.strip().startswith(("kestra://", "nsfile://", "file://"))


def shorten(value: object, limit: int = 120) -> str:
    """A value for an error message."""
    text = as_text(value) if value is not None else "null"
    return text if len(text) <= limit else text[: limit - 1] + "…"
