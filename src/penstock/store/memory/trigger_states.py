"""What the scheduler keeps, in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

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
    WindowKey,
)
from penstock.store.filters import Kind
from penstock.store.memory.matching import Field, Fields, matching, ordered, page_of
from penstock.store.memory.tables import Tables
from penstock.store.records import copied

_FIELDS: Fields[TriggerState] = {
    "q": Field(Kind.QUERY, lambda row: [row.trigger_id, row.flow_id, row.namespace]),
    "scope": Field(Kind.SCOPE, lambda row: row.namespace),
    "namespace": Field(Kind.TEXT, lambda row: row.namespace),
    "flowId": Field(Kind.TEXT, lambda row: row.flow_id),
    "triggerId": Field(Kind.TEXT, lambda row: row.trigger_id),
    "workerId": Field(Kind.TEXT, lambda row: row.worker_id),
    "disabled": Field(Kind.FLAG, lambda row: row.disabled),
    "triggerState": Field(Kind.TEXT, lambda row: "DISABLED" if row.disabled else "ENABLED"),
    "kind": Field(Kind.TEXT, lambda row: row.kind.value),
    "lastTriggeredDate": Field(Kind.MOMENT, lambda row: row.last_triggered),
    "nextExecutionDate": Field(Kind.MOMENT, lambda row: row.next_date),
    "nextEvaluationDate": Field(Kind.MOMENT, lambda row: row.next_date),
    "executionId": Field(Kind.TEXT, lambda row: row.execution_id),
}
_KEYS: Mapping[str, Callable[[TriggerState], Any]] = {
    "namespace": lambda row: row.namespace,
    "flowId": lambda row: row.flow_id,
    "triggerId": lambda row: row.trigger_id,
    "executionId": lambda row: row.execution_id,
    "disabled": lambda row: row.disabled,
    "kind": lambda row: row.kind.value,
    "workerId": lambda row: row.worker_id,
    "lastTriggeredDate": lambda row: row.last_triggered,
    "nextExecutionDate": lambda row: row.next_date,
    "nextEvaluationDate": lambda row: row.next_date,
}
_EVALUATIONS: Fields[Evaluation] = {
    "namespace": Field(Kind.TEXT, lambda row: row.namespace),
    "flowId": Field(Kind.TEXT, lambda row: row.flow_id),
    "triggerId": Field(Kind.TEXT, lambda row: row.trigger_id),
    "outcome": Field(Kind.TEXT, lambda row: row.outcome.value),
    "at": Field(Kind.MOMENT, lambda row: row.at),
    "executionId": Field(Kind.TEXT, lambda row: row.execution_id),
}


class MemoryTriggerStates:
    """`TriggerStates` and `LiveExecutions` of `penstock.ports.trigger_states` in memory."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._states: dict[TriggerKey, TriggerState] = {}
        self._windows: dict[WindowKey, Window] = {}
        self._evaluations: list[Evaluation] = []
        self._last_evaluation = 0

    def commit(self, batch: TriggerBatch) -> None:
        with self._tables.lock:
            self._check(batch)
            self._remove(batch)
            self._states.update({state.key: copied(state) for state in batch.states})
            self._windows.update({window.key: copied(window) for window in batch.windows})
            self._tables.fires.update({fire.id: copied(fire) for fire in batch.fires})
            for entry in batch.evaluations:
                self._last_evaluation += 1
                self._evaluations.append(msgspec.structs.replace(copied(entry), id=self._last_evaluation))
            self._tables.logs.extend(copied(entry) for entry in batch.logs if self._tables.has(entry.execution_id))

    def all_states(self) -> Iterator[TriggerState]:
        with self._tables.lock:
            states = list(self._states.values())
        yield from states

    def get(self, key: TriggerKey) -> TriggerState | None:
        with self._tables.lock:
            return self._states.get(key)

    def get_many(self, keys: Sequence[TriggerKey]) -> list[TriggerState]:
        found = [self.get(key) for key in keys]
        return [state for state in found if state is not None]

    def of_flow(self, flow: FlowKey) -> list[TriggerState]:
        states = [state for state in self.all_states() if state.key.flow == flow]
        return sorted(states, key=lambda state: state.trigger_id)

    def search(
        self,
        tenant_id: str,
        filters: Sequence[Condition],
        *,
        sort: Sequence[Sort] = (),
        page: int = 1,
        size: int | None = None,
    ) -> Page[TriggerState]:
        own = sorted(
            (state for state in self.all_states() if state.tenant_id == tenant_id and state.kind in VISIBLE_KINDS),
            key=lambda state: state.key,
        )
        return page_of(ordered(matching(own, filters, _FIELDS), sort, _KEYS), page, size)

    def windows(self, flow: FlowKey) -> list[Window]:
        with self._tables.lock:
            found = [self._windows[key] for key in sorted(self._windows)]
        return [window for window in found if window.key[:3] == flow]

    def expired_windows(self, before: datetime, limit: int) -> list[Window]:
        with self._tables.lock:
            found = sorted(self._windows.values(), key=lambda window: window.end)
        return [window for window in found if window.end < before][:limit]

    def next_window_end(self) -> datetime | None:
        with self._tables.lock:
            return min((window.end for window in self._windows.values()), default=None)

    def pending_fires(self) -> list[PendingFire]:
        with self._tables.lock:
            return [copied(fire) for fire in self._tables.fires.values()]

    def evaluations(
        self, tenant_id: str, filters: Sequence[Condition], *, page: int = 1, size: int | None = None
    ) -> Page[Evaluation]:
        with self._tables.lock:
            own = [entry for entry in reversed(self._evaluations) if entry.tenant_id == tenant_id]
        return page_of(matching(own, filters, _EVALUATIONS), page, size)

    def purge_evaluations(self, before: datetime) -> int:
        with self._tables.lock:
            kept = [entry for entry in self._evaluations if entry.at >= before]
            removed = len(self._evaluations) - len(kept)
            self._evaluations = kept
        return removed

    def live(self, execution_ids: Iterable[str]) -> set[str]:
        with self._tables.lock:
            executions, fires = self._tables.executions, self._tables.fires
            return {
                found
                for found in execution_ids
                if found in fires or (found in executions and not executions[found].execution.closed)
            }

    def _check(self, batch: TriggerBatch) -> None:
        """Everything that makes a batch late, before anything is written."""
        states = {key: state.version for key, state in self._states.items() if key not in batch.removed_states}
        windows = {key: window.version for key, window in self._windows.items()}
        for window in batch.removed_windows:
            if windows.pop(window.key, None) != window.version:
                raise _late(f"window {'_'.join(window.key)} was changed")
        for state in batch.states:
            if states.get(state.key, 0) != state.version - 1:
                raise _late(f"trigger {state.key.uid} was changed")
        for window in batch.windows:
            if windows.get(window.key, 0) != window.version - 1:
                raise _late(f"window {'_'.join(window.key)} was changed")
        for number in batch.consumed_transitions:
            if number not in self._tables.transitions:
                raise _late(f"transition {number} was consumed")
        for fire in batch.fires:
            if fire.id in self._tables.fires and fire.id not in batch.done_fires:
                raise _late(f"execution {fire.id} is about to be started")

    def _remove(self, batch: TriggerBatch) -> None:
        for key in batch.removed_states:
            self._states.pop(key, None)
        for window in batch.removed_windows:
            del self._windows[window.key]
        for fire_id in batch.done_fires:
            self._tables.fires.pop(fire_id, None)
        for number in batch.consumed_transitions:
            del self._tables.transitions[number]


def _late(what: str) -> Conflict:
    return Conflict(f"Another scheduler was faster: {what}")
