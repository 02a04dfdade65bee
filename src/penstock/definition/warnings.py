"""What is allowed and probably not meant (engine.md 6.7)."""

from __future__ import annotations

from collections.abc import Iterator

from penstock.definition.walking import walk_tasks
from penstock.model import flowables as f
from penstock.model.flow import Flow
from penstock.model.triggers import FlowTrigger, Schedule


def warnings_of(flow: Flow) -> Iterator[str]:
    """Sentences for the author of a valid flow."""
    for found in walk_tasks(flow):
        task = found.task
        runnable = not isinstance(task, f.Flowable | f.Executable | f.ExecutionUpdating)
        if task.timeout is not None and not runnable and not isinstance(task, f.Pause | f.Approval):
            yield f"Task '{task.id}' has a `timeout`, which is only used by runnable tasks and Pause"
        if task.task_cache is not None and not runnable:
            yield f"Task '{task.id}' has a `taskCache`, which is only used by runnable tasks"
        routed = task.worker_group is not None or task.worker_selector is not None
        if routed and not runnable and not isinstance(task, f.WorkingDirectory):
            yield f"Task '{task.id}' is routed to workers, which is only used by runnable tasks and WorkingDirectory"
    needed = [i.id for i in flow.inputs or () if i.required and i.defaults is None]
    for trigger in flow.triggers or ():
        missing = [name for name in needed if name not in (trigger.inputs or {})]
        if isinstance(trigger, Schedule) and missing:
            # Kestra refuses such a flow since 1.0, yet published flows of its own have it: it runs once inputs are given
            yield f"Missing inputs for Schedule Trigger '{trigger.id}', missing inputs: '{' | '.join(missing)}'"
        if isinstance(trigger, FlowTrigger) and not (
            trigger.conditions or trigger.preconditions or trigger.depends_on or trigger.when
        ):
            yield f"Trigger '{trigger.id}' has no condition: it fires for EVERY execution of the tenant"
