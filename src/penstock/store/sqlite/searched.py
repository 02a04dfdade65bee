"""What can be asked of executions, iterations, log lines and metrics: wire names, where they lie, how to sort."""

from __future__ import annotations

from penstock.store.filters import Kind
from penstock.store.sqlite.conditions import Column
from penstock.store.sqlite.searching import Searched
from penstock.store.sqlite.statements import Statements

READS = Statements("reads.sql")

_OF_EXECUTION = (
    "{key} BETWEEN (SELECT no << 32 FROM executions WHERE id = ?) "
    "AND (SELECT ((no + 1) << 32) - 1 FROM executions WHERE id = ?)"
)

EXECUTION_LABELS = "execution_labels l WHERE l.no = e.no AND"

EXECUTIONS = Searched(
    rows=READS.search_executions,
    count=READS.count_executions,
    columns={
        "q": Column(
            Kind.QUERY,
            "e.id | e.namespace | e.flow_id | "
            "coalesce((SELECT group_concat(key || ':' || value, ' ') FROM execution_labels l WHERE l.no = e.no), '')",
        ),
        "scope": Column(Kind.SCOPE, "e.namespace"),
        "id": Column(Kind.TEXT, "e.id"),
        "executionId": Column(Kind.TEXT, "e.id"),
        "namespace": Column(Kind.TEXT, "e.namespace"),
        "flowId": Column(Kind.TEXT, "e.flow_id"),
        "flowRevision": Column(Kind.NUMBER, "e.flow_revision"),
        "kind": Column(Kind.TEXT, "e.kind"),
        "state": Column(Kind.TEXT, "e.state"),
        "startDate": Column(Kind.MOMENT, "e.started"),
        "endDate": Column(Kind.MOMENT, "e.ended"),
        "labels": Column(Kind.LABELS, EXECUTION_LABELS),
        "parentId": Column(Kind.TEXT, "e.parent_id"),
        "triggerId": Column(Kind.TEXT, "e.trigger_id"),
        "triggerExecutionId": Column(Kind.TEXT, "e.trigger_execution_id"),
        "childFilter": Column(Kind.CHILD, "e.trigger_execution_id"),
    },
    sorts={
        "id": "e.id",
        "namespace": "e.namespace",
        "flowId": "e.flow_id",
        "flowRevision": "e.flow_revision",
        "kind": "e.kind",
        "state": "e.state",
        "state.current": "e.state",
        "startDate": "e.started",
        "state.startDate": "e.started",
        "endDate": "e.ended",
        "state.endDate": "e.ended",
        "state.duration": "(e.ended - e.started)",
        "triggerExecutionId": "e.trigger_execution_id",
    },
    default="e.started DESC, e.no DESC",
    last="e.no DESC",
)

ITERATIONS = Searched(
    rows=READS.search_iterations,
    count=READS.count_iterations,
    columns={
        "q": Column(Kind.QUERY, "t.id | e.namespace | e.flow_id | t.task_id"),
        "scope": Column(Kind.SCOPE, "e.namespace"),
        "id": Column(Kind.TEXT, "t.id"),
        "executionId": Column(Kind.TEXT, "e.id", exact=_OF_EXECUTION.replace("{key}", "t.key")),
        # The parent is the iteration around it, or else the execution (engine.md 3.7).
        "parentId": Column(
            Kind.TEXT,
            "CASE t.owner WHEN '' THEN e.id ELSE t.owner END",
            exact="(t.owner <> '' AND t.owner = ?) OR (t.owner = '' AND "
            + _OF_EXECUTION.replace("{key}", "t.key")
            + ")",
        ),
        "taskId": Column(Kind.TEXT, "t.task_id"),
        "namespace": Column(Kind.TEXT, "e.namespace"),
        "flowId": Column(Kind.TEXT, "e.flow_id"),
        "flowRevision": Column(Kind.NUMBER, "e.flow_revision"),
        "state": Column(Kind.TEXT, "t.state"),
        "startDate": Column(Kind.MOMENT, "t.started"),
        "endDate": Column(Kind.MOMENT, "t.ended"),
        "labels": Column(Kind.LABELS, EXECUTION_LABELS),
    },
    sorts={
        "id": "t.id",
        "namespace": "e.namespace",
        "flowId": "e.flow_id",
        "taskId": "t.task_id",
        "iteration": "t.iteration",
        "state": "t.state",
        "state.current": "t.state",
        "startDate": "t.started",
        "state.startDate": "t.started",
        "endDate": "t.ended",
        "state.endDate": "t.ended",
        "state.duration": "(t.ended - t.started)",
    },
    default="t.key DESC",
    last="t.key DESC",
)

