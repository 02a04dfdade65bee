"""A document into the records of the model, from the inside out: children first, then what holds them.

Problems are collected, never thrown before the end; what is broken is left out of its parent, so that each fault is told
once, where it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pydantic import BaseModel, ValidationError

from penstock.definition.draft import Draft, Placed
from penstock.definition.faults import Fault, faults_of, mended, shown
from penstock.definition.type_index import TypeIndex, find_type, nearest_type
from penstock.definition.yaml_source import Document, Path
from penstock.errors import MissingExtra, Problem
from penstock.model.conditions import Condition
from penstock.model.flow import Flow, Listener
from penstock.model.task import Task
from penstock.model.triggers import Trigger

_TASK_LISTS = ("tasks", "errors", "finally", "afterExecution")
_GUESSED: Mapping[str, str] = {"tasks": "list", "errors": "list", "finally": "list"}
"""Where the children of a task of an unknown type probably are."""


class Reader:
    """One pass over one document whose plugin defaults are filled in."""

    def __init__(self, document: Document, filled: Mapping[str, object], types: TypeIndex) -> None:
        self.draft = Draft(filled)
        self.problems: list[Problem] = []
        self._document = document
        self._types = types

    def flow(self) -> Flow | None:
        """The flow, None when it or any part of it is broken; `problems` then says why."""
        ready = dict(self.draft.document)
        for name in _TASK_LISTS:
            if isinstance(ready.get(name), list):
                ready[name] = self._list(ready[name], (name,), Task, field=name)
        if isinstance(ready.get("triggers"), list):
            ready["triggers"] = self._list(ready["triggers"], ("triggers",), Trigger, field="triggers")
        listeners = ready.get("listeners")
        if isinstance(listeners, list):
            ready["listeners"] = [self._listener(x, ("listeners", i)) for i, x in enumerate(listeners)]
        made = self._record(Flow, ready, ())
        return made if isinstance(made, Flow) and not self.problems else None

    def part(self, root: type) -> BaseModel | None:
        """A single task, trigger or condition, where the document is one; None when it is broken."""
        made = self._plugin(self.draft.document, (), root, parent=None, field="")
        return made if isinstance(made, BaseModel) and not self.problems else None

    def report(self, message: str, path: Path, suggestion: str | None = None) -> None:
        """Keeps a problem with its place in the source, once."""
        line, column = self._document.position(path) or (None, None)
        problem = Problem(message, path=dotted(path), line=line, column=column, suggestion=suggestion)
        if problem not in self.problems:
            self.problems.append(problem)

    def _listener(self, value: object, path: Path) -> object:
        if not isinstance(value, Mapping):
            return value
        ready = dict(value)
        for name, root in (("tasks", Task), ("conditions", Condition)):
            if isinstance(ready.get(name), list):
                ready[name] = self._list(ready[name], (*path, name), root, field=name)
        return self._record(Listener, ready, path) or _Broken

    def _list(
        self, values: object, path: Path, root: type, *, parent: Placed | None = None, field: str
    ) -> list[object]:
        assert isinstance(values, list)
        return [self._plugin(v, (*path, i), root, parent=parent, field=field) for i, v in enumerate(values)]

    def _plugin(self, value: object, path: Path, root: type, *, parent: Placed | None, field: str) -> object:
        """A task, trigger or condition as an instance of the class of its type; `_Broken` when it is not valid."""
        if not isinstance(value, Mapping):
            self.report(f"expected a map with a type, found {shown(value)}", path)
            return _Broken
        placed = Placed(path, value, root, parent, field)
        self.draft.placed.append(placed)
        name = value.get("type")
        if isinstance(name, str):
            placed.cls = self._class(name, (*path, "type"), root)
        elif name is None:
            self.report("must not be null", (*path, "type"))
        else:
            self.report(f"expected a text, found {shown(name)}", (*path, "type"))
        ready = self._children(dict(value), placed)
        if placed.cls is None:
            return _Broken
        placed.made = self._record(placed.cls, ready, path)
        return placed.made or _Broken

    def _class(self, name: str, path: Path, root: type) -> type[BaseModel] | None:
        try:
            cls = find_type(name, self._types)
        except MissingExtra as error:
            self.report(str(error), path)
            return None
        if cls is None:
            self.draft.complete = False
            self.report(f"Invalid type: {name}", path, nearest_type(name, self._types))
            return None
        if not issubclass(cls, root):
            self.report(f"Invalid type: {name} is not a {root.__name__.lower()}", path)
            return None
        return cls

    def _children(self, ready: dict[str, object], placed: Placed) -> dict[str, object]:
        """Children first: the parent is validated with finished instances in their places."""
        shapes: Mapping[str, str] = getattr(placed.cls, "CHILDREN", _GUESSED if placed.cls is None else {})
        root: type = Task if issubclass(placed.root, Task) else Condition
        for name, shape in shapes.items():
            value = ready.get(name)
            if value is not None:
                ready[name] = self._shaped(value, shape, (*placed.path, name), root, parent=placed)
        return ready

    def _shaped(self, value: object, shape: str, path: Path, root: type, *, parent: Placed) -> object:
        field = str(path[-1])
        if shape == "one":
            return self._plugin(value, path, root, parent=parent, field=field)
        if shape == "list" and isinstance(value, list):
            return self._list(value, path, root, parent=parent, field=field)
        if shape == "dag" and isinstance(value, list):
            return [self._dag_entry(x, (*path, i), parent) for i, x in enumerate(value)]
        if shape == "map" and isinstance(value, Mapping):
            return {
                k: self._list(v, (*path, k), root, parent=parent, field=field) if isinstance(v, list) else v
                for k, v in value.items()
            }
        if shape == "each" and isinstance(value, Mapping):
            return {k: self._plugin(v, (*path, k), root, parent=parent, field=field) for k, v in value.items()}
        return value

    def _dag_entry(self, value: object, path: Path, parent: Placed) -> object:
        if not isinstance(value, Mapping) or "task" not in value:
            return value
        made = self._plugin(value["task"], (*path, "task"), Task, parent=parent, field="tasks")
        return _Broken if made is _Broken else {**value, "task": made}

    def _record(self, cls: type[BaseModel], ready: dict[str, object], path: Path) -> BaseModel | None:
        broken = _prune(ready)
        try:
            return _made(cls, ready)
        except ValidationError as error:
            better = mended(error, ready)
            if better is not None:
                return self._record(cls, better, path)
            for fault in faults_of(error, cls, ready, self._found):
                self._fault(cls, fault, path, broken=broken)
            return None

    def _fault(self, cls: type[BaseModel], fault: Fault, path: Path, *, broken: bool) -> None:
        if broken and fault.message == "must not be empty":
            return  # the children are there, and what is wrong with them is told
        if (
            fault.message == "must not be empty"
            and issubclass(cls, Task)
            and fault.path[-1:] in (("tasks",), ("then",))
        ):
            fault = replace(fault, message=f"The '{fault.path[-1]}' property cannot be empty")
        if fault.message.startswith("Invalid type:"):
            fault = self._of_type(fault)
        self.report(fault.message, (*path, *fault.path), fault.suggestion)

    def _found(self, name: str) -> type | None:
        try:
            return find_type(name, self._types)
        except MissingExtra:
            return None

    def _of_type(self, fault: Fault) -> Fault:
        """A fault of a type inside a task, such as a task runner's, with the name that was probably meant."""
        name = fault.message.removeprefix("Invalid type:").split()[0].rstrip(",")
        if "." not in name:
            return fault
        if self._found(name) is not None:
            return replace(fault, message=fault.message.partition(", did you mean")[0])
        return replace(fault, message=f"Invalid type: {name}", suggestion=nearest_type(name, self._types))


class _Broken:
    """Stands where a child could not be made; its own problems are reported already."""


def _made(cls: type[BaseModel], ready: dict[str, object]) -> BaseModel:
    return cls.model_validate(ready, by_alias=True, by_name=False)


def _prune(ready: dict[str, object]) -> bool:
    """Take broken children out, so that their parent is not blamed for them; whether there were any."""
    found = False
    for key, value in list(ready.items()):
        if value is _Broken:
            del ready[key]
            found = True
        elif isinstance(value, list) and any(v is _Broken for v in value):
            ready[key] = [v for v in value if v is not _Broken]
            found = True
        elif isinstance(value, dict) and any(v is _Broken or _holds_broken(v) for v in value.values()):
            inner = dict(value)
            found = _prune(inner) or found
            ready[key] = inner
    return found


def _holds_broken(value: object) -> bool:
    return isinstance(value, list) and any(v is _Broken for v in value)


def dotted(path: Path) -> str:
    """A path as Kestra writes it: `tasks[0].type`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text
