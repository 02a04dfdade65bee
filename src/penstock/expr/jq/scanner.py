"""The tokens of a jq program, read when they are needed, since a string holds expressions."""

from __future__ import annotations

import re
from typing import Final

MAX_DEPTH: Final = 60
_TOKEN: Final = re.compile(
    r"""
      (?P<space>\s+|\#[^\n]*)
    | (?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?)
    | (?P<quote>")
    | (?P<format>@[A-Za-z0-9]+)
    | (?P<variable>\$(?:[A-Za-z_][A-Za-z0-9_]*::)*[A-Za-z_][A-Za-z0-9_]*)
    | (?P<field>\.[A-Za-z_][A-Za-z0-9_]*)
    | (?P<name>(?:[A-Za-z_][A-Za-z0-9_]*::)*[A-Za-z_][A-Za-z0-9_]*)
    | (?P<sign>\?//=|\?//|//=|\|=|\+=|-=|\*=|/=|%=|==|!=|<=|>=|//|\.\.|[.\[\](){}|,:;=<>+\-*/%?$])
    """,
    re.VERBOSE,
)
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "/": "/", "\\": "\\", '"': '"'}


class JqSyntaxError(Exception):
    """A text that is not a jq program."""


class Scanner:
    """A cursor over a program: the current token, and how deep the parser stands."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.offset = 0
        self.kind = ""
        self.value = ""
        self.start = 0
        self.depth = 0
        self.advance()

    def advance(self) -> None:
        while True:
            self.start = self.offset
            if self.offset >= len(self.text):
                self.kind, self.value = "end", ""
                return
            found = _TOKEN.match(self.text, self.offset)
            if found is None:
                raise JqSyntaxError(f"unexpected character `{self.text[self.offset]}` at offset {self.offset}")
            self.offset = found.end()
            self.kind, self.value = str(found.lastgroup), found[0]
            if self.kind != "space":
                return

    def at_end(self) -> bool:
        return self.kind == "end"

    def sign(self, *values: str) -> bool:
        return self.kind == "sign" and self.value in values

    def word(self, *values: str) -> bool:
        return self.kind == "name" and self.value in values

    def expect(self, value: str) -> None:
        if self.value != value or self.kind not in ("sign", "name"):
            raise self.unexpected(value)
        self.advance()

    def unexpected(self, wanted: str = "") -> JqSyntaxError:
        found = f"`{self.value}`" if self.value else "the end"
        expected = f", expected `{wanted}`" if wanted else ""
        return JqSyntaxError(f"unexpected {found} at offset {self.start}{expected}")

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise JqSyntaxError(f"nested deeper than {MAX_DEPTH} levels")

    def longer(self, length: int) -> int:
        if length > MAX_DEPTH:
            raise JqSyntaxError(f"more than {MAX_DEPTH} operators in a row")
        return length + 1

    def escape(self) -> str:
        sign = self.text[self.offset : self.offset + 1]
        self.offset += 1
        if sign in _ESCAPES:
            return _ESCAPES[sign]
        if sign == "u":
            code = self.text[self.offset : self.offset + 4]
            if re.fullmatch("[0-9a-fA-F]{4}", code):
                self.offset += 4
                return self.surrogates(int(code, 16))
        raise JqSyntaxError(f"unknown escape `\\{sign}` in a string")

    def surrogates(self, first: int) -> str:
        """The character of a code, joined with the low half of a pair that follows."""
        found = re.compile(r"\\u([dD][c-fC-F][0-9a-fA-F]{2})").match(self.text, self.offset)
        if 0xD800 <= first < 0xDC00 and found:
            self.offset = found.end()
            return chr(0x10000 + (first - 0xD800 << 10) + int(found[1], 16) - 0xDC00)
        return "\ufffd" if 0xD800 <= first < 0xE000 else chr(first)
