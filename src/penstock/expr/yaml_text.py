"""YAML the way Kestra's `yaml` filter writes it (minimal quotes, ` - ` for items), and reading it."""

from __future__ import annotations

import re
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Final

from penstock.expr.errors import EvaluationError, LimitReached
from penstock.expr.json_text import json_moment, quoted
from penstock.expr.text import java_text, scalar_text
from penstock.expr.values import as_list, as_map, is_map, settle

if TYPE_CHECKING:
    from penstock.expr.frame import Frame

_WORDS: Final = frozenset(["true", "false", "null", "yes", "no", "on", "off", "y", "n", "~"])
_FLOW_SIGNS: Final = re.compile(r"[\[\]{},]| #|:(?:\s|$)")
_NOT_PLAIN_START: Final = re.compile(r"[#&*!|>'\"%@`]|[-?:](?:\s|$)|\s")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x85\u2028\u2029]")
_MAX_YAML: Final = 5_000_000


def yaml_text(frame: Frame, value: object) -> str:
    """`value` as YAML with a line break at its end."""
    lines: list[str] = []
    value = settle(frame, value)
    if _is_block(value):
        _block(frame, value, 0, lines, 0)
    else:
        lines.append(_scalar(frame, value, 0))
    text = "\n".join(lines) + "\n"
    frame.budget.text(len(text))
    return text


def _is_block(value: object) -> bool:
    return (type(value) is list and len(value) > 0) or (is_map(value) and len(as_map(value)) > 0)


def _block(frame: Frame, value: object, indent: int, lines: list[str], depth: int) -> None:
    if depth > frame.context.limits.depth:
        raise LimitReached(f"A value is nested deeper than {frame.context.limits.depth} levels")
    margin = " " * indent
    if type(value) is list:
        frame.budget.items(len(value))
        for item in as_list(value):
            found = settle(frame, item)
            if not _is_block(found):
                lines.append(f"{margin} - {_scalar(frame, found, indent + 2)}")
                continue
            start = len(lines)
            _block(frame, found, indent + 3, lines, depth + 1)
            lines[start] = f"{margin} - {lines[start][indent + 3 :]}"
        return
    frame.budget.items(len(as_map(value)))
    for key in as_map(value):
        found = settle(frame, as_map(value)[key])
        name = _key(java_text(frame, key))
        if _is_block(found):
            lines.append(f"{margin}{name}:")
            _block(frame, found, indent if type(found) is list else indent + 2, lines, depth + 1)
        else:
            lines.append(f"{margin}{name}: {_scalar(frame, found, indent + 2)}")


def _scalar(frame: Frame, value: object, indent: int) -> str:
    if value is None:
        return "null"
    if isinstance(value, str):
        return _string(value, indent)
    if type(value) is list or is_map(value):
        return "[]" if type(value) is list else "{}"
    if isinstance(value, datetime):
        return json_moment(frame, value)
    if isinstance(value, (date, time)):
        return value.isoformat()
    return scalar_text(value)


def _string(text: str, indent: int) -> str:
    if not text or text.lower() in _WORDS or _CONTROL.search(text):
        return quoted(text)
    if "\n" in text and not text.startswith((" ", "\n")):
        return _literal(text, indent)
    if _FLOW_SIGNS.search(text):
        return quoted(text)
    if _NOT_PLAIN_START.match(text) or text.endswith(" ") or "\n" in text:
        return "'" + text.replace("'", "''") + "'" if "\n" not in text else quoted(text)
    return text


def _literal(text: str, indent: int) -> str:
    chomp = "" if text.endswith("\n") and not text.endswith("\n\n") else "+" if text.endswith("\n") else "-"
    body = text[:-1] if text.endswith("\n") else text
    margin = " " * indent
    return f"|{chomp}\n" + "\n".join(margin + line if line else "" for line in body.split("\n"))


def _key(text: str) -> str:
    if not text or text.lower() in _WORDS or _FLOW_SIGNS.search(text) or _CONTROL.search(text) or "\n" in text:
        return quoted(text)
    return "'" + text.replace("'", "''") + "'" if _NOT_PLAIN_START.match(text) or text.endswith(" ") else text


def read_yaml(text: str) -> object:
    """The value of a YAML text; aliases are refused, since a few of them can stand for gigabytes."""
    import yaml

    if len(text) > _MAX_YAML:
        raise LimitReached(f"A YAML text may have {_MAX_YAML} characters, this one has {len(text)}")
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
            raise EvaluationError("Invalid yaml: anchors and aliases are not resolved")
        return _plain(yaml.load(text, Loader=_loader()))
    except (yaml.YAMLError, ValueError, RecursionError, TypeError, OverflowError) as error:
        raise EvaluationError(f"Invalid yaml: {error}") from error


def _loader() -> type:
    """A safe loader that leaves dates as the texts they are, as Jackson does."""
    import yaml

    class Loader(yaml.SafeLoader):
        yaml_implicit_resolvers = {
            sign: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
            for sign, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

    return Loader


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key if isinstance(key, str) else _key_text(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value


def _key_text(key: object) -> str:
    if key is None:
        return "null"
    return str(key).lower() if isinstance(key, bool) else str(key)
