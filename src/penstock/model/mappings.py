"""Maps within maps, as inputs, labels and outputs have them: `a.b` stands for `{"a": {"b": …}}`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence


def nested(flat: Mapping[str, object]) -> dict[str, object]:
    """Dotted keys as maps within maps; of two that do not go together the later one stays."""
    made: dict[str, object] = {}
    for key, value in flat.items():
        *path, last = key.split(".")
        map_at(made, path)[last] = value
    return made


def map_at(found: dict[str, object], path: Sequence[str]) -> dict[str, object]:
    """The map at `path` within `found`; made where there is none, also in the place of another value."""
    for key in path:
        inner = found.get(key)
        if not isinstance(inner, dict):
            inner = found[key] = {}
        found = inner
    return found


def maps_within(value: object) -> Iterator[Mapping[str, object]]:
    """Every map in a value, at any depth, the outer ones first."""
    if isinstance(value, Mapping):
        yield value
        for item in value.values():
            yield from maps_within(item)
    elif isinstance(value, list):
        for item in value:
            yield from maps_within(item)
