"""The queue of jobs inside one process: the executor's end and the workers' end of it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

from penstock.model.job import Job

Kill = Callable[[str, "str | None"], None]


class LocalQueue:
    """`Jobs` and `Dispatch` in memory; kills are also told to `on_kill` listeners (workers) at once."""

    def __init__(self) -> None:
        self._jobs: deque[Job] = deque()
        self._killed: set[str] = set()
        self._listeners: list[Kill] = []
        self._lock = threading.Lock()
        self._filled = threading.Condition(self._lock)
        self._waiting = 0

    def on_kill(self, listener: Kill) -> None:
        """Calls `listener(execution_id, task_run_id)` for every kill; task_run_id None means the whole execution."""
        self._listeners.append(listener)

    # --- the workers' end ---

    def take(self, timeout: float) -> Job | None:
        """The oldest job, or None when none came within `timeout` seconds."""
        with self._filled:
            if not self._jobs:
                self._waiting += 1
                self._filled.wait_for(lambda: bool(self._jobs), timeout)
                self._waiting -= 1
            return self._jobs.popleft() if self._jobs else None

    def killed(self, execution_id: str) -> bool:
        """Whether the execution has been killed."""
        return execution_id in self._killed

    # --- the executor's end ---

    def send(self, jobs: Sequence[Job]) -> None:
        """Queues jobs."""
        if not jobs:
            return
        with self._filled:
            self._jobs.extend(jobs)
            if self._waiting:
                self._filled.notify(min(len(jobs), self._waiting))

    def kill(self, execution_id: str, task_run_id: str | None = None) -> None:
        """Has every attempt of an execution (or of one task run) killed; queued jobs of the execution do not start."""
        if task_run_id is None:
            self._killed.add(execution_id)
        else:
            self._drop(execution_id, task_run_id)
        for listener in self._listeners:
            listener(execution_id, task_run_id)

    def forget(self, execution_id: str) -> None:
        """Nothing needs to be remembered of an execution any more."""
        self._killed.discard(execution_id)

    def _drop(self, execution_id: str, task_run_id: str) -> None:
        """Takes the jobs of a killed task run out of the queue."""
        with self._lock:
            kept = [job for job in self._jobs if (job.execution_id, job.task_run_id) != (execution_id, task_run_id)]
            if len(kept) != len(self._jobs):
                self._jobs = deque(kept)
