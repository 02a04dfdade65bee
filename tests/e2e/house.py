"""The whole product in this process, on a folder of its own: flows go in, ended executions come out."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Self

from penstock.app import App
from penstock.catalog.launch import Wish
from penstock.model.entries import LogEntry
from penstock.model.execution import Execution, TaskRun
from penstock.model.state import State
from penstock.ports.feed import Change
from penstock.ports.journal import OutputRow
from penstock.ports.reads import Filter
from penstock.settings import Settings

PATIENCE = 60.0
TENANT = "main"


class House:
    """An `App` that is started on entering and stopped on leaving. `prepare` may change its parts before that."""

    def __init__(self, home: Path, *, env: Mapping[str, str] | None = None, **settings: object) -> None:
        self.home = home
        self.app = App(Settings(home=str(home), worker_threads=8, **settings), env=env or {})  # pyright: ignore[reportArgumentType]
        self.news: list[object] = []

    def __enter__(self) -> Self:
        self.app.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.app.stop(grace=timedelta(seconds=2))

    def save(self, source: str) -> str:
        """Saves a flow; its id."""
        return self.app.shelf.put(TENANT, source).flow.id

    def begin(self, flow_id: str, *, namespace: str = "e2e", inputs: Mapping[str, object] | None = None) -> str:
        """Starts a flow; the id of the execution, once it is stored."""
        prepared = self.app.launcher.prepare(TENANT, namespace, flow_id, wish=Wish(inputs=inputs or {}))
        self.app.feed.on_log(self.news.append, prepared.execution.id)
        self.app.executor.submit(prepared.command).result(PATIENCE)
        return prepared.execution.id

    def ended(self, execution_id: str) -> Execution:
        """The execution, once it is over."""
        return self._once(execution_id, lambda execution: execution.closed)

    def paused(self, execution_id: str) -> Execution:
        """The execution, once it waits for somebody."""
        return self._once(execution_id, lambda execution: execution.state is State.PAUSED)

    def run(self, source: str, *, inputs: Mapping[str, object] | None = None) -> Execution:
        """Saves a flow of the namespace `e2e`, starts it and waits for its end."""
        return self.ended(self.begin(self.save(source), inputs=inputs))

    def logs(self, execution_id: str) -> list[LogEntry]:
        """The lines of an execution."""
        return self.app.store.reads.logs(TENANT, [Filter("executionId", "EQUALS", execution_id)]).results

    def runs(self, execution_id: str) -> dict[str, TaskRun]:
        """The task runs of an execution by task; of several the last."""
        return {run.task_id: run for run in self.app.store.reads.runs(execution_id, owner=None).results}

    def rows(self, execution_id: str) -> list[OutputRow]:
        """All rows of outputs of an execution."""
        reads = self.app.store.reads
        found = [reads.output(execution_id, row.task_run_id) for row in reads.outputs(execution_id, owner=None)]
        return [row for row in found if row is not None]

    def outputs(self, execution_id: str, task_id: str) -> Mapping[str, object]:
        """The outputs of a task, wherever they are kept."""
        row = next(row for row in self.rows(execution_id) if row.task_id == task_id)
        return self.app.keeper.read(TENANT, row)

    def _once(self, execution_id: str, condition: object) -> Execution:
        moved = threading.Event()
        stop = self.app.feed.on_change(lambda change: self._heard(change, moved), execution_id)
        try:
            while True:
                stored = self.app.store.reads.execution(TENANT, execution_id)
                if stored is not None and condition(stored.execution):  # pyright: ignore[reportCallIssue]
                    return stored.execution
                assert moved.wait(PATIENCE), f"{execution_id} stands still: {stored and stored.execution.state}"
                moved.clear()
        finally:
            stop()

    def _heard(self, change: Change, moved: threading.Event) -> None:
        self.news.append(change)
        moved.set()
