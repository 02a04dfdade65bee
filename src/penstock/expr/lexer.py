"""Text of a template -> tokens with exact offsets.

The states follow Pebble's lexer: text, `{{ }}`, `{% %}`, comments, and strings with `#{ }` interpolation in double
quotes.
A closing delimiter counts only outside brackets and strings, so `{{ {"a": {"b": 1}} }}` works.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import Final, NamedTuple

from penstock.expr.errors import Position, TemplateSyntaxError


class Kind(Enum):
    """The kinds of token; the names are Pebble's, which users know from its messages."""

    TEXT = auto()
    RAW = auto()
    PRINT_START = auto()
    PRINT_END = auto()
    EXECUTE_START = auto()
    EXECUTE_END = auto()
    NAME = auto()
    LONG = auto()
    NUMBER = auto()
    STRING = auto()
    OPERATOR = auto()
    PUNCTUATION = auto()
    STRING_INTERPOLATION_START = auto()
    STRING_INTERPOLATION_END = auto()
    EOF = auto()


class Token(NamedTuple):
    """One token: its kind, its text, and the offset of its first character."""

    kind: Kind
    value: str
    offset: int


_START: Final = re.compile(r"\{\{|\{%|\{#")
_LEADING_TRIM: Final = re.compile(r"-\s+")
_PRINT_CLOSE: Final = re.compile(r"\s*(-?)\}\}")
_EXECUTE_CLOSE: Final = re.compile(r"\s*(-?)%\}")
# Kestra takes a raw block only when it does not cross a line break.
_RAW: Final = re.compile(r"\{%-*\s*raw\s*-*%\}([^\n\r\u0085\u2028\u2029]*?)\{%-*\s*endraw\s*-*%\}")
_VERBATIM_START: Final = re.compile(r"-?\s*verbatim\s*-?\s*%\}")
_VERBATIM_END: Final = re.compile(r"\{%(-)?\s*endverbatim\s*(-)?%\}")
_SPACE: Final = re.compile(r"\s+")
_EXPRESSION: Final = re.compile(
    r"""
      (?P<OPERATOR>(?:is\s+not|is|not|and|or|contains|equals|isIn)(?!\w)|\?\?\?|\?\?|==|!=|>=|<=|\.\.|[-+*/%|~<>])
    | (?P<NAME>[^\W\d]\w*)
    | (?P<LONG>[0-9]+L)
    | (?P<NUMBER>[0-9]+(?:\.[0-9]+)?)
    | (?P<PUNCTUATION>[()\[\]{}?:.,=])
    | (?P<STRING>"[^#"\\]*(?:\\.[^#"\\]*)*"|'[^'\\]*(?:\\.[^'\\]*)*')
    | (?P<QUOTE>")
    """,
    re.VERBOSE | re.DOTALL,
)
_STRING_PART: Final = re.compile(r'[^#"\\]*(?:(?:\\.|#(?!\{))[^#"\\]*)*', re.DOTALL)
_KINDS: Final = {kind.name: kind for kind in Kind}
_CLOSING: Final = {"(": ")", "[": "]", "{": "}"}


def tokenize(source: str) -> list[Token]:
    """The tokens of a template, ended by EOF. Raises TemplateSyntaxError."""
    return _Lexer(source).run()


