"""The journal: where the state of executions is kept. One batch, one transaction, nothing lost after `commit` returns.

A batch holds the records that changed, never a whole execution: its size is that of the events behind it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Protocol

import msgspec

from penstock.model.entries import LogEntry, MetricEntry
from penstock.model.execution import Execution, ExecutionContext, TaskRun
from penstock.model.state import State


class OutputRow(msgspec.Struct, kw_only=True):
    """The outputs of one task run: `value` inline, or `uri` of a JSON file in internal storage; `size` in bytes.

    owner, path: as in `TaskRun`: together with `task_id` they are where templates find it.
    """

    execution_id: str
    task_run_id: str
    task_id: str
    owner: str = ""
    path: tuple[str, ...] = ()
    iteration: int | None = None
    value: Mapping[str, object] | None = None
    uri: str | None = None
    size: int = 0


class LoopValues(msgspec.Struct, kw_only=True):
    """A stretch of the values a loop goes over, from index `start` on; written once when the loop begins."""

    execution_id: str
    task_run_id: str
    start: int
    values: list[str]
    keys: list[str] | None = None


class Timer(msgspec.Struct, kw_only=True):
    """A moment an execution waits for; `key` is unique within the execution, a later one replaces it."""

    execution_id: str
    key: str
    due: datetime
    stamp: int = 0


class Transition(msgspec.Struct, kw_only=True):
    """A change of an execution's state that Flow triggers may react to: an outbox row, consumed exactly once."""

    id: int = 0
    execution_id: str
    tenant_id: str
    namespace: str
    flow_id: str
    state: State
    at: datetime


class Batch(msgspec.Struct):
    """Everything one commit writes. Records are encoded inside `commit`, on the caller's thread.

    created_*: rows known to be new (plain inserts); changed_*: rows that exist.
    contexts: execution id -> context, only where it changed.
    removed_runs: (execution id, task run id); their outputs and loop values go with them.
    removed_timers: (execution id, key).
    child_links: (child execution id, parent execution id, parent task run id) is kept in `executions` columns via
        the trigger's variables; nothing is written apart.
    """

    created_executions: list[Execution] = []
    changed_executions: list[Execution] = []
    contexts: dict[str, ExecutionContext] = {}
    created_runs: list[tuple[str, TaskRun]] = []
    changed_runs: list[tuple[str, TaskRun]] = []
    removed_runs: list[tuple[str, str]] = []
    outputs: list[OutputRow] = []
    execution_outputs: list[OutputRow] = []
    loop_values: list[LoopValues] = []
    timers: list[Timer] = []
    removed_timers: list[tuple[str, str]] = []
    transitions: list[Transition] = []
    logs: list[LogEntry] = []
    metrics: list[MetricEntry] = []
    deleted_executions: list[str] = []


class Loaded(msgspec.Struct):
    """An execution as it stands: head, context, and its live task runs (not terminated) in order of creation.

    ended_children: for each live task run id (and "" for the top), the task ids of its children that ended, only for
        Dag parents (the caller names them with `dags`).
    """

    execution: Execution
    context: ExecutionContext
    runs: list[TaskRun]


class Journal(Protocol):
    """Where the state of executions is kept. Every method is synchronous; `commit` is atomic and durable."""

    def commit(self, batch: Batch) -> None:
        """Write the batch in one transaction.

        Raises:
            StoreUnavailable: the disk is full or the database cannot be reached; nothing of the batch is written.
        """
        ...

    def load(self, execution_id: str) -> Loaded | None:
        """The execution with its live task runs, or None; its `sequence` is at least that of its newest task run."""
        ...

    def runs(self, execution_id: str, ids: Iterable[str] | None = None) -> list[TaskRun]:
        """All task runs (iterations included) in order of creation, or those of `ids`."""
        ...

    def ended_task_ids(self, execution_id: str, parent_id: str | None) -> list[str]:
        """Task ids of the terminated children of one parent (None: the top): what a Dag must know again."""
        ...

    def unfinished(self) -> list[str]:
        """Ids of executions that are not closed, oldest first."""
        ...

    def timers(self) -> Iterator[Timer]:
        """All timers that have not fired."""
        ...

    def oldest_queued(self, tenant_id: str, namespace: str, flow_id: str) -> str | None:
        """The execution of a flow that has been QUEUED longest."""
        ...

    def slots_used(self, tenant_id: str, namespace: str, flow_id: str) -> int:
        """How many executions of a flow hold a slot of its concurrency limit: counted, so it cannot leak."""
        ...

    def children(self, execution_id: str) -> list[str]:
        """Ids of the not closed executions that this one started (its id is in their trigger's `executionId`)."""
        ...

    def loop_values(self, execution_id: str, task_run_id: str, start: int, count: int) -> LoopValues:
        """`count` values of a loop from index `start` on (fewer at the end)."""
        ...

    def output(self, execution_id: str, owner: str, task_id: str, path: tuple[str, ...]) -> OutputRow | None:
        """The outputs that templates see at one place; of several the latest."""
        ...

    def output_keys(self, execution_id: str, owner: str, task_id: str, prefix: tuple[str, ...]) -> list[str]:
        """The distinct next path elements below `prefix`, in order of creation."""
        ...

    def output_tasks(self, execution_id: str, owner: str) -> list[str]:
        """Ids of the tasks that have outputs in one owner."""
        ...

    def outputs_of(self, execution_id: str, task_run_ids: Iterable[str]) -> list[OutputRow]:
        """The outputs of the given task runs."""
        ...

    def transitions(self, limit: int) -> list[Transition]:
        """The oldest unconsumed transitions."""
        ...
