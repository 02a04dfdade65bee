"""Globs over the paths of files, as Kestra reads them: `*` stays in its folder, `**` does not.

A pattern that starts with a letter or digit matches in any folder (`main.py` finds `/src/main.py`); one that starts
with a slash starts at the root.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from penstock.errors import BadRequest


def selector(include: Sequence[str] = (), exclude: Sequence[str] = ()) -> Callable[[str], bool]:
    """Whether an absolute path is matched by `include` (everything, when empty) and by no pattern of `exclude`.

    Raises:
        BadRequest: a pattern is not well formed.
    """
    wanted = [compile_glob(pattern) for pattern in include]
    unwanted = [compile_glob(pattern) for pattern in exclude]

    def selects(path: str) -> bool:
        absolute = path if path.startswith("/") else "/" + path
        if wanted and not any(pattern.fullmatch(absolute) for pattern in wanted):
            return False
        return not any(pattern.fullmatch(absolute) for pattern in unwanted)

    return selects


def select(paths: Iterable[str], include: Sequence[str] = (), exclude: Sequence[str] = ()) -> list[str]:
    """The paths that `selector` takes, in their order."""
    return list(filter(selector(include, exclude), paths))


@lru_cache(maxsize=500)
def compile_glob(pattern: str) -> re.Pattern[str]:
    """The pattern that full absolute paths are matched with. Raises BadRequest."""
    if pattern.startswith("regex:"):
        text = pattern.removeprefix("regex:")
    else:
        text = _translate(_anchored(pattern.removeprefix("glob:")))
    try:
        return re.compile(text, re.DOTALL)
    except re.error as fault:
        raise BadRequest(f"Invalid file pattern `{pattern}`: {fault}") from fault


def _anchored(pattern: str) -> str:
    if pattern.startswith(("/", "**")):
        return pattern
    return "**/" + pattern if re.match(r"\w", pattern) else "/" + pattern.removeprefix("./")


def _translate(pattern: str) -> str:
    """A Java glob as a regular expression: `*`, `**`, `?`, `[…]` and `{a,b}`."""
    out: list[str] = []
    depth = 0
    at = 0
    while at < len(pattern):
        sign = pattern[at]
        at += 1
        if sign == "*":
            at, piece = _stars(pattern, at)
            out.append(piece)
        elif sign == "?":
            out.append("[^/]")
        elif sign == "[":
            at, piece = _set(pattern, at)
            out.append(piece)
        elif sign == "{":
            depth += 1
            out.append("(?:")
        elif sign == "}" and depth:
            depth -= 1
            out.append(")")
        elif sign == "," and depth:
            out.append("|")
        elif sign == "\\" and at < len(pattern):
            out.append(re.escape(pattern[at]))
            at += 1
        else:
            out.append(re.escape(sign))
    return "".join(out)


def _stars(pattern: str, at: int) -> tuple[int, str]:
    if not pattern.startswith("*", at):
        return at, "[^/]*"
    if pattern.startswith("*/", at):  # `**/` is also no folder at all
        return at + 2, "(?:.*/)?" if at > 1 else "(?:.*/)"
    return at + 1, ".*"


def _set(pattern: str, at: int) -> tuple[int, str]:
    end = pattern.find("]", at + 1)
    if end < 0:
        return at, r"\["
    inner = pattern[at:end].replace("\\", "\\\\")
    if inner.startswith("!"):
        inner = "^" + inner[1:]
    return end + 1, f"[{inner}]"
