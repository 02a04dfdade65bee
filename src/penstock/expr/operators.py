"""The operators on values: Java's arithmetic, comparison and concatenation as Kestra 2.0 has them."""

from __future__ import annotations

import math
from decimal import Context, Decimal, DecimalException
from typing import TYPE_CHECKING, Final

from penstock.expr.errors import EvaluationError, preview
from penstock.expr.text import java_text
from penstock.expr.values import Character, Entry, Float32, as_list, as_map, is_map, is_number, settle, settled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from penstock.expr.frame import Frame

_MAX_BITS: Final = 8192
_DECIMAL128: Final = Context(prec=34, Emax=999_999, Emin=-999_999)
Number = int | float | Decimal


def add(frame: Frame, left: object, right: object) -> object:
    """`+`: text if a side is text (null is `null`), a longer list, or a sum."""
    if isinstance(left, str) or isinstance(right, str):
        return concat(frame, (java_text(frame, left), java_text(frame, right)))
    if type(left) is list:
        more = as_list(right) if type(right) is list else [right]
        frame.budget.items(len(left) + len(more))
        return [*left, *more]
    return _arithmetic("addition", left, right, _sum)


def _sum(left: Number, right: Number) -> Number:
    return left + right  # pyright: ignore[reportOperatorIssue] - `_widen` gave both the same type


def _difference(left: Number, right: Number) -> Number:
    return left - right  # pyright: ignore[reportOperatorIssue] - `_widen` gave both the same type


def concat(frame: Frame, parts: tuple[str, ...] | list[str]) -> str:
    """Texts joined, within the budget."""
    length = sum(map(len, parts))
    if length > 4096:
        frame.budget.text(length)
    return "".join(parts)


def subtract(frame: Frame, left: object, right: object) -> object:
    """`-`: a list without an item (or without each of a list's items), or a difference."""
    if type(left) is list:
        return _without(frame, as_list(left), right)
    return _arithmetic("subtraction", left, right, _difference)


def _without(frame: Frame, left: list[object], right: object) -> list[object]:
    if type(right) is not list:
        rest = list(left)
        for index, item in enumerate(rest):
            if java_equal(frame, item, right):
                del rest[index]
                break
        return rest
    frame.budget.spend(len(left) * len(right))
    return [item for item in left if not any(java_equal(frame, item, gone) for gone in right)]


def multiply(frame: Frame, left: object, right: object) -> object:
    """`*`."""
    return _arithmetic("multiplication", left, right, _product)


def _product(left: Number, right: Number) -> Number:
    if isinstance(left, int) and isinstance(right, int) and left.bit_length() + right.bit_length() > _MAX_BITS:
        raise EvaluationError("the product is too large")
    return left * right  # pyright: ignore[reportOperatorIssue]


def divide(frame: Frame, left: object, right: object) -> object:
    """`/`: between integers it drops the fraction, towards zero."""
    return _arithmetic("division", left, right, _quotient)


def _quotient(left: Number, right: Number) -> Number:
    if isinstance(left, int) and isinstance(right, int):
        if right == 0:
            raise EvaluationError("/ by zero")
        quotient = abs(left) // abs(right)
        return quotient if (left < 0) == (right < 0) else -quotient
    if isinstance(left, Decimal) or isinstance(right, Decimal):
        return _DECIMAL128.divide(Decimal(left), Decimal(right))
    if right == 0:
        if left == 0 or left != left:
            return math.nan
        return math.copysign(math.inf, left) * math.copysign(1.0, right)
    return left / right


def modulo(frame: Frame, left: object, right: object) -> object:
    """`%`: the sign of the dividend."""
    return _arithmetic("greater modulus", left, right, _remainder)


def _remainder(left: Number, right: Number) -> Number:
    if isinstance(left, int) and isinstance(right, int):
        if right == 0:
            raise EvaluationError("/ by zero")
        rest = abs(left) % abs(right)
        return -rest if left < 0 else rest
    if isinstance(left, Decimal) or isinstance(right, Decimal):
        return _DECIMAL128.remainder(Decimal(left), Decimal(right))
    if right == 0 or math.isinf(left):
        return math.nan
    return math.fmod(left, right)


