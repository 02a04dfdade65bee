"""Questions about executions, and purges, in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from penstock.errors import BadRequest
from penstock.model.entries import LogEntry, MetricEntry
from penstock.model.execution import Execution, RunKind, TaskRun
from penstock.ports.journal import OutputRow
from penstock.ports.reads import Aggregation, Bucket, Condition, Page, Sort, StoredExecution, StoredRun, Tally, Unit
from penstock.store.memory.fields import (
    EXECUTION_KEYS,
    EXECUTIONS,
    ITERATION_KEYS,
    ITERATIONS,
    LOG_KEYS,
    LOGS,
    METRIC_KEYS,
    METRICS,
    ended,
    started,
    took,
)
from penstock.store.memory.journal import metric_copy, output_copy
from penstock.store.memory.matching import matching, ordered, page_of
from penstock.store.memory.tables import Kept, Tables
from penstock.store.records import copied

_GROUPS = ("namespace", "flowId", "state", "kind")
_DISTINCT = (*_GROUPS, "triggerId", "flowRevision")
_SUMS = {"sum": sum, "min": min, "max": max, "count": len, "avg": lambda values: sum(values) / len(values)}


class MemoryReads:
    """`penstock.ports.reads.Reads` in memory."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def execution(self, tenant_id: str, execution_id: str) -> StoredExecution | None:
        with self._tables.lock:
            kept = self._tables.executions.get(execution_id)
            return _stored(kept) if kept and kept.execution.tenant_id == tenant_id else None

    def search_executions(
        self, tenant_id: str, filters: Sequence[Condition], *, sort: Sequence[Sort] = (), page: int, size: int
    ) -> Page[StoredExecution]:
        newest = self._executions(tenant_id, filters)[::-1]
        if not sort:
            newest.sort(key=lambda kept: started(kept.execution), reverse=True)
        found = page_of(ordered(newest, sort, EXECUTION_KEYS), page, size)
        return Page(results=[_stored(kept) for kept in found.results], total=found.total)

    def distinct_executions(self, tenant_id: str, field: str, filters: Sequence[Condition], size: int) -> list[str]:
        if field not in _DISTINCT:
            raise BadRequest(f"Unsupported field '{field}'. Expected one of: [{', '.join(sorted(_DISTINCT))}]")
        values = {EXECUTIONS[field].get(kept) for kept in self._executions(tenant_id, filters)}
        return sorted(str(value) for value in values if value is not None)[:size]

    def run(self, task_run_id: str) -> StoredRun | None:
        with self._tables.lock:
            for execution_id, kept in self._tables.executions.items():
                if task_run_id in kept.runs:
                    return StoredRun(execution_id=execution_id, run=copied(kept.runs[task_run_id]))
        return None

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
        def wanted(run: TaskRun) -> bool:
            return (
                (run.kind is RunKind.ITERATION) is iterations
                and owner in (None, run.owner)
                and parent_id in (None, run.parent_id or "")
                and (not states or run.state.value in states)
            )

        with self._tables.lock:
            kept = self._tables.executions.get(execution_id)
            found = page_of([run for run in (kept.runs.values() if kept else ()) if wanted(run)], page, size)
            return Page(results=[copied(run) for run in found.results], total=found.total)

    def search_iterations(
        self, tenant_id: str, filters: Sequence[Condition], *, sort: Sequence[Sort] = (), page: int, size: int
    ) -> Page[StoredRun]:
        items = [
            (kept, run)
            for kept in self._executions(tenant_id, ())
            for run in kept.runs.values()
            if run.kind is RunKind.ITERATION
        ]
        newest = matching(items[::-1], filters, ITERATIONS)
        found = page_of(ordered(newest, sort, ITERATION_KEYS), page, size)
        runs = [StoredRun(execution_id=kept.execution.id, run=copied(run)) for kept, run in found.results]
        return Page(results=runs, total=found.total)

    def outputs(self, execution_id: str, owner: str | None = "") -> list[OutputRow]:
        with self._tables.lock:
            kept = self._tables.executions.get(execution_id)
            rows = [kept.outputs[run_id] for run_id in kept.runs if run_id in kept.outputs] if kept else []
            return [msgspec.structs.replace(row, value=None) for row in rows if owner in (None, row.owner)]

    def output(self, execution_id: str, task_run_id: str) -> OutputRow | None:
        with self._tables.lock:
            kept = self._tables.executions.get(execution_id)
            row = kept.outputs.get(task_run_id) if kept else None
            return None if row is None else output_copy(row)

    def execution_outputs(self, execution_id: str) -> OutputRow | None:
        with self._tables.lock:
            kept = self._tables.executions.get(execution_id)
            row = kept.execution_outputs if kept else None
            return None if row is None else output_copy(row)

    def logs(
        self,
        tenant_id: str,
        filters: Sequence[Condition],
        *,
        sort: Sequence[Sort] = (),
        page: int = 1,
        size: int | None = None,
    ) -> Page[LogEntry]:
        with self._tables.lock:
            own = [entry for entry in self._tables.logs if entry.tenant_id == tenant_id]
        found = ordered(matching(own, filters, LOGS), sort or [Sort("timestamp")], LOG_KEYS)
        return page_of([copied(entry) for entry in found], page, size)

    def metrics(
        self,
        tenant_id: str,
        filters: Sequence[Condition],
        *,
        sort: Sequence[Sort] = (),
        page: int = 1,
        size: int | None = None,
    ) -> Page[MetricEntry]:
        found = ordered(self._metrics(tenant_id, filters), sort or [Sort("timestamp")], METRIC_KEYS)
        return page_of([metric_copy(entry) for entry in found], page, size)

    def metric_names(self, tenant_id: str, namespace: str, flow_id: str, task_id: str | None = None) -> list[str]:
        entries = self._metrics_of_flow(tenant_id, namespace, flow_id)
        return sorted({entry.name for entry in entries if task_id in (None, entry.task_id)})

    def metric_tasks(self, tenant_id: str, namespace: str, flow_id: str) -> list[str]:
        entries = self._metrics_of_flow(tenant_id, namespace, flow_id)
        return sorted({entry.task_id for entry in entries if entry.task_id is not None})

    def aggregate_metrics(
        self,
        tenant_id: str,
        filters: Sequence[Condition],
        *,
        aggregation: Aggregation = "sum",
        unit: Unit = "day",
    ) -> list[Bucket]:
        if aggregation not in _SUMS:
            raise BadRequest(f"Unknown aggregation '{aggregation}', expected sum, avg, min, max or count")
        buckets: dict[datetime, list[float]] = {}
        for entry in self._metrics(tenant_id, filters):
            buckets.setdefault(beginning(entry.timestamp, unit), []).append(entry.value)
        return [Bucket(date, float(_SUMS[aggregation](values))) for date, values in sorted(buckets.items())]

    def count_executions(
        self, tenant_id: str, filters: Sequence[Condition], *, by: Sequence[str], unit: Unit = "day"
    ) -> list[Tally]:
        groups: dict[tuple[str | datetime | None, ...], list[Kept]] = {}
        for kept in self._executions(tenant_id, filters):
            group = tuple(_group(kept, field, unit) for field in by)
            groups.setdefault(group, []).append(kept)
        return [_tally(group, groups[group]) for group in sorted(groups, key=str)]

    def latest_executions(self, tenant_id: str, flows: Sequence[tuple[str, str]]) -> list[Execution]:
        latest: Mapping[tuple[str, str], Execution] = {
            (kept.execution.namespace, kept.execution.flow_id): kept.execution
            for kept in sorted(self._executions(tenant_id, ()), key=lambda kept: started(kept.execution))
        }
        return [copied(latest[flow]) for flow in flows if flow in latest]

    def retained(self, tenant_id: str, before: datetime, filters: Sequence[Condition]) -> Iterator[str]:
        for kept in self._executions(tenant_id, filters):
            end = ended(kept.execution)
            if kept.execution.closed and end is not None and end < before:
                yield kept.execution.id

    def _executions(self, tenant_id: str, filters: Sequence[Condition]) -> list[Kept]:
        with self._tables.lock:
            own = [kept for kept in self._tables.executions.values() if kept.execution.tenant_id == tenant_id]
            return matching(own, filters, EXECUTIONS)

    def _metrics(self, tenant_id: str, filters: Sequence[Condition]) -> list[MetricEntry]:
        with self._tables.lock:
            own = [entry for entry in self._tables.metrics if entry.tenant_id == tenant_id]
        return matching(own, filters, METRICS)

    def _metrics_of_flow(self, tenant_id: str, namespace: str, flow_id: str) -> list[MetricEntry]:
        found = self._metrics(tenant_id, ())
        return [entry for entry in found if (entry.namespace, entry.flow_id) == (namespace, flow_id)]


