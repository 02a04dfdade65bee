"""Writing the records of one batch inside a running transaction: each kind of record in one place.

Rows of executions that no longer exist are dropped: a late result of a deleted execution changes nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from penstock.errors import Bug
from penstock.model.execution import Execution, ExecutionContext, TaskRun
from penstock.model.state import TERMINATED
from penstock.ports.journal import LoopValues, OutputRow, Timer, Transition
from penstock.store.records import encode, text
from penstock.store.sqlite.codec import micros, place
from penstock.store.sqlite.numbers import SHIFT, Known, Numbers, bounds
from penstock.store.sqlite.statements import Statements
from penstock.store.sqlite.writer import Counters

_SQL = Statements("journal.sql")

STRETCH = 200
"""Loop values that are kept in one row: what is read at least when one is needed."""

_NO_CONTEXT = ExecutionContext()


class BatchRows:
    """The rows of one commit; made anew for each."""

    def __init__(self, connection: sqlite3.Connection, *, numbers: Numbers, counters: Counters) -> None:
        self._connection = connection
        self._numbers = numbers
        self._counters = counters
        self._keys: dict[str, int] = {}

    def created_executions(self, executions: Sequence[Execution], contexts: Mapping[str, ExecutionContext]) -> None:
        """New heads; the context of each says what triggered it."""
        no = self._connection.execute(_SQL.next_execution_no).fetchone()[0]
        rows: list[tuple[object, ...]] = []
        for execution in executions:
            body = self._counted(execution)
            rows.append(_execution_row(no, execution, contexts.get(execution.id, _NO_CONTEXT), body))
            self._numbers.add(execution.id, Known(no=no, head=_head(execution), logs=no << SHIFT, metrics=no << SHIFT))
            no += 1
        self._connection.executemany(_SQL.insert_execution, rows)

    def changed_executions(self, executions: Sequence[Execution]) -> None:
        """Heads again: the columns too only where they changed."""
        for execution in executions:
            known = self._known(execution.id)
            if known is None:
                continue
            body, head = self._counted(execution), _head(execution)
            if known.head == head:
                self._connection.execute(_SQL.update_execution_body, (body, known.no))
            else:
                state, closed, slot, revision = head
                row = (state, _ended(execution), closed, slot, revision, body, known.no)
                self._connection.execute(_SQL.update_execution, row)
                known.head = head

    def contexts(self, contexts: Mapping[str, ExecutionContext], created: set[str]) -> None:
        """Contexts and their labels; those of `created` executions are known to have none yet."""
        for execution_id, context in contexts.items():
            known = self._known(execution_id)
            if known is None:
                continue
            self._connection.execute(_SQL.put_context, (known.no, self._counted(context)))
            if execution_id not in created:
                self._connection.execute(_SQL.set_trigger, (*_trigger_columns(context), known.no))
                self._connection.execute(_SQL.delete_labels, (known.no,))
            if context.labels:
                labels = {text(label.key): text(label.value) for label in context.labels}
                rows = [(known.no, key, value) for key, value in labels.items()]
                self._connection.executemany(_SQL.insert_label, rows)

    def created_runs(self, runs: Sequence[tuple[str, TaskRun]]) -> None:
        """New task runs and iterations."""
        rows: list[tuple[object, ...]] = []
        for execution_id, run in runs:
            known = self._known(execution_id)
            if known is None:
                continue
            key = self._keys[run.id] = (known.no << SHIFT) + run.sequence
            live = run.state not in TERMINATED
            if live:
                known.live.add(key)
            rows.append(_run_row(key, run, self._counted(run), live))
        self._connection.executemany(_SQL.insert_run, rows)

    def changed_runs(self, runs: Sequence[tuple[str, TaskRun]]) -> None:
        """Task runs again; the index of live ones is touched only when one ends or comes back to life."""
        same: list[tuple[object, ...]] = []
        turned: list[tuple[object, ...]] = []
        for execution_id, run in runs:
            known = self._known(execution_id)
            if known is None:
                continue
            key = self._keys[run.id] = (known.no << SHIFT) + run.sequence
            body, live = self._counted(run), run.state not in TERMINATED
            if live and key in known.live:
                same.append((run.state.value, body, key))
                continue
            turned.append((live, run.state.value, _ended(run), body, key))
            if live:
                known.live.add(key)
            else:
                known.live.discard(key)
        self._connection.executemany(_SQL.update_run, same)
        self._connection.executemany(_SQL.set_run_live, turned)

    def removed_runs(self, runs: Sequence[tuple[str, str]]) -> None:
        """Task runs that are taken back, with their outputs and loop values."""
        for execution_id, run_id in runs:
            known = self._known(execution_id)
            key = None if known is None else self._key(known, run_id)
            if known is None or key is None:
                continue
            known.live.discard(key)
            for statement in (_SQL.delete_run, _SQL.delete_run_outputs, _SQL.delete_run_loop_values):
                self._connection.execute(statement, (key,))

    def outputs(self, outputs: Sequence[OutputRow]) -> None:
        """Outputs of task runs, replacing earlier ones of the same run."""
        rows: list[tuple[object, ...]] = []
        for row in outputs:
            known = self._known(row.execution_id)
            if known is None:
                continue
            value = None if row.value is None else self._counted(row.value)
            key = self._needed_key(known, row.task_run_id)
            rows.append(
                (
                    key,
                    known.no,
                    row.owner,
                    row.task_id,
                    place(row.path),
                    row.task_run_id,
                    row.iteration,
                    row.uri,
                    row.size,
                    value,
                )
            )
        self._connection.executemany(_SQL.put_output, rows)

    def execution_outputs(self, outputs: Sequence[OutputRow]) -> None:
        """Outputs of whole executions."""
        for row in outputs:
            known = self._known(row.execution_id)
            if known is not None:
                value = None if row.value is None else self._counted(row.value)
                self._connection.execute(_SQL.put_execution_outputs, (known.no, row.uri, row.size, value))

    def loop_values(self, stretches: Sequence[LoopValues]) -> None:
        """Values of loops, cut into rows of `STRETCH`."""
        rows: list[tuple[object, ...]] = []
        for stretch in stretches:
            known = self._known(stretch.execution_id)
            if known is None:
                continue
            key = self._needed_key(known, stretch.task_run_id)
            for offset in range(0, len(stretch.values), STRETCH):
                items = stretch.values[offset : offset + STRETCH]
                names = None if stretch.keys is None else self._counted(stretch.keys[offset : offset + STRETCH])
                rows.append((key, stretch.start + offset, len(items), self._counted(items), names))
        self._connection.executemany(_SQL.put_loop_values, rows)

    def timers(self, timers: Sequence[Timer], removed: Sequence[tuple[str, str]]) -> None:
        """Timers that are no longer waited for, then new ones."""
        for execution_id, key in removed:
            known = self._known(execution_id)
            if known is not None:
                self._connection.execute(_SQL.delete_timer, (known.no, text(key)))
        for timer in timers:
            known = self._known(timer.execution_id)
            if known is not None:
                row = (known.no, text(timer.key), micros(timer.due), timer.stamp)
                self._connection.execute(_SQL.put_timer, row)

    def transitions(self, transitions: Sequence[Transition]) -> None:
        """Outbox rows for Flow triggers; ids are given here."""
        rows = [(t.execution_id, t.tenant_id, t.namespace, t.flow_id, t.state.value, micros(t.at)) for t in transitions]
        self._connection.executemany(_SQL.insert_transition, rows)

    def _known(self, execution_id: str) -> Known | None:
        return self._numbers.get(self._connection, execution_id)

    def _key(self, known: Known, run_id: str) -> int | None:
        key = self._keys.get(run_id)
        if key is None:
            row = self._connection.execute(_SQL.run_key, (run_id, *bounds(known.no))).fetchone()
            key = None if row is None else row[0]
        return key

    def _needed_key(self, known: Known, run_id: str) -> int:
        key = self._key(known, run_id)
        if key is None:
            raise Bug(f"Outputs or loop values of task run {run_id}, which is not in the journal")
        return key

    def _counted(self, record: object) -> bytes:
        body = encode(record)
        self._counters.bytes += len(body)
        return body


def _head(execution: Execution) -> tuple[str, bool, bool, int]:
    return execution.state.value, execution.closed, execution.slot, execution.flow_revision


def _ended(record: Execution | TaskRun) -> int | None:
    return micros(record.histories[-1].date) if record.state in TERMINATED else None


def _trigger_columns(context: ExecutionContext) -> tuple[str | None, str | None]:
    """The trigger's id and the execution that it says started this one (engine.md 9: `trigger.executionId`)."""
    if context.trigger is None:
        return None, None
    source = context.trigger.variables.get("executionId")
    return context.trigger.id, source if isinstance(source, str) else None


def _execution_row(no: int, execution: Execution, context: ExecutionContext, body: bytes) -> tuple[object, ...]:
    return (
        no,
        execution.id,
        execution.tenant_id,
        execution.namespace,
        execution.flow_id,
        execution.flow_revision,
        execution.kind.value,
        execution.state.value,
        micros(execution.histories[0].date),
        _ended(execution),
        execution.closed,
        execution.slot,
        execution.parent_id,
        *_trigger_columns(context),
        body,
    )


def _run_row(key: int, run: TaskRun, body: bytes, live: bool) -> tuple[object, ...]:
    return (
        key,
        run.id,
        run.task_id,
        run.parent_id,
        run.owner,
        run.kind.value,
        run.iteration,
        live,
        run.state.value,
        micros(run.histories[0].date),
        _ended(run),
        body,
    )
