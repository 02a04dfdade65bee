"""jq's values: order, arithmetic, and access. All are JSON's own types."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from penstock.expr.json_text import quoted

if TYPE_CHECKING:
    from penstock.expr.frame import Budget

_MAX_BITS: Final = 4096
MAX_INDEX: Final = 1_000_000


class JqError(Exception):
    """A failure inside a program; `value` is what `catch` gets."""

    def __init__(self, value: object) -> None:
        self.value = value
        super().__init__(value if isinstance(value, str) else f"{to_json(value)} (not a string)")


def type_of(value: object) -> str:
    """The name of a value's type."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def truth(value: object) -> bool:
    """Everything but null and false."""
    return value is not None and value is not False


def shown(value: object) -> str:
    """A value in an error message, cut short as jq does."""
    text = to_json(value) if _small(value) else "..."
    return text if len(text) <= 11 else text[:10] + "..."


def _small(value: object) -> bool:
    return not isinstance(value, (list, dict, str)) or len(value) < 1000


def to_json(value: object, depth: int = 0) -> str:
    """Compact JSON, keys in their order."""
    if depth > 200:
        raise JqError("the value is nested too deeply")
    if isinstance(value, str):
        return quoted(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return number_text(value)
    if isinstance(value, list):
        return "[" + ",".join([to_json(item, depth + 1) for item in value]) + "]"
    if isinstance(value, dict):
        return "{" + ",".join([f"{quoted(str(key))}:{to_json(item, depth + 1)}" for key, item in value.items()]) + "}"
    raise JqError("this is not a JSON value")


def number_text(value: float) -> str:
    """A number as JSON has it: whole ones without a fraction, NaN as null, infinity as the largest double."""
    if isinstance(value, int):
        return str(value) if value.bit_length() <= _MAX_BITS else "null"
    if value != value:
        return "null"
    if math.isinf(value):
        return "1.7976931348623157e+308" if value > 0 else "-1.7976931348623157e+308"
    return str(int(value)) if value.is_integer() and abs(value) < 1e17 else repr(value)


def weight(budget: Budget, value: object, depth: int = 0) -> int:
    """The approximate length of a value's JSON; charged, so that shared parts can not add up unseen."""
    if isinstance(value, str):
        return len(value) + 2
    if isinstance(value, (list, dict)):
        if depth > 200:
            raise JqError("the value is nested too deeply")
        budget.items(len(value))
        parts = value if isinstance(value, list) else value.values()
        keys = 0 if isinstance(value, list) else sum(len(str(key)) + 3 for key in value)
        return 2 + keys + sum(weight(budget, item, depth + 1) + 1 for item in parts)
    return 8


def normal(value: float) -> int | float:
    """A whole double as an integer, so that it prints without a fraction."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


_ORDER: Final = {"null": 0, "boolean": 1, "number": 3, "string": 4, "array": 5, "object": 6}


def compare(left: object, right: object, depth: int = 0) -> int:
    """-1, 0 or 1 in jq's order of all values."""
    one, other = type_of(left), type_of(right)
    if one != other:
        return -1 if _ORDER[one] < _ORDER[other] else 1
    if depth > 200:
        raise JqError("the value is nested too deeply")
    if one in ("null", "boolean", "number", "string"):
        return _compare_scalars(left, right)
    if isinstance(left, list) and isinstance(right, list):
        for item, another in zip(left, right, strict=False):
            found = compare(item, another, depth + 1)
            if found:
                return found
        return (len(left) > len(right)) - (len(left) < len(right))
    return _compare_objects(left, right, depth)


def _compare_scalars(left: Any, right: Any) -> int:
    if left is None:
        return 0
    if isinstance(left, float) and left != left:
        return -1  # NaN is less than any number, itself included
    if isinstance(right, float) and right != right:
        return 1
    return (left > right) - (left < right)


def _compare_objects(left: Any, right: Any, depth: int) -> int:
    keys, others = sorted(left), sorted(right)
    if keys != others:
        return -1 if keys < others else 1
    for key in keys:
        found = compare(left[key], right[key], depth + 1)
        if found:
            return found
    return 0


class SortKey:
    """A value in jq's order, for `sorted`."""

    __slots__ = ("_value",)

    def __init__(self, value: object) -> None:
        self._value = value

    def __lt__(self, other: SortKey) -> bool:
        return compare(self._value, other._value) < 0


def arithmetic(budget: Budget, operator: str, left: Any, right: Any) -> object:
    """`+ - * / %` of two values. Raises JqError when they do not go together."""
    numbers = _is_number(left) and _is_number(right)
    match operator:
        case "+":
            return _add(budget, left, right, numbers=numbers)
        case "-":
            if numbers:
                return normal(left - right)
            if isinstance(left, list) and isinstance(right, list):
                budget.spend(len(left) * len(right))
                return [item for item in left if not any(compare(item, gone) == 0 for gone in right)]
            raise mismatch(left, right, "subtracted")
        case "*":
            return _multiply(budget, left, right, numbers=numbers)
        case "/":
            if numbers:
                if right == 0:
                    raise mismatch(left, right, "divided because the divisor is zero")
                return normal(left / right) if left % right else normal(left // right)
            if isinstance(left, str) and isinstance(right, str):
                return split_text(left, right)
            raise mismatch(left, right, "divided")
        case _:
            if not numbers:
                raise mismatch(left, right, "divided")
            return _modulo(left, right)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def mismatch(left: object, right: object, what: str) -> JqError:
    """The error of two values that an operator does not take."""
    return JqError(f"{type_of(left)} ({shown(left)}) and {type_of(right)} ({shown(right)}) cannot be {what}")


def _add(budget: Budget, left: Any, right: Any, *, numbers: bool) -> object:
    if left is None or right is None:
        return right if left is None else left
    if numbers:
        return normal(left + right)
    if isinstance(left, str) and isinstance(right, str):
        budget.text(len(left) + len(right))
        return left + right
    if isinstance(left, list) and isinstance(right, list):
        budget.items(len(left) + len(right))
        return left + right
    if isinstance(left, dict) and isinstance(right, dict):
        budget.items(len(left) + len(right))
        return {**left, **right}
    raise mismatch(left, right, "added")


def _multiply(budget: Budget, left: Any, right: Any, *, numbers: bool) -> object:
    if numbers:
        if isinstance(left, int) and isinstance(right, int) and left.bit_length() + right.bit_length() > 1000:
            return float(left) * float(right)
        return normal(left * right)
    if isinstance(left, dict) and isinstance(right, dict):
        return _deep_merge(budget, left, right, 0)
    if isinstance(right, str):
        left, right = right, left
    if isinstance(left, str) and _is_number(right):
        if right <= 0:
            return None
        times = max(1, math.ceil(right)) if right == right and right < 2**53 else 2**53
        budget.text(len(left) * times)
        return left * times
    raise mismatch(left, right, "multiplied")


def _deep_merge(budget: Budget, left: dict[str, Any], right: dict[str, Any], depth: int) -> dict[str, Any]:
    if depth > 200:
        raise JqError("the value is nested too deeply")
    budget.items(len(left) + len(right))
    merged = dict(left)
    for key, item in right.items():
        mine = merged.get(key)
        both = isinstance(mine, dict) and isinstance(item, dict)
        merged[key] = _deep_merge(budget, mine, item, depth + 1) if both and isinstance(mine, dict) else item
    return merged


def _modulo(left: float, right: float) -> int:
    if any(isinstance(side, float) and not math.isfinite(side) for side in (left, right)):
        raise mismatch(left, right, "divided")
    dividend, divisor = int(left), abs(int(right))
    if divisor == 0:
        raise mismatch(left, right, "divided because the divisor is zero")
    rest = abs(dividend) % divisor
    return -rest if dividend < 0 else rest


def split_text(text: str, separator: str) -> list[str]:
    """`"a,b" / ","`."""
    if not text:
        return []
    return list(text) if not separator else text.split(separator)


def index(budget: Budget, value: Any, key: Any) -> object:
    """`.[key]`. Raises JqError."""
    if isinstance(value, dict) and isinstance(key, str):
        return value.get(key)
    if isinstance(value, list) and _is_number(key):
        if key != key:
            return None
        position = math.floor(key) if abs(key) < 2**53 else len(value)
        position += len(value) if position < 0 else 0
        return value[position] if 0 <= position < len(value) else None
    if isinstance(key, dict) and (value is None or isinstance(value, (list, str))):
        return cut(value, key.get("start"), key.get("end"))
    if value is None and (isinstance(key, (str, dict)) or key is None or _is_number(key)):
        return None
    if isinstance(value, list) and isinstance(key, list):
        return positions(budget, value, key)
    if isinstance(key, str):
        raise JqError(f'Cannot index {type_of(value)} with "{key[:100]}"')
    raise JqError(f"Cannot index {type_of(value)} with {type_of(key)}")


def bounds(size: int, start: Any, end: Any) -> tuple[int, int]:
    """The bounds of a slice within a size."""
    for bound in (start, end):
        if bound is not None and not _is_number(bound):
            raise JqError("Start and end indices of an array slice must be numbers")
    first = 0 if start is None or start != start else math.floor(max(-1e15, min(1e15, start)))
    last = size if end is None or end != end else math.ceil(max(-1e15, min(1e15, end)))
    first = max(0, first + size) if first < 0 else min(first, size)
    last = max(0, last + size) if last < 0 else min(last, size)
    return first, max(first, last)


def cut(value: Any, start: Any, end: Any) -> object:
    """`.[start:end]`."""
    if value is None:
        return None
    if not isinstance(value, (list, str)):
        raise JqError(f"Cannot index {type_of(value)} with object")
    first, last = bounds(len(value), start, end)
    return value[first:last]


def positions(budget: Budget, value: Any, wanted: Any) -> list[int]:
    """The places where a text or a list occurs in another."""
    found: list[int] = []
    if not wanted:
        return found
    budget.spend(len(value) * len(wanted))
    if isinstance(value, str):
        start = value.find(wanted)
        while start >= 0:
            found.append(start)
            start = value.find(wanted, start + 1)
        return found
    size = len(wanted)
    return [at for at in range(len(value) - size + 1) if compare(value[at : at + size], wanted) == 0]


def get_path(budget: Budget, value: object, path: list[Any]) -> object:
    """The value at a path, null where it ends early."""
    for key in path:
        if value is None:
            return None
        value = index(budget, value, key)
    return value


def set_path(budget: Budget, value: Any, path: list[Any], new: object) -> object:
    """A copy of a value with another at a path."""
    if not path:
        return new
    if len(path) > 300:
        raise JqError("the path is too long")
    key, rest = path[0], path[1:]
    if isinstance(key, dict):
        return _set_slice(budget, value, key, rest, new)
    if isinstance(key, str):
        if value is not None and not isinstance(value, dict):
            raise JqError(f'Cannot index {type_of(value)} with "{key[:100]}"')
        budget.items(len(value or ()))
        return {**(value or {}), key: set_path(budget, (value or {}).get(key), rest, new)}
    if not _is_number(key) or key != key or (value is not None and not isinstance(value, list)):
        raise JqError(f"Cannot index {type_of(value)} with {type_of(key)}")
    items = list(value or [])
    position = math.floor(max(-1e15, min(1e15, key)))
    position += len(items) if position < 0 else 0
    if position < 0:
        raise JqError("Out of bounds negative array index")
    if position > MAX_INDEX:
        raise JqError("Array index too large")
    budget.items(max(len(items), position + 1))
    items.extend([None] * (position + 1 - len(items)))
    items[position] = set_path(budget, items[position], rest, new)
    return items


def _set_slice(budget: Budget, value: Any, key: dict[str, Any], rest: list[Any], new: object) -> object:
    if value is not None and not isinstance(value, list):
        raise JqError(f"Cannot update field at object index of {type_of(value)}")
    items = list(value or [])
    first, last = bounds(len(items), key.get("start"), key.get("end"))
    replacement = set_path(budget, items[first:last], rest, new)
    if not isinstance(replacement, list):
        raise JqError("A slice of an array can only be assigned another array")
    budget.items(len(items) + len(replacement))
    return items[:first] + replacement + items[last:]


def delete_paths(budget: Budget, value: object, paths: list[Any]) -> object:
    """A copy of a value without what is at some paths; the last ones go first, so that indexes stay true."""
    for path in sorted(paths, key=SortKey, reverse=True):
        value = _delete(budget, value, path)
    return value


def _delete(budget: Budget, value: Any, path: list[Any]) -> object:
    if not path:
        return None
    if value is None:
        return None
    key, rest = path[0], path[1:]
    if rest:
        inner = index(budget, value, key)
        return value if inner is None else set_path(budget, value, [key], _delete(budget, inner, rest))
    budget.items(len(value) if isinstance(value, (list, dict)) else 0)
    if isinstance(value, dict) and isinstance(key, str):
        return {name: item for name, item in value.items() if name != key}
    if isinstance(value, list) and isinstance(key, dict):
        first, last = bounds(len(value), key.get("start"), key.get("end"))
        return value[:first] + value[last:]
    if isinstance(value, list) and _is_number(key):
        position = math.floor(key) if key == key and abs(key) < 2**53 else len(value)
        position += len(value) if position < 0 else 0
        return [item for at, item in enumerate(value) if at != position]
    raise JqError(f"Cannot delete field at {'object' if isinstance(key, str) else 'array'} index of {type_of(value)}")
