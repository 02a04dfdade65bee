"""What the model's validation found, told to the author of a flow: what was expected, what is there, the nearest name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from penstock.definition.yaml_source import Path
from penstock.model.inputs import INPUT_TYPES

_QUOTED = re.compile(r"'([^']*)'")
_EXPECTED = {
    "string_type": "a text",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a smaller number",
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "list_type": "a list",
    "dict_type": "a map",
    "mapping_type": "a map",
    "model_type": "a map",
    "model_attributes_type": "a map",
    "time_delta_type": "a duration such as PT30S",
}
_BOUNDS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("more than", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault below a record; `expected` is set when it is only that something else was expected."""

    path: Path
    message: str
    suggestion: str | None = None
    expected: str | None = None
    branch: Path | None = None
    """Where the value stands whose alternatives were tried; None outside of unions."""


Resolve = Callable[[str], type | None]


def faults_of(error: ValidationError, cls: type[BaseModel], data: object, resolve: Resolve) -> list[Fault]:
    """The faults of `data`, which is no `cls`, with paths as they are written in the source.

    `resolve` finds the classes of types inside the record, such as a task runner's.
    """
    found: list[Fault] = []
    for raw in error.errors(include_url=False):
        path, branch = _located(data, raw)
        if raw["type"] == "extra_forbidden":
            found.append(_unknown_property(path, known_at(cls, path[:-1], data, resolve)))
            continue
        found += _told(raw, path, branch)
    return _without_alternatives(found)


def mended(error: ValidationError, data: Mapping[str, object]) -> dict[str, object] | None:
    """`data` with words in upper case and truth values as texts where that is all that is wrong there, else None.

    Kestra reads the words of closed sets in any case, and a plain `true` where a text is expected as that text.
    """
    changed: dict[str, object] | None = None
    for raw in error.errors(include_url=False):
        better = _better(raw)
        if better is not None:
            path, _ = _located(data, raw)
            changed = _with(changed if changed is not None else dict(data), path, better)
    return changed


def known_names(cls: type[BaseModel]) -> list[str]:
    """The properties of a record by the names they are written with."""
    return [field.alias or name for name, field in cls.model_fields.items()]


def written_names(cls: type[BaseModel]) -> Iterator[str]:
    """Every name a property may be written with, the older ones too."""
    for name, field in cls.model_fields.items():
        yield field.alias or name
        yield from (str(choice) for choice in getattr(field.validation_alias, "choices", ()))


def known_at(cls: type[BaseModel], path: Path, data: object, resolve: Resolve) -> list[str]:
    """The properties that the records at `path` below a `cls` may have."""
    records = [cls]
    for part in path:
        data = _child(data, part)
        if isinstance(part, str):
            inner = [_annotation(record, part) for record in records]
            records = [found for annotation in inner if annotation is not None for found in _records(annotation)]
        own = data.get("type") if isinstance(data, Mapping) else None
        named = resolve(own) if isinstance(own, str) and "." in own else None
        if named is not None and issubclass(named, BaseModel):
            records = [named]
    return sorted({name for record in records for name in known_names(record)})


def nearest(name: str, known: Iterable[str], *, cutoff: float = 0.7) -> str | None:
    """The known name most like `name`, case aside; None when none is near."""
    by_lower = {other.lower(): other for other in known}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=cutoff)
    return by_lower[close[0]] if close else None


def shown(value: object) -> str:
    """A value in a sentence: maps and lists by their kind, texts between backticks, cut when long."""
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a map"
    if isinstance(value, list | tuple):
        return "a list"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"`{text if len(text) <= 80 else text[:77] + '...'}`"


def _located(data: object, raw: Any) -> tuple[Path, Path | None]:
    """A location of pydantic as a path of `data`: names of union members are no part of it.

    Also the path of the innermost value that has several alternatives, where there is one.
    """
    path: list[str | int] = []
    branch: Path | None = None
    current = data
    loc, absent = raw["loc"], raw["type"] == "missing" or raw["input"] is None
    for place, part in enumerate(loc):
        inside = _child(current, part)
        named = absent and place == len(loc) - 1 and isinstance(current, Mapping)
        if inside is _ABSENT and not named:
            branch = tuple(path)
            continue
        path.append(part)
        current = None if inside is _ABSENT else inside
    return tuple(path), branch


class _Absent:
    """Marks that there is no such child."""


_ABSENT = _Absent()


def _child(value: object, part: str | int) -> object:
    if isinstance(value, Mapping):
        return value.get(part, _ABSENT)
    if isinstance(value, list | tuple) and isinstance(part, int) and part < len(value):
        return value[part]
    return _ABSENT


