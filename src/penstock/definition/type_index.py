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


def nearest_type(name: str, types: TypeIndex) -> str | None:
    """The known type whose name is most like `name`."""
    known = [*CORE_TYPES, *types.names()]
    last = name.rpartition(".")[2].lower()
    same_end = [k for k in known if k.rpartition(".")[2].lower() == last]
    if same_end:
        return difflib.get_close_matches(name, same_end, n=1, cutoff=0)[0]
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
    return close[0] if close else None
