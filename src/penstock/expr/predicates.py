"""The tests after `is`; `defined` is the compiler's own, since it looks at names rather than values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from penstock.expr.errors import EvaluationError, preview
from penstock.expr.registry import Table
from penstock.expr.values import as_list, as_map, is_map

if TYPE_CHECKING:
    from penstock.expr.frame import Frame

PREDICATES: Final = Table("Test")


@PREDICATES.add("null")
def is_null(frame: Frame, value: object) -> bool:
    """Whether the value is null."""
    return value is None


@PREDICATES.add("empty")
def is_empty(frame: Frame, value: object) -> bool:
    """Whether it is null, a blank text, or a list or map without items; 0 and false are not empty."""
    if value is None:
        return True
    if isinstance(value, str):
        return not value.strip(_ASCII_SPACE)
    if type(value) is list:
        return not as_list(value)
    return is_map(value) and not as_map(value)


@PREDICATES.add("even")
def is_even(frame: Frame, value: object) -> bool:
    """Whether an integer is even."""
    return _integer(value, "even") % 2 == 0


@PREDICATES.add("odd")
def is_odd(frame: Frame, value: object) -> bool:
    """Whether an integer is odd."""
    return _integer(value, "odd") % 2 == 1


@PREDICATES.add("iterable")
def is_iterable(frame: Frame, value: object) -> bool:
    """Whether it is a list; maps and texts are not."""
    return type(value) is list


@PREDICATES.add("map")
def is_a_map(frame: Frame, value: object) -> bool:
    """Whether it is a map."""
    return is_map(value)


@PREDICATES.add("json")
def is_json(frame: Frame, value: object) -> bool:
    """Whether a text is JSON."""
    from penstock.expr.json_text import parse_json

    if not isinstance(value, str):
        raise EvaluationError("The test 'json' can only be applied to a String.", hint=f"it is {preview(value)}")
    try:
        parse_json(value)
    except ValueError:
        return False
    return True


def _integer(value: object, test: str) -> int:
    if value is None:
        raise EvaluationError(f'Can not pass null value to "{test}" test.')
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise EvaluationError(f"The test '{test}' can only be applied to an integer.", hint=f"it is {preview(value)}")


_ASCII_SPACE: Final = "".join(map(chr, range(33)))
