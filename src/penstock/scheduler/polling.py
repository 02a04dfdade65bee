"""Polling triggers: evaluated on a worker at an interval from the end of the evaluation before (engine.md 7.7)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta

from msgspec.structs import replace

from penstock.errors import Conflict, PenstockError
from penstock.ids import new_id
from penstock.model.duration import format_duration, parse_duration
from penstock.model.task import LogLevel
from penstock.ports.trigger_states import Outcome, TriggerBatch, TriggerKey, TriggerState
from penstock.scheduler.conditions import FAULTS, Scene, judge
from penstock.scheduler.declared import AnyTrigger, DeclaredFlow, fails_on_error
from penstock.scheduler.fields import field_of, list_of, text_of
from penstock.scheduler.firing import Occasion
from penstock.scheduler.launching import own_variables
from penstock.scheduler.notes import evaluation, log, skipped
from penstock.scheduler.parts import Parts, Polled, TriggerWork
from penstock.scheduler.verdict import HOLDS, Verdict

INTERVAL = timedelta(seconds=60)
"""Of polling triggers that do not say otherwise."""
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a worker has answered."""

    work: TriggerWork
    begun: datetime
    polled: Polled | None
    fault: BaseException | None


class Polls:
    """Hands polling triggers to workers and writes down what they found."""

    def __init__(self, parts: Parts, *, wake: Callable[[], None]) -> None:
        self._parts = parts
        self._wake = wake
        self._running: dict[TriggerKey, Future[Polled]] = {}
        self._answers: deque[_Answer] = deque()

    def running(self, key: TriggerKey) -> bool:
        """Whether the trigger is being evaluated."""
        return key in self._running

    def begin(self, state: TriggerState, flow: DeclaredFlow, trigger: AnyTrigger) -> None:
        """Evaluate a trigger that is due, unless its conditions say no."""
        if state.key in self._running:
            return
        verdict = self._verdict(flow, trigger)
        now = self._parts.clock.now()
        if not verdict.holds:
            self._write(
                state.key, interval_of(trigger), TriggerBatch(evaluations=[skipped(state.key, verdict, at=now)])
            )
            return
        evaluator = self._parts.evaluator
        if evaluator is None:
            return
        work = TriggerWork(state.key, flow, trigger, new_id())
        try:
            future = evaluator.evaluate(work)
        except PenstockError as fault:
            self._answers.append(_Answer(work, now, None, fault))
            self._wake()
            return
        self._running[state.key] = future
        future.add_done_callback(lambda done: self._answered(work, now, done))

    def settle(self) -> int:
        """Write down the answers that have come; returns how many executions they start."""
        started = 0
        while self._answers:
            answer = self._answers[0]
            started += self._take(answer)
            self._answers.popleft()
            self._running.pop(answer.work.key, None)
        return started

    def stop(self) -> None:
        """Call off what has not begun; what runs on a worker ends by itself."""
        for future in list(self._running.values()):
            future.cancel()

    def _verdict(self, flow: DeclaredFlow, trigger: AnyTrigger) -> Verdict:
        conditions, when = list_of(field_of(trigger, "conditions")), text_of(field_of(trigger, "when"))
        if not conditions and when is None:
            return HOLDS
        render = self._parts.firing.renderer_of(flow)
        scene = Scene(render, {"trigger": own_variables(trigger)}, flow.key.namespace, flow.key.flow_id)
        return judge(conditions, when, scene)

    def _answered(self, work: TriggerWork, begun: datetime, done: Future[Polled]) -> None:
        if done.cancelled():
            self._running.pop(work.key, None)
            return
        fault = done.exception()
        self._answers.append(_Answer(work, begun, None if fault else done.result(), fault))
        self._wake()

    def _take(self, answer: _Answer) -> int:
        """The rows of one answer; an execution where it found something."""
        key, now = answer.work.key, self._parts.clock.now()
        took = format_duration(now - answer.begun)
        batch = TriggerBatch(
            logs=[log(key, LogLevel.DEBUG, f"Type {answer.work.trigger.type} completed in {took}", at=now)]
        )
        if answer.fault is not None:
            self._broken(answer, answer.fault, batch)
        elif answer.polled is None or answer.polled.variables is None:
            batch.evaluations.append(evaluation(key, Outcome.SKIPPED, at=now, reason="nothing was found"))
        else:
            self._found(answer, answer.polled, batch)
        worker_id = answer.polled.worker_id if answer.polled else None
        self._write(key, interval_of(answer.work.trigger), batch, worker_id=worker_id)
        return len(batch.fires)

    def _found(self, answer: _Answer, polled: Polled, batch: TriggerBatch) -> None:
        occasion = self._occasion(answer, polled)
        try:
            fired = self._parts.firing.fire(occasion)
        except FAULTS as fault:
            self._broken(answer, fault, batch)
            return
        batch.fires.append(fired.fire)
        batch.logs += fired.logs
        batch.evaluations.append(evaluation(occasion.key, Outcome.FIRED, at=occasion.at, execution_id=fired.fire.id))

    def _broken(self, answer: _Answer, fault: BaseException, batch: TriggerBatch) -> None:
        work, now = answer.work, self._parts.clock.now()
        message = f"Evaluation of the trigger failed: {fault}"
        batch.logs.append(log(work.key, LogLevel.WARN, message, at=now))
        execution_id: str | None = None
        if fails_on_error(work.trigger):
            try:
                failed = self._parts.firing.failed(self._occasion(answer, Polled({})), message)
            except FAULTS as second:
                batch.logs.append(log(work.key, LogLevel.WARN, f"No FAILED execution could be made: {second}", at=now))
            else:
                batch.fires.append(failed.fire)
                batch.logs += failed.logs
                execution_id = failed.fire.id
        batch.evaluations.append(evaluation(work.key, Outcome.ERROR, at=now, reason=message, execution_id=execution_id))

    def _occasion(self, answer: _Answer, polled: Polled) -> Occasion:
        work = answer.work
        return Occasion(
            flow=work.flow,
            trigger=work.trigger,
            execution_id=work.execution_id,
            at=self._parts.clock.now(),
            variables=polled.variables or {},
        )

    def _write(
        self, key: TriggerKey, interval: timedelta, batch: TriggerBatch, *, worker_id: str | None = None
    ) -> None:
        """Commit with the row's next date; a row that is gone or disabled meanwhile starts nothing."""
        now = self._parts.clock.now()
        for _ in range(_ATTEMPTS):
            state = self._parts.states.get(key)
            if state is None or state.disabled:
                batch.fires.clear()
                return
            batch.states = [
                replace(
                    state,
                    version=state.version + 1,
                    next_date=now + interval,
                    evaluated=now,
                    updated=now,
                    worker_id=worker_id,
                    execution_id=batch.fires[0].id if batch.fires else state.execution_id,
                    last_triggered=now if batch.fires else state.last_triggered,
                )
            ]
            try:
                self._parts.states.commit(batch)
            except Conflict:
                continue
            self._parts.agenda.put(key, now + interval)
            self._parts.fires.submit(batch.fires)
            return
        self._parts.agenda.put(key, now + interval)


def interval_of(trigger: AnyTrigger) -> timedelta:
    """Its `interval`."""
    written = field_of(trigger, "interval")
    if written is None:
        return INTERVAL
    return written if isinstance(written, timedelta) else parse_duration(str(written))
