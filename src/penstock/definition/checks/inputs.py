"""Inputs: ids that nest, inputs that depend on others, and what goes together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from penstock.definition.checks.ids import repeated
from penstock.definition.draft import Draft, maps_in
from penstock.definition.yaml_source import Path
from penstock.expr.errors import ExpressionError
from penstock.expr.regexes import compile_pattern

Entry = tuple[Path, Mapping[str, object]]


def input_lists(draft: Draft) -> Iterator[list[Entry]]:
    """The inputs of the flow, and those that each Pause or Approval asks for."""
    yield draft.entries("inputs")
    for task in draft.tasks:
        for name in ("onResume", "inputs"):
            found = list(maps_in(task.written.get(name), (*task.path, name)))
            if found:
                yield found


def check_inputs(draft: Draft) -> Iterator[tuple[Path, str]]:
    """Every list of inputs by the same rules."""
    for entries in input_lists(draft):
        yield from repeated(entries, "input")
        yield from _paths(entries)
        yield from _dependencies(entries)
        for path, entry in [*entries, *_children(entries)]:
            yield from _single(path, entry)


def _name(entry: Mapping[str, object]) -> str:
    name = entry.get("id", entry.get("name"))
    return name if isinstance(name, str) else ""


def _children(entries: Sequence[Entry]) -> Iterator[Entry]:
    for path, entry in entries:
        yield from maps_in(entry.get("inputs"), (*path, "inputs"))


def _full_names(entries: Sequence[Entry]) -> list[tuple[Path, str]]:
    """All inputs by their full names: those of a FORM lie below it."""
    names: list[tuple[Path, str]] = []
    for path, entry in entries:
        inner = list(maps_in(entry.get("inputs"), (*path, "inputs")))
        names += [(below, f"{_name(entry)}.{_name(child)}") for below, child in inner]
        if not inner:
            names.append((path, _name(entry)))
    return [(path, name) for path, name in names if name]


def _paths(entries: Sequence[Entry]) -> Iterator[tuple[Path, str]]:
    """Dots nest, so no id may be a value and a group of values at once."""
    names = _full_names(entries)
    known = {name for _, name in names}
    top = {path for path, _ in entries}
    seen: dict[str, Path] = {}
    for path, name in names:
        if name in seen and not (path in top and seen[name] in top):
            yield (*path, "id"), f"Duplicate input path [{name}]"
        seen.setdefault(name, path)
        parts = name.split(".")
        group = next((g for i in range(1, len(parts)) if (g := ".".join(parts[:i])) in known), None)
        if group is not None:
            yield (*path, "id"), f"Input path '{group}' conflicts with '{name}'; it cannot be a value and a group"


def _dependencies(entries: Sequence[Entry]) -> Iterator[tuple[Path, str]]:
    wanted = {_name(entry): _depends_on(entry) for _, entry in entries}
    known = {*wanted, *(name for _, name in _full_names(entries)), *(_name(child) for _, child in _children(entries))}
    for path, entry in entries:
        name = _name(entry)
        for other in wanted[name]:
            if other not in known:
                text = f"Input with id '{name}' depends on a non-existent input '{other}'."
                yield (*path, "dependsOn"), text
        cycle = _cycle(name, wanted)
        if cycle:
            text = f"Cycle dependency detected for input with id '{name}': [{', '.join(cycle)}]"
            yield (*path, "dependsOn"), text


def _depends_on(entry: Mapping[str, object]) -> list[str]:
    declared = entry.get("dependsOn")
    names = declared.get("inputs") if isinstance(declared, Mapping) else None
    return [str(name) for name in names] if isinstance(names, list) else []


def _cycle(start: str, wanted: Mapping[str, Sequence[str]]) -> list[str]:
    """The names on the shortest way from `start` back to itself, or none."""
    ways = [[start]]
    seen: set[str] = set()
    for way in ways:  # grows while it is read: breadth first
        for name in wanted.get(way[-1], ()):
            if name == start:
                return [*way[1:], start]
            if name not in seen:
                seen.add(name)
                ways.append([*way, name])
    return []


def _single(path: Path, entry: Mapping[str, object]) -> Iterator[tuple[Path, str]]:
    kind = str(entry.get("type")).upper()
    if entry.get("defaults") is not None and entry.get("prefill") is not None:
        yield (*path, "prefill"), "an input has either `defaults`, which always apply, or a `prefill`, never both"
    pattern = entry.get("validator")
    if isinstance(pattern, str) and (fault := _pattern_fault(pattern)):
        yield (*path, "validator"), f"invalid pattern [{pattern}]{fault}"
    if kind in ("SELECT", "ENUM", "MULTISELECT") and not _has_choices(entry):
        yield path, "expected `values` or an `expression` that gives them"
    if kind == "ARRAY" and str(entry.get("itemType")).upper() == "ARRAY":
        yield (*path, "itemType"), "must not be ARRAY"
    if kind == "MULTISELECT" and str(entry.get("itemType")).upper() in ("ARRAY", "MULTISELECT"):
        yield (*path, "itemType"), "must not be ARRAY or MULTISELECT"


def _has_choices(entry: Mapping[str, object]) -> bool:
    free = entry.get("allowCustomValue") is True
    return free or any(entry.get(name) for name in ("values", "options", "expression"))


def _pattern_fault(pattern: str) -> str | None:
    try:
        compile_pattern(pattern)
    except ExpressionError as error:
        return f": {str(error).splitlines()[0]}"
    return None


CHECKS = (check_inputs,)