class _Lexer:
    """One pass over one source; `brackets` holds the open brackets and quotes with their offsets."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.offset = 0
        self.tokens: list[Token] = []
        self.brackets: list[tuple[str, int]] = []
        self.trim_next = False

    def run(self) -> list[Token]:
        while self.offset < len(self.source):
            self._text()
        self._push(Kind.EOF, "", self.offset)
        return self.tokens

    def _text(self) -> None:
        start = self.offset
        found = _START.search(self.source, start)
        text = self.source[start : found.start() if found else len(self.source)]
        if self.trim_next:
            text = text.lstrip()
            self.trim_next = False
        if found is None:
            self.offset = len(self.source)
            self._push_text(text, start)
            return
        raw = _RAW.match(self.source, found.start())
        if raw:
            self._push_text(text, start)
            self._push(Kind.RAW, raw[1], raw.start(1))
            self.offset = raw.end()
            return
        self.offset = found.end()
        trim = _LEADING_TRIM.match(self.source, self.offset)
        if trim:
            text = text.rstrip()
            self.offset = trim.end()
        self._push_text(text, start)
        self._construct(found[0], found.start())

    def _construct(self, delimiter: str, start: int) -> None:
        if delimiter == "{#":
            self._comment(start)
        elif delimiter == "{{":
            self._push(Kind.PRINT_START, "{{", start)
            self._code(_PRINT_CLOSE, Kind.PRINT_END, start)
        elif verbatim := _VERBATIM_START.match(self.source, self.offset):
            self._verbatim(verbatim.end(), start)
        else:
            self._push(Kind.EXECUTE_START, "{%", start)
            self._code(_EXECUTE_CLOSE, Kind.EXECUTE_END, start)

    def _comment(self, start: int) -> None:
        end = self.source.find("#}", self.offset)
        if end < 0:
            raise self._error("Unclosed comment.", start, hint="close it with `#}`")
        self.trim_next = self.source[self.offset : end].endswith("-")
        self.offset = end + 2

    def _verbatim(self, body: int, start: int) -> None:
        end = _VERBATIM_END.search(self.source, body)
        if end is None:
            raise self._error("Unclosed verbatim tag.", start, hint="close it with `{% endverbatim %}`")
        # Pebble trims the left side of a verbatim block whether or not it was asked to.
        text = self.source[body : end.start()].lstrip()
        self._push(Kind.RAW, text.rstrip() if end[1] else text, body)
        self.trim_next = end[2] is not None
        self.offset = end.end()

    def _code(self, closing: re.Pattern[str], end: Kind, start: int) -> None:
        """Tokens up to the closing delimiter of a `{{` or `{%`."""
        outside = len(self.brackets)
        while True:
            close = closing.match(self.source, self.offset)
            if close and len(self.brackets) == outside:
                self._push(end, "}}" if end is Kind.PRINT_END else "%}", close.end() - 2)
                self.trim_next = bool(close[1])
                self.offset = close.end()
                return
            if not self._expression_token():
                raise self._unclosed(start, end)

    def _unclosed(self, start: int, end: Kind) -> TemplateSyntaxError:
        if self.brackets:
            bracket, offset = self.brackets[-1]
            return self._error(f'Unclosed "{bracket}"', offset, hint=f"`{bracket}` is opened here and never closed")
        wanted = "}}" if end is Kind.PRINT_END else "%}"
        return self._error(
            f"Unexpected end of template, expected token of type {end.name}",
            start,
            hint=f"this is opened here and never closed: `{wanted}` is missing",
        )

    def _expression_token(self) -> bool:
        """Reads one token of an expression; False at the end of the source."""
        space = _SPACE.match(self.source, self.offset)
        if space:
            self.offset = space.end()
        if self.offset >= len(self.source):
            return False
        found = _EXPRESSION.match(self.source, self.offset)
        if found is None:
            character = self.source[self.offset]
            raise self._error(f"Unexpected character [{character}]", self.offset, hint=_CHARACTER_HINTS.get(character))
        group = found.lastgroup or ""
        if group == "QUOTE":
            self._interpolated()
            return True
        self._plain(group, found[0])
        self.offset = found.end()
        return True

    def _plain(self, group: str, text: str) -> None:
        if group == "PUNCTUATION":
            self._bracket(text)
        elif group == "STRING":
            text = unquote(text)
        elif group == "LONG":
            text = text[:-1]
        elif group == "OPERATOR" and text.startswith("is") and text.endswith("not"):
            text = "is not"
        self._push(_KINDS[group], text, self.offset)

    def _bracket(self, text: str) -> None:
        if text in "([{":
            self.brackets.append((text, self.offset))
        elif text in ")]}":
            if not self.brackets:
                raise self._error(
                    f'Unexpected "{text}"', self.offset, hint=f"there is no open bracket for this `{text}`"
                )
            opened, _ = self.brackets.pop()
            if _CLOSING.get(opened) != text:
                expected = _CLOSING.get(opened, opened)
                raise self._error(f'Unclosed "{expected}"', self.offset, hint=f"expected `{expected}`, found `{text}`")

    def _interpolated(self) -> None:
        """A double-quoted string with `#`: text parts and `#{ expression }` in turn."""
        start = self.offset
        self.brackets.append(('"', start))
        self.offset += 1
        seen = False
        while True:
            if self.source.startswith("#{", self.offset):
                self._interpolation()
            elif self.source.startswith('"', self.offset):
                break
            else:
                part = _STRING_PART.match(self.source, self.offset)
                if part is None or part.end() == self.offset:
                    raise self._error('Unclosed """', start, hint="the closing quote of this text is missing")
                self._push(Kind.STRING, part[0].replace('\\"', '"'), self.offset)
                self.offset = part.end()
            seen = True
        if not seen:
            self._push(Kind.STRING, "", start)
        self.brackets.pop()
        self.offset += 1

    def _interpolation(self) -> None:
        self._push(Kind.STRING_INTERPOLATION_START, "#{", self.offset)
        self.brackets.append(("#{", self.offset))
        depth = len(self.brackets)
        self.offset += 2
        while True:
            space = _SPACE.match(self.source, self.offset)
            if space:
                self.offset = space.end()
            if len(self.brackets) == depth and self.source.startswith("}", self.offset):
                break
            if not self._expression_token():
                raise self._unclosed(self.offset, Kind.PRINT_END)
        self.brackets.pop()
        self._push(Kind.STRING_INTERPOLATION_END, "}", self.offset)
        self.offset += 1

    def _push_text(self, text: str, offset: int) -> None:
        if text:
            self._push(Kind.TEXT, text, offset)

    def _push(self, kind: Kind, value: str, offset: int) -> None:
        self.tokens.append(Token(kind, value, offset))

    def _error(self, message: str, offset: int, hint: str | None = None) -> TemplateSyntaxError:
        return TemplateSyntaxError(message, position=Position(self.source, offset), hint=hint)


_CHARACTER_HINTS: Final = {
    "&": "write `and` instead of `&&`",
    "!": "write `not` instead of `!`",
    "'": "the closing quote of this text is missing",
    "$": "a variable is written without `$`",
    ";": "an expression has no `;` at its end",
    "\\": "a backslash has a meaning only inside quotes",
}


def unquote(text: str) -> str:
    """The value of a quoted text: only its own quote can be escaped, every other backslash stays."""
    quote = text[0]
    return text[1:-1].replace("\\" + quote, quote)
