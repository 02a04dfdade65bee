"""Log lines and metrics of flows: the user's data, never our own log."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from penstock.model.execution import ExecutionKind
from penstock.model.task import LogLevel


class LogEntry(msgspec.Struct, kw_only=True, omit_defaults=True, rename="camel"):
    """One log line; `attempt_number` counts from 0, trigger logs carry `trigger_id` and no execution."""

    tenant_id: str = "main"
    namespace: str
    flow_id: str
    execution_id: str | None = None
    task_id: str | None = None
    task_run_id: str | None = None
    trigger_id: str | None = None
    attempt_number: int | None = None
    timestamp: datetime
    level: LogLevel
    thread: str = "executor"
    message: str
    execution_kind: ExecutionKind | None = None


class MetricKind(StrEnum):
    """A sum, a length of time in milliseconds, or a reading."""

    COUNTER = "counter"
    TIMER = "timer"
    GAUGE = "gauge"


class MetricEntry(msgspec.Struct, kw_only=True, omit_defaults=True, rename="camel"):
    """One measured value; a timer's `value` is in milliseconds."""

    tenant_id: str = "main"
    namespace: str
    flow_id: str
    execution_id: str | None = None
    task_id: str | None = None
    task_run_id: str | None = None
    type: MetricKind
    name: str
    value: float
    timestamp: datetime
    tags: dict[str, str] = {}
    execution_kind: ExecutionKind | None = None
