"""Which class stands for a type name: the core's own first, then those of plugins."""

from __future__ import annotations

import difflib
from typing import Protocol

from penstock.model.conditions import CORE_CONDITIONS, condition_aliases
from penstock.model.flowables import CORE_TASKS
from penstock.model.triggers import CORE_TRIGGERS


class TypeIndex(Protocol):
    """Plugin types by their names."""

    def resolve(self, name: str) -> type | None:
        """The class of a type name or alias, or None. Raises MissingExtra."""
        ...

    def names(self) -> list[str]:
        """All type names."""
        ...

    def alias_target(self, name: str) -> str | None:
        """The type that an alias stands for."""
        ...


def _core() -> tuple[dict[str, type], dict[str, str]]:
    types: dict[str, type] = {}
    aliases: dict[str, str] = {}
    for cls in (*CORE_TASKS, *CORE_TRIGGERS):
        name: str = cls.__dict__["TYPE"]
        types[name] = cls
        aliases.update(dict.fromkeys(cls.__dict__.get("ALIASES", ()), name))
    for condition in CORE_CONDITIONS:
        types[condition.TYPE] = condition
        aliases.update(dict.fromkeys(condition_aliases(condition), condition.TYPE))
    return types, aliases


CORE_TYPES, CORE_ALIASES = _core()


def find_type(name: str, types: TypeIndex) -> type | None:
    """The class of a type name or alias, or None.

    Raises:
        MissingExtra: the type is known but its package is not installed.
    """
    return CORE_TYPES.get(CORE_ALIASES.get(name, name)) or types.resolve(name)


def target_of(name: str, types: TypeIndex) -> str | None:
    """The type that an alias stands for, or None when `name` is no alias."""
    return CORE_ALIASES.get(name) or types.alias_target(name)


def canonical(name: str) -> str:
    """The core's own name of a type, whatever older name it is written with; other names as they are."""
    return CORE_ALIASES.get(name, name)


def nearest_type(name: str, types: TypeIndex) -> str | None:
    """The known type that was probably meant; None when none is near.

    The same name in other letters, the end of a full name, or a name whose parts are all alike: another plugin's task
    of the same name is no suggestion.
    """
    known = [*CORE_TYPES, *types.names()]
    low = name.lower()
    for other in known:
        if other.lower() == low or other.lower().endswith("." + low):
            return other
    parts = low.split(".")
    rated = [(_likeness(parts, other.lower().split(".")), other) for other in known]
    best, other = max(rated, default=(0.0, ""))
    return other if best > 0 else None


def _likeness(parts: list[str], others: list[str]) -> float:
    """How alike two names are, 0 when one of their parts is not alike at all."""
    if len(parts) != len(others):
        return 0.0
    total = 0.0
    for part, other in zip(reversed(parts), reversed(others), strict=True):
        if part == other:
            total += 1
            continue
        swapped = sorted(part) == sorted(other)
        ratio = 0.9 if swapped else difflib.SequenceMatcher(None, part, other).ratio()
        if ratio < 0.72:
            return 0.0
        total += ratio
    return total / len(parts)