def _told(raw: Any, path: Path, branch: Path | None) -> Iterator[Fault]:
    kind, value, context = raw["type"], raw["input"], raw.get("ctx") or {}
    if kind == "is_instance_of":
        kind = "list_type" if context.get("class") == "Sequence" else "model_type"
    if kind == "missing":
        yield Fault(path, "must not be null", branch=branch)
    elif value is None and kind in _EXPECTED:
        yield Fault(path, "must not be null", expected=_EXPECTED[kind], branch=branch)
    elif kind in _EXPECTED:
        yield Fault(path, f"expected {_EXPECTED[kind]}, found {shown(value)}", None, _EXPECTED[kind], branch)
    elif kind in ("enum", "literal_error"):
        yield _unknown_word(path, _QUOTED.findall(context["expected"]), value, branch)
    elif kind in ("union_tag_invalid", "union_tag_not_found"):
        yield _unknown_kind(path, value, context)
    elif kind == "value_error":
        for line in str(context.get("error", raw["msg"])).splitlines():
            yield Fault((*path, "type") if line.startswith("Invalid type:") else path, line, branch=branch)
    else:
        yield Fault(path, _sized(kind, context, value) or str(raw["msg"]), branch=branch)


def _unknown_property(path: Path, known: Sequence[str]) -> Fault:
    name = str(path[-1])
    close = nearest(name, known)
    listed = f", known are: {', '.join(known)}" if known and close is None else ""
    return Fault(path, f'Unrecognized field "{name}"{listed}', close)


def _unknown_word(path: Path, words: list[str], value: object, branch: Path | None) -> Fault:
    expected = _one_of(words)
    return Fault(path, f"expected {expected}, found {shown(value)}", nearest(str(value), words), expected, branch)


def _one_of(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"one of {', '.join(words)}"


def _unknown_kind(path: Path, value: object, context: Mapping[str, Any]) -> Fault:
    words = _QUOTED.findall(context.get("expected_tags", "")) or list(INPUT_TYPES)
    if "expected_tags" not in context and context.get("discriminator") == "'type'":
        words = ["constant", "exponential", "random"]
    if not isinstance(value, Mapping):
        return Fault(path, f"expected a map with a type, found {shown(value)}")
    name = value.get("type")
    if name is None:
        return Fault((*path, "type"), f"must not be null, expected one of {', '.join(words)}")
    return Fault(
        (*path, "type"), f"Invalid type: {name}, expected one of {', '.join(words)}", nearest(str(name), words)
    )


def _sized(kind: str, context: Mapping[str, Any], value: object) -> str | None:
    if kind in ("too_short", "string_too_short"):
        return "must not be empty"
    if kind == "string_too_long":
        return f"must have at most {context['max_length']} characters, found {len(str(value))}"
    if kind == "string_pattern_mismatch":
        return f'must match "{context["pattern"].removesuffix("$")}"'
    if kind in _BOUNDS:
        words, key = _BOUNDS[kind]
        return f"must be {words} {context[key]}, found {shown(value)}"
    return None


def _without_alternatives(faults: Sequence[Fault]) -> list[Fault]:
    """Where a value fits none of several kinds: what is wrong inside the nearest kind, else all kinds in one sentence."""
    kept: list[Fault] = []
    for fault in faults:
        rivals = [f for f in faults if f.branch is not None and f.branch == fault.branch]
        if len(rivals) < 2 or fault.branch is None:
            kept.append(fault)
            continue
        deeper = [f for f in rivals if len(f.path) > len(fault.branch)]
        if deeper:
            kept += [fault] if fault in deeper else []
        elif fault is rivals[0]:
            kept.append(_merged(rivals))
    return kept


def _merged(rivals: Sequence[Fault]) -> Fault:
    first = rivals[0]
    kinds = [fault.expected for fault in rivals if fault.expected is not None]
    if len(kinds) < len(rivals) or ", found " not in first.message:
        return first
    found = first.message.rpartition(", found ")[2]
    return Fault(first.path, f"expected {' or '.join(dict.fromkeys(kinds))}, found {found}", first.suggestion)


def _annotation(record: type[BaseModel], wire: str) -> object | None:
    for name, field in record.model_fields.items():
        if wire == (field.alias or name) or wire in getattr(field.validation_alias, "choices", ()):
            return field.annotation
    return None


def _records(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        return
    for part in get_args(annotation):
        yield from _records(part)


def _better(raw: Any) -> object | None:
    kind, value = raw["type"], raw["input"]
    if kind == "string_type" and isinstance(value, bool):
        return "true" if value else "false"
    if kind in ("enum", "literal_error") and isinstance(value, str):
        words = _QUOTED.findall((raw.get("ctx") or {}).get("expected", ""))
        return next((word for word in words if word.lower() == value.lower() and word != value), None)
    return None


def _with(data: dict[str, object], path: Path, value: object) -> dict[str, object]:
    """`data` with another value at `path`; what lies on the way is copied, never changed."""
    current: Any = data
    for part, following in pairwise(path):
        inner = current[part]
        current[part] = list(inner) if isinstance(following, int) else dict(inner)
        current = current[part]
    current[path[-1]] = value
    return data