class MemoryPurges:
    """`penstock.ports.purges.Purges` in memory."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def delete_logs(self, tenant_id: str, filters: Sequence[Condition]) -> int:
        with self._tables.lock:
            own = [entry for entry in self._tables.logs if entry.tenant_id == tenant_id]
            doomed = {id(entry) for entry in matching(own, filters, LOGS)}
            self._tables.logs[:] = [entry for entry in self._tables.logs if id(entry) not in doomed]
        return len(doomed)

    def delete_metrics(self, tenant_id: str, filters: Sequence[Condition]) -> int:
        with self._tables.lock:
            own = [entry for entry in self._tables.metrics if entry.tenant_id == tenant_id]
            doomed = {id(entry) for entry in matching(own, filters, METRICS)}
            self._tables.metrics[:] = [entry for entry in self._tables.metrics if id(entry) not in doomed]
        return len(doomed)

    def sweep(self, steps: int | None = None) -> bool:
        """Deleted executions leave nothing behind here."""
        return False


def beginning(moment: datetime, unit: Unit) -> datetime:
    """When the stretch of time began that a moment lies in."""
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    match unit:
        case "minute":
            return moment.replace(second=0, microsecond=0)
        case "hour":
            return moment.replace(minute=0, second=0, microsecond=0)
        case "day":
            return day
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)


def _stored(kept: Kept) -> StoredExecution:
    return StoredExecution(execution=copied(kept.execution), context=copied(kept.context))


def _group(kept: Kept, field: str, unit: Unit) -> str | datetime | None:
    if field == "startDate":
        return beginning(started(kept.execution), unit)
    if field not in _GROUPS:
        raise BadRequest(f"Cannot count by '{field}'. Expected one of: [{', '.join(sorted([*_GROUPS, 'startDate']))}]")
    return EXECUTIONS[field].get(kept)


def _tally(group: tuple[str | datetime | None, ...], members: list[Kept]) -> Tally:
    durations = [duration for kept in members if (duration := took(kept.execution)) is not None]
    total = sum(durations, timedelta())
    return Tally(group=group, count=len(members), ended=len(durations), duration=total.total_seconds())
