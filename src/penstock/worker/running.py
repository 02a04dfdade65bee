"""Attempts that take longer than a moment: known to the worker, ended by a timeout or a kill, their lines streamed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import Enum, auto

from penstock.model.job import Job
from penstock.ports.jobs import Jobs, Reports
from penstock.worker.context import AttemptContext
from penstock.worker.equipment import Equipment


class Reason(Enum):
    """Why an attempt is being ended from outside."""

    KILLED = auto()
    TIMEOUT = auto()


class Attempt:
    """One attempt on this worker. Whoever claims it reports its end: its thread, or the watch that gave it up."""

    __slots__ = (
        "cancel",
        "claimed",
        "context",
        "deadline",
        "give_up_at",
        "job",
        "parent",
        "reason",
        "started_at",
        "timeout",
    )

    def __init__(self, job: Job, started_at: datetime, *, parent: Attempt | None = None) -> None:
        self.job = job
        self.parent = parent
        self.started_at = started_at
        self.context: AttemptContext
        self.claimed = False
        self.reason: Reason | None = None
        self.timeout: timedelta | None = None
        self.deadline: float | None = None
        self.give_up_at: float | None = None
        self.cancel: Callable[[], object] | None = None


class Running:
    """The attempts that run, and the thread that looks after them. The thread sleeps while there are none."""

    def __init__(
        self, jobs: Jobs, reports: Reports, *, equipment: Equipment, give_up: Callable[[Attempt], None]
    ) -> None:
        self._jobs = jobs
        self._reports = reports
        self._monotonic = equipment.monotonic
        self._flush = equipment.settings.flush.total_seconds()
        self._grace = equipment.settings.grace.total_seconds()
        self._give_up = give_up
        self._attempts: dict[int, Attempt] = {}
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._thread: threading.Thread | None = None
        self._closed = False

    def add(self, attempt: Attempt) -> None:
        """Looks after an attempt from now on."""
        with self._changed:
            self._attempts[id(attempt)] = attempt
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="penstock-watch", daemon=True)
                self._thread.start()
            self._changed.notify()

    def claim(self, attempt: Attempt) -> bool:
        """Whether the caller is the one who reports the attempt's end."""
        with self._lock:
            if attempt.claimed:
                return False
            attempt.claimed = True
            self._attempts.pop(id(attempt), None)
            return True

    def kill(self, execution_id: str, task_run_id: str | None = None) -> None:
        """Ends the attempts of an execution, or of one of its task runs, except those that run in spite of a kill."""
        for attempt in self.all():
            job = attempt.job
            named = job.execution_id == execution_id and task_run_id in (None, job.task_run_id)
            if named and not (job.force and task_run_id is None):
                self.end(attempt, Reason.KILLED)

    def end(self, attempt: Attempt, reason: Reason) -> None:
        """Ends an attempt: callbacks are called, a coroutine is cancelled; once the grace is over it is given up."""
        with self._lock:
            if attempt.claimed or attempt.reason is not None:
                return
            attempt.reason = reason
            attempt.give_up_at = self._monotonic() + self._grace
            self._changed.notify()
        attempt.context.kill()
        if attempt.cancel is not None:
            attempt.cancel()

    def all(self) -> list[Attempt]:
        """The attempts that run now."""
        with self._lock:
            return list(self._attempts.values())

    def close(self) -> None:
        """Lets the thread end."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(timeout=1)

    def _watch(self) -> None:
        while True:
            with self._changed:
                while not self._attempts and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                self._changed.wait(self._pause())
                attempts = list(self._attempts.values())
            for attempt in attempts:
                self._look_at(attempt)

    def _pause(self) -> float:
        """Seconds until something is due."""
        now = self._monotonic()
        due = [at - now for attempt in self._attempts.values() for at in (attempt.deadline, attempt.give_up_at) if at]
        return max(0.001, min([self._flush, *due]))

    def _look_at(self, attempt: Attempt) -> None:
        now = self._monotonic()
        if attempt.give_up_at is not None:
            if now >= attempt.give_up_at:
                self._give_up(attempt)
            return
        if attempt.deadline is not None and now >= attempt.deadline:
            self.end(attempt, Reason.TIMEOUT)
        elif not attempt.job.force and self._jobs.killed(attempt.job.execution_id):
            self.end(attempt, Reason.KILLED)
        else:
            self._send_lines(attempt)

    def _send_lines(self, attempt: Attempt) -> None:
        log, measures = attempt.context.log, attempt.context.measures
        logs = log.take() if log is not None else []
        metrics = measures.take() if measures is not None else []
        if logs or metrics:
            self._reports.lines(logs, metrics)
