"""The table of functions, and the checks many of them share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from penstock.expr.errors import EvaluationError, preview
from penstock.expr.registry import MISSING, Table, given
from penstock.expr.text import java_text

if TYPE_CHECKING:
    from penstock.expr.frame import Frame

FUNCTIONS: Final = Table("Function or Macro")


def need(name: str, argument: str, value: object) -> object:
    """An argument a function can not do without; null counts as given."""
    if value is MISSING:
        raise EvaluationError(f"The '{name}' function expects an argument '{argument}'.")
    return value


def need_text(frame: Frame, name: str, argument: str, value: object) -> str:
    """A text argument a function can not do without."""
    if not given(value):
        raise EvaluationError(f"The '{name}' function expects an argument '{argument}'.")
    return java_text(frame, value)


def optional_text(frame: Frame, value: object) -> str | None:
    """A text argument, None when it is missing, null or blank."""
    text = java_text(frame, value) if given(value) else ""
    return text if text.strip() else None


def flag(name: str, argument: str, value: object, *, default: bool) -> bool:
    """A boolean argument; the texts `true` and `false` count."""
    if not given(value):
        return default
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise EvaluationError(
        f"The '{name}' function expects its argument '{argument}' to be a boolean.", hint=f"it is {preview(value)}"
    )
