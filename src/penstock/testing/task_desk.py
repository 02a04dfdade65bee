"""A desk for trying out single tasks: the real worker, with storage and a system in memory.

desk = TaskDesk()
result = desk.run(Log(id="hello", type=Log.TYPE, message="Hi {{ name }}"), {"name": "Ada"})
assert desk.messages(result) == ["Hi Ada"]
"""

from __future__ import annotations

import random
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from penstock.blobs.memory import MemoryBlobs
from penstock.clock import Clock, SystemClock, monotonic
from penstock.ids import new_id
from penstock.model.entries import LogEntry, MetricEntry
from penstock.model.job import ChildRun, Job, JobKind, Result, Started
from penstock.model.task import Task
from penstock.plugin.registry import TypeIndex, installed
from penstock.ports.blob_paths import execution_prefix, input_file
from penstock.testing.memory_platform import MemoryPlatform
from penstock.worker import Equipment, LocalQueue, Worker, WorkerSettings

_WAIT_SECONDS = 60.0


class Notes:
    """`Reports` that remember everything; `wait_for` waits for the end of a task run."""

    def __init__(self) -> None:
        self.starts: list[Started] = []
        self.results: list[Result] = []
        self.children: list[ChildRun] = []
        self.logs: list[LogEntry] = []
        self.metrics: list[MetricEntry] = []
        self._news = threading.Condition()

    def started(self, started: Started) -> None:
        with self._news:
            self.starts.append(started)
            self._news.notify_all()

    def ended(self, result: Result) -> None:
        with self._news:
            self.results.append(result)
            self.logs.extend(result.logs)
            self.metrics.extend(result.metrics)
            self._news.notify_all()

    def child(self, execution_id: str, child: ChildRun) -> None:
        with self._news:
            self.children.append(child)
            self._news.notify_all()

    def lines(self, logs: Sequence[LogEntry], metrics: Sequence[MetricEntry]) -> None:
        with self._news:
            self.logs.extend(logs)
            self.metrics.extend(metrics)
            self._news.notify_all()

    def wait_until(self, happened: Callable[[Notes], object], *, seconds: float = _WAIT_SECONDS) -> None:
        """Waits until `happened(notes)` is true. Raises TimeoutError."""
        with self._news:
            if not self._news.wait_for(lambda: happened(self), seconds):
                raise TimeoutError("the worker did not report what was waited for")

    def wait_for(self, task_run_id: str) -> Result:
        """The result of a task run, once it is there."""
        self.wait_until(lambda notes: any(r.task_run_id == task_run_id for r in notes.results))
        return next(r for r in self.results if r.task_run_id == task_run_id)


class TaskDesk:
    """Runs tasks one at a time (`run`) or lets several run (`send`, then `notes`)."""

    def __init__(
        self,
        *,
        settings: Mapping[str, object] | None = None,
        clock: Clock | None = None,
        types: TypeIndex | None = None,
        threads: int = 4,
        grace: timedelta = timedelta(seconds=2),
    ) -> None:
        self.clock = clock or SystemClock()
        self.blobs = MemoryBlobs(self.clock)
        self.platform = MemoryPlatform(self.clock, self.blobs)
        self.notes = Notes()
        self.queue = LocalQueue()
        self.types = types or installed()
        self._folder = tempfile.TemporaryDirectory(prefix="penstock-desk-")
        self.work_folder = Path(self._folder.name)
        self.equipment = Equipment(
            worker_id="desk",
            platform=self.platform,
            blobs=self.blobs,
            types=self.types,
            now=self.clock.now,
            monotonic=monotonic,
            random=random.random,
            new_id=new_id,
            settings=WorkerSettings(
                threads=threads, grace=grace, work_folder=self.work_folder, plugins=dict(settings or {})
            ),
        )
        self.worker = Worker(self.queue, self.notes, self.equipment)
        self.queue.on_kill(self.worker.kill)
        self.worker.start()

    def __enter__(self) -> TaskDesk:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stops the worker and removes its folder."""
        self.worker.stop()
        self._folder.cleanup()

    def task(self, type_name: str, **properties: object) -> Task:
        """A task of that type, from camelCase properties."""
        found = self.types.resolve(type_name)
        if found is None or not issubclass(found, Task):
            raise ValueError(f"no task type {type_name}")
        return found.model_validate({"id": "task", "type": type_name, **properties})

    def job(self, task: Task, variables: Mapping[str, object] | None = None, **more: Any) -> Job:
        """A job for a task, in the execution `exec` of the flow `company.team` / `desk`."""
        run_id = str(more.pop("task_run_id", new_id()))
        given: dict[str, object] = {
            "flow": {"id": "desk", "namespace": "company.team", "revision": 1, "tenantId": "main"},
            "execution": {"id": "exec"},
            "task": {"id": task.id, "type": task.type},
            "taskrun": {"id": run_id},
            "inputs": {},
            "outputs": {},
            **(variables or {}),
        }
        fields: dict[str, Any] = {"execution_id": "exec", "stamp": 1, "attempt": 0, **more}
        return Job(
            tenant_id="main",
            namespace="company.team",
            flow_id="desk",
            flow_revision=1,
            task_run_id=run_id,
            task=task,
            variables=given,
            **fields,
        )

    def send(self, job: Job) -> Job:
        """Queues a job."""
        self.queue.send([job])
        return job

    def run(self, task: Task, variables: Mapping[str, object] | None = None, **more: Any) -> Result:
        """Runs a task to its end."""
        return self.notes.wait_for(self.send(self.job(task, variables, **more)).task_run_id)

    def run_type(
        self, type_name: str, /, variables: Mapping[str, object] | None = None, **properties: object
    ) -> Result:
        """Runs a task of that type, from camelCase properties."""
        return self.run(self.task(type_name, **properties), variables)

    def run_directory(self, task: Task, children: list[Task], variables: Mapping[str, object] | None = None) -> Result:
        """Runs children in one folder, as a WorkingDirectory does."""
        return self.run(task, variables, kind=JobKind.WORKING_DIRECTORY, children=children)

    def put_file(self, name: str, content: bytes | str) -> str:
        """Stores a file as if it were an input of the execution; its URI."""
        data = content.encode() if isinstance(content, str) else content
        path = input_file(execution_prefix("company.team", "desk", "exec"), "file", file=name)
        return self.blobs.put("main", path, data)

    def read(self, uri: object) -> bytes:
        """The content of a stored file."""
        return self.blobs.get("main", str(uri))

    def messages(self, result: Result) -> list[str]:
        """Messages of a task run's log lines, in order."""
        return [entry.message for entry in self.notes.logs if entry.task_run_id == result.task_run_id]

    def lines(self, result: Result) -> list[tuple[str, str]]:
        """Level and message of a task run's log lines, in order."""
        return [(e.level.value, e.message) for e in self.notes.logs if e.task_run_id == result.task_run_id]
