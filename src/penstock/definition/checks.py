"""What must hold across a flow: ids, references between its parts, rules no single record can see (engine.md 6.7).

Every check yields problems with the path they are at; nothing is raised, so an author sees all of them at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from penstock.definition.schedules import cron_fault
from penstock.definition.walking import Found, walk_tasks
from penstock.definition.yaml_source import Path
from penstock.model import flowables as f
from penstock.model.flow import Flow
from penstock.model.inputs import FormInput, Input
from penstock.model.task import ConstantRetry, ExponentialRetry, RandomRetry, Retry
from penstock.model.triggers import Preconditions, Schedule

Fault = tuple[Path, str]
_OPEN_SYSTEM_LABELS = frozenset({"system.readOnly"})


def check_flow(flow: Flow) -> Iterator[Fault]:
    """Every fault of a flow whose records are valid by themselves."""
    tasks = list(walk_tasks(flow))
    for check in _CHECKS:
        yield from check(flow, tasks)


def _task_ids(flow: Flow, tasks: Sequence[Found]) -> Iterator[Fault]:
    seen: set[str] = set()
    for found in tasks:
        if found.task.id in seen:
            yield (*found.path, "id"), f"Duplicate task id with name [{found.task.id}]"
        seen.add(found.task.id)


def _named(entries: Sequence[object] | None, where: str, what: str) -> Iterator[Fault]:
    seen: set[str] = set()
    for place, entry in enumerate(entries or ()):
        name = str(getattr(entry, "id", ""))
        if name in seen:
            yield (where, place, "id"), f"Duplicate {what} with name [{name}]"
        seen.add(name)


def _other_ids(flow: Flow, tasks: Sequence[Found]) -> Iterator[Fault]:
    yield from _named(flow.triggers, "triggers", "trigger id")
    yield from _named(flow.inputs, "inputs", "input")
    yield from _named(flow.outputs, "outputs", "output")


def _input_paths(flow: Flow, tasks: Sequence[Found]) -> Iterator[Fault]:
    """Dotted ids nest: none may be a value and a group at once."""
    ids = [i.id for i in flow.inputs or ()]
    for place, name in enumerate(ids):
        below = next((other for other in ids if other.startswith(f"{name}.")), None)
        if below is not None:
            text = f"Input path '{name}' conflicts with '{below}'; one cannot be a value and a group of values"
            yield ("inputs", place, "id"), text


def _input_dependencies(flow: Flow, tasks: Sequence[Found]) -> Iterator[Fault]:
    wanted = {i.id: list(i.depends_on.inputs) if i.depends_on else [] for i in _flat(flow.inputs or ())}
    for place, one in enumerate(flow.inputs or ()):
        for other in one.depends_on.inputs if one.depends_on else ():
            if other not in wanted:
                text = f"Input with id '{one.id}' depends on a non-existent input '{other}'."
                yield ("inputs", place, "dependsOn"), text
        cycle = _cycle(one.id, wanted)
        if cycle:
            text = f"Cycle dependency detected for input with id '{one.id}': [{', '.join(cycle)}]"
            yield ("inputs", place, "dependsOn"), text


def _flat(inputs: Sequence[Input]) -> Iterator[Input]:
    for one in inputs:
        yield one
        if isinstance(one, FormInput):
            yield from _flat(one.inputs)


def _cycle(start: str, wanted: Mapping[str, Sequence[str]]) -> list[str]:
    """The names on a way from `start` back to itself, or none."""
    seen: set[str] = set()
    way = list(wanted.get(start, ()))
    while way:
        name = way.pop()
        if name == start:
            return [*sorted(seen), start]
        if name not in seen:
            seen.add(name)
            way.extend(wanted.get(name, ()))
    return []


def _input_rules(flow: Flow, tasks: Sequence[Found]) -> Iterator[Fault]:
    for place, one in enumerate(flow.inputs or ()):
        where: Path = ("inputs", place)
        if one.defaults is not None and one.prefill is not None:
            yield where, "Inputs cannot have both `defaults` and `prefill`"
        pattern = getattr(one, "validator", None)
        if isinstance(pattern, str) and not _compiles(pattern):
            yield (*where, "validator"), f"invalid pattern [{pattern}]"


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        import regex

        try:
            regex.compile(pattern)
        except regex.error:
            return False
    return True


def _subflows(flow: Flow, tasks: Sequence[Found]) -> Iterator[Fault]:
    for found in tasks:
        task = found.task
        if isinstance(task, f.Subflow | f.ForEachItem) and (task.namespace, task.flow_id) == (flow.namespace, flow.id):
            yield found.path, f"Recursive call to flow [{flow.namespace}.{flow.id}]"


def _labels(flow: Flow, tasks: Sequence[Found]) -> Iterator[Fault]:
    for label in flow.labels:
        if label.key.startswith("system.") and label.key not in _OPEN_SYSTEM_LABELS:
            text = f"System labels can only be set by Kestra itself, offending label: {label.key}={label.value}"
            yield ("labels",), text


def _dags(flow: Flow, tasks: Sequence[Found]) -> Iterator[Fault]:
    for found in tasks:
        task = found.task
        if not isinstance(task, f.Dag):
            continue
        wanted = {entry.task.id: entry.depends_on for entry in task.tasks}
        missing = [d for needs in wanted.values() for d in needs if d not in wanted]
        if missing:
            yield (*found.path, "tasks"), f"Not existing task id in dependency: {', '.join(dict.fromkeys(missing))}"
            continue
        cyclic = [name for name in wanted if _cycle(name, wanted)]
        if cyclic:
            yield (*found.path, "tasks"), f"Cyclic dependency detected: {', '.join(cyclic)}"


def _switches(flow: Flow, tasks: Sequence[Found]) -> Iterator[Fault]:
    for found in tasks:
        task = found.task
        if isinstance(task, f.Switch) and not task.cases and not task.defaults:
            yield found.path, "No task defined, neither cases or default have any tasks"


def _working_directories(flow: Flow, tasks: Sequence[Found]) -> Iterator[Fault]:
    for found in tasks:
        if not isinstance(found.task, f.WorkingDirectory):
            continue
        for place, child in enumerate(found.task.tasks):
            where = (*found.path, "tasks", place)
            if isinstance(child, f.Flowable | f.Executable | f.ExecutionUpdating):
                yield where, "Only runnable tasks are allowed as children of a WorkingDirectory task"
            elif child.worker_group is not None:
                yield (*where, "workerGroup"), "Cannot set workerGroup on sub-tasks of a WorkingDirectory task"
            elif child.worker_selector is not None:
                yield (*where, "workerSelector"), "Cannot set workerSelector on sub-tasks of a WorkingDirectory task"


def _retries(flow: Flow, tasks: Sequence[Found]) -> Iterator[Fault]:
    if flow.retry is not None:
        yield from ((("retry",), text) for text in retry_faults(flow.retry))
    for found in tasks:
        if found.task.retry is not None:
            yield from (((*found.path, "retry"), text) for text in retry_faults(found.task.retry))


def retry_faults(retry: Retry) -> Iterator[str]:
    """What is wrong between the durations of a retry (engine.md 4.1)."""
    longest = retry.max_duration
    match retry:
        case ConstantRetry():
            if longest is not None and retry.interval >= longest:
                yield "'interval' must be less than 'maxDuration' but is greater or equal"
        case ExponentialRetry():
            if retry.interval >= retry.max_interval:
                yield "'interval' must be less than 'maxInterval' but is greater or equal"
            if longest is not None and retry.max_interval >= longest:
                yield "'maxInterval' must be less than 'maxDuration' but is greater or equal"
        case RandomRetry():
            if retry.min_interval >= retry.max_interval:
                yield "'minInterval' must be less than 'maxInterval' but is greater or equal"
            if longest is not None and retry.max_interval >= longest:
                yield "'maxInterval' must be less than 'maxDuration' but is greater or equal"


def _schedules(flow: Flow, tasks: Sequence[Found]) -> Iterator[Fault]:
    for place, trigger in enumerate(flow.triggers or ()):
        if not isinstance(trigger, Schedule):
            continue
        fault = cron_fault(trigger.cron, with_seconds=trigger.with_seconds)
        if fault is not None:
            yield ("triggers", place, "cron"), f"invalid cron expression '{trigger.cron}': {fault}"


_WINDOW_FIELDS = {
    "DURATION_WINDOW": ((), ("deadline", "start_time", "end_time")),
    "SLIDING_WINDOW": ((), ("deadline", "start_time", "end_time", "window_advance")),
    "DAILY_TIME_DEADLINE": (("deadline",), ("window", "window_advance", "start_time", "end_time")),
    "DAILY_TIME_WINDOW": (("start_time", "end_time"), ("window", "window_advance", "deadline")),
}


def _windows(flow: Flow, tasks: Sequence[Found]) -> Iterator[Fault]:
    for place, trigger in enumerate(flow.triggers or ()):
        preconditions = getattr(trigger, "preconditions", None)
        if isinstance(preconditions, Preconditions) and preconditions.time_window is not None:
            where: Path = ("triggers", place, "preconditions", "timeWindow")
            window = preconditions.time_window
            needed, refused = _WINDOW_FIELDS.get(window.type, ((), ()))
            if window.type not in _WINDOW_FIELDS:
                yield where, f"Unknown type of time window: {window.type}, expected one of {', '.join(_WINDOW_FIELDS)}"
            for name in needed:
                if getattr(window, name) is None:
                    yield where, f"Time window of type `{window.type}` must have `{_camel(name)}`."
            for name in refused:
                if getattr(window, name) is not None:
                    yield where, f"Time window of type `{window.type}` cannot have `{_camel(name)}`."


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


_DASHED = re.compile(r"\{\{[^}]*?\b(inputs|outputs)\.([A-Za-z0-9_]+(?:-[A-Za-z0-9_]+)+)")


def _dashes(flow: Flow, tasks: Sequence[Found]) -> Iterator[Fault]:
    """`outputs.my-task` is a subtraction: names with dashes need brackets, where such a name is declared."""
    names = {"outputs": {t.task.id for t in tasks}, "inputs": {i.id for i in flow.inputs or ()}}
    offending: dict[str, list[str]] = {}
    for found in tasks:
        for text in found.own_texts():
            for root, name in _DASHED.findall(text):
                if any(name == known or known.startswith(name) for known in names[root]):
                    offending.setdefault(root, []).append(found.task.id)
    for root, ids in offending.items():
        kind = root[:-1]
        listed = ", ".join(dict.fromkeys(ids))
        text = (
            f"Invalid {kind} reference: use {root}[key-name] instead of {root}.key-name — "
            f"keys with dashes require bracket notation, offending tasks: [{listed}]"
        )
        yield ("tasks",), text


_CHECKS: tuple[Callable[[Flow, Sequence[Found]], Iterator[Fault]], ...] = (
    _task_ids, _other_ids, _input_paths, _input_dependencies, _input_rules, _subflows, _labels, _dags, _switches,
    _working_directories, _retries, _schedules, _windows, _dashes,
)  # fmt: skip
