"""Jobs out to workers, results back. In one process both ends meet in memory; remotely they meet over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from penstock.model.entries import LogEntry, MetricEntry
from penstock.model.job import ChildRun, Job, Result, Started


class Jobs(Protocol):
    """The worker's end of the queue of jobs."""

    def take(self, timeout: float) -> Job | None:
        """The next job, or None when none came within `timeout` seconds."""
        ...

    def killed(self, execution_id: str) -> bool:
        """Whether the execution has been killed, so that its jobs must not start."""
        ...


class Reports(Protocol):
    """What a worker tells."""

    def started(self, started: Started) -> None:
        """An attempt has begun."""
        ...

    def ended(self, result: Result) -> None:
        """An attempt has ended."""
        ...

    def child(self, execution_id: str, child: ChildRun) -> None:
        """A task run made by the worker itself has changed."""
        ...

    def lines(self, logs: Sequence[LogEntry], metrics: Sequence[MetricEntry]) -> None:
        """Log lines and metrics of an attempt that still runs."""
        ...


class Dispatch(Protocol):
    """The executor's end: jobs go out after their commit, kills go out at once."""

    def send(self, jobs: Sequence[Job]) -> None:
        """Queue jobs for workers."""
        ...

    def kill(self, execution_id: str, task_run_id: str | None = None) -> None:
        """Tell workers to kill every attempt of an execution (or of one task run) and to refuse its later jobs."""
        ...

    def forget(self, execution_id: str) -> None:
        """The execution has ended: nothing needs to be remembered of it."""
        ...
