"""Writing log lines and metrics: appended behind those of the same execution."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from math import nan
from typing import Any, cast

from penstock.model.entries import LogEntry, MetricEntry, MetricKind
from penstock.model.execution import ExecutionKind
from penstock.model.task import LogLevel
from penstock.store.records import decode_labels, encode, text
from penstock.store.sqlite.codec import micros, moment
from penstock.store.sqlite.numbers import Known, Numbers, next_key
from penstock.store.sqlite.statements import Statements

_SQL = Statements("entries.sql")

LEVELS = {level: rank for rank, level in enumerate(LogLevel)}
"""Rank of each level, from the most talkative."""

_RANKED = tuple(LogLevel)


class EntryWriter:
    """Appends entries inside a running transaction; those of executions that are gone are dropped."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers

    def write_logs(self, connection: sqlite3.Connection, entries: Sequence[LogEntry]) -> int:
        """Append log lines in the order given; returns the bytes of their messages."""
        rows: list[tuple[object, ...]] = []
        size = 0
        for entry in entries:
            known = self._known(connection, entry.execution_id)
            if known is None:
                continue
            known.logs = next_key(connection, known.no, known.logs, _SQL.last_log)
            message = text(entry.message)
            size += len(message)
            rows.append(_log_row(known.logs, entry, message))
        connection.executemany(_SQL.insert_log, rows)
        return size

    def write_metrics(self, connection: sqlite3.Connection, entries: Sequence[MetricEntry]) -> int:
        """Append metrics in the order given; returns the bytes of their names and tags."""
        rows: list[tuple[object, ...]] = []
        size = 0
        for entry in entries:
            known = self._known(connection, entry.execution_id)
            if known is None:
                continue
            known.metrics = next_key(connection, known.no, known.metrics, _SQL.last_metric)
            tags = encode(entry.tags) if entry.tags else None
            size += len(entry.name) + len(tags or b"")
            rows.append(_metric_row(known.metrics, entry, tags))
        connection.executemany(_SQL.insert_metric, rows)
        return size

    def _known(self, connection: sqlite3.Connection, execution_id: str | None) -> Known | None:
        if execution_id is None:
            return self._numbers.of_triggers()
        return self._numbers.get(connection, execution_id)


def _log_row(key: int, entry: LogEntry, message: str) -> tuple[object, ...]:
    return (
        key,
        micros(entry.timestamp),
        LEVELS[entry.level],
        entry.tenant_id,
        entry.namespace,
        entry.flow_id,
        entry.execution_id,
        entry.task_id,
        entry.task_run_id,
        entry.attempt_number,
        entry.trigger_id,
        entry.execution_kind and entry.execution_kind.value,
        text(entry.thread),
        message,
    )


def _metric_row(key: int, entry: MetricEntry, tags: bytes | None) -> tuple[object, ...]:
    return (
        key,
        micros(entry.timestamp),
        entry.type.value,
        text(entry.name),
        float(entry.value),
        entry.tenant_id,
        entry.namespace,
        entry.flow_id,
        entry.execution_id,
        entry.task_id,
        entry.task_run_id,
        entry.execution_kind and entry.execution_kind.value,
        tags,
    )


def log_entry(row: tuple[object, ...]) -> LogEntry:
    """The record of a row of `reads.logs`."""
    at, level, tenant, namespace, flow, execution, task, run, attempt, trigger, kind, thread, message = cast("Any", row)
    return LogEntry(
        tenant_id=tenant,
        namespace=namespace,
        flow_id=flow,
        execution_id=execution,
        task_id=task,
        task_run_id=run,
        trigger_id=trigger,
        attempt_number=attempt,
        timestamp=moment(at),
        level=_RANKED[level],
        thread=thread,
        message=message,
        execution_kind=None if kind is None else ExecutionKind(kind),
    )


def metric_entry(row: tuple[object, ...]) -> MetricEntry:
    """The record of a row of `reads.metrics`."""
    at, type_, name, value, tenant, namespace, flow, execution, task, run, kind, tags = cast("Any", row)
    return MetricEntry(
        tenant_id=tenant,
        namespace=namespace,
        flow_id=flow,
        execution_id=execution,
        task_id=task,
        task_run_id=run,
        type=MetricKind(type_),
        name=name,
        value=nan if value is None else value,
        timestamp=moment(at),
        tags={} if tags is None else decode_labels(tags),
        execution_kind=None if kind is None else ExecutionKind(kind),
    )
