"""Records as Kestra's clients know them (engine.md 1.4-1.10, api.md 12): camelCase, nulls left out, instants with Z."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

import msgspec

from penstock.catalog.inputs import FilePart, ResolvedInput
from penstock.model.duration import format_duration
from penstock.model.entries import LogEntry, MetricEntry
from penstock.model.execution import (
    Attempt,
    Execution,
    ExecutionContext,
    ExecutionKind,
    ExecutionTrigger,
    Label,
    RunKind,
    TaskRun,
)
from penstock.model.state import TERMINATED, State, StateChange
from penstock.ports.flows import FlowRow
from penstock.ports.reads import Filter, StoredExecution
from penstock.ports.trigger_states import TriggerState

Json = dict[str, object]


def state_json(state: State, histories: Sequence[StateChange]) -> Json:
    """`{current, histories, startDate, endDate, duration}`."""
    found: Json = {
        "current": state,
        "histories": [{"state": h.state, "date": h.date} for h in histories],
        "startDate": histories[0].date,
    }
    if state in TERMINATED or state is State.PAUSED:
        end = histories[-1].date
        found["endDate"] = end
        found["duration"] = format_duration(end - histories[0].date)
    return found


def attempt_json(attempt: Attempt) -> Json:
    """One attempt of a task run."""
    found: Json = {"state": state_json(attempt.state, attempt.histories)}
    if attempt.worker_id is not None:
        found["workerId"] = attempt.worker_id
    if attempt.log_file is not None:
        found["logFile"] = attempt.log_file
    return found


class Place(Protocol):
    """Where a task run belongs to: its execution, or what names it."""

    @property
    def id(self) -> str: ...

    @property
    def namespace(self) -> str: ...

    @property
    def flow_id(self) -> str: ...


def run_json(run: TaskRun, execution: Place) -> Json:
    """A task run; the superset of both generations (api.md 8)."""
    found: Json = {
        "id": run.id,
        "executionId": execution.id,
        "namespace": execution.namespace,
        "flowId": execution.flow_id,
        "taskId": run.task_id,
    }
    if run.parent_id is not None:
        found["parentTaskRunId"] = run.parent_id
    if run.value is not None:
        found["value"] = run.value
    if run.iteration is not None:
        found["iteration"] = run.iteration
    if run.attempts:
        found["attempts"] = [attempt_json(a) for a in run.attempts]
    if run.dynamic:
        found["dynamic"] = True
    if run.force_execution:
        found["forceExecution"] = True
    found["state"] = state_json(run.state, run.histories)
    return found


def light_json(execution: Execution, context: ExecutionContext) -> Json:
    """An execution as searches give it: no task runs, no variables."""
    found: Json = {
        "tenantId": execution.tenant_id,
        "id": execution.id,
        "namespace": execution.namespace,
        "flowId": execution.flow_id,
        "flowRevision": execution.flow_revision,
    }
    if context.inputs:
        found["inputs"] = context.inputs
    if context.labels:
        found["labels"] = labels_json(context.labels)
    found["state"] = state_json(execution.state, execution.histories)
    if execution.parent_id is not None:
        found["parentId"] = execution.parent_id
    found["originalId"] = execution.original_id
    if context.trigger is not None:
        found["trigger"] = started_by(context.trigger)
    if execution.schedule_date is not None:
        found["scheduleDate"] = execution.schedule_date
    if execution.kind is not ExecutionKind.NORMAL:
        found["kind"] = execution.kind
    if execution.breakpoints:
        found["breakpoints"] = execution.breakpoints
    found["deleted"] = False
    found["metadata"] = metadata_json(execution)
    return found


def labels_json(labels: Sequence[Label]) -> list[Json]:
    """Labels as a list of `{key, value}`."""
    return [{"key": label.key, "value": label.value} for label in labels]


def started_by(trigger: ExecutionTrigger) -> Json:
    """What started an execution."""
    found: Json = {"id": trigger.id, "type": trigger.type, "variables": trigger.variables}
    if trigger.log_file is not None:
        found["logFile"] = trigger.log_file
    return found


def metadata_json(execution: Execution) -> Json:
    """The number of the attempt, and when the first of its chain was created."""
    return {
        "attemptNumber": execution.metadata.attempt_number,
        "originalCreatedDate": execution.metadata.original_created_date,
    }


def execution_json(stored: StoredExecution, runs: Sequence[TaskRun]) -> Json:
    """An execution with its task runs."""
    found = light_json(stored.execution, stored.context)
    if stored.context.variables:
        found["variables"] = stored.context.variables
    found["taskRunList"] = [run_json(run, stored.execution) for run in runs]
    return found


def iteration_execution(
    parent: StoredExecution, run: TaskRun, chain: Sequence[TaskRun], *, loop: TaskRun | None = None
) -> Json:
    """An iteration of a Loop as the sub-execution that 2.0 clients see; its id is that of the iteration.

    chain: the iteration and those around it, innermost first. loop: the task run of the Loop itself.
    """
    execution, context = parent.execution, parent.context
    loop_run: Json = {
        "parent": _snapshot(parent, loop),
        "parentId": execution.id,
        "taskId": run.task_id,
        "taskRunId": run.parent_id,
        **_item(run),
    }
    if len(chain) > 1:
        loop_run["parents"] = [_item(r) for r in chain[1:]][::-1]
    found: Json = {
        "tenantId": execution.tenant_id,
        "id": run.id,
        "namespace": execution.namespace,
        "flowId": execution.flow_id,
        "flowRevision": execution.flow_revision,
        "labels": labels_json(context.labels),
        "state": state_json(run.state, run.histories),
        "parentId": chain[1].id if len(chain) > 1 else execution.id,
        "kind": ExecutionKind.LOOP,
        "loopRun": loop_run,
        "originalId": execution.original_id,
        "deleted": False,
        "metadata": metadata_json(execution),
    }
    if context.variables:
        found["variables"] = context.variables
    return found


def _snapshot(parent: StoredExecution, loop: TaskRun | None) -> Json:
    """The execution around an iteration: its head, and the Loop's task run alone."""
    head, context = parent.execution, parent.context
    return {
        "id": head.id,
        "namespace": head.namespace,
        "flowId": head.flow_id,
        "flowRevision": head.flow_revision,
        "taskRunList": [run_json(loop, head)] if loop is not None else [],
        "labels": labels_json(context.labels),
        "state": state_json(head.state, head.histories),
        "originalId": head.original_id,
        "deleted": False,
        "metadata": metadata_json(head),
    }


