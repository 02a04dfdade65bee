"""The few Java methods that templates in the wild call on values. Everything else is refused: values are only data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from penstock.expr.errors import EvaluationError, preview
from penstock.expr.text import java_text
from penstock.expr.values import as_list, as_map, is_map, settled, type_name

if TYPE_CHECKING:
    from penstock.expr.frame import Frame

_Method = Callable[["Frame", str], object]
_TEXT: Final[Mapping[str, _Method]] = {
    "length": lambda frame, text: len(text),
    "isEmpty": lambda frame, text: not text,
    "isBlank": lambda frame, text: not text.strip(),
    "toString": lambda frame, text: text,
    "toUpperCase": lambda frame, text: text.upper(),
    "toLowerCase": lambda frame, text: text.lower(),
    "trim": lambda frame, text: text.strip(),
    "strip": lambda frame, text: text.strip(),
}
_TEXT_WITH_TEXT: Final[Mapping[str, Callable[[str, str], object]]] = {
    "contains": lambda text, part: part in text,
    "startsWith": lambda text, part: text.startswith(part),
    "endsWith": lambda text, part: text.endswith(part),
    "equals": lambda text, part: text == part,
    "equalsIgnoreCase": lambda text, part: text.casefold() == part.casefold(),
    "indexOf": lambda text, part: text.find(part),
    "lastIndexOf": lambda text, part: text.rfind(part),
    "concat": lambda text, part: text + part,
}
_LIST: Final[Mapping[str, Callable[[list[object]], object]]] = {
    "size": len,
    "isEmpty": lambda value: not value,
}
_MAP: Final[Mapping[str, Callable[[Mapping[object, object]], object]]] = {
    "size": len,
    "isEmpty": lambda value: not value,
    "keySet": list,
    "values": lambda value: [value[key] for key in value],
}


def call_method(frame: Frame, owner: object, name: str, arguments: list[object]) -> object:
    """The result of `owner.name(arguments)` for the methods known here. Raises EvaluationError for any other."""
    found: object = None
    if isinstance(owner, str):
        found = _on_text(frame, str(owner), name, arguments)
    elif type(owner) is list:
        found = _on_list(frame, as_list(owner), name, arguments)
    elif is_map(owner):
        found = _on_map(as_map(owner), name, arguments)
    elif name == "toString" and not arguments and owner is not None:
        found = java_text(frame, owner)
    if found is None:
        raise _refused(owner, name, arguments)
    return None if found is _NULL else found


_NULL: Final = object()


def _on_text(frame: Frame, owner: str, name: str, arguments: list[object]) -> object:
    if not arguments and name in _TEXT:
        return _TEXT[name](frame, owner)
    if len(arguments) == 1 and isinstance(arguments[0], str) and name in _TEXT_WITH_TEXT:
        return _TEXT_WITH_TEXT[name](owner, arguments[0])
    if name == "substring" and 1 <= len(arguments) <= 2 and all(type(argument) is int for argument in arguments):
        start, end = (*arguments, len(owner))[:2]
        if isinstance(start, int) and isinstance(end, int) and 0 <= start <= end <= len(owner):
            return owner[start:end]
    if name == "replace" and len(arguments) == 2 and all(isinstance(argument, str) for argument in arguments):
        old, new = map(str, arguments)
        frame.budget.text(len(owner) + (owner.count(old) if old else len(owner) + 1) * len(new))
        return owner.replace(old, new)
    return None


def _on_list(frame: Frame, owner: list[object], name: str, arguments: list[object]) -> object:
    if not arguments and name in _LIST:
        return _LIST[name](owner)
    if name == "contains" and len(arguments) == 1:
        return any(java_text(frame, item) == java_text(frame, arguments[0]) for item in settled(frame, owner))
    if name == "get" and len(arguments) == 1 and type(arguments[0]) is int and 0 <= arguments[0] < len(owner):
        item = owner[arguments[0]]
        return _NULL if item is None else item
    return None


def _on_map(owner: Mapping[object, object], name: str, arguments: list[object]) -> object:
    if not arguments and name in _MAP:
        return _MAP[name](owner)
    if len(arguments) == 1 and isinstance(arguments[0], str):
        if name == "containsKey":
            return arguments[0] in owner
        if name == "get":
            item = owner.get(arguments[0])
            return _NULL if item is None else item
    return None


def _refused(owner: object, name: str, arguments: list[object]) -> EvaluationError:
    return EvaluationError(
        f"The method `{name}` with {len(arguments)} argument(s) can not be called on {type_name(owner)}",
        hint=f"it is {preview(owner)}; use a filter instead, e.g. `x | length`",
    )
