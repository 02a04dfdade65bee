"""Questions to the store for people and clients: searches, lists, single things. Nothing here changes anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Generic, Literal, Protocol, TypeAlias, TypeVar

import msgspec

from penstock.model.entries import LogEntry, MetricEntry
from penstock.model.execution import Execution, ExecutionContext, TaskRun
from penstock.ports.journal import OutputRow

T = TypeVar("T")


class Filter(msgspec.Struct, frozen=True, tag="filter"):
    """One condition: wire names of api.md section 5 (`namespace`, `EQUALS`); labels and metadata carry `key`."""

    field: str
    operation: str
    value: object
    key: str | None = None


class AllOf(msgspec.Struct, frozen=True, tag="and"):
    """All of the conditions hold (an AND group of api.md section 5)."""

    conditions: tuple[Condition, ...]


class AnyOf(msgspec.Struct, frozen=True, tag="or"):
    """At least one of the conditions holds (an OR group)."""

    conditions: tuple[Condition, ...]


Condition: TypeAlias = Filter | AllOf | AnyOf
"""What a search asks for; the conditions of one search are joined by AND."""


class Sort(msgspec.Struct, frozen=True):
    """Order by a wire name (`state.startDate`)."""

    field: str
    descending: bool = False


class Page(msgspec.Struct, Generic[T], frozen=True):
    """One page of a list and the length of the whole."""

    results: list[T]
    total: int


class StoredExecution(msgspec.Struct):
    """An execution as kept: head and context."""

    execution: Execution
    context: ExecutionContext


class StoredRun(msgspec.Struct):
    """A task run as kept, with the execution it belongs to."""

    execution_id: str
    run: TaskRun


Unit: TypeAlias = Literal["minute", "hour", "day", "week", "month"]
"""Lengths of time that counts and sums are made over; they begin in UTC, weeks on Monday."""

Aggregation: TypeAlias = Literal["sum", "avg", "min", "max", "count"]
"""How the values of a metric are put together."""


class Bucket(msgspec.Struct, frozen=True):
    """The aggregated values of one stretch of time, named by its beginning."""

    date: datetime
    value: float


class Tally(msgspec.Struct, frozen=True):
    """How many executions share the values of `group`, and how long those that ended took (seconds, in all)."""

    group: tuple[str | datetime | None, ...]
    count: int
    ended: int
    duration: float


class Reads(Protocol):
    """Questions about executions. `page` counts from 1."""

    def execution(self, tenant_id: str, execution_id: str) -> StoredExecution | None: ...

    def search_executions(
        self, tenant_id: str, filters: Sequence[Condition], *, sort: Sequence[Sort], page: int, size: int
    ) -> Page[StoredExecution]:
        """Executions (never iterations) that satisfy all filters; default order: newest start first."""
        ...

    def distinct_executions(self, tenant_id: str, field: str, filters: Sequence[Condition], size: int) -> list[str]: ...

    def run(self, task_run_id: str) -> StoredRun | None:
        """A task run or a Loop iteration by its id, whatever execution it belongs to."""
        ...

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
        """Task runs in order of creation: those visible to `owner` ("" the execution itself, None all of them),
        optionally children of one parent ("": those that have none) and in given states; `iterations` asks for Loop
        iterations instead.
        """
        ...

    def search_iterations(
        self, tenant_id: str, filters: Sequence[Condition], *, sort: Sequence[Sort], page: int, size: int
    ) -> Page[StoredRun]:
        """Loop iterations over all executions (`parentId`, `taskId`, `state`, `namespace`, `flowId` … filters)."""
        ...

    def outputs(self, execution_id: str, owner: str | None = "") -> list[OutputRow]:
        """Which task runs have outputs; rows come without values."""
        ...

    def output(self, execution_id: str, task_run_id: str) -> OutputRow | None: ...

    def execution_outputs(self, execution_id: str) -> OutputRow | None: ...

    def logs(
        self,
        tenant_id: str,
        filters: Sequence[Condition],
        *,
        sort: Sequence[Sort] = (),
        page: int = 1,
        size: int | None = None,
    ) -> Page[LogEntry]:
        """Log lines that satisfy all filters (`executionId`, `taskRunId`, `level` as a minimum …); oldest first."""
        ...

    def metrics(
        self,
        tenant_id: str,
        filters: Sequence[Condition],
        *,
        sort: Sequence[Sort] = (),
        page: int = 1,
        size: int | None = None,
    ) -> Page[MetricEntry]: ...

    def metric_names(self, tenant_id: str, namespace: str, flow_id: str, task_id: str | None = None) -> list[str]: ...

    def metric_tasks(self, tenant_id: str, namespace: str, flow_id: str) -> list[str]:
        """Ids of the tasks of a flow that have metrics."""
        ...

    def aggregate_metrics(
        self,
        tenant_id: str,
        filters: Sequence[Condition],
        *,
        aggregation: Aggregation = "sum",
        unit: Unit = "day",
    ) -> list[Bucket]:
        """The values of the metrics that satisfy all filters (as `metrics`), by time; empty stretches are left out."""
        ...

    def count_executions(
        self, tenant_id: str, filters: Sequence[Condition], *, by: Sequence[str], unit: Unit = "day"
    ) -> list[Tally]:
        """Executions that satisfy all filters, counted by `namespace`, `flowId`, `state`, `kind` and `startDate` (the
        beginning of its `unit` of time), in the order of the groups.
        """
        ...

    def latest_executions(self, tenant_id: str, flows: Sequence[tuple[str, str]]) -> list[Execution]:
        """The newest execution of each (namespace, flow id)."""
        ...

    def retained(self, tenant_id: str, before: datetime, filters: Sequence[Condition]) -> Iterator[str]:
        """Ids of terminated executions older than a moment, for retention and purges, oldest first."""
        ...
