"""Jobs for workers and what comes back of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

import msgspec

from penstock.model.entries import LogEntry, MetricEntry
from penstock.model.execution import Attempt, TaskRun
from penstock.model.state import State
from penstock.model.task import Task


class JobKind(StrEnum):
    """Run a task; run the children of a WorkingDirectory in one folder; evaluate templates that need the outside;
    split a ForEachItem's file into batches; merge the outputs of its subflows (`templates["executions"]`, in order).
    """

    TASK = "TASK"
    WORKING_DIRECTORY = "WORKING_DIRECTORY"
    EVALUATE = "EVALUATE"
    SPLIT = "SPLIT"
    MERGE = "MERGE"


class Job(msgspec.Struct, kw_only=True):
    """Work for a worker: one attempt of one task run.

    variables: everything templates see (expressions.md 10), `outputs` being a lazy mapping; no secret is in it.
    templates: for EVALUATE, the values to render (any nesting) by name.
    store: for EVALUATE, the name of an Ion file the rendered values are written to; `values` is then `{uri}`.
    overrides: for EVALUATE, by name of a template: variables that are different for it.
    children: for WORKING_DIRECTORY, the enabled child tasks in order.
    attempt: zero-based number of this attempt, as log lines show it.
    force: run even when the execution is killed (afterExecution).
    """

    kind: JobKind = JobKind.TASK
    tenant_id: str
    namespace: str
    flow_id: str
    flow_revision: int
    execution_id: str
    task_run_id: str
    task: Task
    stamp: int
    attempt: int
    variables: Mapping[str, object]
    value: str | None = None
    templates: Mapping[str, object] | None = None
    overrides: Mapping[str, Mapping[str, object]] = {}
    store: str | None = None
    children: list[Task] = []
    path: tuple[str, ...] = ()
    force: bool = False
    cache_key: str | None = None
    secret_values: list[str] = []


class Started(msgspec.Struct, kw_only=True, frozen=True):
    """A worker has begun the attempt `stamp` of a task run."""

    execution_id: str
    task_run_id: str
    stamp: int
    worker_id: str
    at: datetime


class ChildRun(msgspec.Struct, kw_only=True, frozen=True):
    """A task run that a worker made: a child of a WorkingDirectory, or a dynamic one."""

    run: TaskRun
    outputs: Mapping[str, object] | None = None


class Result(msgspec.Struct, kw_only=True, frozen=True):
    """The end of the attempt `stamp`: what the task itself says, before retries and allowFailure.

    state: SUCCESS, WARNING, FAILED, KILLED or SKIPPED.
    outputs: kept also when it failed; None when there are none.
    values: for EVALUATE, the rendered values by name.
    error: for a failure, its message (already in `logs`).
    log_file: URI of the attempt's logs when `logToFile` is set.
    """

    execution_id: str
    task_run_id: str
    stamp: int
    worker_id: str
    state: State
    started_at: datetime
    ended_at: datetime
    outputs: Mapping[str, object] | None = None
    values: Mapping[str, object] | None = None
    error: str | None = None
    children: list[ChildRun] = []
    logs: list[LogEntry] = []
    metrics: list[MetricEntry] = []
    log_file: str | None = None
    attempts: list[Attempt] = []
