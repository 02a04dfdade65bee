"""Realtime triggers: one stream each on a worker, one execution per event (engine.md 7.8)."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

from msgspec.structs import replace

from penstock.errors import Conflict, StoreUnavailable
from penstock.ids import new_id
from penstock.model.task import LogLevel
from penstock.ports.trigger_states import Outcome, TriggerBatch, TriggerKey, TriggerState
from penstock.scheduler.conditions import FAULTS, Scene, judge
from penstock.scheduler.declared import AnyTrigger, DeclaredFlow, definition_hash
from penstock.scheduler.fields import field_of, list_of, text_of
from penstock.scheduler.firing import Occasion
from penstock.scheduler.launching import own_variables
from penstock.scheduler.notes import evaluation, log, skipped
from penstock.scheduler.parts import Parts, TriggerWork
from penstock.scheduler.verdict import Verdict

_log = logging.getLogger(__name__)
_FIRST_DELAY = timedelta(seconds=1)
_LONGEST_DELAY = timedelta(seconds=60)
_ATTEMPTS = 5


@dataclass(slots=True)
class _Stream:
    """A stream that runs. definition: hash of the trigger it runs, so that a changed one is noticed."""

    work: TriggerWork
    definition: str
    begun: datetime
    stop: Callable[[], None] | None = None


class Streams:
    """Keeps one stream running per enabled realtime trigger."""

    def __init__(self, parts: Parts, *, wake: Callable[[], None]) -> None:
        self._parts = parts
        self._wake = wake
        self._lock = Lock()
        self._streams: dict[TriggerKey, _Stream] = {}
        self._delays: dict[TriggerKey, timedelta] = {}
        self._ended: deque[tuple[_Stream, BaseException | None]] = deque()

    def running(self, key: TriggerKey) -> bool:
        """Whether the trigger's stream runs."""
        return key in self._streams

    def begin(self, state: TriggerState, flow: DeclaredFlow, trigger: AnyTrigger) -> None:
        """Start the stream of a trigger, in place of one with another definition."""
        evaluator = self._parts.evaluator
        definition = definition_hash(trigger)
        running = self._streams.get(state.key)
        if evaluator is None or (running is not None and running.definition == definition):
            return
        self._halt(state.key)
        stream = _Stream(TriggerWork(state.key, flow, trigger, new_id()), definition, self._parts.clock.now())
        with self._lock:
            self._streams[state.key] = stream
        try:
            stream.stop = evaluator.stream(
                stream.work,
                lambda variables: self._emit(stream, variables),
                lambda fault: self._has_ended(stream, fault),
            )
        except Exception as fault:
            _log.warning("a stream could not be started", extra={"event": "stream.failed"}, exc_info=True)
            self._has_ended(stream, fault)

    def stop(self, key: TriggerKey) -> None:
        """Stop the stream of a trigger that was disabled, changed or deleted."""
        self._delays.pop(key, None)
        self._halt(key)

    def _halt(self, key: TriggerKey) -> None:
        with self._lock:
            stream = self._streams.pop(key, None)
        if stream is not None and stream.stop is not None:
            stream.stop()

    def stop_all(self) -> None:
        """Stop every stream."""
        for key in list(self._streams):
            self.stop(key)

    def settle(self) -> int:
        """Write down streams that ended and set when they start again; returns how many."""
        count = 0
        while self._ended:
            stream, fault = self._ended[0]
            if self._streams.get(stream.work.key) is stream:
                self._finish(stream, fault)
                count += 1
            self._ended.popleft()
        return count

    def _has_ended(self, stream: _Stream, fault: BaseException | None) -> None:
        self._ended.append((stream, fault))
        self._wake()

    def _finish(self, stream: _Stream, fault: BaseException | None) -> None:
        key, now = stream.work.key, self._parts.clock.now()
        with self._lock:
            self._streams.pop(key, None)
        first = key not in self._delays
        lasted = now - stream.begun > _LONGEST_DELAY
        delay = _FIRST_DELAY if first or lasted else min(self._delays[key] * 2, _LONGEST_DELAY)
        self._delays[key] = delay
        if fault is not None:
            self._tell(stream, fault, failing=first or lasted)
        self._parts.agenda.put(key, now + delay)

    def _tell(self, stream: _Stream, fault: BaseException, *, failing: bool) -> None:
        """A stream that failed: said once per row of failures by a FAILED execution, each time in journal and log."""
        key, now = stream.work.key, self._parts.clock.now()
        message = f"Realtime trigger failed to be created in the worker with error: {fault}"
        batch = TriggerBatch(logs=[log(key, LogLevel.WARN, message, at=now)])
        execution_id: str | None = None
        if failing:
            try:
                failed = self._parts.firing.failed(self._occasion(stream, {}, new_id()), message)
            except FAULTS as second:
                batch.logs.append(log(key, LogLevel.WARN, f"No FAILED execution could be made: {second}", at=now))
            else:
                batch.fires.append(failed.fire)
                batch.logs += failed.logs
                execution_id = failed.fire.id
        batch.evaluations.append(evaluation(key, Outcome.ERROR, at=now, reason=message, execution_id=execution_id))
        self._parts.states.commit(batch)
        self._parts.fires.submit(batch.fires)

    def _emit(self, stream: _Stream, variables: Mapping[str, object]) -> str:
        """Store the execution of one event; called on the stream's thread. Returns once it is stored.

        Raises:
            StoreUnavailable: it is not stored, the event may be given again.
        """
        key, now = stream.work.key, self._parts.clock.now()
        occasion = self._occasion(stream, variables, new_id())
        batch = TriggerBatch()
        verdict = self._verdict(stream, variables)
        if not verdict.holds:
            self._parts.states.commit(TriggerBatch(evaluations=[skipped(key, verdict, at=now)]))
            return ""
        try:
            fired = self._parts.firing.fire(occasion)
            outcome, reason = Outcome.FIRED, ""
        except FAULTS as fault:
            reason = f"Unable to start the execution of an event: {fault}"
            fired = self._parts.firing.failed(occasion, reason)
            outcome = Outcome.ERROR
        batch.fires.append(fired.fire)
        batch.logs += fired.logs
        batch.evaluations.append(evaluation(key, outcome, at=now, reason=reason, execution_id=fired.fire.id))
        self._write(key, batch, now=now)
        return fired.fire.id

    def _verdict(self, stream: _Stream, variables: Mapping[str, object]) -> Verdict:
        flow, trigger = stream.work.flow, stream.work.trigger
        scene = Scene(
            self._parts.firing.renderer_of(flow),
            {"trigger": {**own_variables(trigger), **variables}},
            flow.key.namespace,
            flow.key.flow_id,
        )
        return judge(list_of(field_of(trigger, "conditions")), text_of(field_of(trigger, "when")), scene)

    def _write(self, key: TriggerKey, batch: TriggerBatch, *, now: datetime) -> None:
        for _ in range(_ATTEMPTS):
            state = self._parts.states.get(key)
            batch.states = []
            if state is not None:
                fire = batch.fires[0]
                batch.states = [
                    replace(state, version=state.version + 1, execution_id=fire.id, last_triggered=now, evaluated=now)
                ]
            try:
                self._parts.states.commit(batch)
            except Conflict:
                continue
            self._parts.fires.submit(batch.fires)
            return
        raise StoreUnavailable(f"the row of trigger {key.uid} changes too often")

    def _occasion(self, stream: _Stream, variables: Mapping[str, object], execution_id: str) -> Occasion:
        work = stream.work
        return Occasion(
            flow=work.flow,
            trigger=work.trigger,
            execution_id=execution_id,
            at=self._parts.clock.now(),
            variables=variables,
        )
