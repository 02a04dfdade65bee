"""Filters on texts."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import unicodedata
from typing import TYPE_CHECKING, Final
from urllib.parse import quote_from_bytes, unquote_to_bytes

from penstock.expr.errors import EvaluationError, preview
from penstock.expr.filters.table import FILTERS, need_argument, need_text, need_text_argument, whole_argument
from penstock.expr.predicates import is_empty
from penstock.expr.registry import MISSING
from penstock.expr.text import java_text
from penstock.expr.values import as_list, as_map, is_map, settle

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.expr.frame import Frame

_ASCII_SPACE: Final = "".join(map(chr, range(33)))
_LINE_BREAKS: Final = ("\r\n", "\n\r", "\n", "\r")
_MAX_INDENT: Final = 10_000


@FILTERS.add("abbreviate", "length")
def abbreviate(frame: Frame, value: object, length: object) -> object:
    """Cut to `length` characters with an ellipsis; a text is left alone only when it is shorter."""
    if value is None:
        return None
    text = need_text("abbreviate", value)
    width = whole_argument("abbreviate", "length", need_argument("abbreviate", "length", length))
    if width < 0:
        raise EvaluationError("Invalid argument to abbreviate filter; must be greater than zero")
    if len(text) < width or len(text) <= 3:
        return text
    return text[:width] if width <= 3 else text[: width - 3] + "..."


@FILTERS.add("base64encode")
def base64encode(frame: Frame, value: object) -> object:
    """base64 of the text (or of bytes as they are)."""
    if value is None:
        return None
    raw = value if isinstance(value, bytes) else _bytes(java_text(frame, value))
    return base64.b64encode(raw).decode()


@FILTERS.add("base64decode")
def base64decode(frame: Frame, value: object) -> object:
    """The UTF-8 text of a base64 text."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise EvaluationError("This filter applies to String", hint=f"it is {preview(value)}")
    try:
        padded = value + "=" * (-len(value) % 4)
        return base64.b64decode(padded, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError) as error:
        raise EvaluationError(
            "Please provide a correctly Base64 encoded string containing an UTF-8 string", hint=str(error)
        ) from error


@FILTERS.add("capitalize")
def capitalize(frame: Frame, value: object) -> object:
    """The first letter in upper case, the rest as it is."""
    if value is None:
        return None
    text = need_text("capitalize", value)
    start = len(text) - len(text.lstrip())
    return text[:start] + text[start : start + 1].title() + text[start + 1 :]


@FILTERS.add("title")
def title(frame: Frame, value: object) -> object:
    """Each letter after white space in upper case, the rest as it is."""
    if value is None:
        return None
    return re.sub(r"(?<!\S)\S", lambda letter: letter[0].title(), need_text("title", value))


@FILTERS.add("lower")
def lower(frame: Frame, value: object) -> object:
    """The text in lower case."""
    if type(value) is str:
        return value.lower()
    return None if value is None else java_text(frame, value).lower()


@FILTERS.add("upper")
def upper(frame: Frame, value: object) -> object:
    """The text in upper case."""
    if type(value) is str:
        return value.upper()
    return None if value is None else java_text(frame, value).upper()


@FILTERS.add("trim")
def trim(frame: Frame, value: object) -> object:
    """Without ASCII white space at both ends."""
    return None if value is None else need_text("trim", value).strip(_ASCII_SPACE)


@FILTERS.add("default", "default")
def default(frame: Frame, value: object, fallback: object) -> object:
    """The value, or the fallback when it is undefined, null, blank or an empty list or map."""
    if not is_empty(frame, value):
        return value
    return None if fallback is MISSING else fallback


@FILTERS.add("startsWith", "value")
def starts_with(frame: Frame, value: object, part: object) -> object:
    """Whether the text begins with another."""
    wanted = java_text(frame, need_argument("startsWith", "value", part))
    return value is not None and java_text(frame, value).startswith(wanted)


@FILTERS.add("endsWith", "value")
def ends_with(frame: Frame, value: object, part: object) -> object:
    """Whether the text ends with another."""
    wanted = java_text(frame, need_argument("endsWith", "value", part))
    return value is not None and java_text(frame, value).endswith(wanted)


_ESCAPES: Final = {"single": ("'", "\\'"), "double": ('"', '\\"'), "shell": ("'", "'\\''")}


@FILTERS.add("escapeChar", "type")
def escape_char(frame: Frame, value: object, kind: object) -> object:
    """Quotes escaped for single quotes, double quotes or a shell, deep in maps and lists."""
    if value is None:
        return None
    if kind is MISSING or kind is None:
        raise EvaluationError("The 'escapeChar' filter expects an argument 'type'.")
    found = _ESCAPES.get(java_text(frame, kind).lower())
    if found is None:
        raise EvaluationError(
            "The 'escapeChar' filter expects the value of 'type' to be either 'single', 'double', or 'shell'."
        )
    return each_text(frame, value, lambda text: text.replace(*found))


