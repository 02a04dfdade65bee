"""The end of an execution, for the trigger that started it: its next date may run, or it stops (engine.md 7.2).

A trigger that waits is remembered here only to wake it at once; whether it still has to is asked of the store.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from threading import Lock

from msgspec.structs import replace

from penstock.errors import Conflict
from penstock.model.state import State
from penstock.model.task import LogLevel
from penstock.ports.feed import Change
from penstock.ports.trigger_states import VISIBLE_KINDS, FlowKey, TriggerBatch, TriggerKey, TriggerState
from penstock.scheduler.notes import log
from penstock.scheduler.parts import Parts

_ATTEMPTS = 5


class Ends:
    """Watches executions that triggers wait for, and applies stopAfter."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._lock = Lock()
        self._waiting: dict[str, set[TriggerKey]] = {}
        self._stopping: set[FlowKey] = set()
        self._ended: deque[Change] = deque()

    def learn(self, states: Iterable[TriggerState]) -> None:
        """Take note of which flows have a trigger with stopAfter."""
        for state in states:
            if state.stop_after:
                self._stopping.add(FlowKey(*state.key[:3]))

    def watch(self, execution_id: str, key: TriggerKey) -> None:
        """Wake `key` when the execution ends. To be called before the store is asked, so that no end is missed."""
        with self._lock:
            self._waiting.setdefault(execution_id, set()).add(key)

    def unwatch(self, execution_id: str, key: TriggerKey) -> None:
        """No longer wake `key`."""
        with self._lock:
            keys = self._waiting.get(execution_id)
            if keys is not None:
                keys.discard(key)
                if not keys:
                    del self._waiting[execution_id]

    def closed(self, change: Change) -> bool:
        """An execution is fully terminated; whether anybody here cares. Quick: called on the publisher's thread."""
        flow = FlowKey(change.tenant_id, change.namespace, change.flow_id)
        cares = flow in self._stopping
        if cares:
            self._ended.append(change)
        if change.execution_id in self._waiting:
            self._release(change.execution_id)
            cares = True
        return cares

    def settle(self) -> int:
        """Apply stopAfter for executions that have ended; returns how many triggers were disabled."""
        stopped = 0
        while self._ended:
            change = self._ended[0]
            stopped += self._stop(change.tenant_id, change.execution_id, change.state)
            self._ended.popleft()
        return stopped

    def check(self) -> None:
        """Wake triggers whose execution has ended unnoticed: the safety net behind the feed."""
        with self._lock:
            ids = list(self._waiting)
        if ids:
            live = self._parts.live.live(ids)
            for execution_id in ids:
                if execution_id not in live and not self._parts.fires.flying(execution_id):
                    self._release(execution_id)

    def recover(self, state: TriggerState) -> int:
        """Apply stopAfter to an execution that ended while no scheduler ran, unless the row was changed since."""
        if not state.stop_after or state.execution_id is None or state.disabled:
            return 0
        stored = self._parts.reads.execution(state.tenant_id, state.execution_id)
        if stored is None or not stored.execution.closed or stored.execution.histories[-1].date < state.updated:
            return 0
        return self._stop(state.tenant_id, state.execution_id, stored.execution.state)

    def _release(self, execution_id: str) -> None:
        with self._lock:
            keys = self._waiting.pop(execution_id, set())
        now = self._parts.clock.now()
        for key in keys:
            self._parts.agenda.put(key, now)

    def _stop(self, tenant_id: str, execution_id: str, ended_in: State) -> int:
        stored = self._parts.reads.execution(tenant_id, execution_id)
        if stored is None or stored.context.trigger is None:
            return 0
        execution = stored.execution
        key = TriggerKey(tenant_id, execution.namespace, execution.flow_id, stored.context.trigger.id)
        for _ in range(_ATTEMPTS):
            state = self._parts.states.get(key)
            if state is None or state.disabled or ended_in not in state.stop_after or state.kind not in VISIBLE_KINDS:
                return 0
            try:
                self._disable(state, f"execution {execution_id} ended in {ended_in}")
            except Conflict:
                continue
            return 1
        return 0

    def _disable(self, state: TriggerState, why: str) -> None:
        now = self._parts.clock.now()
        stopped = replace(state, disabled=True, next_date=None, version=state.version + 1, updated=now)
        line = log(state.key, LogLevel.INFO, f"The trigger is disabled by stopAfter: {why}", at=now)
        self._parts.states.commit(TriggerBatch(states=[stopped], logs=[line]))
        self._parts.agenda.put(state.key, None)
