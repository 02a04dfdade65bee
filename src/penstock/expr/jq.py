"""jq programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.expr.errors import EvaluationError

if TYPE_CHECKING:
    from penstock.expr.frame import Frame


def run(frame: Frame, program: str, value: object) -> list[object]:
    """All outputs of a program for one input."""
    import jq as native

    try:
        return native.compile(program).input_value(value).all()
    except ValueError as error:
        raise EvaluationError(f"Unable to evaluate the jq expression: {error}") from error
