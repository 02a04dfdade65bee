"""Rows of the trigger journal and log lines of triggers: the same keys on all of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from penstock.model.entries import LogEntry
from penstock.model.task import LogLevel
from penstock.ports.trigger_states import Evaluation, Outcome, TriggerKey
from penstock.scheduler.verdict import Verdict

THREAD = "scheduler"


def evaluation(
    key: TriggerKey,
    outcome: Outcome,
    *,
    at: datetime,
    planned: datetime | None = None,
    reason: str = "",
    execution_id: str | None = None,
    source_id: str | None = None,
) -> Evaluation:
    """A row of the trigger journal."""
    return Evaluation(
        tenant_id=key.tenant_id,
        namespace=key.namespace,
        flow_id=key.flow_id,
        trigger_id=key.trigger_id,
        at=at,
        outcome=outcome,
        planned=planned,
        reason=reason,
        execution_id=execution_id,
        source_id=source_id,
    )


def skipped(
    key: TriggerKey, verdict: Verdict, *, at: datetime, planned: datetime | None = None, source_id: str | None = None
) -> Evaluation:
    """The row of a condition that did not hold, or could not be evaluated."""
    return Evaluation(
        tenant_id=key.tenant_id,
        namespace=key.namespace,
        flow_id=key.flow_id,
        trigger_id=key.trigger_id,
        at=at,
        outcome=Outcome.ERROR if verdict.warning else Outcome.SKIPPED,
        planned=planned,
        reason=verdict.warning or f"condition {verdict.condition} does not hold",
        condition=verdict.condition,
        values=_plain(verdict.values),
        source_id=source_id,
    )


def log(key: TriggerKey, level: LogLevel, message: str, *, at: datetime, execution_id: str | None = None) -> LogEntry:
    """A log line of a trigger, or of the execution that it made."""
    return LogEntry(
        tenant_id=key.tenant_id,
        namespace=key.namespace,
        flow_id=key.flow_id,
        trigger_id=key.trigger_id,
        execution_id=execution_id,
        timestamp=at,
        level=level,
        thread=THREAD,
        message=message,
    )


def _plain(values: Mapping[str, object]) -> dict[str, object]:
    """Values as they can be kept: texts, numbers, lists and maps; anything else by its text."""
    return {key: _plain_value(value) for key, value in values.items()}


def _plain_value(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_value(item) for item in value]
    return str(value)
