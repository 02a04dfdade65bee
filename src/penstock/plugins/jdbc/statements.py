"""SQL texts: cut into statements, and `:name` parameters brought to the form that a driver takes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

_TOKEN = re.compile(
    r"""
    (?P<quoted> '(?:[^']|'')*(?:'|\Z) | "(?:[^"]|"")*(?:"|\Z) | `[^`]*(?:`|\Z) )
  | (?P<dollar> (?<![\w$]) \$(?P<tag>[A-Za-z_]\w*)\$ .*? (?: \$(?P=tag)\$ | \Z ) | (?<![\w$]) \$\$ .*? (?:\$\$|\Z) )
  | (?P<comment> --[^\n]* | /\*.*?(?:\*/|\Z) )
  | (?P<cast> :: )
  | :(?P<name> [A-Za-z_]\w* )
  | (?P<end> ; )
    """,
    re.VERBOSE | re.DOTALL,
)


def split_statements(sql: str) -> list[str]:
    """The statements of a text, cut at semicolons outside of quotes, comments and dollar quotes.

    Pieces that hold nothing but comments are left out.
    """
    found: list[str] = []
    start = 0
    for token in _TOKEN.finditer(sql):
        if token.lastgroup == "end":
            found.append(sql[start : token.start()])
            start = token.end()
    found.append(sql[start:])
    return [text.strip() for text in found if _says_something(text)]


def bind(
    sql: str,
    parameters: Mapping[str, object],
    mark: Callable[[str], str],
    *,
    escape: Callable[[str], str] = lambda text: text,
) -> tuple[str, dict[str, object]]:
    """`sql` with each `:name` of a known parameter written as `mark(name)`, and the parameters that it names.

    Texts, comments, casts (`::int`) and unknown names stay as they are; `escape` is applied to all that stays.
    """
    parts: list[str] = []
    used: dict[str, object] = {}
    start = 0
    for name, begin, end in _named(sql):
        if name in parameters:
            parts += [escape(sql[start:begin]), mark(name)]
            used[name] = parameters[name]
            start = end
    return "".join([*parts, escape(sql[start:])]), used


def _named(sql: str) -> Iterator[tuple[str, int, int]]:
    for token in _TOKEN.finditer(sql):
        name = token["name"]
        if name is not None:
            yield name, token.start(), token.end()


def _says_something(text: str) -> bool:
    without = _TOKEN.sub(lambda token: "" if token.lastgroup == "comment" else token[0], text)
    return bool(without.strip())
