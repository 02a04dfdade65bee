"""jq functions on any value, on lists and on maps; importing this module fills the whole table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.expr.jq import mathematics as _mathematics
from penstock.expr.jq import texts as _texts
from penstock.expr.jq.prelude import prelude
from penstock.expr.jq.table import BUILTINS, native, need_list, need_number, need_text
from penstock.expr.jq.values import (
    JqError,
    SortKey,
    arithmetic,
    compare,
    delete_paths,
    mismatch,
    set_path,
    shown,
    to_json,
    type_of,
    weight,
)
from penstock.expr.json_text import parse_json

if TYPE_CHECKING:
    from penstock.expr.jq.machine import Machine


__all__ = ["BUILTINS"]
_FAMILIES = (_mathematics, _texts)


# any value


@native("not")
def negation(machine: Machine, value: Any) -> object:
    return value is None or value is False


@native("type")
def kind(machine: Machine, value: Any) -> object:
    return type_of(value)


@native("length")
def length(machine: Machine, value: Any) -> object:
    if value is None:
        return 0
    if isinstance(value, bool):
        raise JqError(f"boolean ({shown(value)}) has no length")
    return abs(value) if isinstance(value, (int, float)) else len(value)


@native("utf8bytelength")
def byte_length(machine: Machine, value: Any) -> object:
    return len(need_text(value, "only strings have UTF-8 byte length").encode("utf-8", "replace"))


@native("tojson")
def as_json(machine: Machine, value: Any) -> object:
    machine.budget.text(weight(machine.budget, value))
    return to_json(value)


@native("fromjson")
def from_json(machine: Machine, value: Any) -> object:
    try:
        return parse_json(need_text(value, "cannot be parsed as JSON"))
    except ValueError as error:
        raise JqError(f"{error} (while parsing '{str(value)[:50]}')") from error


@native("tostring")
def as_text(machine: Machine, value: Any) -> object:
    return value if isinstance(value, str) else as_json(machine, value)


@native("tonumber")
def as_number(machine: Machine, value: Any) -> object:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    try:
        found = parse_json(need_text(value, "cannot be parsed as a number").strip())
    except ValueError as error:
        raise JqError(f"string ({shown(value)}) cannot be parsed as a number") from error
    return need_number(found, "cannot be parsed as a number")


@native("toarray")
def as_array(machine: Machine, value: Any) -> object:
    return value if isinstance(value, list) else [value]


@native("builtins")
def builtin_names(machine: Machine, value: Any) -> object:
    names = [*BUILTINS, *((name, len(parameters)) for name, parameters, _ in prelude())]
    return [f"{name}/{arity}" for name, arity in names if not name.startswith("_")]


# maps and lists


@native("keys")
def keys(machine: Machine, value: Any) -> object:
    found = keys_unsorted(machine, value)
    return sorted(found) if isinstance(found, list) else found


@native("keys_unsorted")
def keys_unsorted(machine: Machine, value: Any) -> object:
    if isinstance(value, dict):
        machine.budget.items(len(value))
        return list(value)
    return list(range(len(need_list(value, "has no keys"))))


@native("has", 1)
def has(machine: Machine, value: Any, key: Any) -> object:
    if isinstance(value, dict) and isinstance(key, str):
        return key in value
    if isinstance(value, list) and isinstance(key, (int, float)) and not isinstance(key, bool):
        return 0 <= key < len(value)
    raise JqError(
        f"Cannot check whether {type_of(value)} has a {'string' if isinstance(key, str) else type_of(key)} key"
    )


@native("contains", 1)
def contains(machine: Machine, value: Any, part: Any) -> object:
    machine.budget.spend(1)
    if isinstance(value, dict) and isinstance(part, dict):
        return all(key in value and contains(machine, value[key], item) for key, item in part.items())
    if isinstance(value, list) and isinstance(part, list):
        return all(any(_contained(machine, item, wanted) for item in value) for wanted in part)
    if isinstance(value, str) and isinstance(part, str):
        return part in value
    if type_of(value) == type_of(part):
        return compare(value, part) == 0
    raise mismatch(value, part, "have their containment checked")


def _contained(machine: Machine, value: Any, part: Any) -> bool:
    return type_of(value) == type_of(part) and bool(contains(machine, value, part))


@native("add")
def add(machine: Machine, value: Any) -> object:
    if isinstance(value, dict):
        value = list(value.values())
    found = need_list(value, "cannot be iterated over") if value is not None else []
    if found and all(isinstance(item, str) for item in found):
        machine.budget.text(sum(map(len, found)))
        return "".join(found)
    total: Any = None
    for item in found:
        machine.step()
        total = arithmetic(machine.budget, "+", total, item)
    return total


@native("reverse")
def reverse(machine: Machine, value: Any) -> object:
    if isinstance(value, str):
        return value[::-1]
    return need_list(value, "cannot be reversed, as it is not an array")[::-1] if value is not None else []


@native("flatten", 1)
def flatten(machine: Machine, value: Any, depth: Any) -> object:
    if need_number(depth) < 0:
        raise JqError("flatten depth must not be negative")
    flat: list[Any] = []
    _flatten(machine, need_list(value, "cannot be flattened"), min(depth, 200), flat)
    return flat


def _flatten(machine: Machine, value: list[Any], depth: float, flat: list[Any]) -> None:
    machine.budget.items(len(value))
    for item in value:
        if isinstance(item, list) and depth > 0:
            _flatten(machine, item, depth - 1, flat)
        else:
            flat.append(item)


@native("transpose")
def transpose(machine: Machine, value: Any) -> object:
    rows = [need_list(row, "cannot be transposed") for row in need_list(value, "cannot be transposed")]
    width = max(map(len, rows), default=0)
    machine.budget.items(width * len(rows))
    return [[row[at] if at < len(row) else None for row in rows] for at in range(width)]


@native("setpath", 2)
def assign_path(machine: Machine, value: Any, path: Any, new: Any) -> object:
    return set_path(machine.budget, value, need_list(path, "Path must be specified as an array"), new)


@native("delpaths", 1)
def drop_paths(machine: Machine, value: Any, paths: Any) -> object:
    found = need_list(paths, "Paths must be specified as an array")
    return delete_paths(
        machine.budget, value, [need_list(path, "Path must be specified as an array") for path in found]
    )


# order


def _sorted(machine: Machine, items: list[Any], keys: Any) -> list[tuple[Any, Any]]:
    machine.budget.items(len(items))
    machine.budget.turns(len(items))
    marks = need_list(keys, "cannot be sorted, as it is not an array")
    return sorted(zip(marks, items, strict=True), key=lambda pair: SortKey(pair[0]))


@native("sort")
def sort(machine: Machine, value: Any) -> object:
    found = need_list(value, "cannot be sorted, as it is not an array")
    return [item for _, item in _sorted(machine, found, found)]


@native("_sort_by", 1)
def sort_by(machine: Machine, value: Any, marks: Any) -> object:
    return [item for _, item in _sorted(machine, need_list(value, "cannot be sorted"), marks)]


def _groups(machine: Machine, value: Any, marks: Any) -> list[list[Any]]:
    pairs = _sorted(machine, need_list(value, "cannot be grouped, as it is not an array"), marks)
    groups: list[list[Any]] = []
    last: Any = None
    for mark, item in pairs:
        if groups and compare(mark, last) == 0:
            groups[-1].append(item)
        else:
            groups.append([item])
        last = mark
    return groups


@native("_group_by", 1)
def group_by(machine: Machine, value: Any, marks: Any) -> object:
    return _groups(machine, value, marks)


@native("_unique_by", 1)
def unique_by(machine: Machine, value: Any, marks: Any) -> object:
    return [group[0] for group in _groups(machine, value, marks)]


@native("unique")
def unique(machine: Machine, value: Any) -> object:
    return [group[0] for group in _groups(machine, value, value)]


def _extreme(machine: Machine, value: Any, marks: Any, *, largest: bool) -> object:
    items = need_list(value, "cannot be iterated over")
    best: tuple[Any, Any] | None = None
    for mark, item in zip(marks, items, strict=True):
        machine.step()
        order = -1 if best is None else compare(mark, best[0])
        if best is None or (order >= 0 if largest else order < 0):
            best = (mark, item)
    return best[1] if best else None


@native("min")
def smallest(machine: Machine, value: Any) -> object:
    return _extreme(machine, value, value, largest=False)


@native("max")
def greatest(machine: Machine, value: Any) -> object:
    return _extreme(machine, value, value, largest=True)


@native("_min_by", 1)
def min_by(machine: Machine, value: Any, marks: Any) -> object:
    return _extreme(machine, value, marks, largest=False)


@native("_max_by", 1)
def max_by(machine: Machine, value: Any, marks: Any) -> object:
    return _extreme(machine, value, marks, largest=True)


@native("bsearch", 1)
def bsearch(machine: Machine, value: Any, wanted: Any) -> object:
    items = need_list(value, "cannot be searched from")
    low, high = 0, len(items)
    while low < high:
        middle = (low + high) // 2
        order = compare(items[middle], wanted)
        if order == 0:
            return middle
        low, high = (middle + 1, high) if order < 0 else (low, middle)
    return -1 - low