def _item(run: TaskRun) -> Json:
    found: Json = {"index": run.iteration, "value": run.value}
    if run.key is not None:
        found["key"] = run.key
    return found


def flow_json(row: FlowRow, *, source: bool = False) -> Json:
    """A flow with every property as written."""
    found: Json = {
        "triggers": [],
        **row.document,
        "id": row.id,
        "namespace": row.namespace,
        "tenantId": row.tenant_id,
        "revision": row.revision,
        "updated": row.updated,
        "disabled": row.disabled,
        "deleted": row.deleted,
        "draft": row.draft,
    }
    if row.error is not None:
        found["exception"] = row.error
    if source:
        found["source"] = row.source
    return {key: value for key, value in found.items() if value is not None}


def is_iteration(run: TaskRun) -> bool:
    """Whether a task run stands for an iteration of a Loop."""
    return run.kind is RunKind.ITERATION


def trigger_json(state: TriggerState, *, locked: bool) -> Json:
    """A trigger's row; the 1.x names of its dates beside those of 2.0."""
    return without_nulls(
        {
            "tenantId": state.tenant_id,
            "namespace": state.namespace,
            "flowId": state.flow_id,
            "triggerId": state.trigger_id,
            "updatedAt": state.updated,
            "evaluatedAt": state.evaluated,
            "nextEvaluationDate": state.next_date,
            "nextExecutionDate": state.next_date,
            "lastTriggeredDate": state.last_triggered,
            "date": state.last_triggered,
            "backfill": state.backfill,
            "stopAfter": state.stop_after or None,
            "executionId": state.execution_id,
            "workerId": state.worker_id,
            "disabled": state.disabled,
            "locked": locked,
            "kind": state.kind,
        }
    )


def entry_json(entry: LogEntry | MetricEntry) -> Json:
    """A log line or a metric: without the tenant, as Kestra sends it."""
    found = msgspec.to_builtins(entry, builtin_types=(datetime,))
    found.pop("tenantId", None)
    if isinstance(entry, MetricEntry):
        found.setdefault("tags", {})
    return found


def label_texts(labels: Sequence[Label]) -> str:
    """Labels in one text: `key:value`, joined by commas."""
    return ",".join(f"{label.key}:{label.value}" for label in labels)


def only(namespace: str, flow_id: str) -> list[Filter]:
    """The filters that name one flow."""
    return [Filter("namespace", "EQUALS", namespace), Filter("flowId", "EQUALS", flow_id)]


def input_json(resolved: ResolvedInput) -> Json:
    """One input of a validation answer."""
    found: Json = {
        "input": resolved.declared.model_dump(by_alias=True, exclude_none=True, mode="json"),
        "enabled": resolved.enabled,
        "isDefault": resolved.is_default,
        "errors": [{"message": e.message, "renderError": e.render_error} for e in resolved.errors],
    }
    if resolved.value is not None:
        found["value"] = resolved.value.name if isinstance(resolved.value, FilePart) else resolved.value
    return found


def page_json(results: Sequence[object], total: int) -> Json:
    """A page of a list."""
    return {"results": list(results), "total": total}


def instant(text: str) -> datetime:
    """An instant written in ISO 8601; without an offset it is UTC.

    Raises:
        ValueError: it is none.
    """
    found = datetime.fromisoformat(text.strip())
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def without_nulls(values: Mapping[str, object]) -> Json:
    """The members that are not null."""
    return {key: value for key, value in values.items() if value is not None}
