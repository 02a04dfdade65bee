"""The table of filters, and the checks many of them share."""

from __future__ import annotations

from typing import Final

from penstock.expr.errors import EvaluationError, preview
from penstock.expr.registry import MISSING, Table
from penstock.expr.values import type_name

FILTERS: Final = Table("Filter")


def need_text(name: str, value: object) -> str:
    """The text a filter was given; EvaluationError for anything else."""
    if isinstance(value, str):
        return str(value)
    raise EvaluationError(
        f"The '{name}' filter can only be applied to String. Actual type was: {type_name(value)}",
        hint=f"it is {preview(value)}: `| string` makes a text of it",
    )


def need_argument(name: str, argument: str, value: object) -> object:
    """An argument a filter can not do without."""
    if value is MISSING or value is None:
        raise EvaluationError(f"The '{name}' filter expects an argument '{argument}'.")
    return value


def need_text_argument(name: str, argument: str, value: object) -> str:
    """A text argument a filter can not do without."""
    found = need_argument(name, argument, value)
    if isinstance(found, str):
        return str(found)
    raise EvaluationError(
        f"The '{name}' filter expects its argument '{argument}' to be a text.", hint=f"it is {preview(found)}"
    )


def whole_argument(name: str, argument: str, value: object) -> int:
    """An integer argument."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value == value and abs(value) < 2**63:
        return int(value)
    raise EvaluationError(f"Argument {argument} must be a number.", hint=f"`{name}` was given {preview(value)}")
