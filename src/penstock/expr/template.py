"""Compiled templates: text in, closures kept, text or a value out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Final, cast

from penstock.expr.bodies import Bodies
from penstock.expr.errors import ExpressionError, LimitReached, Position, TemplateSyntaxError
from penstock.expr.frame import Frame
from penstock.expr.secrets import Secret, taint
from penstock.expr.tags import parse
from penstock.expr.values import PLAIN, as_list, as_map, is_map, settle

if TYPE_CHECKING:
    from penstock.expr.context import RenderContext
    from penstock.expr.references import References

_PLACEHOLDER: Final = re.compile("\ue000([0-9]+)\ue001")
_DELIMITERS: Final = ("{{", "{%", "{#")
CACHED_TEMPLATES: Final = 1000


class Template:
    """One compiled template. Immutable; any number of renderings may use it at once."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.is_plain = not any(delimiter in source for delimiter in _DELIMITERS)
        """Whether the text holds no construct at all: rendering gives it back as it is."""
        if not self.is_plain:
            self._tree = parse(source)
            self._bodies = Bodies(self._tree)
            self._emit = self._bodies.emit
            self._local = bool(self._tree.local_names)

    def __repr__(self) -> str:
        return f"Template({self.source!r})"

    def render(self, context: RenderContext) -> str:
        """The text of this template; a Secret when a secret went into it. Raises ExpressionError."""
        if self.is_plain:
            return self.source
        frame = Frame(context, self)
        if self._local:
            frame.scopes = [{}]
        try:
            text = str(self._recursive(frame, self._emit)) if context.recursive else self._emit(frame)
        except ExpressionError as error:
            raise error.at(Position(self.source, 0)) from error.__cause__
        except RecursionError:
            raise self._too_deep() from None
        if frame.sources is not None:
            return Secret(str(text), frame.sources)
        return text

    def evaluate(self, context: RenderContext) -> object:
        """The value of this template (expressions.md 9.4), lazy values loaded. Raises ExpressionError.

        A template that is one expression gives the value itself; anything else its text, read as JSON when it is a map
        or list.
        """
        if self.is_plain:
            return self.source
        frame = Frame(context, self)
        if self._local:
            frame.scopes = [{}]
        try:
            value = self._recursive(frame, self._bodies.typed) if context.recursive else self._bodies.typed(frame)
            value = _loaded(frame, value, 0)
            return value if frame.sources is None else taint(value, frame.sources)
        except ExpressionError as error:
            raise error.at(Position(self.source, 0)) from error.__cause__
        except RecursionError:
            raise self._too_deep() from None

    @cached_property
    def references(self) -> References:
        """What this template reads, found without rendering it."""
        from penstock.expr.references import EMPTY, references_of

        return EMPTY if self.is_plain else references_of(self._tree)

    def emit(self, frame: Frame) -> str:
        """The text within a rendering that already runs (`render()`)."""
        if self.is_plain:
            return self.source
        if self._local:
            frame.scopes = [{}]
        return self._emit(frame)

    def compiled(self, text: str) -> Template:
        """The compiled form of another text (`render()`). Raises TemplateSyntaxError."""
        return compile_template(text)

    def _recursive(self, frame: Frame, run: Callable[[Frame], object]) -> object:
        """Kestra's recursive rendering: again until nothing changes; raw blocks and secrets are not rendered again."""
        frame.protected = []
        value = run(frame)
        if not isinstance(value, str) or isinstance(value, Secret):
            return value
        again = frame.render_again(value)
        kept = frame.protected
        return _PLACEHOLDER.sub(lambda mark: kept[int(mark[1])] if int(mark[1]) < len(kept) else mark[0], again)

    def _too_deep(self) -> LimitReached:
        return LimitReached(
            "This template or one of its values is nested too deeply", position=Position(self.source, 0)
        )


def _loaded(frame: Frame, value: object, depth: int) -> object:
    """A result without lazy values in it; plain maps and lists are copied only when something in them changes."""
    if type(value) not in PLAIN:
        value = settle(frame, value) if type(value) is not Secret else value
    if type(value) is not list and not is_map(value):
        return value
    if depth > frame.context.limits.depth:
        raise LimitReached(f"The result is nested deeper than {frame.context.limits.depth} levels")
    if type(value) is list:
        found = as_list(value)
        frame.budget.items(len(found))
        items = [item if type(item) is str else _loaded(frame, item, depth + 1) for item in found]
        return items if any(map(_differs, items, found)) else value
    mapping = as_map(value)
    frame.budget.items(len(mapping))
    made = {key: _loaded(frame, mapping[key], depth + 1) for key in mapping}
    if type(value) is dict and not any(map(_differs, made.values(), mapping.values())):
        return value
    return made


def _differs(one: object, other: object) -> bool:
    return one is not other


@lru_cache(maxsize=CACHED_TEMPLATES)
def compile_template(source: str) -> Template:
    """The compiled form of a template, kept in an LRU. Raises TemplateSyntaxError with line and caret."""
    try:
        return Template(source)
    except RecursionError:
        raise TemplateSyntaxError("Nested too deeply", position=Position(source, 0)) from None


def render_value(value: object, context: RenderContext, *, typed: bool = False) -> object:
    """`value` with every text in it, keys of maps too, rendered (expressions.md 9.5).

    Numbers, booleans and null pass unchanged; a key that is rendered twice keeps the first. `typed` keeps the type of a
    text that is one expression. Raises ExpressionError.
    """
    if isinstance(value, str):
        if "{" not in value or isinstance(value, Secret):
            return value  # a secret is never rendered, whatever it looks like
        template = compile_template(value)
        return template.evaluate(context) if typed else template.render(context)
    if isinstance(value, Mapping):
        return _render_map(cast("Mapping[object, object]", value), context, typed=typed)
    if isinstance(value, (list, tuple)):
        return [render_value(item, context, typed=typed) for item in value]
    return value


def _render_map(value: Mapping[object, object], context: RenderContext, *, typed: bool) -> dict[object, object]:
    made: dict[object, object] = {}
    for key, item in value.items():
        name = compile_template(key).render(context) if isinstance(key, str) and "{" in key else key
        if name not in made:
            made[name] = render_value(item, context, typed=typed)
    return made


def truthy(text: object) -> bool:
    """Whether a rendered condition holds (engine.md 1.3).

    False for None, "", "0", "-0" and "false" after trimming (2.0); anything else is true, also "False" and "no".
    """
    if text is None:
        return False
    if isinstance(text, bool):
        return text
    shown = text if isinstance(text, str) else str(text)
    return shown.strip() not in ("", "0", "-0", "false")
