"""Polling and realtime triggers, evaluated on this worker (engine.md 7.7, 7.8)."""

from __future__ import annotations

import inspect
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import BinaryIO

from penstock.errors import PenstockError, TaskFailed
from penstock.model.duration import format_duration
from penstock.model.job import Job
from penstock.model.task import Task
from penstock.model.triggers import Trigger
from penstock.plugin.trigger import PollingTrigger, RealtimeTrigger
from penstock.ports.blob_paths import execution_prefix, trigger_file
from penstock.ports.blobs import Blobs
from penstock.ports.jobs import Reports
from penstock.worker.context import AttemptContext
from penstock.worker.equipment import Equipment
from penstock.worker.files import RunFiles
from penstock.worker.lines import AttemptLog
from penstock.worker.loop import TaskLoop
from penstock.worker.outcome import changed_texts, message_of

Emit = Callable[[Mapping[str, object]], object]
Ended = Callable[[BaseException | None], None]


@dataclass(frozen=True, slots=True)
class TriggerPlace:
    """Where a trigger stands. execution_id: of the execution it may start, whose folder takes its files."""

    tenant: str
    namespace: str
    flow_id: str
    revision: int
    execution_id: str
    variables: Mapping[str, object] = field(default_factory=dict)


class TriggerRunner:
    """Evaluates polling triggers on a few threads of its own, and runs each realtime trigger on one."""

    def __init__(self, reports: Reports, equipment: Equipment, *, threads: int = 8) -> None:
        self._reports = reports
        self._equipment = equipment
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="worker_trigger")
        self._loop = TaskLoop()

    def evaluate(self, trigger: PollingTrigger, place: TriggerPlace) -> Future[Mapping[str, object] | None]:
        """Looks once: the variables of the execution to start, or None. The future fails when the trigger does."""
        return self._pool.submit(self._evaluate, trigger, place)

    def stream(self, trigger: RealtimeTrigger, place: TriggerPlace, *, emit: Emit, ended: Ended) -> Callable[[], None]:
        """Runs a realtime trigger: `emit` for each event, `ended` when the stream ends by itself.

        The returned function stops it; neither callback is called afterwards.
        """
        stream = _Stream(trigger, TriggerContext(trigger, place, self._equipment), emit=emit, ended=ended)
        name = f"worker_stream_{place.flow_id}_{trigger.id}"
        threading.Thread(target=stream.run, args=(self._finish,), name=name, daemon=True).start()
        return stream.stop

    def close(self) -> None:
        """Ends the threads; evaluations that have not begun are dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._loop.close()

    def _evaluate(self, trigger: PollingTrigger, place: TriggerPlace) -> Mapping[str, object] | None:
        context = TriggerContext(trigger, place, self._equipment)
        begun = self._equipment.now()
        context.logger.trace(f"Type {_simple(trigger)} started")
        try:
            found = trigger.evaluate(context)
            result = self._loop.run(found).result() if inspect.isawaitable(found) else found
        except Exception as problem:
            context.logger.error(message_of(problem))
            raise _known(problem) from problem
        finally:
            spent = self._equipment.now() - begun
            context.logger.trace(f"Type {_simple(trigger)} completed in {format_duration(spent)}")
            self._finish(context)
        return None if result is None else _shown(result, context)

    def _finish(self, context: TriggerContext) -> None:
        logs = context.logger.take()
        if logs:
            self._reports.lines(logs, [])
        context.close()
        if context.folder is not None:
            context.folder.remove()


class TriggerContext(AttemptContext):
    """The run context of a trigger: its lines carry the trigger, its files lie below the execution to start."""

    __slots__ = ("_trigger_id",)

    def __init__(self, trigger: Trigger, place: TriggerPlace, equipment: Equipment) -> None:
        task = Task(id=trigger.id, type=trigger.type, log_level=trigger.log_level)
        variables: dict[str, object] = {
            **place.variables,
            "flow": {
                "id": place.flow_id,
                "namespace": place.namespace,
                "revision": place.revision,
                "tenantId": place.tenant,
            },
            "trigger": {"id": trigger.id, "type": trigger.type},
        }
        job = Job(
            tenant_id=place.tenant,
            namespace=place.namespace,
            flow_id=place.flow_id,
            flow_revision=place.revision,
            execution_id=place.execution_id,
            task_run_id="",
            task=task,
            stamp=0,
            attempt=0,
            variables=variables,
        )
        super().__init__(job, equipment, slow=_never_quick)
        self._trigger_id = trigger.id

    @property
    def logger(self) -> AttemptLog:
        if self._logger is None:
            self._logger = AttemptLog(
                self.job,
                lowest=self.job.task.log_level,
                now=self._equipment.now,
                secrets=self.secrets,
                to_file=False,
                trigger_id=self._trigger_id,
            )
        return self._logger

    @property
    def storage(self) -> RunFiles:
        if self._files is None:
            allowed = self._equipment.settings.allowed_files
            self._files = _TriggerFiles(self.job, self._equipment.blobs, platform=self._bound_platform, allowed=allowed)
        return self._files


class _TriggerFiles(RunFiles):
    """Files a trigger writes lie below the execution it starts."""

    _blobs: Blobs

    def put(self, name: str, data: bytes | BinaryIO | object) -> str:
        job = self._job
        folder = execution_prefix(job.namespace, job.flow_id, job.execution_id)
        path = trigger_file(folder, job.task.id, file=name.removeprefix("/"))
        return self._blobs.put(job.tenant_id, path, data)  # pyright: ignore[reportArgumentType]


class _Stream:
    """One realtime trigger while it runs."""

    def __init__(self, trigger: RealtimeTrigger, context: TriggerContext, *, emit: Emit, ended: Ended) -> None:
        self._trigger = trigger
        self._context = context
        self._emit = emit
        self._ended = ended

    def stop(self) -> None:
        """Has the stream end; the trigger sees it as a kill."""
        self._context.kill()

    def run(self, finish: Callable[[TriggerContext], None]) -> None:
        """Hands on every event until the stream ends or is stopped."""
        problem: BaseException | None = None
        try:
            self._hand_on()
        except Exception as fault:
            problem = fault
            if not self._context.killed:
                self._context.logger.error(message_of(fault))
        finish(self._context)
        if not self._context.killed:
            self._ended(problem)

    def _hand_on(self) -> None:
        stream = self._trigger.stream(self._context)
        if isinstance(stream, AsyncIterator):
            import asyncio

            try:
                asyncio.run(self._hand_on_async(stream))
            except asyncio.CancelledError as stopped:
                if not self._context.killed:
                    raise TaskFailed("the stream was cancelled") from stopped
            return
        self._all(stream)

    def _all(self, stream: Iterator[Mapping[str, object]]) -> None:
        for event in stream:
            if self._context.killed:
                return
            self._emit(_shown(event, self._context))

    async def _hand_on_async(self, stream: AsyncIterator[Mapping[str, object]]) -> None:
        import asyncio

        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        if task is not None:
            self._context.on_kill(lambda: loop.call_soon_threadsafe(task.cancel) and None)
        async for event in stream:
            if self._context.killed:
                return
            await loop.run_in_executor(None, self._emit, _shown(event, self._context))


def _shown(event: Mapping[str, object], context: TriggerContext) -> dict[str, object]:
    """What the execution is told of an event: it is kept with it, so that secrets are masked as in outputs."""
    return {str(name): changed_texts(value, context.secrets.mask) for name, value in event.items()}


def _known(problem: Exception) -> Exception:
    """The problem as an error that the scheduler expects."""
    return problem if isinstance(problem, PenstockError) else TaskFailed(message_of(problem))


def _simple(trigger: Trigger) -> str:
    return trigger.type.rpartition(".")[2]


def _never_quick() -> None:
    """A trigger has a thread of its own."""