def each_text(frame: Frame, value: object, change: Callable[[str], str], depth: int = 0) -> object:
    """`value` with `change` applied to every leaf as text; null stays null."""
    value = settle(frame, value)
    if value is None:
        return None
    if depth > frame.context.limits.depth:
        raise EvaluationError(f"A value is nested deeper than {frame.context.limits.depth} levels")
    if type(value) is list:
        frame.budget.items(len(as_list(value)))
        return [each_text(frame, item, change, depth + 1) for item in as_list(value)]
    if is_map(value):
        frame.budget.items(len(as_map(value)))
        return {key: each_text(frame, item, change, depth + 1) for key, item in as_map(value).items()}
    changed = change(java_text(frame, value))
    if len(changed) > 4096:
        frame.budget.text(len(changed))
    return changed


@FILTERS.add("indent", "amount", "prefix")
def indent(frame: Frame, value: object, amount: object, prefix: object) -> object:
    """Every line but the first indented."""
    if value is None:
        return None
    return _indented(frame, java_text(frame, value), _margin(frame, "indent", amount, prefix))


@FILTERS.add("nindent", "amount", "prefix")
def nindent(frame: Frame, value: object, amount: object, prefix: object) -> object:
    """A line break, then every line indented; an empty text stays empty."""
    if value is None:
        return None
    text = java_text(frame, value)
    margin = _margin(frame, "nindent", amount, prefix)
    return _line_break(text) + margin + _indented(frame, text, margin) if text else text


def _margin(frame: Frame, name: str, amount: object, prefix: object) -> str:
    if not isinstance(amount, int) or isinstance(amount, bool):
        raise EvaluationError(f"The '{name}' filter expects an integer as argument 'amount'.")
    if not 0 <= amount <= _MAX_INDENT:
        raise EvaluationError(f"The '{name}' filter expects a positive integer >=0 as argument 'amount'.")
    text = " " if prefix is MISSING or prefix is None else java_text(frame, prefix)
    frame.budget.text(len(text) * amount)
    return text * amount


def _indented(frame: Frame, text: str, margin: str) -> str:
    found = _line_break(text)
    frame.budget.text(len(text) + text.count(found) * len(margin))
    return text.replace(found, found + margin)


def _line_break(text: str) -> str:
    """The first line break the text uses, LF when it has none."""
    return next((found for found in _LINE_BREAKS if found in text), "\n")


def _hash(name: str) -> None:
    @FILTERS.add(name)
    def digest(frame: Frame, value: object) -> object:
        """The lower-case hexadecimal hash of a text."""
        if value is None:
            return None
        if not isinstance(value, str):
            raise EvaluationError("Need a string to hash", hint=f"it is {preview(value)}")
        return hashlib.new(name, _bytes(value), usedforsecurity=False).hexdigest()


for _algorithm in ("md5", "sha1", "sha256", "sha512"):
    _hash(_algorithm)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


@FILTERS.add("nl2br")
def nl2br(frame: Frame, value: object) -> object:
    """Line breaks as `<br />`."""
    if value is None:
        return None
    text = need_text("nl2br", value)
    frame.budget.text(len(text) * 2)
    return re.sub(r"\r\n|\r|\n", "<br />", text)


@FILTERS.add("slugify")
def slugify(frame: Frame, value: object) -> object:
    """White space as dashes, accents and other signs dropped, lower case."""
    if value is None:
        return None
    text = re.sub(r"\s", "-", java_text(frame, value))
    text = unicodedata.normalize("NFD", text)
    text = re.sub(r"[^A-Za-z0-9_-]", "", text).replace("_", "-")
    return re.sub(r"-{2,}", "-", text).strip("-").lower()


@FILTERS.add("string")
def string(frame: Frame, value: object) -> object:
    """The Java text of any value."""
    return None if value is None else java_text(frame, value)


def _substring(name: str, cut: Callable[[str, str], str]) -> None:
    @FILTERS.add(name, "separator")
    def substring(frame: Frame, value: object, separator: object) -> object:
        """The part of a text on one side of a separator."""
        wanted = need_text_argument(name, "separator", separator)
        return None if value is None else cut(java_text(frame, value), wanted)


def _after(text: str, separator: str) -> str:
    return text if not separator else text.partition(separator)[2]


def _after_last(text: str, separator: str) -> str:
    return text.rpartition(separator)[2] if separator and separator in text else ""


_substring("substringBefore", lambda text, separator: text.partition(separator)[0] if separator else "")
_substring("substringAfter", _after)
_substring(
    "substringBeforeLast",
    lambda text, separator: text.rpartition(separator)[0] if separator and separator in text else text,
)
_substring("substringAfterLast", _after_last)


@FILTERS.add("urlencode")
def urlencode(frame: Frame, value: object) -> object:
    """Form encoding: a blank is `+`, and of the signs only `* - . _` stay."""
    if value is None:
        return None
    text = need_text("urlencode", value)
    frame.budget.text(len(text) * 3)
    return quote_from_bytes(_bytes(text), safe="* ").replace("~", "%7E").replace(" ", "+")


@FILTERS.add("urldecode")
def urldecode(frame: Frame, value: object) -> object:
    """The text of a form-encoded one."""
    if value is None:
        return None
    text = need_text("urldecode", value)
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise EvaluationError("URLDecoder: Incomplete or illegal escape (%) pattern", hint=f"it is {preview(text)}")
    return unquote_to_bytes(_bytes(text.replace("+", " "))).decode("utf-8", "replace")
