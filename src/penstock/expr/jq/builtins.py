"""The functions of jq that are written in Python; each takes the machine, its input and its arguments."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from penstock.expr import regexes
from penstock.expr.errors import EvaluationError, LimitReached
from penstock.expr.jq import times
from penstock.expr.jq.values import (
    JqError,
    SortKey,
    arithmetic,
    compare,
    delete_paths,
    index,
    mismatch,
    normal,
    positions,
    set_path,
    shown,
    split_text,
    to_json,
    type_of,
    weight,
)
from penstock.expr.json_text import parse_json

if TYPE_CHECKING:
    from penstock.expr.jq.machine import Machine

Native = Callable[..., object]
BUILTINS: Final[dict[tuple[str, int], Native]] = {}


def _native(name: str, arity: int = 0) -> Callable[[Native], Native]:
    def declare(run: Native) -> Native:
        BUILTINS[name, arity] = run
        return run

    return declare


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise JqError(f"{type_of(value)} ({shown(value)}) {what}")
    return value


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise JqError(f"{type_of(value)} ({shown(value)}) {what}")
    return value


def _number(value: Any, what: str = "number required") -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise JqError(f"{type_of(value)} ({shown(value)}) {what}")
    return value


# any value


@_native("not")
def negation(machine: Machine, value: Any) -> object:
    return value is None or value is False


@_native("type")
def kind(machine: Machine, value: Any) -> object:
    return type_of(value)


@_native("length")
def length(machine: Machine, value: Any) -> object:
    if value is None:
        return 0
    if isinstance(value, bool):
        raise JqError(f"boolean ({shown(value)}) has no length")
    return abs(value) if isinstance(value, (int, float)) else len(value)


@_native("utf8bytelength")
def byte_length(machine: Machine, value: Any) -> object:
    return len(_text(value, "only strings have UTF-8 byte length").encode("utf-8", "replace"))


@_native("tojson")
def as_json(machine: Machine, value: Any) -> object:
    machine.budget.text(weight(machine.budget, value))
    return to_json(value)


@_native("fromjson")
def from_json(machine: Machine, value: Any) -> object:
    try:
        return parse_json(_text(value, "cannot be parsed as JSON"))
    except ValueError as error:
        raise JqError(f"{error} (while parsing '{str(value)[:50]}')") from error


@_native("tostring")
def as_text(machine: Machine, value: Any) -> object:
    return value if isinstance(value, str) else as_json(machine, value)


@_native("tonumber")
def as_number(machine: Machine, value: Any) -> object:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    try:
        found = parse_json(_text(value, "cannot be parsed as a number").strip())
    except ValueError as error:
        raise JqError(f"string ({shown(value)}) cannot be parsed as a number") from error
    return _number(found, "cannot be parsed as a number")


@_native("toarray")
def as_array(machine: Machine, value: Any) -> object:
    return value if isinstance(value, list) else [value]


@_native("builtins")
def builtin_names(machine: Machine, value: Any) -> object:
    from penstock.expr.jq.prelude import prelude

    names = [*BUILTINS, *((name, len(parameters)) for name, parameters, _ in prelude())]
    return [f"{name}/{arity}" for name, arity in names if not name.startswith("_")]


# maps and lists


@_native("keys")
def keys(machine: Machine, value: Any) -> object:
    found = keys_unsorted(machine, value)
    return sorted(found) if isinstance(found, list) else found


@_native("keys_unsorted")
def keys_unsorted(machine: Machine, value: Any) -> object:
    if isinstance(value, dict):
        machine.budget.items(len(value))
        return list(value)
    return list(range(len(_list(value, "has no keys"))))


@_native("has", 1)
def has(machine: Machine, value: Any, key: Any) -> object:
    if isinstance(value, dict) and isinstance(key, str):
        return key in value
    if isinstance(value, list) and isinstance(key, (int, float)) and not isinstance(key, bool):
        return 0 <= key < len(value)
    raise JqError(
        f"Cannot check whether {type_of(value)} has a {'string' if isinstance(key, str) else type_of(key)} key"
    )


@_native("contains", 1)
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


@_native("add")
def add(machine: Machine, value: Any) -> object:
    if isinstance(value, dict):
        value = list(value.values())
    found = _list(value, "cannot be iterated over") if value is not None else []
    if found and all(isinstance(item, str) for item in found):
        machine.budget.text(sum(map(len, found)))
        return "".join(found)
    total: Any = None
    for item in found:
        machine.step()
        total = arithmetic(machine.budget, "+", total, item)
    return total


@_native("reverse")
def reverse(machine: Machine, value: Any) -> object:
    if isinstance(value, str):
        return value[::-1]
    return _list(value, "cannot be reversed, as it is not an array")[::-1] if value is not None else []


@_native("flatten", 1)
def flatten(machine: Machine, value: Any, depth: Any) -> object:
    if _number(depth) < 0:
        raise JqError("flatten depth must not be negative")
    flat: list[Any] = []
    _flatten(machine, _list(value, "cannot be flattened"), min(depth, 200), flat)
    return flat


def _flatten(machine: Machine, value: list[Any], depth: float, flat: list[Any]) -> None:
    machine.budget.items(len(value))
    for item in value:
        if isinstance(item, list) and depth > 0:
            _flatten(machine, item, depth - 1, flat)
        else:
            flat.append(item)


@_native("transpose")
def transpose(machine: Machine, value: Any) -> object:
    rows = [_list(row, "cannot be transposed") for row in _list(value, "cannot be transposed")]
    width = max(map(len, rows), default=0)
    machine.budget.items(width * len(rows))
    return [[row[at] if at < len(row) else None for row in rows] for at in range(width)]


@_native("setpath", 2)
def assign_path(machine: Machine, value: Any, path: Any, new: Any) -> object:
    return set_path(machine.budget, value, _list(path, "Path must be specified as an array"), new)


@_native("delpaths", 1)
def drop_paths(machine: Machine, value: Any, paths: Any) -> object:
    found = _list(paths, "Paths must be specified as an array")
    return delete_paths(machine.budget, value, [_list(path, "Path must be specified as an array") for path in found])


# order


def _sorted(machine: Machine, items: list[Any], keys: Any) -> list[tuple[Any, Any]]:
    machine.budget.items(len(items))
    machine.budget.turns(len(items))
    marks = _list(keys, "cannot be sorted, as it is not an array")
    return sorted(zip(marks, items, strict=True), key=lambda pair: SortKey(pair[0]))


@_native("sort")
def sort(machine: Machine, value: Any) -> object:
    found = _list(value, "cannot be sorted, as it is not an array")
    return [item for _, item in _sorted(machine, found, found)]


@_native("_sort_by", 1)
def sort_by(machine: Machine, value: Any, marks: Any) -> object:
    return [item for _, item in _sorted(machine, _list(value, "cannot be sorted"), marks)]


def _groups(machine: Machine, value: Any, marks: Any) -> list[list[Any]]:
    pairs = _sorted(machine, _list(value, "cannot be grouped, as it is not an array"), marks)
    groups: list[list[Any]] = []
    last: Any = None
    for mark, item in pairs:
        if groups and compare(mark, last) == 0:
            groups[-1].append(item)
        else:
            groups.append([item])
        last = mark
    return groups


@_native("_group_by", 1)
def group_by(machine: Machine, value: Any, marks: Any) -> object:
    return _groups(machine, value, marks)


@_native("_unique_by", 1)
def unique_by(machine: Machine, value: Any, marks: Any) -> object:
    return [group[0] for group in _groups(machine, value, marks)]


@_native("unique")
def unique(machine: Machine, value: Any) -> object:
    return [group[0] for group in _groups(machine, value, value)]


def _extreme(machine: Machine, value: Any, marks: Any, *, largest: bool) -> object:
    items = _list(value, "cannot be iterated over")
    best: tuple[Any, Any] | None = None
    for mark, item in zip(marks, items, strict=True):
        machine.step()
        order = -1 if best is None else compare(mark, best[0])
        if best is None or (order >= 0 if largest else order < 0):
            best = (mark, item)
    return best[1] if best else None


@_native("min")
def smallest(machine: Machine, value: Any) -> object:
    return _extreme(machine, value, value, largest=False)


@_native("max")
def greatest(machine: Machine, value: Any) -> object:
    return _extreme(machine, value, value, largest=True)


@_native("_min_by", 1)
def min_by(machine: Machine, value: Any, marks: Any) -> object:
    return _extreme(machine, value, marks, largest=False)


@_native("_max_by", 1)
def max_by(machine: Machine, value: Any, marks: Any) -> object:
    return _extreme(machine, value, marks, largest=True)


@_native("bsearch", 1)
def bsearch(machine: Machine, value: Any, wanted: Any) -> object:
    items = _list(value, "cannot be searched from")
    low, high = 0, len(items)
    while low < high:
        middle = (low + high) // 2
        order = compare(items[middle], wanted)
        if order == 0:
            return middle
        low, high = (middle + 1, high) if order < 0 else (low, middle)
    return -1 - low


# texts


def _check(name: str, test: Callable[[str, str], bool]) -> None:
    @_native(name, 1)
    def check(machine: Machine, value: Any, part: Any) -> object:
        if not isinstance(value, str) or not isinstance(part, str):
            raise JqError(f"{name}() requires string inputs")
        return test(value, part)


_check("startswith", lambda text, part: text.startswith(part))
_check("endswith", lambda text, part: text.endswith(part))


def _strip(name: str, change: Callable[[str, str], str]) -> None:
    @_native(name, 1)
    def strip(machine: Machine, value: Any, part: Any) -> object:
        return change(value, part) if isinstance(value, str) and isinstance(part, str) else value


_strip("ltrimstr", lambda text, part: text.removeprefix(part))
_strip("rtrimstr", lambda text, part: text.removesuffix(part))
_UPPER: Final = str.maketrans("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_LOWER: Final = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


def _change(name: str, what: str, change: Callable[[str], object]) -> None:
    @_native(name)
    def apply(machine: Machine, value: Any) -> object:
        found = _text(value, what)
        machine.budget.items(len(found) if name == "explode" else 0)
        return change(found)


_change("ascii_downcase", "ascii_downcase input must be a string", lambda text: text.translate(_LOWER))
_change("ascii_upcase", "ascii_upcase input must be a string", lambda text: text.translate(_UPPER))
_change("trim", "trim input must be a string", lambda text: text.strip())
_change("ltrim", "trim input must be a string", lambda text: text.lstrip())
_change("rtrim", "trim input must be a string", lambda text: text.rstrip())
_change("explode", "cannot be exploded", lambda text: [ord(sign) for sign in text])


@_native("implode")
def implode(machine: Machine, value: Any) -> object:
    codes = _list(value, "cannot be imploded, must be an array of codepoints")
    if not all(isinstance(code, int) and not isinstance(code, bool) and 0 <= code < 0x110000 for code in codes):
        raise JqError("Unicode codepoint must be numeric")
    return "".join("\ufffd" if 0xD800 <= code < 0xE000 else chr(code) for code in codes)


@_native("split", 1)
def split(machine: Machine, value: Any, separator: Any) -> object:
    if not isinstance(value, str) or not isinstance(separator, str):
        raise JqError("split input and separator must be strings")
    machine.budget.items(len(value))
    return split_text(value, separator)


@_native("split", 2)
def split_by_pattern(machine: Machine, value: Any, pattern: Any, flags: Any) -> object:
    found = find(machine, value, pattern, f"g{flags or ''}", False)
    parts: list[str] = []
    start = 0
    for match in found if isinstance(found, list) else []:
        parts.append(value[start : match["offset"]])
        start = match["offset"] + match["length"]
    return [*parts, value[start:]]


@_native("indices", 1)
def indices(machine: Machine, value: Any, wanted: Any) -> object:
    if value is None:
        return None
    if isinstance(value, str) and isinstance(wanted, str):
        return positions(machine.budget, value, wanted)
    if isinstance(value, list):
        return positions(machine.budget, value, wanted if isinstance(wanted, list) else [wanted])
    return index(machine.budget, value, wanted)


@_native("index", 1)
def first_index(machine: Machine, value: Any, wanted: Any) -> object:
    found = indices(machine, value, wanted)
    return found[0] if isinstance(found, list) and found else None


@_native("rindex", 1)
def last_index(machine: Machine, value: Any, wanted: Any) -> object:
    found = indices(machine, value, wanted)
    return found[-1] if isinstance(found, list) and found else None


_FLAGS: Final = {"i": "i", "x": "x", "s": "s", "l": "", "n": "", "p": "s", "g": ""}


@_native("_match", 3)
def find(machine: Machine, value: Any, pattern: Any, flags: Any, only_test: Any) -> object:
    """The matches of a pattern as jq describes them, or whether there is one."""
    text = _text(value, "cannot be matched, as it is not a string")
    wanted = _text(pattern, "cannot be matched, as it is not a string")
    chosen = "" if flags is None else _text(flags, "is not a string")
    if any(flag not in _FLAGS for flag in chosen):
        raise JqError(f"{chosen[:50]} is not a valid modifier string")
    inline = "".join(dict.fromkeys(_FLAGS[flag] for flag in chosen))
    try:
        found = regexes.find_all(
            machine.frame, f"(?{inline}){wanted}" if inline else wanted, text, every="g" in chosen and not only_test
        )
    except LimitReached:
        raise
    except EvaluationError as error:
        raise JqError(f"{error.message} (at offset 0) is not a valid regex") from error
    if only_test:
        return bool(found)
    machine.budget.items(len(found))
    return [_described(match) for match in found if not ("n" in chosen and not match[0])]


def _described(match: Any) -> dict[str, object]:
    names = {number: name for name, number in match.re.groupindex.items()}
    captures = [
        {
            "offset": match.start(number),
            "length": len(match[number] or ""),
            "string": match[number],
            "name": names.get(number),
        }
        for number in range(1, match.re.groups + 1)
    ]
    return {"offset": match.start(), "length": len(match[0]), "string": match[0], "captures": captures}


# numbers


def _mathematics(name: str, compute: Callable[[float], float]) -> None:
    @_native(name)
    def calculate(machine: Machine, value: Any) -> object:
        number = _number(value)
        try:
            return normal(compute(number))
        except ValueError:
            return math.nan
        except OverflowError:
            return math.inf


def _whole(rounding: Callable[[float], int]) -> Callable[[float], float]:
    return lambda number: rounding(number) if math.isfinite(number) else number


for _name, _compute in {
    "floor": _whole(math.floor),
    "ceil": _whole(math.ceil),
    "trunc": _whole(math.trunc),
    "round": _whole(lambda number: math.floor(abs(number) + 0.5) * (1 if number >= 0 else -1)),
    "nearbyint": _whole(round),
    "rint": _whole(round),
    "sqrt": math.sqrt,
    "cbrt": lambda number: math.copysign(abs(number) ** (1 / 3), number),
    "fabs": abs,
    "abs": abs,
    "exp": math.exp,
    "exp2": lambda number: 2.0**number,
    "exp10": lambda number: 10.0**number,
    "expm1": math.expm1,
    "log": lambda number: math.log(number) if number else -math.inf,
    "log2": lambda number: math.log2(number) if number else -math.inf,
    "log10": lambda number: math.log10(number) if number else -math.inf,
    "log1p": math.log1p,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "asin": math.asin,
    "acos": math.acos,
    "atan": math.atan,
    "sinh": math.sinh,
    "cosh": math.cosh,
    "tanh": math.tanh,
    "significand": lambda number: math.frexp(number)[0] * 2,
    "logb": lambda number: math.frexp(number)[1] - 1,
}.items():
    _mathematics(_name, _compute)


@_native("pow", 2)
def power(machine: Machine, value: Any, base: Any, exponent: Any) -> object:
    try:
        return normal(math.pow(_number(base), _number(exponent)))
    except OverflowError:
        return math.inf
    except ValueError:
        return math.nan


@_native("atan2", 2)
def arc_tangent(machine: Machine, value: Any, y: Any, x: Any) -> object:
    return math.atan2(_number(y), _number(x))


@_native("fmin", 2)
def lesser(machine: Machine, value: Any, one: Any, other: Any) -> object:
    return min(_number(one), _number(other))


@_native("fmax", 2)
def greater(machine: Machine, value: Any, one: Any, other: Any) -> object:
    return max(_number(one), _number(other))


@_native("infinite")
def infinity(machine: Machine, value: Any) -> object:
    return math.inf


@_native("nan")
def not_a_number(machine: Machine, value: Any) -> object:
    return math.nan


@_native("isinfinite")
def is_infinite(machine: Machine, value: Any) -> object:
    return math.isinf(_number(value))


@_native("isnan")
def is_nan(machine: Machine, value: Any) -> object:
    return math.isnan(_number(value))


@_native("isnormal")
def is_normal(machine: Machine, value: Any) -> object:
    return math.isfinite(_number(value)) and value != 0


# time


@_native("now")
def now(machine: Machine, value: Any) -> object:
    return machine.frame.context.now().timestamp()


BUILTINS["gmtime", 0] = times.gmtime
BUILTINS["localtime", 0] = times.gmtime
BUILTINS["mktime", 0] = times.mktime
BUILTINS["strftime", 1] = times.strftime
BUILTINS["strflocaltime", 1] = times.strftime
BUILTINS["strptime", 1] = times.strptime
