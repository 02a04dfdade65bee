"""The journal on SQLite: commits of executors, and what they read again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from typing import cast

from penstock.model.execution import ExecutionContext, TaskRun
from penstock.model.state import State
from penstock.ports.journal import Batch, Loaded, LoopValues, OutputRow, Timer, Transition
from penstock.store.records import decode_context, decode_execution, decode_map, decode_run, decode_strings, encode
from penstock.store.sqlite.batch_rows import STRETCH, BatchRows
from penstock.store.sqlite.codec import below, micros, moment, path_of, place
from penstock.store.sqlite.entries import EntryWriter
from penstock.store.sqlite.numbers import Numbers, bounds
from penstock.store.sqlite.readers import Readers
from penstock.store.sqlite.statements import Statements
from penstock.store.sqlite.sweeping import delete_executions
from penstock.store.sqlite.writer import Writer

_SQL = Statements("journal.sql")


class SqliteJournal:
    """`penstock.ports.journal.Journal` on SQLite."""

    def __init__(self, writer: Writer, readers: Readers, *, numbers: Numbers, entries: EntryWriter) -> None:
        self._writer = writer
        self._readers = readers
        self._numbers = numbers
        self._entries = entries

    def commit(self, batch: Batch) -> None:
        """Write the batch in one transaction, on the calling thread.

        Raises:
            StoreUnavailable: the disk is full or another process holds the database; nothing is written.
            Bug: the batch contradicts itself (a row created twice, outputs of a run that is nowhere).
        """
        with self._writer.transaction() as connection:
            try:
                self._write(connection, batch)
            except BaseException:
                self._numbers.forget_all()
                raise

    def load(self, execution_id: str) -> Loaded | None:
        with self._readers.snapshot() as connection:
            row = connection.execute(_SQL.load_execution, (execution_id,)).fetchone()
            if row is None:
                return None
            no, head, context = row
            live = connection.execute(_SQL.live_runs, bounds(no)).fetchall()
            last = connection.execute(_SQL.last_run, bounds(no)).fetchone()[0]
        execution = decode_execution(head)
        execution.sequence = max(execution.sequence, 0 if last is None else last - bounds(no)[0])
        return Loaded(
            execution=execution,
            context=ExecutionContext() if context is None else decode_context(context),
            runs=[decode_run(body) for (body,) in live],
        )

    def runs(self, execution_id: str, ids: Iterable[str] | None = None) -> list[TaskRun]:
        wanted = None if ids is None else list(ids)
        with self._readers.connection() as connection:
            no = _no(connection, execution_id)
            if no is None or wanted == []:
                return []
            if wanted is None:
                rows = connection.execute(_SQL.all_runs, bounds(no)).fetchall()
            else:
                rows = connection.execute(_SQL.runs_by_id, (_array(wanted), *bounds(no))).fetchall()
        return [decode_run(body) for (body,) in rows]

    def ended_task_ids(self, execution_id: str, parent_id: str | None) -> list[str]:
        with self._readers.connection() as connection:
            no = _no(connection, execution_id)
            if no is None:
                return []
            if parent_id is None:
                rows = connection.execute(_SQL.ended_at_top, bounds(no))
            else:
                rows = connection.execute(_SQL.ended_children, (parent_id, *bounds(no)))
            return [task_id for (task_id,) in rows]

    def unfinished(self) -> list[str]:
        with self._readers.connection() as connection:
            return [execution_id for (execution_id,) in connection.execute(_SQL.unfinished)]

    def timers(self) -> Iterator[Timer]:
        with self._readers.connection() as connection:
            rows = connection.execute(_SQL.timers).fetchall()
        for execution_id, key, due, stamp in rows:
            yield Timer(execution_id=execution_id, key=key, due=moment(due), stamp=stamp)

    def oldest_queued(self, tenant_id: str, namespace: str, flow_id: str) -> str | None:
        with self._readers.connection() as connection:
            rows = connection.execute(_SQL.queued_of_flow, (tenant_id, namespace, flow_id)).fetchall()
        waiting = [(micros(decode_execution(body).histories[-1].date), no, found) for no, found, body in rows]
        return min(waiting)[2] if waiting else None

    def slots_used(self, tenant_id: str, namespace: str, flow_id: str) -> int:
        with self._readers.connection() as connection:
            return connection.execute(_SQL.slots_used, (tenant_id, namespace, flow_id)).fetchone()[0]

    def children(self, execution_id: str) -> list[str]:
        with self._readers.connection() as connection:
            return [child for (child,) in connection.execute(_SQL.children, (execution_id,))]

    def loop_values(self, execution_id: str, task_run_id: str, start: int, count: int) -> LoopValues:
        found = LoopValues(execution_id=execution_id, task_run_id=task_run_id, start=start, values=[])
        with self._readers.connection() as connection:
            key = _run_key(connection, execution_id, task_run_id)
            if key is None:
                return found
            window = (key, start - STRETCH + 1, start + count)
            for at, _, items, names in connection.execute(_SQL.loop_values, window):
                first, last = max(start - at, 0), start + count - at
                found.values.extend(decode_strings(items)[first:last])
                if names is not None:
                    found.keys = (found.keys or []) + decode_strings(names)[first:last]
        return found

    def output(self, execution_id: str, owner: str, task_id: str, path: tuple[str, ...]) -> OutputRow | None:
        with self._readers.connection() as connection:
            no = _no(connection, execution_id)
            row = connection.execute(_SQL.output_at, (no, owner, task_id, place(path))).fetchone()
        return None if row is None else output_row(execution_id, row)

    def output_keys(self, execution_id: str, owner: str, task_id: str, prefix: tuple[str, ...]) -> list[str]:
        with self._readers.connection() as connection:
            no = _no(connection, execution_id)
            rows = connection.execute(_SQL.output_places, (no, owner, task_id, *below(prefix)))
            return list(dict.fromkeys(path_of(found)[len(prefix)] for (found,) in rows))

    def output_tasks(self, execution_id: str, owner: str) -> list[str]:
        with self._readers.connection() as connection:
            rows = connection.execute(_SQL.output_tasks, (_no(connection, execution_id), owner))
            return [task_id for (task_id,) in rows]

    def outputs_of(self, execution_id: str, task_run_ids: Iterable[str]) -> list[OutputRow]:
        wanted = list(task_run_ids)
        with self._readers.connection() as connection:
            no = _no(connection, execution_id)
            if no is None or not wanted:
                return []
            rows = connection.execute(_SQL.outputs_by_run, (_array(wanted), *bounds(no))).fetchall()
        return [output_row(execution_id, row) for row in rows]

    def transitions(self, limit: int) -> list[Transition]:
        with self._readers.connection() as connection:
            rows = connection.execute(_SQL.transitions, (limit,)).fetchall()
        return [
            Transition(
                id=number,
                execution_id=execution_id,
                tenant_id=tenant_id,
                namespace=namespace,
                flow_id=flow_id,
                state=State(state),
                at=moment(at),
            )
            for number, execution_id, tenant_id, namespace, flow_id, state, at in rows
        ]

    def _write(self, connection: sqlite3.Connection, batch: Batch) -> None:
        """Records in the order in which they lean on one another; absent kinds cost nothing."""
        self._numbers.trim()
        counters = self._writer.counters
        rows = BatchRows(connection, numbers=self._numbers, counters=counters)
        if batch.created_executions:
            rows.created_executions(batch.created_executions, batch.contexts)
        if batch.changed_executions:
            rows.changed_executions(batch.changed_executions)
        if batch.contexts:
            rows.contexts(batch.contexts, {execution.id for execution in batch.created_executions})
        if batch.created_runs:
            rows.created_runs(batch.created_runs)
        if batch.changed_runs:
            rows.changed_runs(batch.changed_runs)
        if batch.outputs:
            rows.outputs(batch.outputs)
        if batch.execution_outputs:
            rows.execution_outputs(batch.execution_outputs)
        if batch.loop_values:
            rows.loop_values(batch.loop_values)
        if batch.removed_runs:
            rows.removed_runs(batch.removed_runs)
        if batch.timers or batch.removed_timers:
            rows.timers(batch.timers, batch.removed_timers)
        if batch.transitions:
            rows.transitions(batch.transitions)
        if batch.logs:
            counters.bytes += self._entries.write_logs(connection, batch.logs)
        if batch.metrics:
            counters.bytes += self._entries.write_metrics(connection, batch.metrics)
        if batch.deleted_executions:
            delete_executions(connection, batch.deleted_executions, numbers=self._numbers)


def output_row(execution_id: str, row: tuple[object, ...]) -> OutputRow:
    """The record of a row (run id, owner, task id, place, iteration, uri, size, value)."""
    run_id, owner, task_id, found, iteration, uri, size, value = row
    return OutputRow(
        execution_id=execution_id,
        task_run_id=cast("str", run_id),
        task_id=cast("str", task_id),
        owner=cast("str", owner),
        path=path_of(cast("str", found)),
        iteration=cast("int | None", iteration),
        value=None if value is None else decode_map(cast("bytes", value)),
        uri=cast("str | None", uri),
        size=cast("int", size),
    )


def _no(connection: sqlite3.Connection, execution_id: str) -> int | None:
    row = connection.execute(_SQL.execution_no, (execution_id,)).fetchone()
    return None if row is None else row[0]


def _run_key(connection: sqlite3.Connection, execution_id: str, run_id: str) -> int | None:
    no = _no(connection, execution_id)
    if no is None:
        return None
    row = connection.execute(_SQL.run_key, (run_id, *bounds(no))).fetchone()
    return None if row is None else row[0]


def _array(ids: list[str]) -> str:
    return encode(ids).decode()
