"""Rules between a task and its children, and between a task and its flow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from penstock.definition.draft import Draft, Placed, maps_in
from penstock.definition.yaml_source import Path
from penstock.model import flowables as f


def recursive_calls(draft: Draft) -> Iterator[tuple[Path, str]]:
    """A flow that calls itself would never end."""
    own = (draft.document.get("namespace"), draft.document.get("id"))
    for task in _of(draft, f.Subflow, f.ForEachItem):
        if (task.written.get("namespace"), task.written.get("flowId")) == own:
            yield (*task.path, "flowId"), f"Recursive call to flow [{own[0]}.{own[1]}]"


def dags(draft: Draft) -> Iterator[tuple[Path, str]]:
    """Every dependency is a task of the same Dag, and none waits for itself."""
    for task in _of(draft, f.Dag):
        entries = list(maps_in(task.written.get("tasks"), (*task.path, "tasks")))
        wanted = {name: _names(entry.get("dependsOn")) for _, entry in entries if (name := _task_id(entry))}
        for path, entry in entries:
            for name in _names(entry.get("dependsOn")):
                if name not in wanted:
                    yield (*path, "dependsOn"), f"Not existing task id in dependency: {name}"
        cyclic = _in_cycles(wanted)
        if cyclic:
            yield (*task.path, "tasks"), f"Cyclic dependency detected: {', '.join(cyclic)}"


def switches(draft: Draft) -> Iterator[tuple[Path, str]]:
    """A Switch has a task somewhere."""
    for task in _of(draft, f.Switch):
        cases = task.written.get("cases")
        some = isinstance(cases, Mapping) and any(cases.values())
        if not some and not task.written.get("defaults"):
            yield task.path, "No task defined, neither cases or default have any tasks"


def empty_blocks(draft: Draft) -> Iterator[tuple[Path, str]]:
    """A flowable without tasks has nothing to do."""
    for task in draft.tasks:
        if task.cls is None or not issubclass(task.cls, f.Flowable):
            continue
        for name in ("tasks", "then"):
            field = task.cls.model_fields.get(name)
            if field is not None and field.is_required() and task.written.get(name) == []:
                yield (*task.path, name), f"The '{name}' property cannot be empty"


def working_directories(draft: Draft) -> Iterator[tuple[Path, str]]:
    """The children run as one job of one worker, which only its WorkingDirectory chooses."""
    for task in draft.tasks:
        parent = task.parent
        if parent is None or task.field != "tasks" or parent.cls is not f.WorkingDirectory:
            continue
        if not task.runnable:
            yield task.path, "Only runnable tasks are allowed as children of a WorkingDirectory task"
        for name in ("workerGroup", "workerSelector"):
            if task.written.get(name) is not None:
                yield (*task.path, name), f"Cannot set {name} on sub-tasks of a WorkingDirectory task"


def pauses(draft: Draft) -> Iterator[tuple[Path, str]]:
    """What runs while an execution is paused is one task of a worker."""
    for task in draft.tasks:
        if task.field == "onPause" and not task.runnable:
            yield task.path, "Only a runnable task is allowed as `onPause`"


def _of(draft: Draft, *kinds: type) -> Iterator[Placed]:
    return (task for task in draft.tasks if task.cls is not None and issubclass(task.cls, kinds))


def _task_id(entry: Mapping[str, object]) -> str:
    task = entry.get("task")
    name = task.get("id") if isinstance(task, Mapping) else None
    return name if isinstance(name, str) else ""


def _names(value: object) -> list[str]:
    return [str(name) for name in value] if isinstance(value, list) else []


def _in_cycles(wanted: Mapping[str, Sequence[str]]) -> list[str]:
    """The tasks that wait for themselves, through others or not; in linear time."""
    waiting = {name: {n for n in needs if n in wanted} for name, needs in wanted.items()}
    followers: dict[str, list[str]] = {}
    for name, needs in waiting.items():
        for need in needs:
            followers.setdefault(need, []).append(name)
    ready = [name for name, needs in waiting.items() if not needs]
    while ready:
        done = ready.pop()
        waiting.pop(done, None)
        for name in followers.get(done, ()):
            if name in waiting:
                waiting[name].discard(done)
                if not waiting[name]:
                    ready.append(name)
    return [name for name in waiting if _waits_for_itself(name, waiting)]


def _waits_for_itself(start: str, waiting: Mapping[str, set[str]]) -> bool:
    way, seen = list(waiting[start]), set[str]()
    while way:
        name = way.pop()
        if name == start:
            return True
        if name not in seen and name in waiting:
            seen.add(name)
            way.extend(waiting[name])
    return False


CHECKS = (recursive_calls, dags, switches, empty_blocks, working_directories, pauses)
