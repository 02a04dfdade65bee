"""Every task of a flow with the path it stands at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from penstock.definition.yaml_source import Path
from penstock.model import flowables as f
from penstock.model.authored import Authored
from penstock.model.flow import Flow
from penstock.model.task import Task

_LISTS = (("tasks", "tasks"), ("errors", "errors"), ("finally_", "finally"), ("after_execution", "afterExecution"))


@dataclass(frozen=True, slots=True)
class Found:
    """A task and where it stands."""

    task: Task
    path: Path

    def own_texts(self) -> Iterator[str]:
        """Every text in the task's own properties, those of its children left out."""
        for name in type(self.task).model_fields:
            yield from _texts(getattr(self.task, name))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Task | f.DagTask):
        return
    elif isinstance(value, Authored):
        for name in type(value).model_fields:
            yield from _texts(getattr(value, name))
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, Sequence) and not isinstance(value, bytes):
        for inner in value:
            yield from _texts(inner)


def walk_tasks(flow: Flow) -> Iterator[Found]:
    """All tasks, parents before their children, in order of appearance."""
    for attribute, name in _LISTS:
        yield from _list(getattr(flow, attribute), (name,))
    for place, listener in enumerate(flow.listeners or ()):
        yield from _list(listener.tasks, ("listeners", place, "tasks"))


def _list(tasks: Sequence[Task] | None, path: Path) -> Iterator[Found]:
    for place, task in enumerate(tasks or ()):
        yield from _task(task, (*path, place))


def _task(task: Task, path: Path) -> Iterator[Found]:
    yield Found(task, path)
    shapes: Mapping[str, str] = getattr(task, "CHILDREN", {})
    for name, shape in shapes.items():
        value = getattr(task, _attribute(type(task), name), None)
        if value is None:
            continue
        if shape == "list":
            yield from _list(value, (*path, name))
        elif shape == "one":
            yield from _task(value, (*path, name))
        elif shape == "map":
            for key, tasks in value.items():
                yield from _list(tasks, (*path, name, key))
        elif shape == "dag":
            for place, entry in enumerate(value):
                yield from _task(entry.task, (*path, name, place, "task"))


def _attribute(cls: type[Task], wire: str) -> str:
    return next((n for n, field in cls.model_fields.items() if (field.alias or n) == wire), wire)
