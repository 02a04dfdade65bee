"""jq's `@` formats."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

from penstock.expr.jq.values import JqError, number_text, shown, to_json, type_of


def formatted(form: str, value: Any) -> str:
    """`value` written in a format such as `@csv`. Raises JqError."""
    write = _FORMATS.get(form)
    if write is None:
        raise JqError(f"{form.removeprefix('@')} is not a valid format")
    return write(value)


def text_of(value: Any) -> str:
    """A string as it is, anything else as JSON."""
    return value if isinstance(value, str) else to_json(value)


def _row(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise JqError(f"{type_of(value)} ({shown(value)}) cannot be {name}-formatted, only an array can be")
    return value


def _cell(value: Any, name: str, text: Callable[[str], str]) -> str:
    if isinstance(value, str):
        return text(value)
    if isinstance(value, (list, dict)):
        raise JqError(f"{type_of(value)} ({shown(value)}) is not valid in a {name} row")
    if value is None:
        return ""
    return number_text(value) if not isinstance(value, bool) else str(value).lower()


def _csv(value: Any) -> str:
    return ",".join(_cell(item, "csv", lambda text: '"' + text.replace('"', '""') + '"') for item in _row(value, "csv"))


_TSV: Final = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}


def _tsv(value: Any) -> str:
    def escape(text: str) -> str:
        return "".join(_TSV.get(sign, sign) for sign in text)

    return "\t".join(_cell(item, "tsv", escape) for item in _row(value, "tsv"))


def _shell(value: Any) -> str:
    def word(item: Any) -> str:
        if isinstance(item, (list, dict)):
            raise JqError(f"{type_of(item)} ({shown(item)}) can not be escaped for shell")
        return "'" + item.replace("'", "'\\''") + "'" if isinstance(item, str) else to_json(item)

    return " ".join(map(word, value if isinstance(value, list) else [value]))


_HTML: Final = {"<": "&lt;", ">": "&gt;", "&": "&amp;", "'": "&#39;", '"': "&quot;"}


def _html(value: Any) -> str:
    return "".join(_HTML.get(sign, sign) for sign in text_of(value))


def _base64d(value: Any) -> str:
    text = text_of(value).rstrip("=")
    try:
        if len(text) % 4 == 1:
            raise binascii.Error("incomplete")
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError) as error:
        raise JqError(f"{type_of(value)} ({shown(value)}) is not valid base64 data") from error


_FORMATS: Final[dict[str, Callable[[Any], str]]] = {
    "@text": text_of,
    "@json": to_json,
    "@csv": _csv,
    "@tsv": _tsv,
    "@html": _html,
    "@uri": lambda value: quote(text_of(value).encode("utf-8", "replace"), safe="-_.~"),
    "@sh": _shell,
    "@base64": lambda value: base64.b64encode(text_of(value).encode("utf-8", "replace")).decode(),
    "@base64d": _base64d,
}
