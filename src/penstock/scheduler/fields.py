"""Reading what people wrote, whether it is a parsed record or still a plain mapping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def field_of(written: object, name: str, default: object = None) -> object:
    """A property by its Python name (`flow_id`, `in_`); `default` where it is absent or null."""
    if isinstance(written, Mapping):
        first, *rest = name.rstrip("_").split("_")
        value = written.get(first + "".join(part.capitalize() for part in rest))
    else:
        value = getattr(written, name, None)
    return default if value is None else value


def text_of(value: object) -> str | None:
    """A value as its text: enums by their value, null as None."""
    return None if value is None else str(getattr(value, "value", value))


def list_of(value: object) -> list[object]:
    """A list as written; null and texts are none."""
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else []


def label_pairs(labels: object) -> dict[str, str]:
    """Labels by key, written as a map or as a list of `{key, value}`."""
    if isinstance(labels, Mapping):
        return {str(key): str(value) for key, value in labels.items()}
    return {str(field_of(label, "key")): str(field_of(label, "value")) for label in list_of(labels)}
