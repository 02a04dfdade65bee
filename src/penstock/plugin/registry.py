"""Types by name. A type's module is imported when the type is first asked for, never before.

Built-in families are the packages below `penstock.plugins`; other packages name theirs with an entry point of the group
`penstock.plugins` whose value is a module like a family's `index`:

    TYPES = {"io.acme.Ping": ".ping:Ping"}      # type name -> module:class, relative to the package or absolute
    ALIASES = {"io.acme.OldPing": "io.acme.Ping"}
    EXTRA = "acme"                              # optional: the extra that installs what the family needs
    EXTRAS = {"io.acme.Ping": "acme-ping"}      # optional: the same for single types
"""

from __future__ import annotations

import difflib
import functools
import importlib
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from types import ModuleType
from typing import Protocol

from penstock.errors import Bug, MissingExtra

_FAMILIES = "penstock.plugins"
_GROUP = "penstock.plugins"


class TypeIndex(Protocol):
    """Types by their names."""

    def resolve(self, name: str) -> type | None:
        """The class of a type name or alias, or None. Raises MissingExtra."""
        ...

    def names(self) -> list[str]:
        """All type names, aliases left out, sorted."""
        ...

    def alias_target(self, name: str) -> str | None:
        """The type that the alias `name` stands for, or None when it is no alias."""
        ...

    def nearest(self, name: str) -> str | None:
        """The known name most like `name`, or None when none is near."""
        ...


@dataclass(frozen=True, slots=True)
class _Place:
    module: str
    attribute: str
    extra: str | None


class PluginRegistry:
    """An index of types that grows with `add`; `discover` is asked for more when a name is not found."""

    def __init__(self, discover: Callable[[], Iterable[ModuleType]] | None = None) -> None:
        self._places: dict[str, _Place] = {}
        self._aliases: dict[str, str] = {}
        self._classes: dict[str, type] = {}
        self._discover = discover

    def add(self, index: ModuleType) -> None:
        """Takes in the types that a family's index names."""
        package = index.__package__ or index.__name__
        extras: dict[str, str] = getattr(index, "EXTRAS", {})
        family_extra: str | None = getattr(index, "EXTRA", None)
        for name, target in index.TYPES.items():
            module, _, attribute = target.partition(":")
            full = package + module if module.startswith(".") else module
            self._places[name] = _Place(full, attribute, extras.get(name, family_extra))
        self._aliases.update(getattr(index, "ALIASES", {}))

    def add_class(self, cls: type, *, name: str | None = None, aliases: Iterable[str] = ()) -> None:
        """Takes in one class, under its `TYPE` unless `name` is given."""
        own = name or cls.__dict__.get("TYPE") or f"{cls.__module__}.{cls.__qualname__}"
        self._classes[own] = cls
        self._places[own] = _Place(cls.__module__, cls.__qualname__, None)
        for alias in (*aliases, *getattr(cls, "ALIASES", ())):
            self._aliases[alias] = own

    def resolve(self, name: str) -> type | None:
        """The class of a type name or alias, or None.

        Raises:
            MissingExtra: the type needs a package that is not installed; the message says which.
        """
        found = self._classes.get(name)
        if found is not None:
            return found
        if name not in self._places and name not in self._aliases:
            self._look_further()
        place = self._places.get(self._aliases.get(name, name))
        if place is None:
            return None
        cls = _load(place, name)
        self._classes[name] = cls
        return cls

    def names(self) -> list[str]:
        self._look_further()
        return sorted(self._places)

    def aliases(self) -> dict[str, str]:
        """Every alias and its type."""
        self._look_further()
        return dict(self._aliases)

    def alias_target(self, name: str) -> str | None:
        return self._aliases.get(name)

    def nearest(self, name: str) -> str | None:
        known = [*self.names(), *self._aliases]
        found = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
        return found[0] if found else _same_last_part(name, known)

    def _look_further(self) -> None:
        if self._discover is None:
            return
        discover, self._discover = self._discover, None
        for index in discover():
            self.add(index)


@functools.cache
def installed() -> PluginRegistry:
    """The types of this installation: the built-in families, then those that other packages bring."""
    registry = PluginRegistry(_third_party)
    families = importlib.import_module(_FAMILIES)
    for family in pkgutil.iter_modules(families.__path__):
        if family.ispkg and find_spec(f"{_FAMILIES}.{family.name}.index"):
            registry.add(importlib.import_module(f"{_FAMILIES}.{family.name}.index"))
    return registry


def _third_party() -> list[ModuleType]:
    from importlib.metadata import entry_points

    return [point.load() for point in entry_points(group=_GROUP)]


def _load(place: _Place, name: str) -> type:
    try:
        return getattr(importlib.import_module(place.module), place.attribute)
    except ModuleNotFoundError as missing:
        if place.extra is None or (missing.name or "").startswith("penstock"):
            raise Bug(f"the type {name} cannot be loaded: {missing}") from missing
        raise MissingExtra(f"The type {name}", place.extra) from missing


def _same_last_part(name: str, known: Iterable[str]) -> str | None:
    last = name.rpartition(".")[2].lower()
    return next((other for other in known if other.rpartition(".")[2].lower() == last), None)
