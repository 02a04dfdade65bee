"""The expression language: the text of a template comes in, a compiled template goes out, and from it text or a value.

It knows values only: variables, the outside world, time, ids, chance and limits are handed in with the `RenderContext`.
It does not know what a flow or an execution is, where a variable comes from, or where a rendered text goes.
"""

from __future__ import annotations

from penstock.expr.context import HostFunctions, LazyValue, Limits, RenderContext
from penstock.expr.errors import (
    EvaluationError,
    ExpressionError,
    LimitReached,
    Position,
    TemplateSyntaxError,
    UndefinedVariable,
)
from penstock.expr.references import OPEN, References
from penstock.expr.secrets import MASK, Secret, mask, shown
from penstock.expr.template import Template, compile_template, render_value, truthy
from penstock.expr.vocabulary import Word, vocabulary

__all__ = [
    "MASK",
    "OPEN",
    "EvaluationError",
    "ExpressionError",
    "HostFunctions",
    "LazyValue",
    "LimitReached",
    "Limits",
    "Position",
    "References",
    "RenderContext",
    "Secret",
    "Template",
    "TemplateSyntaxError",
    "UndefinedVariable",
    "Word",
    "compile_template",
    "mask",
    "render_value",
    "shown",
    "truthy",
    "vocabulary",
]
