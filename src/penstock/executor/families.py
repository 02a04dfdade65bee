"""Executions that start executions: children of Subflow and ForEachItem, their ends, kills that cascade, replays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol

import msgspec

from penstock.engine import commands as c
from penstock.engine.draft import Launch
from penstock.engine.moment import Moment
from penstock.engine.plan import Kind, Plan
from penstock.engine.restart import Replayed, replay
from penstock.engine.state import ExecutionState
from penstock.engine.variables import variables_of
from penstock.expr import ExpressionError, render_value
from penstock.model.entries import LogEntry
from penstock.model.execution import Execution, ExecutionContext, TaskRun
from penstock.model.flowables import Subflow
from penstock.model.state import TERMINATED, State
from penstock.model.task import LogLevel
from penstock.ports.journal import Journal, OutputRow


class ChildLauncher(Protocol):
    """Makes the execution that a task run asks for."""

    def __call__(self, parent: ExecutionState, run: TaskRun, launch: Launch) -> tuple[c.StartExecution, list[str]]:
        """The command that starts it, and warnings for the parent's log.

        Raises:
            PenstockError: it cannot be started; the message is for the log of the task run.
        """
        ...


def parent_of(context: ExecutionContext) -> tuple[str, str, int | None] | None:
    """The execution and task run that wait for an execution: ids, and the batch of a ForEachItem."""
    trigger = context.trigger
    if trigger is None:
        return None
    execution_id, run_id = trigger.variables.get("executionId"), trigger.variables.get("taskRunId")
    if not isinstance(execution_id, str) or not isinstance(run_id, str):
        return None
    index = trigger.variables.get("taskRunIteration")
    return execution_id, run_id, index if isinstance(index, int) else None


def created_line(parent: ExecutionState, run: TaskRun, child: Execution, now: datetime) -> LogEntry:
    """The log line of the parent's task run that links to the child."""
    link = f'[[link execution="{child.id}" flowId="{child.flow_id}" namespace="{child.namespace}"]]'
    return line(parent, run, LogLevel.INFO, f"Created new execution {link}", now)


def line(parent: ExecutionState, run: TaskRun, level: LogLevel, message: str, now: datetime) -> LogEntry:
    """A log line of a task run, written by the executor."""
    execution = parent.execution
    return LogEntry(
        tenant_id=execution.tenant_id,
        namespace=execution.namespace,
        flow_id=execution.flow_id,
        execution_id=execution.id,
        task_id=run.task_id,
        task_run_id=run.id,
        attempt_number=max(len(run.attempts) - 1, 0),
        timestamp=now,
        level=level,
        message=message,
    )


def refused(parent: ExecutionState, launch: Launch, error: Exception) -> c.ChildRefused:
    """The command that fails the task run whose child could not be made."""
    return c.ChildRefused(execution_id=parent.execution.id, task_run_id=launch.task_run_id, stamp=0, reason=str(error))


def child_news(state: ExecutionState, outputs: Mapping[str, object] | None) -> c.ChildChanged | None:
    """What a parent is told of a child that has ended."""
    waiting = parent_of(state.context)
    if waiting is None:
        return None
    execution_id, run_id, index = waiting
    return c.ChildChanged(
        execution_id=execution_id,
        task_run_id=run_id,
        child_id=state.execution.id,
        state=state.execution.state,
        ended=True,
        outputs=outputs,
        index=index,
    )


def extracted_outputs(parent: ExecutionState, run_id: str) -> Mapping[str, object] | None:
    """The 1.x property `outputs` of the Subflow that waits: templates over the child's task outputs."""
    run = parent.runs.get(run_id)
    task = parent.node_of(run).task if run is not None else None
    return task.outputs if isinstance(task, Subflow) else None


def with_extracted(
    news: c.ChildChanged, wanted: Mapping[str, object], child: ExecutionState, moment: Moment
) -> c.ChildChanged:
    """The news with what the Subflow's `outputs` extract from the child added; an error fails the task run."""
    context = moment.render_context(variables_of(child, moment))
    try:
        extracted = {name: render_value(value, context, typed=True) for name, value in wanted.items()}
    except ExpressionError as error:
        return msgspec.structs.replace(news, error=str(error))
    return msgspec.structs.replace(news, outputs={**(news.outputs or {}), **extracted})


