"""Records for the contract suites of the store: small, with only what a test says about them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from penstock.ids import new_id
from penstock.model.entries import LogEntry, MetricEntry, MetricKind
from penstock.model.execution import (
    Execution,
    ExecutionContext,
    ExecutionTrigger,
    Label,
    Metadata,
    RunKind,
    Scope,
    TaskRun,
)
from penstock.model.state import State, StateChange
from penstock.model.task import LogLevel
from penstock.ports.journal import Batch, OutputRow

START = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """So many seconds after the beginning of all tests."""
    return START + timedelta(seconds=seconds)


def execution(**given: object) -> Execution:
    """An execution that is running, or in the `state` given (which it reached after `took` seconds)."""
    state = given.pop("state", State.RUNNING)
    started = given.pop("started", 0)
    took = given.pop("took", 1)
    found = {
        "id": new_id(),
        "tenant_id": "main",
        "namespace": "company.team",
        "flow_id": "hello",
        "flow_revision": 1,
        "state": state,
        "histories": [StateChange(State.CREATED, at(started)), StateChange(state, at(started + took))],
        "scope": Scope(planned=3),
        "original_id": "origin",
        "metadata": Metadata(1, at(started)),
    }
    return Execution(**(found | given))


def run(sequence: int, **given: object) -> TaskRun:
    """A task run that was created, or is in the `state` given."""
    state = given.pop("state", State.CREATED)
    found = {
        "id": new_id(),
        "task_id": f"task-{sequence}",
        "state": state,
        "histories": [StateChange(State.CREATED, at(sequence)), StateChange(state, at(sequence + 1))],
        "sequence": sequence,
    }
    return TaskRun(**(found | given))


def iteration(sequence: int, **given: object) -> TaskRun:
    """An iteration of a Loop."""
    return run(sequence, kind=RunKind.ITERATION, **given)


def context(labels: dict[str, str] | None = None, *, source: str | None = None, **inputs: object) -> ExecutionContext:
    """A context with labels, inputs, and a trigger that names the execution `source`."""
    trigger = ExecutionTrigger(id="sub", type="io.kestra.Flow", variables={"executionId": source}) if source else None
    return ExecutionContext(labels=[Label(k, v) for k, v in (labels or {}).items()], inputs=inputs, trigger=trigger)


def output(execution_id: str, of: TaskRun, **given: object) -> OutputRow:
    """Outputs of a task run, where it stands."""
    found = {
        "execution_id": execution_id,
        "task_run_id": of.id,
        "task_id": of.task_id,
        "owner": of.owner,
        "path": of.path,
        "iteration": of.iteration,
        "value": {"value": of.task_id},
        "size": 12,
    }
    return OutputRow(**(found | given))


def log(message: str, **given: object) -> LogEntry:
    """A log line."""
    found = {
        "namespace": "company.team",
        "flow_id": "hello",
        "timestamp": at(0),
        "level": LogLevel.INFO,
        "message": message,
    }
    return LogEntry(**(found | given))


def metric(name: str, value: float, **given: object) -> MetricEntry:
    """A metric."""
    found = {
        "namespace": "company.team",
        "flow_id": "hello",
        "type": MetricKind.COUNTER,
        "name": name,
        "value": value,
        "timestamp": at(0),
    }
    return MetricEntry(**(found | given))


def created(*executions: Execution, **given: object) -> Batch:
    """A batch that creates executions."""
    return Batch(created_executions=list(executions), **given)