LOGS = Searched(
    rows=READS.logs,
    count=READS.count_logs,
    columns={
        "q": Column(Kind.QUERY, "l.message | l.namespace | l.flow_id | l.task_id | l.execution_id | l.trigger_id"),
        "scope": Column(Kind.SCOPE, "l.namespace"),
        "namespace": Column(Kind.TEXT, "l.namespace"),
        "flowId": Column(Kind.TEXT, "l.flow_id"),
        "executionId": Column(Kind.TEXT, "l.execution_id", exact=_OF_EXECUTION.replace("{key}", "l.key")),
        "taskId": Column(Kind.TEXT, "l.task_id"),
        "taskRunId": Column(Kind.TEXT, "l.run_id"),
        "attemptNumber": Column(Kind.NUMBER, "l.attempt"),
        "triggerId": Column(Kind.TEXT, "l.trigger_id"),
        "kind": Column(Kind.TEXT, "l.kind"),
        "level": Column(Kind.LEVEL, "l.level"),
        "message": Column(Kind.TEXT, "l.message"),
        "timestamp": Column(Kind.MOMENT, "l.at"),
        "startDate": Column(Kind.MOMENT, "l.at"),
        "endDate": Column(Kind.MOMENT, "l.at"),
    },
    sorts={
        "timestamp": "l.at",
        "level": "l.level",
        "namespace": "l.namespace",
        "flowId": "l.flow_id",
        "executionId": "l.execution_id",
        "taskId": "l.task_id",
        "taskRunId": "l.run_id",
        "triggerId": "l.trigger_id",
        "attemptNumber": "l.attempt",
    },
    default="l.at, l.key",
    last="l.key",
)

METRICS = Searched(
    rows=READS.metrics,
    count=READS.count_metrics,
    columns={
        "q": Column(Kind.QUERY, "m.name | m.namespace | m.flow_id | m.task_id | m.execution_id"),
        "scope": Column(Kind.SCOPE, "m.namespace"),
        "namespace": Column(Kind.TEXT, "m.namespace"),
        "flowId": Column(Kind.TEXT, "m.flow_id"),
        "executionId": Column(Kind.TEXT, "m.execution_id", exact=_OF_EXECUTION.replace("{key}", "m.key")),
        "taskId": Column(Kind.TEXT, "m.task_id"),
        "taskRunId": Column(Kind.TEXT, "m.run_id"),
        "kind": Column(Kind.TEXT, "m.kind"),
        "name": Column(Kind.TEXT, "m.name"),
        "type": Column(Kind.TEXT, "m.type"),
        "value": Column(Kind.NUMBER, "m.value"),
        "timestamp": Column(Kind.MOMENT, "m.at"),
        "startDate": Column(Kind.MOMENT, "m.at"),
        "endDate": Column(Kind.MOMENT, "m.at"),
    },
    sorts={
        "timestamp": "m.at",
        "name": "m.name",
        "type": "m.type",
        "value": "m.value",
        "namespace": "m.namespace",
        "flowId": "m.flow_id",
        "taskId": "m.task_id",
        "taskRunId": "m.run_id",
    },
    default="m.at, m.key",
    last="m.key",
)