class Replays:
    """Makes replays: new executions from old ones."""

    def __init__(
        self, journal: Journal, *, plan_of: Callable[[str, str, str, int], Plan], new_id: Callable[[], str]
    ) -> None:
        self._journal = journal
        self._plan_of = plan_of
        self._new_id = new_id

    def make(
        self, source: ExecutionState, command: c.ReplayExecution, now: datetime, *, retry: bool = False
    ) -> tuple[ExecutionState, list[OutputRow], c.Proceed]:
        """The state of the new execution (not yet committed), the outputs it takes over, and what sets it going.

        Raises:
            Unprocessable: no such task run. NotFound: no such revision.
        """
        head = source.execution
        revision = command.revision if command.revision is not None else head.flow_revision
        plan = source.plan
        if revision != head.flow_revision:
            plan = self._plan_of(head.tenant_id, head.namespace, head.flow_id, revision)
        runs = self._all_runs(source)
        chosen = command.task_run_id
        if command.restart:
            chosen = next((r.id for r in runs if r.state is State.FAILED and not _is_block(source, r)), None)
        made = replay(
            plan, head, source.context,
            runs=runs, task_run_id=chosen, inputs=command.inputs, now=now, new_id=self._new_id, retry=retry,
        )  # fmt: skip
        made.execution.id = command.new_id
        if command.breakpoints is not None:
            made.execution.breakpoints = command.breakpoints
        state = self._state(plan, made)
        proceed = c.Proceed(execution_id=command.new_id, values=self._values(head.id, state, made))
        return state, self._outputs(head.id, made), proceed

    def _all_runs(self, source: ExecutionState) -> list[TaskRun]:
        known = {run.id: run for run in self._journal.runs(source.execution.id)}
        known.update(source.runs)
        return sorted(known.values(), key=lambda run: run.sequence)

    def _state(self, plan: Plan, made: Replayed) -> ExecutionState:
        state = ExecutionState(plan, made.execution, made.context)
        state.adopt(made.runs)
        touched = state.touched
        touched.created = touched.execution = touched.context = True
        touched.created_runs = {run.id: run for run in made.runs}
        for run in state.live():
            if state.node_of(run).kind is Kind.DAG:
                ended = (r.task_id for r in made.runs if r.parent_id == run.id and r.state in TERMINATED)
                state.dag_done[run.id] = set(ended)
        return state

    def _values(
        self, source_id: str, state: ExecutionState, made: Replayed
    ) -> dict[str, tuple[list[str], list[str] | None]]:
        """What the loops that go on go over, as the source has it stored."""
        found: dict[str, tuple[list[str], list[str] | None]] = {}
        for run in state.live():
            if run.scope is not None and state.node_of(run).kind in (Kind.FOR_EACH, Kind.LOOP):
                stored = self._journal.loop_values(source_id, made.origins[run.id], 0, 1 << 31)
                run.scope.planned = len(stored.values)
                found[run.id] = (stored.values, stored.keys)
        return found

    def _outputs(self, source_id: str, made: Replayed) -> list[OutputRow]:
        new_of = {old: new for new, old in made.origins.items()}
        rows = self._journal.outputs_of(source_id, new_of)
        runs = {run.id: run for run in made.runs}
        for row in rows:
            row.execution_id = made.execution.id
            row.task_run_id = new_of[row.task_run_id]
            row.owner = runs[row.task_run_id].owner
            base, mark, loop = row.task_id.partition("#")
            if mark:
                row.task_id = f"{base}#{new_of.get(loop, loop)}"
        return rows


def _is_block(source: ExecutionState, run: TaskRun) -> bool:
    node = source.plan.by_id.get(run.task_id)
    return node is None or node.kind not in (Kind.RUNNABLE, Kind.SUBFLOW, Kind.WORKING_DIRECTORY)
