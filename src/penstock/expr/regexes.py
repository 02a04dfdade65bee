"""Java's regular expressions on the `regex` package, which knows possessive quantifiers and `\\p{…}` and can be timed.

Every search gets the rest of the rendering's time, so a pattern that backtracks for ever ends with LimitReached.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from penstock.expr.errors import EvaluationError, LimitReached, shorten

if TYPE_CHECKING:
    from penstock.expr.frame import Frame

MAX_PATTERN: Final = 2000
_MAX_SECONDS: Final = 5.0
_PLAIN: Final = re.compile(r"[^\\\[\](){}.*+?^$|#]+")
_ESCAPED_SIGN: Final = re.compile(r"\\([^\w\s])")
_JAVA_ESCAPE: Final = re.compile(r"\\Q(.*?)(?:\\E|$)|\\(.)", re.DOTALL)
_JAVA_NAMES: Final = {"h": r"[ \t\xA0\u1680\u180e\u2000-\u200a\u202f\u205f\u3000]", "z": r"\Z", "Z": r"(?=\n?\Z)"}
_JAVA_CLASSES: Final = re.compile(r"\\([pP])\{(?:Is|java)([A-Za-z_]+)\}")
_REPEAT: Final = re.compile(r"\{(\d+)(?:,(\d*))?\}")
_MAX_REPEAT: Final = 1000


def literal(pattern: str) -> str | None:
    """The text a pattern stands for when it has no special signs, such as `,` or `\\.`; else None."""
    if not pattern:
        return None
    if _PLAIN.fullmatch(pattern):
        return pattern
    if len(pattern) == 2 and (sign := _ESCAPED_SIGN.fullmatch(pattern)):
        return sign[1]
    return None


@lru_cache(maxsize=500)
def compile_pattern(pattern: str) -> Any:
    """A compiled Java pattern. Raises EvaluationError when it is not one, or not a harmless one."""
    import regex

    if len(pattern) > MAX_PATTERN:
        raise LimitReached(f"A regular expression may have {MAX_PATTERN} characters, this one has {len(pattern)}")
    _check_repeats(pattern)
    try:
        return regex.compile(_translated(pattern), regex.ASCII | regex.VERSION0)
    except (regex.error, RecursionError, ValueError, OverflowError, IndexError, KeyError, TypeError) as error:
        raise EvaluationError(f"Invalid regular expression `{shorten(pattern, 200)}`: {error}") from error


def _check_repeats(pattern: str) -> None:
    """Counted repeats multiply when nested; together they may not exceed what a search can carry."""
    product = 1
    for low, high in _REPEAT.findall(pattern):
        digits = high or low
        product *= max(1, int(digits)) if len(digits) < 7 else _MAX_REPEAT**2
        if product > _MAX_REPEAT**2:
            raise LimitReached(f"The counted repeats of the regular expression `{shorten(pattern, 200)}` are too large")


def _translated(pattern: str) -> str:
    def escape(found: re.Match[str]) -> str:
        if found[1] is not None:
            return re.escape(found[1])
        return _JAVA_NAMES.get(found[2], found[0])

    return _JAVA_CLASSES.sub(r"\\\1{\2}", _JAVA_ESCAPE.sub(escape, pattern))


def _timed(frame: Frame, search: Callable[..., Any], *arguments: object) -> Any:
    try:
        return search(*arguments, timeout=min(_MAX_SECONDS, frame.budget.remaining()))
    except TimeoutError:
        raise LimitReached(
            "A regular expression took too long", hint="nested repeats such as `(a+)+` are the usual reason"
        ) from None


def find(frame: Frame, pattern: str, text: str) -> Any:
    """The first match anywhere in the text, or None."""
    return _timed(frame, compile_pattern(pattern).search, text)


def find_all(frame: Frame, pattern: str, text: str, *, every: bool) -> list[Any]:
    """All matches, or only the first."""
    if not every:
        match = find(frame, pattern, text)
        return [] if match is None else [match]
    return _timed(
        frame, lambda subject, timeout: list(compile_pattern(pattern).finditer(subject, timeout=timeout)), text
    )


def replace_all(frame: Frame, pattern: str, text: str, replacement: str) -> str:
    """All matches replaced; `$1` and `${name}` stand for groups, a backslash takes the next sign as it is."""
    compiled = compile_pattern(pattern)
    pieces = _replacement(replacement, compiled)
    written = 0

    def expand(match: Any) -> str:
        nonlocal written
        made = "".join(piece if isinstance(piece, str) else match[piece[0]] or "" for piece in pieces)
        written += len(made)
        if written > frame.context.limits.output:
            frame.budget.text(written)
        return made

    result = _timed(frame, compiled.sub, expand, text)
    frame.budget.text(len(result))
    return result


def _replacement(text: str, compiled: Any) -> list[str | tuple[int | str]]:
    pieces: list[str | tuple[int | str]] = []
    index = 0
    while index < len(text):
        sign = text[index]
        if sign == "\\" and index + 1 < len(text):
            pieces.append(text[index + 1])
            index += 2
        elif sign == "$":
            group, index = _group(text, index + 1, compiled)
            pieces.append((group,))
        elif sign == "\\":
            raise EvaluationError("character to be escaped is missing")
        else:
            pieces.append(sign)
            index += 1
    return pieces


def _group(text: str, index: int, compiled: Any) -> tuple[int | str, int]:
    named = re.compile(r"\{([A-Za-z][A-Za-z0-9]*)\}").match(text, index)
    if named:
        if named[1] not in compiled.groupindex:
            raise EvaluationError(f"No group with name {{{named[1]}}}")
        return named[1], named.end()
    digit = re.compile("[0-9]").match(text, index)
    if digit is None:
        raise EvaluationError("Illegal group reference", hint="write `\\$` for a dollar sign in a replacement")
    number, end = int(digit[0]), digit.end()
    if number > compiled.groups:
        raise EvaluationError(f"No group {number}")
    while end < len(text) and text[end] in "0123456789" and number * 10 + int(text[end]) <= compiled.groups:
        number = number * 10 + int(text[end])
        end += 1
    return number, end


def split(frame: Frame, pattern: str, text: str, limit: int) -> list[object]:
    """Java's `String.split`: `limit` > 0 caps the parts, 0 drops empty ones at the end, < 0 keeps them."""
    frame.budget.text(len(text))
    plain = literal(pattern)
    if plain is not None:
        parts: list[str] = text.split(plain, limit - 1) if limit > 0 else text.split(plain)
    else:
        parts = list(_parts(frame, pattern, text, limit))
    if limit == 0 and len(parts) > 1:
        while parts and not parts[-1]:
            parts.pop()
    frame.budget.items(len(parts))
    return list(parts)


def _parts(frame: Frame, pattern: str, text: str, limit: int) -> Iterator[str]:
    start = count = 0
    found = _timed(
        frame, lambda subject, timeout: list(compile_pattern(pattern).finditer(subject, timeout=timeout)), text
    )
    for match in found:
        if limit > 0 and count >= limit - 1:
            break
        if match.end() == 0 or (match.start() == match.end() == len(text)):
            continue  # an empty match at the start gives no empty first part
        yield text[start : match.start()]
        start = match.end()
        count += 1
    yield text[start:]
