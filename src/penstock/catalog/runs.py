"""Executions for those who are no HTTP client (tasks, templates): started, awaited, read, resumed, killed, counted."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from penstock.catalog.inputs import InputResolver, InputScope, Resolved
from penstock.catalog.launch import Launcher, Wish
from penstock.engine.commands import Delete, KillExecution, ResumeExecution
from penstock.errors import Conflict, NotFound, Timeout
from penstock.ids import new_id
from penstock.model.execution import Execution, Label, TaskRun
from penstock.model.state import State
from penstock.plugin.platform import Choice, ExecutionInfo
from penstock.ports.commands import Commands
from penstock.ports.platform import Caller
from penstock.ports.reads import Condition, Filter, Reads, StoredExecution

if TYPE_CHECKING:
    from penstock.catalog.flows import FlowShelf
    from penstock.model.inputs import Input
    from penstock.ports.blobs import Blobs
    from penstock.ports.feed import Feed

SUBMIT_TIMEOUT = 60.0
"""Seconds that a command may wait for the executor's commit."""


class ExecutionDesk:
    """What may be asked of executions, over the ports of the core."""

    def __init__(
        self,
        shelf: FlowShelf,
        launcher: Launcher,
        *,
        resolver: InputResolver,
        commands: Commands,
        reads: Reads,
        feed: Feed,
        blobs: Blobs,
    ) -> None:
        self._shelf = shelf
        self._launcher = launcher
        self._resolver = resolver
        self._commands = commands
        self._reads = reads
        self._feed = feed
        self._blobs = blobs

    def get(self, tenant: str, execution_id: str) -> ExecutionInfo | None:
        """The head of an execution with its flow outputs, or None."""
        stored = self._reads.execution(tenant, execution_id)
        return info_of(stored, self.outputs(tenant, execution_id)) if stored is not None else None

    def outputs(self, tenant: str, execution_id: str) -> dict[str, object]:
        """The flow outputs of an execution, wherever they are kept; empty when there are none."""
        row = self._reads.execution_outputs(execution_id)
        if row is None:
            return {}
        if row.value is not None:
            return dict(row.value)
        if row.uri is None:
            return {}
        return msgspec.json.decode(self._blobs.get(tenant, row.uri), type=dict[str, object])

    def start(
        self,
        tenant: str,
        namespace: str,
        flow_id: str,
        *,
        wish: Wish,
        revision: int | None = None,
        wait: timedelta | None = None,
    ) -> ExecutionInfo:
        """Starts a flow; with `wait` returns once it has fully ended.

        Raises:
            NotFound, Conflict, Unprocessable: as `Launcher.prepare`.
            Timeout: it has not ended within `wait`; it goes on.
        """
        identifier = wish.execution_id or new_id()
        prepared = self._launcher.prepare(tenant, namespace, flow_id, revision=revision, wish=_named(wish, identifier))
        closed = threading.Event()
        stop = self._feed.on_change(lambda change: closed.set() if change.closed else None, identifier)
        try:
            started = self._commands.submit(prepared.command).result(SUBMIT_TIMEOUT)
            if wait is None:
                head = started if started is not None else prepared.execution
                return info_of(StoredExecution(execution=head, context=prepared.context), {})
            if not closed.wait(wait.total_seconds()):
                raise Timeout(f"Execution '{identifier}' has not ended within {wait}")
        finally:
            stop()
        found = self.get(tenant, identifier)
        if found is None:
            raise NotFound(f"Execution '{identifier}' not found")
        return found

    def kill(self, tenant: str, execution_id: str, *, cascade: bool = True) -> None:
        """Asks for the end of an execution. Raises NotFound, Conflict when it has ended."""
        self._require(tenant, execution_id)
        self._commands.submit(KillExecution(execution_id=execution_id, cascade=cascade)).result(SUBMIT_TIMEOUT)

    def resume(
        self,
        tenant: str,
        execution_id: str,
        *,
        inputs: Mapping[str, object] | None = None,
        by: str | None = None,
        task_run_id: str | None = None,
    ) -> None:
        """Resumes a paused execution with the inputs its Pause asks for.

        Raises:
            NotFound: there is no such execution.
            Conflict: it is not paused.
            Unprocessable: the inputs are not what `onResume` declares.
        """
        run, resolved = self.resume_inputs(tenant, execution_id, inputs=inputs or {}, task_run_id=task_run_id)
        command = ResumeExecution(
            execution_id=execution_id,
            inputs=resolved.require(),
            by=by,
            task_run_id=run.id if run is not None else None,
        )
        self._commands.submit(command).result(SUBMIT_TIMEOUT)

    def resume_inputs(
        self,
        tenant: str,
        execution_id: str,
        *,
        inputs: Mapping[str, object],
        task_run_id: str | None = None,
        store_files: bool = True,
    ) -> tuple[TaskRun | None, Resolved]:
        """The paused task run that would be resumed, and what its `onResume` inputs would be.

        Raises:
            NotFound: there is no such execution.
            Conflict: it is not paused.
        """
        stored = self._require(tenant, execution_id)
        if stored.execution.state is not State.PAUSED:
            raise Conflict(f"Illegal state: Execution '{execution_id}' is not paused, can't resume it")
        run = self._paused_run(execution_id, task_run_id)
        declared = self._on_resume(stored.execution, run)
        return run, self._resolver.resolve(declared, inputs, _resume_scope(stored, store_files=store_files))

    def count(self, tenant: str, choice: Choice) -> int:
        """How many executions `choice` names; its dates are of their start."""
        filters = filters_of(choice, start="startDate", end="startDate")
        return self._reads.search_executions(tenant, filters, sort=[], page=1, size=1).total

    def ended(self, tenant: str, choice: Choice, *, now: datetime) -> Iterator[str]:
        """Ids of the terminated executions that `choice` names, oldest first; its dates are of their end."""
        if choice.execution_id is not None:
            stored = self._reads.execution(tenant, choice.execution_id)
            if stored is not None and stored.execution.closed:
                yield choice.execution_id
            return
        filters = filters_of(choice, start="endDate", end=None)
        yield from self._reads.retained(tenant, choice.end or now, filters)

    def delete(self, execution_ids: Sequence[str]) -> int:
        """Deletes executions with everything that belongs to them but their files; returns how many there were."""
        waiting = [self._commands.submit(Delete(execution_id=identifier)) for identifier in execution_ids]
        deleted = 0
        for future in waiting:
            try:
                future.result(SUBMIT_TIMEOUT)
            except NotFound:  # somebody else was faster
                continue
            deleted += 1
        return deleted

    def stored(self, tenant: str, execution_id: str) -> StoredExecution | None:
        """The execution as kept, or None."""
        return self._reads.execution(tenant, execution_id)

    def _require(self, tenant: str, execution_id: str) -> StoredExecution:
        stored = self._reads.execution(tenant, execution_id)
        if stored is None:
            raise NotFound(f"Execution '{execution_id}' not found")
        return stored

    def _paused_run(self, execution_id: str, task_run_id: str | None) -> TaskRun | None:
        paused = self._reads.runs(execution_id, owner=None, states=[State.PAUSED]).results
        if task_run_id is not None:
            paused = [run for run in paused if run.id == task_run_id]
        return paused[0] if paused else None

    def _on_resume(self, execution: Execution, run: TaskRun | None) -> Sequence[Input]:
        if run is None:
            return ()
        shelved = self._shelf.at(
            execution.tenant_id, execution.namespace, execution.flow_id, revision=execution.flow_revision
        )
        task = shelved.task(run.task_id) if shelved is not None else None
        return getattr(task, "on_resume", None) or ()