def negate(frame: Frame, value: object) -> object:
    """Unary `-`."""
    return multiply(frame, -1, value)


def positive(frame: Frame, value: object) -> object:
    """Unary `+`: a number as it is, a numeric text as a number."""
    return multiply(frame, 1, value)


def _arithmetic(what: str, left: object, right: object, operation: Callable[[Number, Number], Number]) -> Number:
    try:
        first, second = _widen(_number(left), _number(right))
        result = operation(first, second)
    except EvaluationError as error:
        raise EvaluationError(f"Could not perform {what} ({error.message})", hint=_hint(left, right)) from error
    except (DecimalException, OverflowError, ValueError) as error:
        raise EvaluationError(f"Could not perform {what} (the result is out of range)") from error
    if isinstance(first, Float32) or isinstance(second, Float32):
        return Float32(float(result))
    return result


def _hint(left: object, right: object) -> str:
    hint = f"the left side is {preview(left)}, the right side {preview(right)}"
    if is_map(left):
        hint += "; a key with a dash is written in brackets: outputs['my-task']"
    return hint


def _number(value: object) -> Number:
    """A number, or the number a text holds (since Pebble 4)."""
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and not isinstance(value, Character):
        return _parse(value)
    raise EvaluationError(f"Cannot convert to Number: {preview(value)}")


def _parse(text: str) -> Number:
    stripped = text.strip() if any(mark in text for mark in ".eE") else text
    try:
        if len(stripped) > 400 or "_" in stripped or not stripped.isascii():
            raise ValueError(stripped)
        if any(mark in stripped for mark in ".eE"):
            return float(stripped)
        return int(stripped)
    except ValueError as error:
        raise EvaluationError(f"{preview(text)} is not a number") from error


def _widen(left: Number, right: Number) -> tuple[Number, Number]:
    """Java's promotion: BigDecimal > Double > Float > integers. BigDecimals go through a double, as in Pebble."""
    if isinstance(left, Decimal) or isinstance(right, Decimal):
        return _decimal(left), _decimal(right)
    if isinstance(left, float) or isinstance(right, float):
        if _narrow(left) and _narrow(right):
            return Float32(left), Float32(right)
        return float(left), float(right)
    return left, right


def _narrow(value: Number) -> bool:
    return isinstance(value, (Float32, int))


def _decimal(value: Number) -> Decimal:
    number = float(value)
    if math.isinf(number) or math.isnan(number):
        raise EvaluationError("Infinite or NaN")
    return Decimal(repr(number))


def equal(frame: Frame, left: object, right: object) -> bool:
    """`==`: numbers by value as doubles, anything else as Java's `equals`; a text is never a number."""
    if is_number(left) and is_number(right):
        return left == right
    return java_equal(frame, left, right)


def java_equal(frame: Frame, left: object, right: object) -> bool:
    """Equality inside lists and maps: a boolean is not a number, a whole number not a fraction."""
    if left is right:
        return True
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if is_number(left) and is_number(right):
        return isinstance(left, int) == isinstance(right, int) and left == right
    if type(left) is list and type(right) is list:
        frame.budget.items(len(left))
        pairs = zip(settled(frame, left), settled(frame, right), strict=False)
        return len(left) == len(right) and all(java_equal(frame, one, other) for one, other in pairs)
    if is_map(left) and is_map(right):
        return _maps_equal(frame, as_map(left), as_map(right))
    if isinstance(left, Entry) and isinstance(right, Entry):
        return java_equal(frame, left.key, right.key) and java_equal(frame, left.value, right.value)
    try:
        return left == right
    except (TypeError, ValueError):
        return False


def _maps_equal(frame: Frame, one: Mapping[object, object], other: Mapping[object, object]) -> bool:
    frame.budget.items(len(one))
    if len(one) != len(other):
        return False
    return all(key in other and java_equal(frame, settle(frame, one[key]), settle(frame, other[key])) for key in one)


