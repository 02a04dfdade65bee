"""Decisions into one batch for the journal, and into what is released once it is committed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from penstock.engine import events as e
from penstock.engine.draft import Decision
from penstock.engine.state import ExecutionState
from penstock.executor.outputs import OutputKeeper
from penstock.model.entries import LogEntry, MetricEntry
from penstock.model.job import Job
from penstock.model.state import State
from penstock.ports.feed import Change
from penstock.ports.journal import Batch, LoopValues, Timer, Transition

Listens = Callable[[str, str, str], bool]
"""Whether any Flow trigger may react to executions of (tenant, namespace, flow id)."""


class Gathering:
    """What one commit writes and what it lets out afterwards."""

    def __init__(self, keeper: OutputKeeper, listens: Listens) -> None:
        self._keeper = keeper
        self._listens = listens
        self.batch = Batch()
        self.states: dict[str, ExecutionState] = {}
        self.jobs: list[Job] = []
        self.kills: list[tuple[str, str | None]] = []
        self.moved: dict[str, None] = {}
        self.closed: list[str] = []

    def empty(self) -> bool:
        """Whether there is nothing to commit."""
        return not (self.states or self.batch.logs or self.batch.metrics or self.batch.deleted_executions)

    def take(self, state: ExecutionState, decision: Decision) -> None:
        """Take in what a step decided."""
        self.states[state.execution.id] = state
        self.jobs.extend(decision.jobs)
        self.kills.extend((state.execution.id, run_id) for run_id in decision.kills)
        self.batch.logs.extend(decision.logs)
        if decision.closed:
            self.closed.append(state.execution.id)
        for event in decision.events:
            handler = _HANDLERS.get(type(event))
            if handler is not None:
                handler(self, state, event)

    def entries(self, logs: Iterable[LogEntry], metrics: Iterable[MetricEntry]) -> None:
        """Take in log lines and metrics of workers."""
        self.batch.logs.extend(logs)
        self.batch.metrics.extend(metrics)

    def seal(self) -> Batch:
        """The batch, with every record that was touched; each is encoded once however often it changed."""
        batch = self.batch
        for execution_id, state in self.states.items():
            touched = state.touched
            if touched.created:
                batch.created_executions.append(state.execution)
            elif touched.execution:
                batch.changed_executions.append(state.execution)
            if touched.context:
                batch.contexts[execution_id] = state.context
            batch.created_runs.extend((execution_id, run) for run in touched.created_runs.values())
            batch.changed_runs.extend((execution_id, run) for run in touched.runs.values())
            batch.removed_runs.extend((execution_id, run_id) for run_id in touched.removed_runs)
        return batch

    def changes(self) -> list[Change]:
        """The news to publish."""
        return [change_of(self.states[i]) for i in self.moved if i in self.states]

    def _outputs(self, state: ExecutionState, event: e.OutputsSet) -> None:
        run = state.runs.get(event.run_id)
        if run is not None:
            self.batch.outputs.append(self._keeper.row(state, run, event.outputs))

    def _execution_outputs(self, state: ExecutionState, event: e.ExecutionOutputsSet) -> None:
        self.batch.execution_outputs.append(self._keeper.flow_row(state, event.outputs))

    def _values(self, state: ExecutionState, event: e.ValuesPlanned) -> None:
        row = LoopValues(
            execution_id=state.execution.id, task_run_id=event.run_id, start=0, values=event.values, keys=event.keys
        )
        self.batch.loop_values.append(row)

    def _timer(self, state: ExecutionState, event: e.TimerSet) -> None:
        place = (state.execution.id, event.key)
        if place in self.batch.removed_timers:
            self.batch.removed_timers.remove(place)
        self.batch.timers.append(
            Timer(execution_id=state.execution.id, key=event.key, due=event.due, stamp=event.stamp)
        )

    def _timer_over(self, state: ExecutionState, event: e.TimerCleared) -> None:
        execution_id = state.execution.id
        self.batch.timers = [t for t in self.batch.timers if (t.execution_id, t.key) != (execution_id, event.key)]
        self.batch.removed_timers.append((execution_id, event.key))

    def _created(self, state: ExecutionState, event: e.ExecutionCreated) -> None:
        self.moved[state.execution.id] = None

    def _moved(self, state: ExecutionState, event: e.ExecutionMoved) -> None:
        execution = state.execution
        self.moved[execution.id] = None
        if self._listens(execution.tenant_id, execution.namespace, execution.flow_id):
            self.batch.transitions.append(
                Transition(
                    execution_id=execution.id,
                    tenant_id=execution.tenant_id,
                    namespace=execution.namespace,
                    flow_id=execution.flow_id,
                    state=event.state,
                    at=event.at,
                )
            )

    def _retried(self, state: ExecutionState, event: e.ExecutionRetried) -> None:
        self._moved(state, e.ExecutionMoved(State.RETRIED, event.at))

    def _closed(self, state: ExecutionState, event: e.Event) -> None:
        self.moved[state.execution.id] = None

    def _run_moved(self, state: ExecutionState, event: e.Event) -> None:
        self.moved[state.execution.id] = None


def change_of(state: ExecutionState) -> Change:
    """The news of an execution as it stands."""
    execution = state.execution
    return Change(
        execution_id=execution.id,
        tenant_id=execution.tenant_id,
        namespace=execution.namespace,
        flow_id=execution.flow_id,
        state=execution.state,
        closed=execution.closed,
    )


_HANDLERS: dict[type[e.Event], Callable[..., None]] = {
    e.OutputsSet: Gathering._outputs,
    e.ExecutionOutputsSet: Gathering._execution_outputs,
    e.ValuesPlanned: Gathering._values,
    e.TimerSet: Gathering._timer,
    e.TimerCleared: Gathering._timer_over,
    e.ExecutionCreated: Gathering._created,
    e.ExecutionMoved: Gathering._moved,
    e.ExecutionRetried: Gathering._retried,
    e.ExecutionClosed: Gathering._closed,
    e.TaskRunCreated: Gathering._run_moved,
    e.TaskRunMoved: Gathering._run_moved,
    e.TaskRunRetried: Gathering._run_moved,
}
