"""Names inside templates, changed in the source text; what stands outside of `{{ }}` and `{% %}` is never touched."""

from __future__ import annotations

import re
from collections.abc import Callable

_TEMPLATE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_QUOTED = r"""\\"(?:[^"\\]|\\[^"])*\\"|"(?:[^"\\]|\\.)*"|'[^']*'"""
_WHOLE = re.compile(r"\s*\{\{-?(?P<inside>(?:(?!\}\}|\{\{|\{%).)*?)-?\}\}\s*$", re.DOTALL)
_OUTPUT = re.compile(r"(?<![\w.])outputs(?:\.(?P<name>\w+)|\[\s*\\?[\"'](?P<quoted>[^\"']+?)\\?[\"']\s*\])")


def in_templates(text: str, change: Callable[[str], str]) -> str:
    """`text` with each of its templates changed."""
    return _TEMPLATE.sub(lambda found: change(found[0]), text)


def replace_name(template: str, pattern: str, put: str | Callable[[re.Match[str]], str]) -> str:
    """A template in which what `pattern` matches becomes `put`; texts in quotes stay as they are."""
    either = re.compile(f"(?P<quoted_text>{_QUOTED})|(?:{pattern})")

    def one(found: re.Match[str]) -> str:
        if found["quoted_text"] is not None:
            return found[0]
        return put if isinstance(put, str) else put(found)

    return either.sub(one, template)


def templates_of(text: str) -> list[str]:
    """The templates of a text."""
    return _TEMPLATE.findall(text)


def outputs_read(text: str) -> set[str]:
    """The ids of the tasks whose outputs the templates of `text` name."""
    found = (match for template in templates_of(text) for match in _OUTPUT.finditer(template))
    return {match["name"] or match["quoted"] for match in found}


def inner_expression(text: str) -> str | None:
    """The expression of a text that is one `{{ }}` and nothing else, else None."""
    found = _WHOLE.match(text)
    return found["inside"].strip() if found else None


def literal(text: str) -> str:
    """A text as a literal of the expression language."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def operand(text: str) -> str:
    """What a text of the source means inside an expression: its one template, or the text itself."""
    inner = inner_expression(text)
    return literal(text) if inner is None else inner if re.fullmatch(r"[\w.]+", inner) else f"({inner})"
