"""Stand-ins for the executor: commands become rows at once, and whoever follows an execution hears of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime

from penstock.engine.commands import AnyCommand, Command, Delete, KillExecution, ResumeExecution, StartExecution
from penstock.errors import NotFound
from penstock.model.entries import LogEntry
from penstock.model.execution import Execution, ExecutionContext
from penstock.model.state import State, StateChange
from penstock.ports.feed import Change
from penstock.ports.journal import Batch, OutputRow
from penstock.store.sqlite import SqliteStore


class FakeExecutor:
    """Takes commands and tells followers; a started execution ends at once, unless `hold` is set.

    outputs: flow outputs of every execution that ends.
    """

    def __init__(self, store: SqliteStore, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now
        self._changes: dict[str, list[Callable[[Change], None]]] = {}
        self._logs: dict[str, list[Callable[[LogEntry], None]]] = {}
        self.commands: list[AnyCommand] = []
        self.outputs: dict[str, object] = {}
        self.hold = False
        self._following = threading.Event()

    def submit(self, command: AnyCommand) -> Future[Execution | None]:
        self.commands.append(command)
        done: Future[Execution | None] = Future()
        try:
            done.set_result(self._run(command))
        except NotFound as fault:
            done.set_exception(fault)
        return done

    def tell(self, command: AnyCommand) -> None:
        self.submit(command)

    def on_change(self, callback: Callable[[Change], None], execution_id: str | None = None) -> Callable[[], None]:
        listeners = self._changes.setdefault(execution_id or "", [])
        listeners.append(callback)
        return lambda: listeners.remove(callback)

    def on_log(self, callback: Callable[[LogEntry], None], execution_id: str) -> Callable[[], None]:
        listeners = self._logs.setdefault(execution_id, [])
        listeners.append(callback)
        self._following.set()
        return lambda: listeners.remove(callback)

    def followed(self, execution_id: str) -> None:
        """Waits until somebody follows the log of an execution."""
        assert self._following.wait(10), execution_id

    def write(self, line: LogEntry) -> None:
        """Stores a log line and tells of it."""
        self._store.journal.commit(Batch(logs=[line]))
        for callback in self._logs.get(line.execution_id or "", []):
            callback(line)

    def add(self, execution: Execution, context: ExecutionContext, *, state: State = State.SUCCESS) -> None:
        """Stores an execution that has ended in `state`."""
        self._store.journal.commit(Batch(created_executions=[execution], contexts={execution.id: context}))
        self._end(execution, state)

    def _run(self, command: AnyCommand) -> Execution | None:
        if isinstance(command, StartExecution):
            self._store.journal.commit(
                Batch(created_executions=[command.execution], contexts={command.execution_id: command.context})
            )
            if not self.hold:
                self._end(command.execution, State.SUCCESS)
            return command.execution
        assert isinstance(command, Command)
        loaded = self._store.journal.load(command.execution_id)
        if loaded is None:
            raise NotFound(command.execution_id)
        if isinstance(command, Delete):
            self._store.journal.commit(Batch(deleted_executions=[command.execution_id]))
        else:
            assert isinstance(command, KillExecution | ResumeExecution)
        return loaded.execution

    def _end(self, execution: Execution, state: State) -> None:
        execution.state = state
        execution.histories.append(StateChange(state, self._now()))
        execution.closed = True
        outputs = [OutputRow(execution_id=execution.id, task_run_id="", task_id="", value=self.outputs)]
        self._store.journal.commit(
            Batch(changed_executions=[execution], execution_outputs=outputs if self.outputs else [])
        )
        change = Change(
            execution_id=execution.id,
            tenant_id=execution.tenant_id,
            namespace=execution.namespace,
            flow_id=execution.flow_id,
            state=state,
            closed=True,
        )
        for callback in list(self._changes.get(execution.id, [])):
            callback(change)
