"""Glob patterns over relative paths, as Java's: `*` stays in a folder, `**` crosses folders, `{a,b}` is either."""

from __future__ import annotations

import re
from functools import lru_cache

from penstock.errors import BadRequest


def matches(name: str, pattern: str) -> bool:
    """Whether the relative path `name` matches a glob; leading slashes of both are ignored.

    `**` also matches no folder at all: `**.txt` and `**/*.txt` match `2.txt` as well as `a/b/1.txt`.

    Raises:
        BadRequest: the pattern has a `{` that is not closed.
    """
    return _compiled(pattern.removeprefix("/")).fullmatch(name.removeprefix("/")) is not None


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(_translate(pattern), re.DOTALL)


_TOKEN = re.compile(r"\*\*/|\*\*|\*|\?|\[[!^]?[^\]]+\]|\{|\}|,|\\.|.", re.DOTALL)


def _translate(pattern: str) -> str:
    out: list[str] = []
    depth = 0
    for token in _TOKEN.findall(pattern):
        if token == "{":
            depth += 1
        elif token == "}" and depth:
            depth -= 1
        out.append(_piece(token, depth))
    if depth:
        raise BadRequest(f"Invalid pattern {pattern!r}: `{{` is not closed")
    return "".join(out)


def _piece(token: str, depth: int) -> str:
    fixed = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]", "{": "(?:"}.get(token)
    if fixed is not None:
        return fixed
    if token == "}":
        return ")"
    if token == "," and depth:
        return "|"
    if token.startswith("[") and len(token) > 2:
        inner = token[1:-1].replace("\\", "\\\\")
        return f"[^{inner[1:]}]" if inner[0] in "!^" else f"[{inner}]"
    return re.escape(token[1:] if token.startswith("\\") and len(token) == 2 else token)
