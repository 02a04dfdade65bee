"""Rows whose date has come: looked at together, committed together, each on its own where something goes wrong."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from msgspec.structs import replace

from penstock.errors import Conflict, PenstockError
from penstock.model.task import LogLevel
from penstock.ports.trigger_states import (
    Outcome,
    TriggerBatch,
    TriggerKey,
    TriggerKind,
    TriggerState,
)
from penstock.scheduler.declared import AnyTrigger, DeclaredFlow, allows_concurrent
from penstock.scheduler.due import RETRY, Due, Step, evaluate
from penstock.scheduler.ends import Ends
from penstock.scheduler.notes import evaluation, log
from penstock.scheduler.parts import Parts
from penstock.scheduler.polling import Polls
from penstock.scheduler.realtime import Streams
from penstock.scheduler.rows import runs

_log = logging.getLogger(__name__)
BATCH = 500
"""Rows looked at together: one transaction."""
_AGAIN = timedelta(seconds=1)
"""When rows are taken up again after the store refused them."""


@dataclass(slots=True)
class _Work:
    """What one batch writes, and what is done once it is written."""

    batch: TriggerBatch = field(default_factory=TriggerBatch)
    dates: dict[TriggerKey, datetime | None] = field(default_factory=dict)


class Ticker:
    """Takes due triggers off the agenda and puts them back with their next date. Driven by one thread."""

    def __init__(self, parts: Parts, ends: Ends, polls: Polls, *, streams: Streams) -> None:
        self._parts = parts
        self._ends = ends
        self._polls = polls
        self._streams = streams
        self._absent: set[TriggerKey] = set()
        self._absent_since: datetime | None = None
        self._limited: dict[TriggerKey, datetime] = {}

    def was_absent(self, keys: Sequence[TriggerKey], since: datetime) -> None:
        """The scheduler starts at `since`, and these rows were due before: recoverMissedSchedules concerns them."""
        self._absent.update(keys)
        self._absent_since = since

    def forget(self, key: TriggerKey) -> None:
        """The row was changed by somebody: what its old date brought with it no longer counts."""
        self._absent.discard(key)
        self._limited.pop(key, None)

    def tick(self) -> int:
        """Look at up to `BATCH` due triggers; returns how many there were.

        Raises:
            StoreUnavailable: nothing is written; they are due again a second later.
        """
        now = self._parts.clock.now()
        keys = self._parts.agenda.take(now, BATCH)
        if not keys:
            return 0
        try:
            self._look(keys, now)
        except Conflict:
            self._one_by_one(keys, now)
        except PenstockError:
            self._put_back(keys, now)
            raise
        return len(keys)

    def _one_by_one(self, keys: Sequence[TriggerKey], now: datetime) -> None:
        """Each row in a transaction of its own: one that somebody else has changed meanwhile is read again later."""
        for key in keys:
            try:
                self._look([key], now)
            except Conflict:
                self._put_back([key], now)
            except PenstockError:
                self._put_back(keys, now)
                raise

    def _put_back(self, keys: Sequence[TriggerKey], now: datetime) -> None:
        for key in keys:
            self._parts.agenda.put(key, now + _AGAIN)

    def _look(self, keys: Sequence[TriggerKey], now: datetime) -> None:
        states = self._parts.states.get_many(keys)
        busy = self._busy(states)
        work = _Work()
        for state in states:
            try:
                self._one(state, busy=state.key in busy, now=now, work=work)
            except PenstockError:
                raise
            except Exception as fault:
                self._bug(state, fault, work, now=now)
        if not work.batch.empty():
            self._parts.states.commit(work.batch)
        for key, date in work.dates.items():
            self._absent.discard(key)
            self._parts.agenda.put(key, date)
        self._parts.fires.submit(work.batch.fires)

    def _busy(self, states: Sequence[TriggerState]) -> set[TriggerKey]:
        """Triggers whose latest execution lives. Watched before they are asked about, so that no end slips through."""
        asked = {state.key: state.execution_id for state in states if state.execution_id is not None}
        for key, execution_id in asked.items():
            self._ends.watch(execution_id, key)
        live = self._parts.live.live(asked.values()) if asked else set()
        flying = self._parts.fires.flying
        busy = {key for key, execution_id in asked.items() if execution_id in live or flying(execution_id)}
        for key, execution_id in asked.items():
            if key not in busy:
                self._ends.unwatch(execution_id, key)
        return busy

    def _one(self, state: TriggerState, *, busy: bool, now: datetime, work: _Work) -> None:
        found = self._declared(state)
        if found is None:
            self._unwatch(state)
            self._streams.stop(state.key)
            return
        if state.backfill is not None and state.backfill.paused:
            self._unwatch(state)
            return
        flow, trigger = found
        if state.kind is TriggerKind.REALTIME:
            self._unwatch(state)
            self._streams.begin(state, flow, trigger)
            return
        if state.next_date is None or state.next_date > now:
            self._unwatch(state)
            work.dates[state.key] = state.next_date
            return
        if state.kind is TriggerKind.POLLING:
            self._poll(state, flow, trigger, busy=busy, now=now, work=work)
        else:
            self._schedule(state, flow, trigger, busy=busy, now=now, work=work)

    def _declared(self, state: TriggerState) -> tuple[DeclaredFlow, AnyTrigger] | None:
        """The trigger of a row, if it is declared and everything is enabled."""
        flow = self._parts.flows.get(state.key.flow)
        trigger = flow.trigger(state.trigger_id) if flow is not None else None
        if flow is None or trigger is None or not runs(flow, trigger, state):
            return None
        return flow, trigger

    def _poll(
        self, state: TriggerState, flow: DeclaredFlow, trigger: AnyTrigger, *, busy: bool, now: datetime, work: _Work
    ) -> None:
        if busy and not allows_concurrent(trigger):
            self._limit(state, state.next_date or now, now=now, work=work)
            return
        self._unwatch(state)
        self._polls.begin(state, flow, trigger)

    def _schedule(
        self, state: TriggerState, flow: DeclaredFlow, trigger: AnyTrigger, *, busy: bool, now: datetime, work: _Work
    ) -> None:
        absent = self._absent_since if state.key in self._absent else None
        due = Due(state, flow, trigger, now, busy=busy, absent_since=absent)
        step = evaluate(due, self._parts.firing, self._parts.defaults)
        if step.waits:
            self._wait(state, step, now=now, work=work)
            return
        self._unwatch(state)
        self._limited.pop(state.key, None)
        self._keep(state, step, now=now, work=work)
        work.dates[state.key] = step.state.next_date

    def _keep(self, state: TriggerState, step: Step, *, now: datetime, work: _Work) -> None:
        changed = replace(step.state, version=state.version + 1, updated=now, evaluated=now)
        work.batch.states.append(changed)
        work.batch.evaluations += step.evaluations
        work.batch.logs += step.logs
        if step.fire is not None:
            work.batch.fires.append(step.fire)

    def _wait(self, state: TriggerState, step: Step, *, now: datetime, work: _Work) -> None:
        """The row stays due until its execution ends. Its date may have moved all the same (missed, late)."""
        planned = step.state.next_date or now
        if step.state != state:
            self._keep(state, step, now=now, work=work)
            self._limited[state.key] = planned
            self._absent.discard(state.key)
            return
        self._limit(state, planned, now=now, work=work)

    def _limit(self, state: TriggerState, planned: datetime, *, now: datetime, work: _Work) -> None:
        """Say once per date that an earlier execution is live; of a backfill it goes without saying."""
        if state.backfill is not None or self._limited.get(state.key) == planned:
            return
        self._limited[state.key] = planned
        reason = f"the execution {state.execution_id} is still live"
        work.batch.evaluations.append(evaluation(state.key, Outcome.LIMITED, at=now, planned=planned, reason=reason))

    def _unwatch(self, state: TriggerState) -> None:
        if state.execution_id is not None:
            self._ends.unwatch(state.execution_id, state.key)

    def _bug(self, state: TriggerState, fault: Exception, work: _Work, *, now: datetime) -> None:
        """An error that nobody foresaw concerns this trigger alone; it is tried again after a while."""
        _log.exception("a trigger could not be evaluated", extra={"event": "trigger.bug", "trigger": state.key.uid})
        message = f"Internal error while evaluating the trigger: {type(fault).__name__}: {fault}"
        work.batch.evaluations.append(
            evaluation(state.key, Outcome.ERROR, at=now, planned=state.next_date, reason=message)
        )
        work.batch.logs.append(log(state.key, LogLevel.WARN, message, at=now))
        work.dates[state.key] = now + RETRY
