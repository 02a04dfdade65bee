"""Small texts of requests about executions: labels, breakpoints, states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from penstock.errors import Unprocessable
from penstock.model.execution import Breakpoint, Label
from penstock.model.state import State
from penstock.server.errors import InvalidParameter


def labels_of(texts: Sequence[str]) -> list[Label]:
    """Labels written as `key:value`. Raises Unprocessable for one without a colon."""
    found: list[Label] = []
    for text in texts:
        key, colon, value = text.partition(":")
        if not colon or not key:
            raise Unprocessable(f"Illegal argument: expected a label as key:value, found `{text}`")
        found.append(Label(key, value))
    return found


def labels_in(entries: object) -> list[Label]:
    """Labels written as a list of `{key, value}`; other members are ignored. Raises Unprocessable."""
    if not isinstance(entries, list):
        raise Unprocessable("Illegal argument: expected a list of labels as {key, value}")
    found: list[Label] = []
    for entry in entries:
        if not isinstance(entry, Mapping) or not entry.get("key"):
            raise Unprocessable(f"Illegal argument: expected a label as {{key, value}}, found `{entry}`")
        value = entry.get("value")
        found.append(Label(str(entry["key"]), "" if value is None else str(value)))
    return found


def breakpoints_of(text: str | None) -> list[Breakpoint] | None:
    """Breakpoints written as `task.value,task`; None when the parameter is absent."""
    if text is None:
        return None
    found: list[Breakpoint] = []
    for part in text.split(","):
        if part.strip():
            task, dot, value = part.strip().partition(".")
            found.append(Breakpoint(task, value if dot else None))
    return found


def state_of(text: str | None, *, default: State | None = None) -> State:
    """A state by its name.

    Raises:
        InvalidParameter: there is none and no default. Unprocessable: no state has that name.
    """
    if not text:
        if default is None:
            raise InvalidParameter("a state is required")
        return default
    try:
        return State.read(text)
    except ValueError as error:
        raise Unprocessable(f"Illegal argument: `{text}` is no state") from error
