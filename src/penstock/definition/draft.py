"""A flow while it is being read: its document, and every task, trigger and condition with its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel

from penstock.definition.yaml_source import Path
from penstock.model.flowables import Executable, ExecutionUpdating, Flowable
from penstock.model.task import Task
from penstock.model.triggers import Trigger


@dataclass(slots=True)
class Placed:
    """A task, trigger or condition as written, with its defaults; `made` is None when it is not valid by itself."""

    path: Path
    written: Mapping[str, object]
    root: type
    parent: Placed | None
    field: str
    """The property of the parent (or of the flow) that holds it."""
    cls: type[BaseModel] | None = None
    made: BaseModel | None = None

    @property
    def id(self) -> str:
        """The id as written, empty when there is none."""
        name = self.written.get("id")
        return name if isinstance(name, str) else ""

    @property
    def runnable(self) -> bool:
        """Whether workers run it; what is not known counts as runnable."""
        return self.cls is None or not issubclass(self.cls, Flowable | Executable | ExecutionUpdating)


@dataclass(slots=True)
class Draft:
    """All that is known of a flow, valid or not."""

    document: Mapping[str, object]
    placed: list[Placed] = field(default_factory=list)
    complete: bool = True
    """Whether all types are known."""

    @property
    def tasks(self) -> Iterator[Placed]:
        """Every task at any depth, parents before their children, in order of appearance."""
        return (one for one in self.placed if one.root is Task)

    @property
    def triggers(self) -> Iterator[Placed]:
        """Every trigger."""
        return (one for one in self.placed if one.root is Trigger)

    def entries(self, name: str) -> list[tuple[Path, Mapping[str, object]]]:
        """The maps in a list at the top of the document, each with its path."""
        return list(maps_in(self.document.get(name), (name,)))


def maps_in(value: object, path: Path) -> Iterator[tuple[Path, Mapping[str, object]]]:
    """The maps of a list, each with its path; nothing when it is no list."""
    for place, entry in enumerate(value if isinstance(value, list) else ()):
        if isinstance(entry, Mapping):
            yield (*path, place), entry


def texts_in(value: object, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every text inside a value, with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from texts_in(inner, (*path, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from texts_in(inner, (*path, place))
