"""The worker: threads that take jobs, run them and report."""

from __future__ import annotations

import inspect
import logging
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from datetime import timedelta

from penstock.model.job import Job, JobKind, Result, Started
from penstock.model.state import State
from penstock.plugin.task import RunnableTask
from penstock.ports.jobs import Jobs, Reports
from penstock.worker.context import AttemptContext
from penstock.worker.directory import run_directory
from penstock.worker.equipment import Equipment
from penstock.worker.evaluate import evaluate
from penstock.worker.items import merge_items, split_items
from penstock.worker.loop import TaskLoop
from penstock.worker.outcome import Outcome, failed, result_of, succeeded, timed_out
from penstock.worker.running import Attempt, Reason, Running
from penstock.worker.task_cache import recall, remember

_log = logging.getLogger(__name__)
_TAKE_SECONDS = 1.0
_IDLE_TAKES = 30


class Worker:
    """Takes jobs and runs them, as many at a time as its settings say.

    Threads are started as they are needed: one that begins something that may last starts another to take the next job,
    so trivial tasks follow one another on one thread. Asynchronous tasks run on one event loop and hold no thread.
    """

    def __init__(self, jobs: Jobs, reports: Reports, equipment: Equipment) -> None:
        self._jobs = jobs
        self._reports = reports
        self._equipment = equipment
        self._lock = threading.Lock()
        self._threads = 0
        self._idle = 0
        self._lost = 0
        self._loop = TaskLoop()
        self._asyncs = threading.BoundedSemaphore(equipment.settings.async_tasks)
        self._running = Running(jobs, reports, equipment=equipment, give_up=self._abandon)
        self._stopping = threading.Event()

    # --- life ---

    def start(self) -> None:
        """Begins to take jobs."""
        self._stopping.clear()
        self._add_thread()

    def stop(self, *, grace: timedelta = timedelta()) -> bool:
        """Takes no more jobs and waits up to `grace` for those that run; whether all have ended.

        Those that have not are told to end and are not reported: they run again elsewhere (engine.md 8.5).
        """
        self._stopping.set()
        monotonic = self._equipment.monotonic
        until = monotonic() + grace.total_seconds()
        waiter = threading.Event()
        while self._running.all() and monotonic() < until:
            waiter.wait(0.02)
        left = self._running.all()
        for attempt in left:
            if self._running.claim(attempt):
                attempt.context.kill()
        self._running.close()
        self._loop.close()
        return not left

    def kill(self, execution_id: str, task_run_id: str | None = None) -> None:
        """Ends what runs of an execution, or of one of its task runs, at once."""
        self._running.kill(execution_id, task_run_id)

    @property
    def busy(self) -> int:
        """Attempts that run and are not momentary."""
        return len(self._running.all())

    # --- threads ---

    def _add_thread(self) -> None:
        with self._lock:
            if self._idle > 0 or self._stopping.is_set():
                return
            if self._threads - self._lost >= self._equipment.settings.threads:
                return
            self._threads += 1
            self._idle += 1
            number = self._threads
        threading.Thread(target=self._take_jobs, name=f"worker_{number}", daemon=True).start()

    def _take_jobs(self) -> None:
        idle_takes = 0
        while not self._stopping.is_set():
            job = self._jobs.take(_TAKE_SECONDS)
            if job is None:
                idle_takes += 1
                if idle_takes >= _IDLE_TAKES and self._may_leave():
                    return
                continue
            idle_takes = 0
            with self._lock:
                self._idle -= 1
            self._perform(job)
            del job  # it holds what its templates see, and the next one may be long in coming
            with self._lock:
                self._idle += 1
        with self._lock:
            self._threads -= 1
            self._idle -= 1

    def _may_leave(self) -> bool:
        """Whether this idle thread is not the last one that waits."""
        with self._lock:
            if self._idle <= 1:
                return False
            self._threads -= 1
            self._idle -= 1
            return True

    # --- jobs ---

    def _perform(self, job: Job) -> None:
        attempt = Attempt(job, self._equipment.now())
        looked_after = False

        def slow() -> None:
            nonlocal looked_after
            if not looked_after:
                looked_after = True
                self._running.add(attempt)
                self._add_thread()

        context = attempt.context = AttemptContext(job, self._equipment, slow=slow)
        if not job.force and self._jobs.killed(job.execution_id):
            self._end(attempt, Outcome(State.KILLED))
            return
        try:
            outcome = self._run(attempt, slow)
        except Exception as error:
            outcome = failed(error, context)
        if outcome is not None:
            self._end(attempt, outcome)

    def _run(self, attempt: Attempt, slow: Callable[[], None]) -> Outcome | None:
        """The outcome, or None when a coroutine was started that will report by itself."""
        job, context = attempt.job, attempt.context
        task = job.task
        if job.kind is JobKind.EVALUATE:
            return evaluate(job, context)
        if job.kind in (JobKind.SPLIT, JobKind.MERGE):
            slow()
            return split_items(job, context) if job.kind is JobKind.SPLIT else merge_items(job, context)
        self._set_deadline(attempt)
        if job.kind is JobKind.WORKING_DIRECTORY:
            self._announce(attempt, slow)
            return run_directory(
                context,
                equipment=self._equipment,
                reports=self._reports,
                run_child=lambda child: self._perform_child(attempt, child),
            )
        if not isinstance(task, RunnableTask):
            raise TypeError(f"The task {task.id} of type {task.type} cannot be run by a worker")
        if not task.QUICK or attempt.deadline is not None:
            self._announce(attempt, slow)
        kept = recall(context) if task.task_cache is not None else None
        if kept is not None:
            return kept
        returned = task.run(context)
        if inspect.isawaitable(returned):
            self._start_async(attempt, returned)
            return None
        return succeeded(returned)

    def _announce(self, attempt: Attempt, slow: Callable[[], None]) -> None:
        slow()
        job = attempt.job
        self._reports.started(
            Started(
                execution_id=job.execution_id,
                task_run_id=job.task_run_id,
                stamp=job.stamp,
                worker_id=self._equipment.worker_id,
                at=attempt.started_at,
            )
        )

    def _perform_child(self, parent: Attempt, job: Job) -> Result:
        """Runs the job of a WorkingDirectory's child to its end, on this thread and in the parent's folder."""
        attempt = Attempt(job, self._equipment.now(), parent=parent)
        folder = parent.context.working_directory
        context = attempt.context = AttemptContext(job, self._equipment, folder=folder, slow=_already_slow)
        try:
            outcome = self._run_child(attempt)
        except CancelledError:
            outcome = Outcome(State.KILLED)
        except Exception as error:
            outcome = failed(error, context)
        if not self._running.claim(attempt):
            outcome = Outcome(State.KILLED)
        result = self._result(attempt, self._decided(attempt, outcome))
        context.close()
        return result

    def _run_child(self, attempt: Attempt) -> Outcome:
        context, task = attempt.context, attempt.job.task
        if not isinstance(task, RunnableTask):
            raise TypeError("Only runnable tasks are allowed as children of a WorkingDirectory task")
        self._set_deadline(attempt)
        self._running.add(attempt)
        kept = recall(context) if task.task_cache is not None else None
        if kept is not None:
            return kept
        returned = task.run(context)
        if not inspect.isawaitable(returned):
            return succeeded(returned)
        future = self._loop.run(returned)
        attempt.cancel = future.cancel
        if attempt.reason is not None:
            future.cancel()
        return succeeded(future.result())

    def _set_deadline(self, attempt: Attempt) -> None:
        timeout = attempt.job.task.timeout
        if timeout is not None:
            length: timedelta = attempt.context.render(timeout, timedelta)
            attempt.timeout = length
            attempt.deadline = self._equipment.monotonic() + length.total_seconds()

    # --- asynchronous tasks ---

    def _start_async(self, attempt: Attempt, work: object) -> None:
        self._asyncs.acquire()
        future = self._loop.run(work)  # pyright: ignore[reportArgumentType]
        attempt.cancel = future.cancel
        if attempt.reason is not None:
            future.cancel()
        future.add_done_callback(lambda done: self._async_done(attempt, done))

    def _async_done(self, attempt: Attempt, done: Future[object]) -> None:
        self._asyncs.release()
        if self._stopping.is_set() and attempt.claimed:
            return
        try:
            outcome = succeeded(done.result())
        except CancelledError:
            outcome = Outcome(State.KILLED)
        except Exception as error:
            outcome = failed(error, attempt.context)
        self._end(attempt, outcome)

    # --- ends ---

    def _end(self, attempt: Attempt, outcome: Outcome) -> None:
        """Reports the end, unless the attempt was given up before; a kill or a timeout outweighs what was returned."""
        if not self._running.claim(attempt):
            with self._lock:
                self._lost -= 1
            attempt.context.close()
            self._clear(attempt)
            return
        self._report(attempt, self._decided(attempt, outcome))
        attempt.context.close()
        self._clear(attempt)

    def _decided(self, attempt: Attempt, outcome: Outcome) -> Outcome:
        context = attempt.context
        if attempt.reason is Reason.KILLED:
            return Outcome(State.KILLED, outcome.outputs, outcome.error, outcome.children)
        if attempt.reason is Reason.TIMEOUT:
            late = timed_out(attempt.timeout or timedelta(), context)
            return Outcome(State.FAILED, outcome.outputs, late.error, outcome.children)
        if attempt.job.task.task_cache is not None and attempt.job.kind is JobKind.TASK:
            remember(context, outcome)
        return outcome

    def _abandon(self, attempt: Attempt) -> None:
        """Reports the end of an attempt whose thread does not come back; the thread is replaced."""
        if attempt.parent is not None:
            # The thread is the parent's: the whole WorkingDirectory ends as its child does.
            attempt.parent.reason = attempt.reason
            attempt.parent.timeout = attempt.timeout
            attempt = attempt.parent
        if not self._running.claim(attempt):
            return
        with self._lock:
            self._lost += 1
        outcome = Outcome(State.KILLED)
        if attempt.reason is Reason.TIMEOUT:
            outcome = timed_out(attempt.timeout or timedelta(), attempt.context)
        _log.warning(
            "an attempt did not end after it was killed; its thread is given up",
            extra={
                "event": "attempt.abandoned",
                "execution": attempt.job.execution_id,
                "taskrun": attempt.job.task_run_id,
            },
        )
        self._report(attempt, outcome)
        self._add_thread()

    def _report(self, attempt: Attempt, outcome: Outcome) -> None:
        self._reports.ended(self._result(attempt, outcome))

    def _result(self, attempt: Attempt, outcome: Outcome) -> Result:
        context = attempt.context
        try:
            return result_of(outcome, context, equipment=self._equipment, started_at=attempt.started_at)
        except Exception as error:
            # Outputs or the log file could not be kept: the attempt failed, and says why in the log store.
            broken = failed(error, context)
            context.logger.drop_file()
            return result_of(broken, context, equipment=self._equipment, started_at=attempt.started_at)

    def _clear(self, attempt: Attempt) -> None:
        folder = attempt.context.folder
        if folder is not None:
            folder.remove()


def _already_slow() -> None:
    """A child's thread is its parent's, which the worker looks after already."""
