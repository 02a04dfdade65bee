"""What the scheduler keeps, on SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

import msgspec

from penstock.errors import Conflict
from penstock.ports.reads import Condition, Page, Sort
from penstock.ports.trigger_states import (
    VISIBLE_KINDS,
    Evaluation,
    FlowKey,
    PendingFire,
    TriggerBatch,
    TriggerKey,
    TriggerState,
    Window,
)
from penstock.store.filters import Kind
from penstock.store.records import encode
from penstock.store.sqlite.codec import micros, micros_or_none, moment_or_none
from penstock.store.sqlite.conditions import Column
from penstock.store.sqlite.entries import EntryWriter
from penstock.store.sqlite.numbers import Numbers
from penstock.store.sqlite.readers import Readers
from penstock.store.sqlite.searching import Asked, Searched, search
from penstock.store.sqlite.statements import Statements
from penstock.store.sqlite.writer import Writer

_SQL = Statements("trigger_states.sql", visible=", ".join(f"'{kind.value}'" for kind in VISIBLE_KINDS))
_DISABLED = "CASE s.disabled WHEN 1 THEN 'DISABLED' ELSE 'ENABLED' END"
_SEARCHED = Searched(
    rows=_SQL.search,
    count=_SQL.count,
    columns={
        "q": Column(Kind.QUERY, "s.trigger_id | s.flow_id | s.namespace"),
        "scope": Column(Kind.SCOPE, "s.namespace"),
        "namespace": Column(Kind.TEXT, "s.namespace"),
        "flowId": Column(Kind.TEXT, "s.flow_id"),
        "triggerId": Column(Kind.TEXT, "s.trigger_id"),
        "workerId": Column(Kind.TEXT, "s.worker_id"),
        "disabled": Column(Kind.FLAG, "s.disabled"),
        "triggerState": Column(Kind.TEXT, _DISABLED),
        "kind": Column(Kind.TEXT, "s.kind"),
        "lastTriggeredDate": Column(Kind.MOMENT, "s.last_triggered"),
        "nextExecutionDate": Column(Kind.MOMENT, "s.next_date"),
        "nextEvaluationDate": Column(Kind.MOMENT, "s.next_date"),
        "executionId": Column(Kind.TEXT, "s.execution_id"),
    },
    sorts={
        "namespace": "s.namespace",
        "flowId": "s.flow_id",
        "triggerId": "s.trigger_id",
        "executionId": "s.execution_id",
        "disabled": "s.disabled",
        "kind": "s.kind",
        "workerId": "s.worker_id",
        "lastTriggeredDate": "s.last_triggered",
        "nextExecutionDate": "s.next_date",
        "nextEvaluationDate": "s.next_date",
    },
    default="s.namespace, s.flow_id, s.trigger_id",
    last="s.namespace, s.flow_id, s.trigger_id",
)
_EVALUATIONS = Searched(
    rows=_SQL.evaluations,
    count=_SQL.count_evaluations,
    columns={
        "namespace": Column(Kind.TEXT, "v.namespace"),
        "flowId": Column(Kind.TEXT, "v.flow_id"),
        "triggerId": Column(Kind.TEXT, "v.trigger_id"),
        "outcome": Column(Kind.TEXT, "v.outcome"),
        "at": Column(Kind.MOMENT, "v.at"),
        "executionId": Column(Kind.TEXT, "v.execution_id"),
    },
    sorts={},
    default="v.id DESC",
    last="v.id DESC",
)
_STRETCH = 1_000
_STEP = 2_000

_decode_state = msgspec.json.Decoder(TriggerState).decode
_decode_window = msgspec.json.Decoder(Window).decode
_decode_fire = msgspec.json.Decoder(PendingFire).decode
_decode_evaluation = msgspec.json.Decoder(Evaluation).decode


class SqliteTriggerStates:
    """`TriggerStates` and `LiveExecutions` of `penstock.ports.trigger_states` on SQLite."""

    def __init__(self, writer: Writer, readers: Readers, *, numbers: Numbers, entries: EntryWriter) -> None:
        self._writer = writer
        self._readers = readers
        self._numbers = numbers
        self._entries = entries

    def commit(self, batch: TriggerBatch) -> None:
        with self._writer.transaction() as connection:
            try:
                self._write(connection, batch)
            except BaseException:
                self._numbers.forget_all()
                raise

    def all_states(self) -> Iterator[TriggerState]:
        last = 0
        while True:
            with self._readers.connection() as connection:
                rows = connection.execute(_SQL.all_states, (last, _STRETCH)).fetchall()
            yield from (_decode_state(body) for _, body in rows)
            if len(rows) < _STRETCH:
                return
            last = rows[-1][0]

    def get(self, key: TriggerKey) -> TriggerState | None:
        found = self.get_many([key])
        return found[0] if found else None

    def get_many(self, keys: Sequence[TriggerKey]) -> list[TriggerState]:
        with self._readers.connection() as connection:
            rows = [connection.execute(_SQL.state, key).fetchone() for key in keys]
        return [_decode_state(row[0]) for row in rows if row is not None]

    def of_flow(self, flow: FlowKey) -> list[TriggerState]:
        with self._readers.connection() as connection:
            return [_decode_state(body) for (body,) in connection.execute(_SQL.of_flow, flow)]

    def search(
        self,
        tenant_id: str,
        filters: Sequence[Condition],
        *,
        sort: Sequence[Sort] = (),
        page: int = 1,
        size: int | None = None,
    ) -> Page[TriggerState]:
        with self._readers.snapshot() as connection:
            rows, total = search(connection, _SEARCHED, Asked((tenant_id,), filters, sort, page, size))
        return Page(results=[_decode_state(row[0]) for row in rows], total=total)

    def windows(self, flow: FlowKey) -> list[Window]:
        with self._readers.connection() as connection:
            return [_decode_window(body) for (body,) in connection.execute(_SQL.windows, flow)]

    def expired_windows(self, before: datetime, limit: int) -> list[Window]:
        with self._readers.connection() as connection:
            rows = connection.execute(_SQL.expired_windows, (micros(before), limit))
            return [_decode_window(body) for (body,) in rows]

    def next_window_end(self) -> datetime | None:
        with self._readers.connection() as connection:
            return moment_or_none(connection.execute(_SQL.next_window_end).fetchone()[0])

    def pending_fires(self) -> list[PendingFire]:
        with self._readers.connection() as connection:
            return [_decode_fire(body) for (body,) in connection.execute(_SQL.pending_fires)]

    def evaluations(
        self, tenant_id: str, filters: Sequence[Condition], *, page: int = 1, size: int | None = None
    ) -> Page[Evaluation]:
        with self._readers.snapshot() as connection:
            rows, total = search(connection, _EVALUATIONS, Asked((tenant_id,), filters, (), page, size))
        found = [msgspec.structs.replace(_decode_evaluation(body), id=number) for number, body in rows]
        return Page(results=found, total=total)

    def purge_evaluations(self, before: datetime) -> int:
        removed = 0
        while True:
            with self._writer.transaction() as connection:
                count = connection.execute(_SQL.purge_evaluations, (micros(before), _STEP)).rowcount
            removed += count
            if count < _STEP:
                return removed

    def live(self, execution_ids: Iterable[str]) -> set[str]:
        wanted = encode(list(execution_ids)).decode()
        with self._readers.connection() as connection:
            return {found for (found,) in connection.execute(_SQL.live, (wanted,))}

    def _write(self, connection: sqlite3.Connection, batch: TriggerBatch) -> None:
        self._numbers.trim()
        connection.executemany(_SQL.delete_state, batch.removed_states)
        for window in batch.removed_windows:
            done = connection.execute(_SQL.delete_window, (*window.key, window.version))
            _needs_one(done, f"window {'_'.join(window.key)} was changed")
        connection.executemany(_SQL.delete_fire, [(fire_id,) for fire_id in batch.done_fires])
        for state in batch.states:
            _write_state(connection, state)
        for window in batch.windows:
            _write_window(connection, window)
        for number in batch.consumed_transitions:
            _needs_one(connection.execute(_SQL.consume_transition, (number,)), f"transition {number} was consumed")
        for fire in batch.fires:
            done = connection.execute(_SQL.insert_fire, (fire.id, micros(fire.at), encode(fire)))
            _needs_one(done, f"execution {fire.id} is about to be started")
        connection.executemany(_SQL.insert_evaluation, [_evaluation_row(entry) for entry in batch.evaluations])
        self._writer.counters.bytes += self._entries.write_logs(connection, batch.logs)


def _write_state(connection: sqlite3.Connection, state: TriggerState) -> None:
    values = (
        state.kind.value,
        state.version,
        state.disabled,
        micros_or_none(state.next_date),
        micros_or_none(state.last_triggered),
        state.execution_id,
        state.worker_id,
        encode(state),
        *state.key,
    )
    if state.version == 1:
        done = connection.execute(_SQL.insert_state, values)
    else:
        done = connection.execute(_SQL.update_state, (*values, state.version - 1))
    _needs_one(done, f"trigger {state.key.uid} was changed")


def _write_window(connection: sqlite3.Connection, window: Window) -> None:
    values = (window.version, micros(window.end), encode(window), *window.key)
    if window.version == 1:
        done = connection.execute(_SQL.insert_window, values)
    else:
        done = connection.execute(_SQL.update_window, (*values, window.version - 1))
    _needs_one(done, f"window {'_'.join(window.key)} was changed")


def _needs_one(done: sqlite3.Cursor, what: str) -> None:
    if done.rowcount != 1:
        raise Conflict(f"Another scheduler was faster: {what}")


def _evaluation_row(entry: Evaluation) -> tuple[object, ...]:
    return (
        entry.tenant_id,
        entry.namespace,
        entry.flow_id,
        entry.trigger_id,
        micros(entry.at),
        entry.outcome.value,
        entry.execution_id,
        encode(entry),
    )
