"""A flow's source into `model.Flow`, with every problem at once, each with its path and line."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, ValidationError

from penstock.definition.checks import check_flow
from penstock.definition.defaults import apply_defaults
from penstock.definition.type_index import TypeIndex, find_type, nearest_type, target_of
from penstock.definition.warnings import warnings_of
from penstock.definition.yaml_source import Document, Path, load_document
from penstock.errors import FlowInvalid, MissingExtra, Problem
from penstock.model.conditions import Condition
from penstock.model.flow import Flow, Listener, PluginDefault
from penstock.model.task import Task
from penstock.model.triggers import Trigger

_TASK_LISTS = ("tasks", "errors", "finally", "afterExecution")
_IGNORED = ("extend",)


@dataclass(slots=True)
class ParsedFlow:
    """A flow, the plain document it was written as, and what its author should know.

    deprecations: paths of deprecated constructs. infos: aliases and what replaces them. warnings: likely mistakes.
    """

    flow: Flow
    document: dict[str, object]
    warnings: list[str] = field(default_factory=list)
    infos: list[str] = field(default_factory=list)
    deprecations: list[str] = field(default_factory=list)


def parse_flow(source: str, *, types: TypeIndex, defaults: Sequence[PluginDefault] = ()) -> ParsedFlow:
    """Parse and validate a flow.

    Raises:
        FlowInvalid: with all problems, each with path and line.
    """
    return parse_document(load_document(source), types=types, defaults=defaults)


def parse_document(document: Document, *, types: TypeIndex, defaults: Sequence[PluginDefault] = ()) -> ParsedFlow:
    """Parse and validate a flow that is loaded already."""
    return _Parser(document, types, defaults).parse()


class _Parser:
    """One pass over one document; problems are collected, never thrown before the end."""

    def __init__(self, document: Document, types: TypeIndex, defaults: Sequence[PluginDefault]) -> None:
        self._document = document
        self._types = types
        self._defaults = defaults
        self._problems: list[Problem] = []
        self._infos: list[str] = []
        self._deprecations: list[str] = []
        self._unknown = False

    def parse(self) -> ParsedFlow:
        written = self._document.value
        if not isinstance(written, dict):
            raise FlowInvalid([Problem("Illegal flow source: expected a map with id, namespace and tasks", line=1)])
        written = {k: v for k, v in written.items() if k not in _IGNORED}
        filled = apply_defaults(written, self._types, flow=self._own_defaults(written), others=self._defaults)
        flow = self._flow(filled)
        if flow is not None and not self._unknown:
            # with a task of an unknown type left out, what is asked across the flow would blame the wrong places
            for path, message in check_flow(flow):
                self._report(message, path)
        if self._problems or flow is None:
            raise FlowInvalid(self._problems, flow=str(written.get("id")))
        warnings = list(warnings_of(flow))
        return ParsedFlow(flow, written, warnings, self._infos, self._deprecations)

    def _own_defaults(self, written: Mapping[str, object]) -> list[PluginDefault]:
        entries = written.get("pluginDefaults") or written.get("taskDefaults") or []
        found: list[PluginDefault] = []
        for entry in entries if isinstance(entries, list) else []:
            try:
                found.append(PluginDefault.model_validate(entry))
            except ValidationError:
                continue  # reported where the flow itself is validated
        return found

    def _flow(self, filled: dict[str, object]) -> Flow | None:
        ready = dict(filled)
        for name in _TASK_LISTS:
            if isinstance(ready.get(name), list):
                ready[name] = self._list(ready[name], (name,), Task)
        if isinstance(ready.get("triggers"), list):
            ready["triggers"] = self._list(ready["triggers"], ("triggers",), Trigger)
        listeners = ready.get("listeners")
        if isinstance(listeners, list):
            ready["listeners"] = [self._listener(x, ("listeners", i)) for i, x in enumerate(listeners)]
        flow = self._validate(Flow, ready, ())
        return flow if isinstance(flow, Flow) else None

    def _listener(self, value: object, path: Path) -> object:
        if not isinstance(value, Mapping):
            return value
        ready = dict(value)
        for name, root in (("tasks", Task), ("conditions", Condition)):
            if isinstance(ready.get(name), list):
                ready[name] = self._list(ready[name], (*path, name), root)
        return self._validate(Listener, ready, path) or value

    def _list(self, values: object, path: Path, root: type) -> list[object]:
        assert isinstance(values, list)
        return [self._plugin(value, (*path, i), root) for i, value in enumerate(values)]

    def _plugin(self, value: object, path: Path, root: type) -> object:
        """A task, trigger or condition as an instance of the class of its type; the value itself when it is broken."""
        if not isinstance(value, Mapping):
            self._report(f"expected a map with a type, found `{value}`", path)
            return _Broken
        name = value.get("type")
        if not isinstance(name, str):
            self._report("type: must not be null" if "type" not in value else "type: must be a text", path)
            return _Broken
        cls = self._class(name, (*path, "type"), root)
        ready = self._children(dict(value), cls, path)
        if cls is None:
            return _Broken
        return self._validate(cls, ready, path) or _Broken

    def _class(self, name: str, path: Path, root: type) -> type[BaseModel] | None:
        try:
            cls = find_type(name, self._types)
        except MissingExtra as error:
            self._report(str(error), path)
            return None
        if cls is None or not issubclass(cls, root):
            self._unknown = True
            self._report(f"Invalid type: {name}", path, suggestion=nearest_type(name, self._types))
            return None
        target = target_of(name, self._types)
        if target is not None and target != name:
            self._infos.append(f"{name} is replaced by {target}")
            self._deprecations.append(dotted(path[:-1]))
        return cls

    def _children(self, ready: dict[str, object], cls: type | None, path: Path) -> dict[str, object]:
        """Children first: the parent is validated with finished instances in their places."""
        shapes: Mapping[str, str] = getattr(cls, "CHILDREN", {"tasks": "list", "errors": "list", "finally": "list"})
        root: type = Condition if cls is not None and issubclass(cls, Trigger | Condition) else Task
        for name, shape in shapes.items():
            value = ready.get(name)
            if value is not None:
                ready[name] = self._shaped(value, shape, (*path, name), root)
        return ready

    def _shaped(self, value: object, shape: str, path: Path, root: type) -> object:
        if shape == "one":
            return self._plugin(value, path, root)
        if shape == "list" and isinstance(value, list):
            return self._list(value, path, root)
        if shape == "dag" and isinstance(value, list):
            return [self._dag_entry(x, (*path, i)) for i, x in enumerate(value)]
        if shape == "map" and isinstance(value, Mapping):
            return {k: self._list(v, (*path, k), root) if isinstance(v, list) else v for k, v in value.items()}
        if shape == "each" and isinstance(value, Mapping):
            return {k: self._plugin(v, (*path, k), root) for k, v in value.items()}
        return value

    def _dag_entry(self, value: object, path: Path) -> object:
        if not isinstance(value, Mapping) or "task" not in value:
            return value
        return {**value, "task": self._plugin(value["task"], (*path, "task"), Task)}

    def _validate(self, cls: type[BaseModel], ready: dict[str, object], path: Path) -> BaseModel | None:
        known_broken = _prune(ready)
        try:
            return cls.model_validate(ready)
        except ValidationError as error:
            for fault in error.errors(include_url=False, include_context=False):
                self._fault(cls, fault, path, broken=known_broken)
            return None

    def _fault(self, cls: type[BaseModel], fault: Mapping[str, object], path: Path, *, broken: bool) -> None:
        kind, message = str(fault["type"]), str(fault["msg"])
        location = fault["loc"]
        assert isinstance(location, tuple)
        where: Path = (*path, *(p for p in location if not _is_tag(p)))
        if kind == "extra_forbidden":
            name = str(where[-1])
            self._report(f'Unrecognized field "{name}"', where, suggestion=_nearest_field(cls, name))
        elif kind == "missing":
            self._report("must not be null", where)
        elif kind == "too_short":
            if not broken:
                self._report("must not be empty", where)
        elif kind == "string_pattern_mismatch":
            self._report(message.replace("String should match pattern '", 'must match "').rstrip("'") + '"', where)
        else:
            self._report(message.removeprefix("Value error, "), where)

    def _report(self, message: str, path: Path, *, suggestion: str | None = None) -> None:
        line, column = self._document.position(path) or (None, None)
        problem = Problem(message, path=dotted(path), line=line, column=column, suggestion=suggestion)
        if problem not in self._problems:
            self._problems.append(problem)


class _Broken:
    """Stands where a child could not be made; its own problems are reported already."""


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
        elif isinstance(value, dict):
            found = _prune(value) or found
        elif isinstance(value, list):
            for item in value:
                found = (isinstance(item, dict) and _prune(item)) or found
    return found


def _is_tag(part: object) -> bool:
    """Whether a part of pydantic's location names a member of a union and no place in the document."""
    text = str(part)
    return text.endswith(("Retry", "Input", "]")) or text in _UNION_TAGS


_UNION_TAGS = frozenset({
    "string", "secret", "select", "multiselect", "array", "int", "float", "bool", "dated", "duration", "file", "json",
    "plain", "form", "reusable", "constant", "exponential", "random", "str",
})  # fmt: skip


def _nearest_field(cls: type[BaseModel], name: str) -> str | None:
    known = [f.alias or n for n, f in cls.model_fields.items()]
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
    return close[0] if close else None


def dotted(path: Path) -> str:
    """A path as Kestra writes it: `tasks[0].type`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text
