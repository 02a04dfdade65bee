"""`render`, `renderOnce`, `fetchContext` and `parent`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.expr.errors import EvaluationError, LimitReached, UndefinedVariable
from penstock.expr.frame import ScopeView
from penstock.expr.functions.table import FUNCTIONS, flag
from penstock.expr.registry import MISSING
from penstock.expr.values import as_list, as_map, is_map, settle

if TYPE_CHECKING:
    from penstock.expr.frame import Frame


@FUNCTIONS.add("render", "toRender", "recursive")
def render(frame: Frame, value: object, recursive: object) -> object:
    """A text rendered, until it no longer changes unless told otherwise; every text in a map or list."""
    if value is MISSING:
        raise EvaluationError("The 'render' function expects an argument 'toRender'.")
    again = flag("render", "recursive", recursive, default=True)
    return _render(frame, value, recursive=again, depth=0)


@FUNCTIONS.add("renderOnce", "toRender")
def render_once(frame: Frame, value: object) -> object:
    """A text rendered once."""
    if value is MISSING:
        raise EvaluationError("The 'renderOnce' function expects an argument 'toRender'.")
    return _render(frame, value, recursive=False, depth=0)


def _render(frame: Frame, value: object, *, recursive: bool, depth: int) -> object:
    value = settle(frame, value)
    if isinstance(value, str):
        return _text(frame, str(value), recursive=recursive)
    if depth > frame.context.limits.depth:
        raise LimitReached(f"A value is nested deeper than {frame.context.limits.depth} levels")
    if type(value) is list:
        frame.budget.items(len(as_list(value)))
        return [_render(frame, item, recursive=recursive, depth=depth + 1) for item in as_list(value)]
    if is_map(value):
        frame.budget.items(len(as_map(value)))
        made: dict[object, object] = {}
        for key in as_map(value):
            name = _render(frame, key, recursive=recursive, depth=depth + 1)
            made[name] = _render(frame, as_map(value)[key], recursive=recursive, depth=depth + 1)
        return made
    return value


def _text(frame: Frame, text: str, *, recursive: bool) -> str:
    if "{" not in text:
        return text
    template = frame.template.compiled(text)
    if template.is_plain:
        return text
    inner = frame.inner(template, _variables(frame))
    try:
        rendered = inner.render_again(text) if recursive else template.emit(inner)
    except UndefinedVariable as error:
        # Kestra reports it as a failure of render(), so that `??` around render() does not swallow it.
        raise EvaluationError(error.headline(), hint=error.advice()) from error
    finally:
        frame.finish(inner)
    return rendered


def _variables(frame: Frame) -> ScopeView:
    return ScopeView(frame.variables, frame.scopes)


@FUNCTIONS.add("fetchContext printContext")
def fetch_context(frame: Frame) -> object:
    """A map of all variables, those of the template included."""
    return ScopeView(frame.variables, frame.scopes)


@FUNCTIONS.add("parent")
def parent(frame: Frame) -> object:
    """Templates do not extend one another here, so there is never a parent block."""
    raise EvaluationError("Can not use parent function if template does not extend another template.")
