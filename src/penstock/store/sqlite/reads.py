"""Questions about executions on SQLite."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import cast

from penstock.errors import BadRequest
from penstock.model.entries import LogEntry, MetricEntry
from penstock.model.execution import Execution, ExecutionContext, RunKind, TaskRun
from penstock.ports.journal import OutputRow
from penstock.ports.reads import (
    Aggregation,
    Bucket,
    Condition,
    Page,
    Sort,
    StoredExecution,
    StoredRun,
    Tally,
    Unit,
)
from penstock.store.records import decode_context, decode_execution, decode_map, decode_run, encode
from penstock.store.sqlite.codec import micros
from penstock.store.sqlite.conditions import where, window
from penstock.store.sqlite.entries import log_entry, metric_entry
from penstock.store.sqlite.journal import output_row
from penstock.store.sqlite.numbers import bounds
from penstock.store.sqlite.readers import Readers
from penstock.store.sqlite.searched import EXECUTIONS, ITERATIONS, LOGS, METRICS, READS
from penstock.store.sqlite.searching import Asked, search
from penstock.store.sqlite.statements import Statements

_JOURNAL = Statements("journal.sql")
_STRETCH = 500

_BUCKETS: dict[Unit, str] = {
    "minute": "strftime('%Y-%m-%dT%H:%M:00+00:00', {at} / 1000000, 'unixepoch')",
    "hour": "strftime('%Y-%m-%dT%H:00:00+00:00', {at} / 1000000, 'unixepoch')",
    "day": "strftime('%Y-%m-%dT00:00:00+00:00', {at} / 1000000, 'unixepoch')",
    # The Sunday that ends the week, and six days back: its Monday.
    "week": "strftime('%Y-%m-%dT00:00:00+00:00', {at} / 1000000, 'unixepoch', 'weekday 0', '-6 days')",
    "month": "strftime('%Y-%m-01T00:00:00+00:00', {at} / 1000000, 'unixepoch')",
}
_GROUPS = {"namespace": "e.namespace", "flowId": "e.flow_id", "state": "e.state", "kind": "e.kind"}
_DISTINCT = _GROUPS | {"triggerId": "e.trigger_id", "flowRevision": "CAST(e.flow_revision AS TEXT)"}


class SqliteReads:
    """`penstock.ports.reads.Reads` on SQLite."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    def execution(self, tenant_id: str, execution_id: str) -> StoredExecution | None:
        with self._readers.connection() as connection:
            row = connection.execute(READS.execution, (tenant_id, execution_id)).fetchone()
        return None if row is None else _stored(row)

    def search_executions(
        self, tenant_id: str, filters: Sequence[Condition], *, sort: Sequence[Sort] = (), page: int, size: int
    ) -> Page[StoredExecution]:
        with self._readers.snapshot() as connection:
            rows, total = search(connection, EXECUTIONS, Asked((tenant_id,), filters, sort, page, size))
        return Page(results=[_stored(row) for row in rows], total=total)

    def distinct_executions(self, tenant_id: str, field: str, filters: Sequence[Condition], size: int) -> list[str]:
        if field not in _DISTINCT:
            raise BadRequest(f"Unsupported field '{field}'. Expected one of: [{', '.join(sorted(_DISTINCT))}]")
        condition, parameters = where(filters, EXECUTIONS.columns)
        statement = READS.distinct_executions.replace("{where}", condition).replace("{field}", _DISTINCT[field])
        with self._readers.connection() as connection:
            return [value for (value,) in connection.execute(statement, (tenant_id, *parameters, size))]

    def run(self, task_run_id: str) -> StoredRun | None:
        with self._readers.connection() as connection:
            row = connection.execute(READS.run, (task_run_id,)).fetchone()
        return None if row is None else StoredRun(execution_id=row[0], run=decode_run(row[1]))

    def runs(
        self,
        execution_id: str,
        *,
        owner: str | None = "",
        parent_id: str | None = None,
        states: Sequence[str] = (),
        iterations: bool = False,
        page: int = 1,
        size: int | None = None,
    ) -> Page[TaskRun]:
        parts = ["t.key BETWEEN ? AND ?", "t.kind = ?"]
        parameters: list[object] = [(RunKind.ITERATION if iterations else RunKind.TASK).value]
        if owner is not None:
            # The index of owners knows no empty one; the second part tells SQLite that it may use it.
            parts.append("t.owner = ? AND t.owner <> ''" if owner else "t.owner = ?")
            parameters.append(owner)
        if parent_id == "":
            parts.append("t.parent_id IS NULL")
        elif parent_id is not None:
            parts.append("t.parent_id = ?")
            parameters.append(parent_id)
        if states:
            parts.append("t.state IN (SELECT value FROM json_each(?))")
            parameters.append(encode(list(states)).decode())
        with self._readers.snapshot() as connection:
            found = connection.execute(_JOURNAL.execution_no, (execution_id,)).fetchone()
            if found is None:
                return Page(results=[], total=0)
            condition, bound = " AND ".join(parts), (*bounds(found[0]), *parameters)
            rows = connection.execute(
                READS.runs.replace("{where}", condition), (*bound, *window(page, size))
            ).fetchall()
            total = len(rows)
            if size is not None:
                total = connection.execute(READS.count_runs.replace("{where}", condition), bound).fetchone()[0]
        return Page(results=[decode_run(body) for (body,) in rows], total=total)

    def search_iterations(
        self, tenant_id: str, filters: Sequence[Condition], *, sort: Sequence[Sort] = (), page: int, size: int
    ) -> Page[StoredRun]:
        with self._readers.snapshot() as connection:
            rows, total = search(connection, ITERATIONS, Asked((tenant_id,), filters, sort, page, size))
        runs = [StoredRun(execution_id=found, run=decode_run(body)) for found, body in rows]
        return Page(results=runs, total=total)

    def outputs(self, execution_id: str, owner: str | None = "") -> list[OutputRow]:
        with self._readers.connection() as connection:
            rows = connection.execute(READS.outputs, (execution_id, owner or "", owner is None)).fetchall()
        return [output_row(execution_id, row) for row in rows]

    def output(self, execution_id: str, task_run_id: str) -> OutputRow | None:
        with self._readers.connection() as connection:
            row = connection.execute(READS.output, (task_run_id, execution_id)).fetchone()
        return None if row is None else output_row(execution_id, row)

    def execution_outputs(self, execution_id: str) -> OutputRow | None:
        with self._readers.connection() as connection:
            row = connection.execute(READS.execution_outputs, (execution_id,)).fetchone()
        if row is None:
            return None
        uri, size, value = row
        values = None if value is None else decode_map(value)
        return OutputRow(execution_id=execution_id, task_run_id="", task_id="", value=values, uri=uri, size=size)

    def logs(
        self,
        tenant_id: str,
        filters: Sequence[Condition],
        *,
        sort: Sequence[Sort] = (),
        page: int = 1,
        size: int | None = None,
    ) -> Page[LogEntry]:
        with self._readers.snapshot() as connection:
            rows, total = search(connection, LOGS, Asked((tenant_id,), filters, sort, page, size))
        return Page(results=[log_entry(row) for row in rows], total=total)

    def metrics(
        self,
        tenant_id: str,
        filters: Sequence[Condition],
        *,
        sort: Sequence[Sort] = (),
        page: int = 1,
        size: int | None = None,
    ) -> Page[MetricEntry]:
        with self._readers.snapshot() as connection:
            rows, total = search(connection, METRICS, Asked((tenant_id,), filters, sort, page, size))
        return Page(results=[metric_entry(row) for row in rows], total=total)

    def metric_names(self, tenant_id: str, namespace: str, flow_id: str, task_id: str | None = None) -> list[str]:
        with self._readers.connection() as connection:
            rows = connection.execute(READS.metric_names, (tenant_id, namespace, flow_id, task_id))
            return [name for (name,) in rows]

    def metric_tasks(self, tenant_id: str, namespace: str, flow_id: str) -> list[str]:
        with self._readers.connection() as connection:
            return [task for (task,) in connection.execute(READS.metric_tasks, (tenant_id, namespace, flow_id))]

    def aggregate_metrics(
        self,
        tenant_id: str,
        filters: Sequence[Condition],
        *,
        aggregation: Aggregation = "sum",
        unit: Unit = "day",
    ) -> list[Bucket]:
        condition, parameters = where(filters, METRICS.columns)
        statement = READS.aggregate_metrics.replace("{where}", condition)
        statement = statement.replace("{bucket}", _BUCKETS[unit].replace("{at}", "m.at"))
        statement = statement.replace("{aggregation}", f"{_aggregate(aggregation)}(m.value)")
        with self._readers.connection() as connection:
            rows = connection.execute(statement, (tenant_id, *parameters)).fetchall()
        return [Bucket(datetime.fromisoformat(date), float(value)) for date, value in rows]

    def count_executions(
        self, tenant_id: str, filters: Sequence[Condition], *, by: Sequence[str], unit: Unit = "day"
    ) -> list[Tally]:
        groups = ", ".join(_group(field, unit) for field in by) or "NULL"
        condition, parameters = where(filters, EXECUTIONS.columns)
        statement = READS.tally_executions.replace("{where}", condition).replace("{groups}", groups)
        with self._readers.connection() as connection:
            rows = connection.execute(statement, (tenant_id, *parameters)).fetchall()
        return [_tally(row, by) for row in rows]

    def latest_executions(self, tenant_id: str, flows: Sequence[tuple[str, str]]) -> list[Execution]:
        with self._readers.snapshot() as connection:
            rows = [connection.execute(READS.latest_execution, (tenant_id, *flow)).fetchone() for flow in flows]
        return [decode_execution(row[0]) for row in rows if row is not None]

    def retained(self, tenant_id: str, before: datetime, filters: Sequence[Condition]) -> Iterator[str]:
        """Stretch by stretch, so that what is found may be deleted meanwhile."""
        condition, parameters = where(filters, EXECUTIONS.columns)
        statement = READS.retained.replace("{where}", condition)
        last = 0
        while True:
            with self._readers.connection() as connection:
                bound = (tenant_id, micros(before), *parameters, last, _STRETCH)
                rows = connection.execute(statement, bound).fetchall()
            yield from (execution_id for _, execution_id in rows)
            if len(rows) < _STRETCH:
                return
            last = rows[-1][0]


def _stored(row: tuple[object, ...]) -> StoredExecution:
    head, context = cast("tuple[bytes, bytes | None]", row)
    return StoredExecution(
        execution=decode_execution(head),
        context=ExecutionContext() if context is None else decode_context(context),
    )


def _aggregate(aggregation: Aggregation) -> str:
    if aggregation not in ("sum", "avg", "min", "max", "count"):
        raise BadRequest(f"Unknown aggregation '{aggregation}', expected sum, avg, min, max or count")
    return aggregation


def _group(field: str, unit: Unit) -> str:
    if field == "startDate":
        return _BUCKETS[unit].replace("{at}", "e.started")
    if field not in _GROUPS:
        raise BadRequest(f"Cannot count by '{field}'. Expected one of: [{', '.join(sorted([*_GROUPS, 'startDate']))}]")
    return _GROUPS[field]


def _tally(row: tuple, by: Sequence[str]) -> Tally:
    *values, count, ended, duration = row
    group = [
        datetime.fromisoformat(value) if field == "startDate" else value
        for field, value in zip(by, values, strict=False)
    ]
    return Tally(group=tuple(group), count=count, ended=ended, duration=duration / 1_000_000)
