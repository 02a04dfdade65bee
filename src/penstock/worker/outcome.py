"""How an attempt ended, from what the task returned or raised, and the `Result` made of it."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from penstock.errors import PenstockError, TaskFailed
from penstock.model.duration import format_clock
from penstock.model.execution import RunKind, TaskRun
from penstock.model.job import ChildRun, Job, Result
from penstock.model.state import State, StateChange
from penstock.model.task import LogLevel
from penstock.plugin.dynamic_run import DynamicRun
from penstock.plugin.task import Ended, Outputs, outputs_map
from penstock.worker.context import AttemptContext
from penstock.worker.equipment import Equipment


@dataclass(slots=True)
class Outcome:
    """What the task itself says: its state, its outputs (kept in failure too) and the message of its failure.

    recalled: it comes from the task's cache, nothing was run.
    """

    state: State
    outputs: dict[str, object] | None = None
    error: str | None = None
    children: list[ChildRun] = field(default_factory=list)
    values: Mapping[str, object] | None = None
    recalled: bool = False


def succeeded(returned: object) -> Outcome:
    """The outcome of a task that returned."""
    if isinstance(returned, Ended):
        return Outcome(returned.state, outputs_map(returned.outputs), returned.error)
    return Outcome(State.SUCCESS, outputs_map(returned) if returned is not None else None)  # pyright: ignore[reportArgumentType]


def failed(error: BaseException, context: AttemptContext) -> Outcome:
    """The outcome of a task that raised: FAILED; one ERROR line, and the stack trace at DEBUG (engine.md 10.1)."""
    message = message_of(error)
    context.logger.error(message)
    if context.logger.keeps(LogLevel.DEBUG):
        context.logger.debug("".join(traceback.format_exception(error)))
    kept: Outputs = error.outputs if isinstance(error, TaskFailed) else None
    return Outcome(State.FAILED, outputs_map(kept), message)


def timed_out(timeout: timedelta, context: AttemptContext) -> Outcome:
    """The outcome of an attempt that took longer than its `timeout`."""
    message = f"Timeout after {format_clock(timeout)}"
    context.logger.error(message)
    return Outcome(State.FAILED, None, message)


def message_of(error: BaseException) -> str:
    """The text of a failure for people; the class is named where the text alone would say little."""
    text = str(error)
    if isinstance(error, PenstockError) and text:
        return text
    name = type(error).__name__
    return f"{name}: {text}" if text else name


def result_of(outcome: Outcome, context: AttemptContext, *, equipment: Equipment, started_at: datetime) -> Result:
    """The result to report: outputs masked, the waiting lines and metrics with it.

    The values of an evaluation keep their marks: the engine goes on with them, and masks where it shows them.
    """
    job = context.job
    log_file = _log_file(context) if job.task.log_to_file else None
    log, measures = context.log, context.measures
    now = equipment.now()
    children = outcome.children
    if context.dynamic_runs:
        children = [*children, *(_dynamic(run, job, equipment, now=now) for run in context.dynamic_runs)]
    outputs, error = outcome.outputs, outcome.error
    if context.has_secrets:
        error = context.secrets.mask(error) if error else error
        change = context.secrets.mask if equipment.settings.mask_outputs else str
        children = [_changed_child(child, change) for child in children]
        if outputs:
            outputs = {name: changed_texts(value, change) for name, value in outputs.items()}
    return Result(
        execution_id=job.execution_id,
        task_run_id=job.task_run_id,
        stamp=job.stamp,
        worker_id=equipment.worker_id,
        state=outcome.state,
        started_at=started_at,
        ended_at=now,
        outputs=outputs,
        values=outcome.values,
        error=error,
        children=children,
        logs=log.take() if log is not None else [],
        metrics=measures.take() if measures is not None else [],
        log_file=log_file,
    )


def _log_file(context: AttemptContext) -> str | None:
    log, job = context.logger, context.job
    log.take()
    content = log.file()
    return context.storage.put(f"logs/attempt-{job.attempt}.log", content) if content is not None else None


def changed_texts(value: object, change: Callable[[str], str]) -> object:
    """`value` with every text in it changed; maps and lists are copied."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {
            change(key) if isinstance(key, str) else key: changed_texts(item, change) for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [changed_texts(item, change) for item in value]
    return value


def _changed_child(child: ChildRun, change: Callable[[str], str]) -> ChildRun:
    outputs = {name: changed_texts(value, change) for name, value in (child.outputs or {}).items()}
    return ChildRun(run=child.run, outputs=outputs or None)


def _dynamic(run: DynamicRun, job: Job, equipment: Equipment, *, now: datetime) -> ChildRun:
    begun = now - run.duration if run.duration else now
    histories = [StateChange(State.CREATED, begun), StateChange(State.RUNNING, begun), StateChange(run.state, now)]
    made = TaskRun(
        id=equipment.new_id(),
        task_id=run.task_id,
        kind=RunKind.TASK,
        parent_id=job.task_run_id,
        path=job.path,
        state=run.state,
        histories=histories,
        dynamic=True,
    )
    return ChildRun(run=made, outputs=run.outputs)
