"""Labels of executions: which may be given, and in which order they stand (engine.md 1.8)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from penstock.errors import Unprocessable
from penstock.model.execution import Label

SYSTEM = "system."
CORRELATION_ID = "system.correlationId"
FROM = "system.from"

_ALLOWED_SYSTEM = frozenset({CORRELATION_ID, FROM})
_SIGNS = frozenset("0123456789._-")


class Keyed(Protocol):
    """A label as written in a flow, or as an execution has it."""

    @property
    def key(self) -> str: ...
    @property
    def value(self) -> str: ...


def check_given_labels(labels: Iterable[Label]) -> None:
    """Refuses labels that a caller may not give.

    Raises:
        Unprocessable: a `system.` label other than `system.correlationId` and `system.from`, or a key of another form.
    """
    for label in labels:
        if label.key.startswith(SYSTEM):
            if label.key not in _ALLOWED_SYSTEM:
                raise Unprocessable(system_label_message(label))
        elif not is_label_key(label.key):
            raise Unprocessable(
                "Illegal argument: Invalid label key. A valid key contains only lowercase letters numbers hyphens (-) "
                f"underscores (_) or periods (.) and must begin with a lowercase letter. Found `{label.key}`"
            )


def system_label_message(label: Label) -> str:
    """Kestra's words for a system label that only Kestra itself sets."""
    return (
        f"Illegal argument: System labels can only be set by Kestra itself, offending label: {label.key}={label.value}"
    )


def is_label_key(key: str) -> bool:
    r"""Whether `key` has Kestra's form `^[\p{Ll}][\p{L}0-9._-]*$`."""
    return bool(key) and key[0].islower() and all(c.isalpha() or c in _SIGNS for c in key)


def execution_labels(
    declared: Iterable[Keyed],
    given: Sequence[Label],
    *,
    execution_id: str,
    system_from: str | None,
    correlation_id: str | None = None,
    extra: Sequence[Label] = (),
) -> list[Label]:
    """The labels of a new execution: the flow's own, the given ones, `system.from`, `system.correlationId`, `extra`.

    A key stands where it first appeared and has its last value; empty values are dropped. Given `system.*` labels come
    after the others. The correlation id is the given one, else `correlation_id`, else the execution's own id.
    """
    merged: dict[str, str] = {}
    for label in declared:
        if not label.key.startswith(SYSTEM):
            merged[label.key] = label.value
    system: dict[str, str] = {}
    if system_from is not None:
        system[FROM] = system_from
    system[CORRELATION_ID] = correlation_id or execution_id
    for label in given:
        (system if label.key.startswith(SYSTEM) else merged)[label.key] = label.value
    for label in extra:
        system[label.key] = label.value
    merged.update(system)
    return [Label(key, value) for key, value in merged.items() if value != ""]
