"""The execution a Flow trigger looks at: what its conditions ask, loaded from the store only when they do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Protocol

from penstock.model.execution import Execution, ExecutionContext, ExecutionKind, RunKind, TaskRun, label_map
from penstock.model.mappings import map_at, nested
from penstock.model.state import TERMINATED, State
from penstock.ports.journal import OutputRow, Transition
from penstock.ports.reads import Page, StoredExecution
from penstock.scheduler.schedule import iso

_RUNS = 500
"""Task runs read at a time."""


class UpstreamReads(Protocol):
    """Those questions of `ports.reads.Reads` that Flow triggers ask."""

    def execution(self, tenant_id: str, execution_id: str) -> StoredExecution | None: ...

    def runs(
        self,
        execution_id: str,
        *,
        owner: str | None = "",
        states: Sequence[str] = (),
        page: int = 1,
        size: int | None = None,
    ) -> Page[TaskRun]: ...

    def outputs(self, execution_id: str, owner: str | None = "") -> list[OutputRow]: ...

    def output(self, execution_id: str, task_run_id: str) -> OutputRow | None: ...

    def execution_outputs(self, execution_id: str) -> OutputRow | None: ...


ReadUri = Callable[[str, str], Mapping[str, object]]
"""(tenant, URI) -> the JSON object kept there: outputs too large for a row."""


class Upstream:
    """An execution at the moment of one transition: `state` is the transition's, whatever it is in by now."""

    def __init__(
        self, transition: Transition, stored: StoredExecution, *, reads: UpstreamReads, read_uri: ReadUri
    ) -> None:
        self.transition = transition
        self.execution: Execution = stored.execution
        self.context: ExecutionContext = stored.context
        self._reads = reads
        self._read_uri = read_uri

    @property
    def id(self) -> str:
        return self.execution.id

    @property
    def namespace(self) -> str:
        return self.execution.namespace

    @property
    def flow_id(self) -> str:
        return self.execution.flow_id

    @property
    def state(self) -> State:
        return self.transition.state

    @property
    def at(self) -> datetime:
        """When it came into that state."""
        return self.transition.at

    @property
    def kind(self) -> ExecutionKind:
        return self.execution.kind

    @cached_property
    def labels(self) -> dict[str, str]:
        """Labels by key."""
        return label_map(self.context.labels)

    @cached_property
    def outputs(self) -> dict[str, object]:
        """The flow's outputs; empty until it has ended."""
        row = self._reads.execution_outputs(self.id)
        return dict(self._values(row)) if row is not None else {}

    @cached_property
    def task_outputs(self) -> dict[str, object]:
        """Outputs by task id, below it by loop value where there is one."""
        found: dict[str, object] = {}
        for row in self._reads.outputs(self.id):
            whole = row if row.value is not None or row.uri else self._reads.output(self.id, row.task_run_id)
            if whole is not None:
                _place(found, (row.task_id, *row.path), dict(self._values(whole)))
        return found

    @cached_property
    def runs(self) -> list[TaskRun]:
        """All task runs, in order of creation."""
        runs: list[TaskRun] = []
        page = 1
        while found := self._reads.runs(self.id, owner=None, page=page, size=_RUNS).results:
            runs += found
            if len(found) < _RUNS:
                break
            page += 1
        return [run for run in runs if run.kind is RunKind.TASK]

    def head(self) -> dict[str, object]:
        """What `trigger.*` shows of it that needs no further question to the store."""
        histories = self.execution.histories
        shown: dict[str, object] = {
            "executionId": self.id,
            "executionLabels": nested(self.labels),
            "namespace": self.namespace,
            "flowId": self.flow_id,
            "flowRevision": self.execution.flow_revision,
            "state": str(self.state),
        }
        if histories:
            shown["startDate"] = iso(histories[0].date)
        if self.state in TERMINATED:
            shown["endDate"] = iso(self.at)
        return shown

    def variables(self) -> dict[str, object]:
        """What `trigger.*` shows of it, without `outputs` (engine.md 7.10)."""
        shown = self.head()
        if self.state not in TERMINATED:
            return shown
        failed = self._reads.runs(self.id, owner=None, states=(State.FAILED,), size=1).results
        if failed:
            shown["firstFailedTaskId"] = failed[0].task_id
        count = self._reads.runs(self.id, owner=None, size=1).total
        last = self._reads.runs(self.id, owner=None, page=count, size=1).results if count else []
        if last:
            shown["lastTaskId"] = last[0].task_id
        return shown

    def scope(self) -> dict[str, object]:
        """What conditions and inputs see: the upstream execution as its own templates would see it."""
        histories = self.execution.histories
        execution: dict[str, object] = {
            "id": self.id,
            "state": str(self.state),
            "startDate": iso(histories[0].date) if histories else None,
            "originalId": self.execution.original_id,
            "outputs": LazyOutputs(lambda: self.outputs),
        }
        if self.state in TERMINATED:
            execution["endDate"] = iso(self.at)
        return {
            "execution": execution,
            "flow": {
                "id": self.flow_id,
                "namespace": self.namespace,
                "revision": self.execution.flow_revision,
                "tenantId": self.execution.tenant_id,
            },
            "outputs": LazyOutputs(lambda: self.task_outputs),
            "inputs": self.context.inputs,
            "vars": self.context.variables,
            "labels": nested(self.labels),
        }

    def _values(self, row: OutputRow) -> Mapping[str, object]:
        if row.value is not None:
            return row.value
        return self._read_uri(self.execution.tenant_id, row.uri) if row.uri else {}


class LazyOutputs:
    """A value loaded when a template touches it (`expr.LazyValue`)."""

    __slots__ = ("_load",)

    def __init__(self, load: Callable[[], object]) -> None:
        self._load = load

    def load(self) -> object:
        return self._load()


def _place(found: dict[str, object], path: tuple[str, ...], values: dict[str, object]) -> None:
    place = map_at(found, path[:-1])
    existing = place.get(path[-1])
    place[path[-1]] = {**existing, **values} if isinstance(existing, dict) else values
