"""The journal in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from penstock.errors import Bug
from penstock.model.entries import MetricEntry
from penstock.model.execution import ExecutionContext, TaskRun
from penstock.model.state import TERMINATED, State
from penstock.ports.journal import Batch, Loaded, LoopValues, OutputRow, Timer, Transition
from penstock.store.memory.tables import Kept, Tables
from penstock.store.records import copied, decode_map, encode


class MemoryJournal:
    """`penstock.ports.journal.Journal` in memory."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def commit(self, batch: Batch) -> None:
        """Write the batch; a batch that contradicts itself is refused before anything is written."""
        with self._tables.lock:
            self._check(batch)
            self._write_executions(batch)
            self._write_runs(batch)
            self._write_rest(batch)
            for execution_id in batch.deleted_executions:
                self._delete(execution_id)

    def load(self, execution_id: str) -> Loaded | None:
        with self._tables.lock:
            kept = self._tables.executions.get(execution_id)
            if kept is None:
                return None
            live = [copied(run) for run in kept.runs.values() if run.state not in TERMINATED]
            execution = copied(kept.execution)
            newest = max((run.sequence for run in kept.runs.values()), default=0)
            execution.sequence = max(execution.sequence, newest)
            return Loaded(execution=execution, context=copied(kept.context), runs=live)

    def runs(self, execution_id: str, ids: Iterable[str] | None = None) -> list[TaskRun]:
        wanted = None if ids is None else set(ids)
        with self._tables.lock:
            kept = self._tables.executions.get(execution_id)
            found = kept.runs.values() if kept else ()
            return [copied(run) for run in found if wanted is None or run.id in wanted]

    def ended_task_ids(self, execution_id: str, parent_id: str | None) -> list[str]:
        with self._tables.lock:
            kept = self._tables.executions.get(execution_id)
            runs = kept.runs.values() if kept else ()
            return [run.task_id for run in runs if run.parent_id == parent_id and run.state in TERMINATED]

    def unfinished(self) -> list[str]:
        with self._tables.lock:
            return [key for key, kept in self._tables.executions.items() if not kept.execution.closed]

    def timers(self) -> Iterator[Timer]:
        with self._tables.lock:
            found = [timer for kept in self._tables.executions.values() for timer in kept.timers.values()]
        yield from sorted(found, key=lambda timer: timer.due)

    def oldest_queued(self, tenant_id: str, namespace: str, flow_id: str) -> str | None:
        queued = [
            kept.execution
            for kept in self._open((tenant_id, namespace, flow_id))
            if kept.execution.state is State.QUEUED
        ]
        return min(queued, key=lambda execution: execution.histories[-1].date).id if queued else None

    def slots_used(self, tenant_id: str, namespace: str, flow_id: str) -> int:
        return sum(kept.execution.slot for kept in self._open((tenant_id, namespace, flow_id)))

    def children(self, execution_id: str) -> list[str]:
        with self._tables.lock:
            kept = self._tables.executions.values()
            return [k.execution.id for k in kept if k.trigger_execution_id == execution_id and not k.execution.closed]

    def loop_values(self, execution_id: str, task_run_id: str, start: int, count: int) -> LoopValues:
        found = LoopValues(execution_id=execution_id, task_run_id=task_run_id, start=start, values=[])
        with self._tables.lock:
            kept = self._tables.executions.get(execution_id)
            for stretch in kept.loop_values.get(task_run_id, []) if kept else []:
                first, last = max(start - stretch.start, 0), max(start + count - stretch.start, 0)
                found.values.extend(stretch.values[first:last])
                if stretch.keys is not None:
                    found.keys = (found.keys or []) + stretch.keys[first:last]
        return found

    def output(self, execution_id: str, owner: str, task_id: str, path: tuple[str, ...]) -> OutputRow | None:
        rows = [row for row in self._outputs(execution_id, owner) if (row.task_id, row.path) == (task_id, path)]
        return rows[-1] if rows else None

    def output_keys(self, execution_id: str, owner: str, task_id: str, prefix: tuple[str, ...]) -> list[str]:
        depth = len(prefix)
        paths = [row.path for row in self._outputs(execution_id, owner) if row.task_id == task_id]
        return list(dict.fromkeys(path[depth] for path in paths if len(path) > depth and path[:depth] == prefix))

    def output_tasks(self, execution_id: str, owner: str) -> list[str]:
        return list(dict.fromkeys(row.task_id for row in self._outputs(execution_id, owner)))

    def outputs_of(self, execution_id: str, task_run_ids: Iterable[str]) -> list[OutputRow]:
        wanted = set(task_run_ids)
        return [row for row in self._outputs(execution_id) if row.task_run_id in wanted]

    def transitions(self, limit: int) -> list[Transition]:
        with self._tables.lock:
            return [copied(row) for row in list(self._tables.transitions.values())[:limit]]

    def _open(self, flow: tuple[str, str, str]) -> list[Kept]:
        with self._tables.lock:
            kept = [k for k in self._tables.executions.values() if not k.execution.closed]
        return [k for k in kept if (k.execution.tenant_id, k.execution.namespace, k.execution.flow_id) == flow]

    def _outputs(self, execution_id: str, owner: str | None = None) -> list[OutputRow]:
        """The outputs in the order in which their task runs were created."""
        with self._tables.lock:
            kept = self._tables.executions.get(execution_id)
            if kept is None:
                return []
            rows = [kept.outputs[run_id] for run_id in kept.runs if run_id in kept.outputs]
            return [output_copy(row) for row in rows if owner is None or row.owner == owner]

    def _check(self, batch: Batch) -> None:
        created = {execution.id for execution in batch.created_executions}
        if len(created) < len(batch.created_executions) or created & self._tables.executions.keys():
            raise Bug("The database refused a row: an execution of that id exists")
        runs = {run.id for _, run in batch.created_runs}
        for execution_id, run in batch.created_runs:
            kept = self._tables.executions.get(execution_id)
            if kept and run.sequence in kept.sequences:
                raise Bug("The database refused a row: a task run of that sequence exists")
        for row in (*batch.outputs, *batch.loop_values):
            kept = self._tables.executions.get(row.execution_id)
            if kept and row.task_run_id not in kept.runs and row.task_run_id not in runs:
                raise Bug(f"Outputs or loop values of task run {row.task_run_id}, which is not in the journal")

    def _write_executions(self, batch: Batch) -> None:
        for execution in batch.created_executions:
            self._tables.executions[execution.id] = Kept(copied(execution), ExecutionContext())
        for execution in batch.changed_executions:
            kept = self._tables.executions.get(execution.id)
            if kept:
                kept.execution = copied(execution)
        for execution_id, context in batch.contexts.items():
            kept = self._tables.executions.get(execution_id)
            if kept:
                kept.context = copied(context)

    def _write_runs(self, batch: Batch) -> None:
        for execution_id, run in (*batch.created_runs, *batch.changed_runs):
            kept = self._tables.executions.get(execution_id)
            if kept:
                kept.runs[run.id] = copied(run)
                kept.sequences.add(run.sequence)
        for row in batch.outputs:
            kept = self._tables.executions.get(row.execution_id)
            if kept:
                kept.outputs[row.task_run_id] = output_copy(row)
        for stretch in batch.loop_values:
            kept = self._tables.executions.get(stretch.execution_id)
            if kept:
                kept.loop_values.setdefault(stretch.task_run_id, []).append(copied(stretch))
        for execution_id, run_id in batch.removed_runs:
            kept = self._tables.executions.get(execution_id)
            if kept:
                run = kept.runs.pop(run_id, None)
                kept.sequences.discard(run.sequence if run else 0)
                kept.outputs.pop(run_id, None)
                kept.loop_values.pop(run_id, None)

    def _write_rest(self, batch: Batch) -> None:
        tables = self._tables
        for row in batch.execution_outputs:
            if row.execution_id in tables.executions:
                tables.executions[row.execution_id].execution_outputs = output_copy(row)
        for execution_id, key in batch.removed_timers:
            if execution_id in tables.executions:
                tables.executions[execution_id].timers.pop(key, None)
        for timer in batch.timers:
            if timer.execution_id in tables.executions:
                tables.executions[timer.execution_id].timers[timer.key] = copied(timer)
        for transition in batch.transitions:
            tables.last_transition += 1
            tables.transitions[tables.last_transition] = msgspec.structs.replace(transition, id=tables.last_transition)
        tables.logs.extend(copied(e) for e in batch.logs if tables.has(e.execution_id))
        tables.metrics.extend(metric_copy(e) for e in batch.metrics if tables.has(e.execution_id))

    def _delete(self, execution_id: str) -> None:
        self._tables.executions.pop(execution_id, None)
        self._tables.logs[:] = [entry for entry in self._tables.logs if entry.execution_id != execution_id]
        self._tables.metrics[:] = [entry for entry in self._tables.metrics if entry.execution_id != execution_id]


def output_copy(row: OutputRow) -> OutputRow:
    """A row of its own; values may be any mapping on the way in and are plain on the way out."""
    return msgspec.structs.replace(row, value=None if row.value is None else decode_map(encode(row.value)))


def metric_copy(entry: MetricEntry) -> MetricEntry:
    """An entry of its own; its value may be no number, which JSON could not hold."""
    return msgspec.structs.replace(entry, value=float(entry.value), tags=dict(entry.tags))
