"""What a template's author sees when a template is wrong.

ExpressionError
├── TemplateSyntaxError   the text is not a template; raised by `compile_template`
├── UndefinedVariable     a name that does not exist; the one failure that `??`, `default` and `is defined` swallow
└── EvaluationError       anything else that goes wrong while rendering
    └── LimitReached      a template that grows, loops or runs beyond its limits

The first line of each text is Kestra's own (`Unable to find …`, `MESSAGE (TEMPLATE:LINE)`, without the Java class name
in front); the lines after it show the place and what could be meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Self

from penstock.errors import PenstockError

_PREVIEW_LENGTH: Final = 80
_SOURCE_LENGTH: Final = 2000
_NAMES_SHOWN: Final = 8


class Position:
    """A place in a template: its complete source and the offset of a character."""

    __slots__ = ("offset", "source")

    def __init__(self, source: str, offset: int) -> None:
        self.source = source
        self.offset = min(offset, len(source))

    @property
    def line(self) -> int:
        """The 1-based line, counting LF, CR and CRLF as line ends."""
        return len(_lines_before(self.source, self.offset))

    @property
    def column(self) -> int:
        """The 1-based column."""
        return len(_lines_before(self.source, self.offset)[-1]) + 1

    def excerpt(self) -> str:
        """The line of the template with a caret under the place."""
        before = _lines_before(self.source, self.offset)[-1]
        rest = self.source[self.offset :].replace("\r", "\n").split("\n", 1)[0]
        number = f"{self.line:>4} | "
        start = max(0, len(before) - 60)
        shown = ("…" if start else "") + before[start:].replace("\t", " ") + rest[:60].replace("\t", " ")
        caret = " " * (len(number) + len(before) - start + bool(start)) + "^"
        return f"{number}{shown}\n{caret}"


def _lines_before(source: str, offset: int) -> list[str]:
    return source[:offset].replace("\r\n", "\n").replace("\r", "\n").split("\n")


class ExpressionError(PenstockError):
    """A template that cannot be compiled or rendered. `message` is Kestra's text without the place.

    `position` is where in the template, `hint` what to do about it; `flow`, `task` and `property` name the place of the
    template in a flow once `within` has been told.
    """

    kind = "evaluation"

    def __init__(self, message: str, *, position: Position | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.position = position
        self.hint = hint
        self.place: dict[str, str] = {}

    @property
    def line(self) -> int | None:
        """The 1-based line of the template, when known."""
        return self.position.line if self.position else None

    @property
    def column(self) -> int | None:
        """The 1-based column of the template line, when known."""
        return self.position.column if self.position else None

    def at(self, position: Position) -> Self:
        """This error with a place, unless it has one already (the innermost is the right one)."""
        if self.position is None:
            self.position = position
        return self

    def within(self, **place: str) -> Self:
        """This error with its place in a flow, e.g. `flow=…, task=…, property=…`."""
        self.place.update(place)
        return self

    def headline(self) -> str:
        """Kestra's text: the message, the template and the line."""
        if self.position is None:
            return self.message
        return f"{self.message} ({shorten(self.position.source, _SOURCE_LENGTH)}:{self.position.line})"

    def advice(self) -> str | None:
        """One line on what could be meant, when there is something to say."""
        return self.hint

    def __str__(self) -> str:
        lines = [self.headline()]
        if self.place:
            lines.append("  in " + ", ".join(f"{name} `{value}`" for name, value in self.place.items()))
        if self.position is not None:
            lines.append(self.position.excerpt())
        advice = self.advice()
        if advice:
            lines.append(f"  {advice}")
        return "\n".join(lines)


class TemplateSyntaxError(ExpressionError):
    """A text that is not a template."""

    kind = "syntax"


class EvaluationError(ExpressionError):
    """A template that failed while rendering, for another reason than an undefined name."""


class LimitReached(EvaluationError):
    """A template that went beyond one of its `Limits`."""


class UndefinedVariable(ExpressionError):
    """A name that does not exist where it was looked for (Kestra: strict variables).

    `name` is the first missing part, `owner` the value it was looked up in (kept for the advice only).
    """

    kind = "undefined"

    def __init__(self, name: str, *, owner: object = None, hint: str | None = None, root: bool = False) -> None:
        super().__init__(name, hint=hint)
        self.name = name
        self.owner = owner
        self.root = root

    def headline(self) -> str:
        if self.position is None:
            return f"Unable to find `{self.name}`"
        source = shorten(self.position.source, _SOURCE_LENGTH)
        return f"Unable to find `{self.name}` used in the expression `{source}` at line {self.position.line}"

    def advice(self) -> str | None:
        if self.hint:
            return self.hint
        names = known_names(self.owner)
        if names is None:
            return None if self.owner is None else f"it was looked up in {preview(self.owner)}"
        if not names:
            return "nothing exists at this point"
        dashed = next((name for name in names if name.startswith(f"{self.name}-")), None)
        if dashed is not None:
            return f"did you mean `{dashed}`? a key with a dash is written in brackets: ['{dashed}']"
        close = nearest(self.name, names)
        known = "exists here: " + _enumerate(names)
        return f"did you mean `{close}`? {known}" if close else known


def known_names(owner: object) -> list[str] | None:
    """The names that exist in `owner`: the keys of a map, or what a lazy mapping's `known_names()` tells; else None.

    A lazy mapping is never iterated for an error message: that could fetch every row behind it.
    """
    if isinstance(owner, dict):
        return [str(key) for key in owner]
    names = getattr(owner, "known_names", None)
    if isinstance(owner, Mapping) and callable(names):
        found = names()
        return [str(name) for name in found] if isinstance(found, Iterable) else None
    return None


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The name most like `name`, or None when none is alike."""
    from difflib import get_close_matches

    candidates = list(names)[:1000]
    folded = {candidate.lower(): candidate for candidate in candidates}
    found = get_close_matches(name[:100].lower(), [candidate[:100] for candidate in folded], n=1, cutoff=0.6)
    return folded.get(found[0]) if found else None


def preview(value: object) -> str:
    """A short text of a value for a message; never the text of a secret."""
    from penstock.expr.secrets import Secret

    if isinstance(value, Secret):
        return "a secret"
    if isinstance(value, str):
        return f"the text `{shorten(value, _PREVIEW_LENGTH)}`"
    if isinstance(value, (dict, Mapping)):
        return "a map"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"the boolean {str(value).lower()}"
    if isinstance(value, (int, float)):
        return f"the number {shorten(repr(value), _PREVIEW_LENGTH)}" if abs(value) < 10**300 else "a large number"
    return f"a {type(value).__name__}"


def shorten(text: str, length: int) -> str:
    """`text`, or its beginning and an ellipsis when it is longer than `length`."""
    return text if len(text) <= length else text[: length - 1] + "…"


def _enumerate(names: list[str]) -> str:
    shown = ", ".join(f"`{shorten(name, 60)}`" for name in names[:_NAMES_SHOWN])
    more = len(names) - _NAMES_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
