"""jq programs, in Python and within the budget of a rendering.

In a native library one hostile program (`[range(1e9)]`, `"a" * 1e9`) stops the whole process, and `env` shows the
server's environment. Here each step is counted, and there is no environment, file or clock to reach.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from penstock.expr.errors import EvaluationError
from penstock.expr.jq import builtins as _builtins
from penstock.expr.jq.machine import Machine
from penstock.expr.jq.parser import JqSyntaxError, Node, parse
from penstock.expr.jq.scope import BreakSignal
from penstock.expr.jq.values import JqError

if TYPE_CHECKING:
    from penstock.expr.frame import Frame


_TABLES = (_builtins,)  # imported for the functions it declares


@lru_cache(maxsize=500)
def _parsed(program: str) -> Node:
    return parse(program)


def run(frame: Frame, program: str, value: object) -> list[object]:
    """All outputs of a program for one input. Raises EvaluationError for a wrong program or a failing one."""
    try:
        tree = _parsed(program)
    except (JqSyntaxError, RecursionError) as error:
        raise EvaluationError(f"Unable to parse the jq expression: {error or 'nested too deeply'}") from error
    outputs: list[object] = []
    try:
        for _, output in Machine(frame).run(tree, value):
            outputs.append(output)
            if len(outputs) % 1000 == 0:
                frame.budget.items(1000)
    except JqError as error:
        raise EvaluationError(f"Unable to evaluate the jq expression: {error}") from error
    except BreakSignal as error:
        raise EvaluationError("Unable to evaluate the jq expression: break") from error
    except (OverflowError, ZeroDivisionError) as error:
        raise EvaluationError("Unable to evaluate the jq expression: a number is out of range") from error
    return outputs


__all__ = ["run"]