def compare(what: str, left: object, right: object) -> int | None:
    """-1, 0 or 1; None when null or NaN is on a side. Anything but two numbers or (since 2.0) texts is an error."""
    if left is None or right is None:
        return None
    if (is_number(left) and is_number(right)) or (isinstance(left, str) and isinstance(right, str)):
        if left != left or right != right:
            return None
        return (left > right) - (left < right)  # pyright: ignore[reportOperatorIssue]
    raise EvaluationError(
        f"Could not perform {what} comparison",
        hint=f"the left side is {preview(left)}, the right side {preview(right)}: both must be numbers, or both texts",
    )


def greater(left: object, right: object) -> bool:
    """`>`."""
    return compare("greater than", left, right) == 1


def greater_or_equal(left: object, right: object) -> bool:
    """`>=`."""
    return compare("greater than or equals", left, right) in (0, 1)


def less(left: object, right: object) -> bool:
    """`<`."""
    return compare("less than", left, right) == -1


def less_or_equal(left: object, right: object) -> bool:
    """`<=`."""
    return compare("less than or equals", left, right) in (-1, 0)


def contains(frame: Frame, left: object, right: object) -> bool:
    """`contains`: an item or all of a list's items, a key of a map, a part of a text."""
    if left is None:
        return False
    if type(left) is list:
        return _list_contains(frame, settled(frame, left), right)
    if is_map(left):
        return isinstance(right, (str, int, float, bool, type(None))) and right in as_map(left)
    if isinstance(left, str) and not isinstance(left, Character):
        return java_text(frame, right) in left
    raise EvaluationError(
        "Contains operator can only be used on Collections, Maps and arrays.", hint=f"the left side is {preview(left)}"
    )


def _list_contains(frame: Frame, left: list[object], right: object) -> bool:
    wanted = settled(frame, right) if type(right) is list else [right]
    frame.budget.spend(len(left) * len(wanted))
    if not all(isinstance(item, str) for item in wanted):
        return all(any(java_equal(frame, item, one) for item in left) for one in wanted)
    texts = {item for item in left if isinstance(item, str)}
    return all(item in texts for item in wanted)


def is_in(frame: Frame, left: object, right: object) -> bool:
    """`isIn`: the text of an item of a list, or a key or value of a map."""
    if left is None or right is None:
        return False
    wanted = java_text(frame, left)
    if type(right) is list:
        return any(java_text(frame, item) == wanted for item in right)
    if is_map(right):
        mapping = as_map(right)
        return any(java_text(frame, key) == wanted or java_text(frame, mapping[key]) == wanted for key in mapping)
    return False


def span(frame: Frame, start: object, end: object, step: object = 1) -> list[object]:
    """`start..end` and `range(start, end, step)`: inclusive; numbers or single characters."""
    if isinstance(start, str) and isinstance(end, str) and len(start) == 1 and len(end) == 1:
        codes = _span(frame, ord(start), ord(end), _step(step))
        return [Character(chr(code)) for code in codes]
    first, last = _whole("start", start), _whole("end", end)
    return list(_span(frame, first, last, _step(step)))


def _span(frame: Frame, start: int, end: int, step: int) -> range:
    if step == 0:
        raise EvaluationError("The increment of the range function must be different than 0")
    found = range(start, end + (1 if step > 0 else -1), step)
    size = max(0, (end - start) // step + 1)
    limit = frame.context.limits.range_size
    if size > limit:
        raise EvaluationError(
            f"The range function cannot produce more than {limit} elements, but this call would produce {size}."
        )
    frame.budget.items(size)
    return found


def _step(step: object) -> int:
    return _whole("increment", step)


def _whole(name: str, value: object) -> int:
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool) and abs(value) < 2**63:
        return int(value)  # NaN is not less, and no number at all
    raise EvaluationError(
        f"The '{name}' of a range must be a number or a single character", hint=f"it is {preview(value)}"
    )
