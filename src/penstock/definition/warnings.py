"""What is allowed and probably not meant, and what is kept for older flows only (engine.md 6.7)."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence

from pydantic import BaseModel

from penstock.definition.dialect import constructs
from penstock.definition.draft import Draft, Placed
from penstock.definition.reading import dotted
from penstock.definition.type_index import TypeIndex, target_of
from penstock.definition.yaml_source import Path
from penstock.model import flowables as f
from penstock.model.flow import Flow
from penstock.model.inputs import FormInput, Input
from penstock.model.task import Task
from penstock.model.triggers import FlowTrigger, Schedule

_SECRETS = frozenset({
    "password", "secret", "secretKey", "secretKeyId", "accessKey", "apiKey", "apiToken", "token", "accessToken",
    "privateKey", "clientSecret", "bearerToken", "sessionToken", "connectionString",
})  # fmt: skip
"""Properties of tasks and triggers whose values nobody but their owner should read."""


def warnings_of(flow: Flow, draft: Draft) -> Iterator[str]:
    """Sentences for the author of a valid flow."""
    for one in draft.placed:
        if isinstance(one.made, Task):
            yield from _unused(one.made, one)
        yield from _plain_secrets(one)
    yield from _optional_with_default(flow)
    for trigger in flow.triggers or ():
        if isinstance(trigger, Schedule):
            yield from _missing_inputs(flow, trigger)
        if isinstance(trigger, FlowTrigger) and not (
            trigger.conditions or trigger.preconditions or trigger.depends_on or trigger.when
        ):
            yield f"Trigger '{trigger.id}' has no condition: it fires for EVERY execution of the tenant"


def infos_of(draft: Draft, types: TypeIndex) -> Iterator[str]:
    """Older names of types and what they stand for, each once."""
    seen: set[str] = set()
    for name in (str(one.written.get("type")) for one in draft.placed):
        target = target_of(name, types)
        if target is not None and target != name and name not in seen:
            seen.add(name)
            yield f"{name} is replaced by {target}"


def deprecations_of(draft: Draft, written: Mapping[str, object], types: TypeIndex) -> Iterator[str]:
    """Paths of what is only kept for older flows, each once: types, and properties of flows, tasks and triggers."""
    paths: dict[Path, None] = {}
    for construct in constructs(written):
        if construct.deprecated:
            paths[construct.path] = None
    for one in draft.placed:
        target = target_of(str(one.written.get("type")), types)
        if target is not None and target != one.written.get("type"):
            paths[one.path] = None
        for name in _deprecated_properties(one.cls) if one.cls is not None else ():
            if name in one.written:
                paths[(*one.path, name)] = None
    yield from (dotted(path) for path in paths)


@functools.cache
def _deprecated_properties(cls: type[BaseModel]) -> tuple[str, ...]:
    """The properties of a record that are marked as kept for older flows."""
    fields = ((field.alias or name, field.json_schema_extra) for name, field in cls.model_fields.items())
    return tuple(name for name, extra in fields if isinstance(extra, dict) and extra.get("$deprecated"))


def _unused(task: Task, one: Placed) -> Iterator[str]:
    if one.runnable:
        return
    if task.timeout is not None and not isinstance(task, f.Pause | f.Approval):
        yield f"Task '{task.id}' has a `timeout`, which is only used by runnable tasks and Pause"
    if task.task_cache is not None:
        yield f"Task '{task.id}' has a `taskCache`, which is only used by runnable tasks"
    routed = task.worker_group is not None or task.worker_selector is not None
    if routed and not isinstance(task, f.WorkingDirectory):
        yield f"Task '{task.id}' is routed to workers, which is only used by runnable tasks and WorkingDirectory"


def _plain_secrets(one: Placed) -> Iterator[str]:
    for name, value in one.written.items():
        if name in _SECRETS and isinstance(value, str) and value and "{{" not in value:
            kind = "Task" if isinstance(one.made, Task) else "Trigger"
            yield f"{kind} '{one.id}' holds a secret as plain text in `{name}`, use {{{{ secret('NAME') }}}}"


def _optional_with_default(flow: Flow) -> Iterator[str]:
    """2.0.0 refuses such a flow, 1.x takes it; the default always applies."""
    for one in flow.inputs or ():
        if not one.required and one.defaults is not None:
            text = "has a default, which always applies, so `required: false` means nothing; Kestra 2.0 refuses it"
            yield f"Input '{one.id}' {text}"


def _missing_inputs(flow: Flow, trigger: Schedule) -> Iterator[str]:
    """Kestra refuses such a flow since 1.0, yet published flows of its own have it: they run once inputs are given."""
    given = trigger.inputs or {}
    needed = list(_needed(flow.inputs or ()))
    missing = [name for name in needed if name not in given and name.partition(".")[0] not in given]
    if missing:
        yield f"Missing inputs for Schedule Trigger '{trigger.id}', missing inputs: '{' | '.join(missing)}'"


def _needed(inputs: Sequence[Input], below: str = "") -> Iterator[str]:
    """The full names of inputs that must be given."""
    for one in inputs:
        if isinstance(one, FormInput):
            yield from _needed(one.inputs, f"{one.id}.")
        elif one.required and one.defaults is None and one.depends_on is None:
            yield below + one.id
