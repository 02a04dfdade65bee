"""What can be asked of executions, iterations, log lines and metrics in memory: the same names as on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from penstock.model.entries import LogEntry, MetricEntry
from penstock.model.execution import Execution, TaskRun, label_map
from penstock.model.state import TERMINATED
from penstock.model.task import LogLevel
from penstock.store.filters import Kind
from penstock.store.memory.matching import Field, Fields
from penstock.store.memory.tables import Kept

LEVELS = {level: rank for rank, level in enumerate(LogLevel)}

Iteration = tuple[Kept, TaskRun]
Keys = Mapping[str, Callable[[Any], Any]]


def started(record: Execution | TaskRun) -> datetime:
    """When it was created."""
    return record.histories[0].date


def ended(record: Execution | TaskRun) -> datetime | None:
    """When it terminated, if it has."""
    return record.histories[-1].date if record.state in TERMINATED else None


def took(record: Execution | TaskRun) -> timedelta | None:
    """From its creation to its end, if it has ended."""
    end = ended(record)
    return None if end is None else end - started(record)


def _texts(kept: Kept) -> list[str]:
    labels = " ".join(f"{label.key}:{label.value}" for label in kept.context.labels)
    return [kept.execution.id, kept.execution.namespace, kept.execution.flow_id, labels]


def _parent(item: Iteration) -> str:
    """The iteration around it, or else the execution (engine.md 3.7)."""
    return item[1].owner or item[0].execution.id


EXECUTIONS: Fields[Kept] = {
    "q": Field(Kind.QUERY, _texts),
    "scope": Field(Kind.SCOPE, lambda k: k.execution.namespace),
    "id": Field(Kind.TEXT, lambda k: k.execution.id),
    "executionId": Field(Kind.TEXT, lambda k: k.execution.id),
    "namespace": Field(Kind.TEXT, lambda k: k.execution.namespace),
    "flowId": Field(Kind.TEXT, lambda k: k.execution.flow_id),
    "flowRevision": Field(Kind.NUMBER, lambda k: k.execution.flow_revision),
    "kind": Field(Kind.TEXT, lambda k: k.execution.kind.value),
    "state": Field(Kind.TEXT, lambda k: k.execution.state.value),
    "startDate": Field(Kind.MOMENT, lambda k: started(k.execution)),
    "endDate": Field(Kind.MOMENT, lambda k: ended(k.execution)),
    "labels": Field(Kind.LABELS, lambda k: label_map(k.context.labels)),
    "parentId": Field(Kind.TEXT, lambda k: k.execution.parent_id),
    "triggerId": Field(Kind.TEXT, lambda k: k.context.trigger and k.context.trigger.id),
    "triggerExecutionId": Field(Kind.TEXT, lambda k: k.trigger_execution_id),
    "childFilter": Field(Kind.CHILD, lambda k: k.trigger_execution_id),
}
EXECUTION_KEYS: Keys = {
    "id": lambda k: k.execution.id,
    "namespace": lambda k: k.execution.namespace,
    "flowId": lambda k: k.execution.flow_id,
    "flowRevision": lambda k: k.execution.flow_revision,
    "kind": lambda k: k.execution.kind.value,
    "state": lambda k: k.execution.state.value,
    "state.current": lambda k: k.execution.state.value,
    "startDate": lambda k: started(k.execution),
    "state.startDate": lambda k: started(k.execution),
    "endDate": lambda k: ended(k.execution),
    "state.endDate": lambda k: ended(k.execution),
    "state.duration": lambda k: took(k.execution),
    "triggerExecutionId": lambda k: k.trigger_execution_id,
}

ITERATIONS: Fields[Iteration] = {
    "q": Field(Kind.QUERY, lambda i: [i[1].id, i[0].execution.namespace, i[0].execution.flow_id, i[1].task_id]),
    "scope": Field(Kind.SCOPE, lambda i: i[0].execution.namespace),
    "id": Field(Kind.TEXT, lambda i: i[1].id),
    "executionId": Field(Kind.TEXT, lambda i: i[0].execution.id),
    "parentId": Field(Kind.TEXT, _parent),
    "taskId": Field(Kind.TEXT, lambda i: i[1].task_id),
    "namespace": Field(Kind.TEXT, lambda i: i[0].execution.namespace),
    "flowId": Field(Kind.TEXT, lambda i: i[0].execution.flow_id),
    "flowRevision": Field(Kind.NUMBER, lambda i: i[0].execution.flow_revision),
    "state": Field(Kind.TEXT, lambda i: i[1].state.value),
    "startDate": Field(Kind.MOMENT, lambda i: started(i[1])),
    "endDate": Field(Kind.MOMENT, lambda i: ended(i[1])),
    "labels": Field(Kind.LABELS, lambda i: label_map(i[0].context.labels)),
}
ITERATION_KEYS: Keys = {
    "id": lambda i: i[1].id,
    "namespace": lambda i: i[0].execution.namespace,
    "flowId": lambda i: i[0].execution.flow_id,
    "taskId": lambda i: i[1].task_id,
    "iteration": lambda i: i[1].iteration,
    "state": lambda i: i[1].state.value,
    "state.current": lambda i: i[1].state.value,
    "startDate": lambda i: started(i[1]),
    "state.startDate": lambda i: started(i[1]),
    "endDate": lambda i: ended(i[1]),
    "state.endDate": lambda i: ended(i[1]),
    "state.duration": lambda i: took(i[1]),
}

LOGS: Fields[LogEntry] = {
    "q": Field(
        Kind.QUERY,
        lambda e: [e.message, e.namespace, e.flow_id, e.task_id, e.execution_id, e.trigger_id],
    ),
    "scope": Field(Kind.SCOPE, lambda e: e.namespace),
    "namespace": Field(Kind.TEXT, lambda e: e.namespace),
    "flowId": Field(Kind.TEXT, lambda e: e.flow_id),
    "executionId": Field(Kind.TEXT, lambda e: e.execution_id),
    "taskId": Field(Kind.TEXT, lambda e: e.task_id),
    "taskRunId": Field(Kind.TEXT, lambda e: e.task_run_id),
    "attemptNumber": Field(Kind.NUMBER, lambda e: e.attempt_number),
    "triggerId": Field(Kind.TEXT, lambda e: e.trigger_id),
    "kind": Field(Kind.TEXT, lambda e: e.execution_kind and e.execution_kind.value),
    "level": Field(Kind.LEVEL, lambda e: LEVELS[e.level]),
    "message": Field(Kind.TEXT, lambda e: e.message),
    "timestamp": Field(Kind.MOMENT, lambda e: e.timestamp),
    "startDate": Field(Kind.MOMENT, lambda e: e.timestamp),
    "endDate": Field(Kind.MOMENT, lambda e: e.timestamp),
}
LOG_KEYS: Keys = {
    "timestamp": lambda e: e.timestamp,
    "level": lambda e: LEVELS[e.level],
    "namespace": lambda e: e.namespace,
    "flowId": lambda e: e.flow_id,
    "executionId": lambda e: e.execution_id,
    "taskId": lambda e: e.task_id,
    "taskRunId": lambda e: e.task_run_id,
    "triggerId": lambda e: e.trigger_id,
    "attemptNumber": lambda e: e.attempt_number,
}

METRICS: Fields[MetricEntry] = {
    "q": Field(Kind.QUERY, lambda e: [e.name, e.namespace, e.flow_id, e.task_id, e.execution_id]),
    "scope": Field(Kind.SCOPE, lambda e: e.namespace),
    "namespace": Field(Kind.TEXT, lambda e: e.namespace),
    "flowId": Field(Kind.TEXT, lambda e: e.flow_id),
    "executionId": Field(Kind.TEXT, lambda e: e.execution_id),
    "taskId": Field(Kind.TEXT, lambda e: e.task_id),
    "taskRunId": Field(Kind.TEXT, lambda e: e.task_run_id),
    "kind": Field(Kind.TEXT, lambda e: e.execution_kind and e.execution_kind.value),
    "name": Field(Kind.TEXT, lambda e: e.name),
    "type": Field(Kind.TEXT, lambda e: e.type.value),
    "value": Field(Kind.NUMBER, lambda e: e.value),
    "timestamp": Field(Kind.MOMENT, lambda e: e.timestamp),
    "startDate": Field(Kind.MOMENT, lambda e: e.timestamp),
    "endDate": Field(Kind.MOMENT, lambda e: e.timestamp),
}
METRIC_KEYS: Keys = {
    "timestamp": lambda e: e.timestamp,
    "name": lambda e: e.name,
    "type": lambda e: e.type.value,
    "value": lambda e: e.value,
    "namespace": lambda e: e.namespace,
    "flowId": lambda e: e.flow_id,
    "taskId": lambda e: e.task_id,
    "taskRunId": lambda e: e.task_run_id,
}
