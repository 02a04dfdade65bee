"""`max`, `min` and `range`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.expr import operators
from penstock.expr.errors import EvaluationError
from penstock.expr.functions.table import FUNCTIONS, need
from penstock.expr.registry import MISSING
from penstock.expr.values import settled

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.expr.frame import Frame


@FUNCTIONS.add("max", variadic=True)
def largest(frame: Frame, *values: object) -> object:
    """The largest argument as it is; null is left out."""
    return _best(frame, values, operators.greater)


@FUNCTIONS.add("min", variadic=True)
def smallest(frame: Frame, *values: object) -> object:
    """The smallest argument as it is; null is left out."""
    return _best(frame, values, operators.less)


def _best(frame: Frame, values: tuple[object, ...], better: Callable[[object, object], bool]) -> object:
    best: object = None
    for value in settled(frame, list(values)):
        if isinstance(value, bool) or type(value) is list:
            raise EvaluationError(
                "Could not compare: `max` and `min` take numbers or texts", hint="a list has `| sort | last`"
            )
        if best is None or (value is not None and better(value, best)):
            best = value
    return best


@FUNCTIONS.add("range", "start", "end", "increment")
def span(frame: Frame, start: object, end: object, increment: object) -> object:
    """The numbers (or characters) from start to end, both included."""
    step = 1 if increment is MISSING or increment is None else increment
    return operators.span(frame, need("range", "start", start), need("range", "end", end), step)