def info_of(stored: StoredExecution, outputs: Mapping[str, object]) -> ExecutionInfo:
    """An execution as tasks may see it."""
    execution = stored.execution
    return ExecutionInfo(
        id=execution.id,
        namespace=execution.namespace,
        flow_id=execution.flow_id,
        flow_revision=execution.flow_revision,
        state=execution.state,
        start=execution.histories[0].date,
        end=execution.histories[-1].date if execution.closed else None,
        outputs=outputs,
        labels={label.key: label.value for label in stored.context.labels},
    )


def filters_of(choice: Choice, *, start: str, end: str | None) -> list[Condition]:
    """The filters of a search for what `choice` names; `start` and `end` say which field its dates are of."""
    found: list[Condition] = []
    if choice.namespace is not None:
        exact = choice.flow_id is not None
        found.append(Filter("namespace", "EQUALS" if exact else "PREFIX", choice.namespace))
    if choice.flow_id is not None:
        found.append(Filter("flowId", "EQUALS", choice.flow_id))
    if choice.execution_id is not None:
        found.append(Filter("executionId", "EQUALS", choice.execution_id))
    if choice.states:
        found.append(Filter("state", "IN", [str(state) for state in choice.states]))
    if choice.levels:
        found.append(Filter("level", "IN", [str(level) for level in choice.levels]))
    if choice.start is not None:
        found.append(Filter(start, "GREATER_THAN_OR_EQUAL_TO", choice.start))
    if choice.end is not None and end is not None:
        found.append(Filter(end, "LESS_THAN_OR_EQUAL_TO", choice.end))
    return found


def labels_from(labels: object) -> list[Label]:
    """Labels written as a map, or as a list of `{key, value}`."""
    if isinstance(labels, Mapping):
        return [Label(str(key), str(value)) for key, value in labels.items()]
    if isinstance(labels, Sequence) and not isinstance(labels, str):
        return [Label(str(one.get("key")), str(one.get("value"))) for one in labels if isinstance(one, Mapping)]
    return []


def _named(wish: Wish, identifier: str) -> Wish:
    return wish if wish.execution_id is not None else replace(wish, execution_id=identifier)


def _resume_scope(stored: StoredExecution, *, store_files: bool) -> InputScope:
    execution, context = stored.execution, stored.context
    return InputScope(
        caller=Caller(execution.tenant_id, execution.namespace, execution.flow_id, execution.id),
        revision=execution.flow_revision,
        variables={
            "vars": context.variables,
            "execution": {"id": execution.id, "startDate": execution.histories[0].date},
        },
        store_files=store_files,
    )
