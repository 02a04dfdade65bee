"""Transitions of executions become fires of Flow triggers: each is consumed in the transaction of what it causes.

Whoever commits first has it; a second scheduler that worked on the same transition or window gets a Conflict, drops
its work and looks again. So each match fires once, across restarts and for any number of schedulers.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from msgspec.structs import replace

from penstock.clock import Clock
from penstock.errors import Conflict
from penstock.model.execution import ExecutionKind
from penstock.model.task import LogLevel
from penstock.ports.journal import Transition
from penstock.ports.reads import StoredExecution
from penstock.ports.trigger_states import (
    FlowKey,
    Met,
    Outcome,
    PendingFire,
    TriggerBatch,
    TriggerKey,
    TriggerStates,
    Window,
    WindowKey,
)
from penstock.scheduler.conditions import FAULTS, Scene
from penstock.scheduler.declared import AnyTrigger, DeclaredFlow, DeclaredFlows, is_disabled
from penstock.scheduler.firing import Firing, Occasion
from penstock.scheduler.flow_rules import flow_rule
from penstock.scheduler.flow_trigger import FlowDecision, FlowRule, decide, trigger_outputs
from penstock.scheduler.index import TriggerIndex
from penstock.scheduler.launching import fire_id, own_variables
from penstock.scheduler.notes import evaluation, log, skipped
from penstock.scheduler.upstream import ReadUri, Upstream, UpstreamReads

_log = logging.getLogger(__name__)
_GRACE = timedelta(milliseconds=100)
"""How long after its end a window is swept, so that what happened inside it has been consumed."""
BATCH = 200
"""Transitions taken at a time: one transaction."""
_CORRELATION = "system.correlationId"


class Transitions(Protocol):
    """The outbox, as `ports.journal.Journal` has it."""

    def transitions(self, limit: int) -> list[Transition]: ...


class Outbox:
    """Consumes transitions. Driven by one thread at a time."""

    def __init__(
        self,
        states: TriggerStates,
        transitions: Transitions,
        *,
        reads: UpstreamReads,
        read_uri: ReadUri,
        flows: DeclaredFlows,
        index: TriggerIndex,
        firing: Firing,
        clock: Clock,
    ) -> None:
        self._states = states
        self._transitions = transitions
        self._reads = reads
        self._read_uri = read_uri
        self._flows = flows
        self._index = index
        self._firing = firing
        self._clock = clock
        self._rules: dict[TriggerKey, tuple[int, FlowRule]] = {}
        self.next_sweep: datetime | None = datetime.min.replace(tzinfo=UTC)
        """When a window ends next; None while there is no window."""

    def forget(self, key: TriggerKey) -> None:
        """Drop what is remembered of a trigger: it was changed or is gone."""
        self._rules.pop(key, None)

    def drain(self) -> list[PendingFire]:
        """Consume the oldest transitions; the fires they caused are committed and must be submitted.

        Returns with at most `BATCH` consumed; call again while `transitions` has more.

        Raises:
            StoreUnavailable: nothing is consumed.
        """
        waiting = self._transitions.transitions(BATCH)
        if not waiting:
            return []
        try:
            return self._consume(waiting)
        except Conflict:
            return [fire for transition in waiting for fire in self._consume_alone(transition)]

    def pending(self) -> bool:
        """Whether a transition waits."""
        return bool(self._transitions.transitions(1))

    def sweep(self) -> list[PendingFire]:
        """Remove windows that have ended; one whose dependencies were not met makes a FAILED execution by `onMiss`.

        Raises:
            StoreUnavailable: the windows stay.
        """
        now = self._clock.now()
        if self.next_sweep is None or self.next_sweep > now:
            return []
        fires: list[PendingFire] = []
        for window in self._states.expired_windows(now, BATCH):
            batch = TriggerBatch(removed_windows=[window])
            self._missed(window, batch, now=now)
            try:
                self._states.commit(batch)
            except Conflict:
                continue
            fires += batch.fires
        following = self._states.next_window_end()
        self.next_sweep = max(following, now) + _GRACE if following is not None else None
        return fires

    def _missed(self, window: Window, batch: TriggerBatch, *, now: datetime) -> None:
        key = TriggerKey(window.tenant_id, window.namespace, window.flow_id, window.trigger_id)
        found = self._declared(key)
        if found is None or window.fired:
            return
        flow, trigger = found
        gather = next(
            (g for g in self._rule(key, flow, trigger).gathers if g.condition_id == window.condition_id), None
        )
        if gather is None or gather.on_miss is None or len(window.results) >= gather.need:
            return
        occasion = Occasion(
            flow=flow,
            trigger=trigger,
            execution_id=fire_id(key, "miss", window.condition_id, window.end.isoformat()),
            at=now,
            variables={},
            labels=gather.on_miss,
            system_from=None,
        )
        message = f"The window {window.condition_id!r} ended at {window.end.isoformat()} without all that was awaited"
        failed = self._firing.failed(occasion, message)
        batch.fires.append(failed.fire)
        batch.logs += failed.logs
        batch.evaluations.append(evaluation(key, Outcome.LATE, at=now, reason=message, execution_id=failed.fire.id))

    def _consume_alone(self, transition: Transition) -> list[PendingFire]:
        """One transition; a Conflict means that another scheduler has it, or changed a window: the next round tells."""
        try:
            return self._consume([transition])
        except Conflict:
            _log.info("a transition was taken by another scheduler", extra={"event": "outbox.conflict"})
            return []

    def _consume(self, transitions: Sequence[Transition]) -> list[PendingFire]:
        work = _Work(self._states)
        for transition in transitions:
            work.batch.consumed_transitions.append(transition.id)
            self._react(transition, work)
        batch = work.finish()
        self._states.commit(batch)
        for window in batch.windows:
            self.next_sweep = min(self.next_sweep or window.end + _GRACE, window.end + _GRACE)
        return batch.fires

    def _react(self, transition: Transition, work: _Work) -> None:
        flow = FlowKey(transition.tenant_id, transition.namespace, transition.flow_id)
        candidates = self._index.candidates(flow)
        if not candidates:
            return
        stored = self._reads.execution(transition.tenant_id, transition.execution_id)
        if stored is None or stored.execution.kind is not ExecutionKind.NORMAL:
            return
        for key in candidates:
            self._judge(key, transition, stored, work)

    def _judge(self, key: TriggerKey, transition: Transition, stored: StoredExecution, work: _Work) -> None:
        """One candidate; whatever goes wrong with it is said in its journal and concerns no other."""
        found = self._declared(key)
        if found is None:
            return
        flow, trigger = found
        now = self._clock.now()
        upstream = Upstream(transition, stored, reads=self._reads, read_uri=self._read_uri)
        try:
            rule = self._rule(key, flow, trigger)
            scene = self._scene(flow, trigger, upstream)
            decision = decide(rule, work.windows(key.flow), scene)
        except FAULTS as fault:
            self._tell(key, f"Unable to evaluate the trigger: {fault}", work, source_id=upstream.id, now=now)
            return
        work.apply(decision)
        if decision.verdict.warning:
            work.batch.logs.append(log(key, LogLevel.WARN, decision.verdict.warning, at=now))
        if decision.fires:
            self._fire(flow, trigger, upstream, decision, work)
        elif decision.relevant:
            work.batch.evaluations.append(skipped(key, decision.verdict, at=now, source_id=upstream.id))

    def _declared(self, key: TriggerKey) -> tuple[DeclaredFlow, AnyTrigger] | None:
        flow = self._flows.get(key.flow)
        trigger = flow.trigger(key.trigger_id) if flow is not None and flow.runnable else None
        return (flow, trigger) if flow is not None and trigger is not None and not is_disabled(trigger) else None

    def _rule(self, key: TriggerKey, flow: DeclaredFlow, trigger: AnyTrigger) -> FlowRule:
        known = self._rules.get(key)
        if known is not None and known[0] == flow.revision:
            return known[1]
        rule = flow_rule(key, trigger)
        self._rules[key] = (flow.revision, rule)
        return rule

    def _scene(self, flow: DeclaredFlow, trigger: AnyTrigger, upstream: Upstream) -> Scene:
        variables = {**upstream.scope(), "trigger": {**own_variables(trigger), **upstream.head()}}
        render = self._firing.renderer_of(flow)
        return Scene(render, variables, flow.key.namespace, flow.key.flow_id, upstream)

    def _fire(
        self, flow: DeclaredFlow, trigger: AnyTrigger, upstream: Upstream, decision: FlowDecision, work: _Work
    ) -> None:
        now = self._clock.now()
        occasion = self._occasion(flow, trigger, upstream, decision.met, now=now)
        try:
            fired = self._firing.fire(occasion)
        except FAULTS as fault:
            self._fail(occasion, fault, work, source_id=upstream.id)
            return
        work.batch.fires.append(fired.fire)
        work.batch.logs += fired.logs
        work.batch.evaluations.append(
            evaluation(occasion.key, Outcome.FIRED, at=now, execution_id=fired.fire.id, source_id=upstream.id)
        )

    def _occasion(
        self, flow: DeclaredFlow, trigger: AnyTrigger, upstream: Upstream, met: Sequence[Met], *, now: datetime
    ) -> Occasion:
        key = TriggerKey(*flow.key, trigger.id)
        transition = upstream.transition
        variables = {**upstream.variables(), "outputs": trigger_outputs(upstream, met)}
        return Occasion(
            flow=flow,
            trigger=trigger,
            execution_id=fire_id(key, transition.execution_id, transition.id, transition.at.isoformat()),
            at=now,
            variables=variables,
            scope=upstream.scope(),
            system_from=None,
            correlation_id=upstream.labels.get(_CORRELATION, upstream.id),
        )

    def _fail(self, occasion: Occasion, fault: Exception, work: _Work, *, source_id: str) -> None:
        """Inputs that cannot be rendered or are not valid make a FAILED execution (the 2.0 rule)."""
        message = f"Failed to start the execution of trigger {occasion.key.trigger_id!r}: {fault}"
        try:
            failed = self._firing.failed(occasion, message)
        except FAULTS as second:
            self._tell(occasion.key, f"{message}; {second}", work, source_id=source_id, now=occasion.at)
            return
        work.batch.fires.append(failed.fire)
        work.batch.logs += failed.logs
        self._tell(occasion.key, message, work, source_id=source_id, now=occasion.at, execution_id=failed.fire.id)

    def _tell(
        self,
        key: TriggerKey,
        message: str,
        work: _Work,
        *,
        source_id: str,
        now: datetime,
        execution_id: str | None = None,
    ) -> None:
        work.batch.logs.append(log(key, LogLevel.WARN, message, at=now))
        work.batch.evaluations.append(
            evaluation(key, Outcome.ERROR, at=now, reason=message, source_id=source_id, execution_id=execution_id)
        )


class _Work:
    """The windows that one batch of transitions sees and changes, and everything it writes."""

    def __init__(self, states: TriggerStates) -> None:
        self.batch = TriggerBatch()
        self._states = states
        self._views: dict[FlowKey, dict[str, Window]] = {}
        self._stored: dict[WindowKey, Window] = {}
        self._changed: dict[WindowKey, None] = {}

    def windows(self, flow: FlowKey) -> dict[str, Window]:
        """The windows of a flow by condition id, as this batch has left them."""
        view = self._views.get(flow)
        if view is None:
            view = {window.condition_id: window for window in self._states.windows(flow)}
            self._views[flow] = view
            self._stored.update((window.key, window) for window in view.values())
        return view

    def apply(self, decision: FlowDecision) -> None:
        """Take over the windows of a decision."""
        for key in decision.removed:
            self.windows(FlowKey(*key[:3])).pop(key.condition_id, None)
            self._changed[key] = None
        for window in decision.windows:
            self.windows(FlowKey(*window.key[:3]))[window.condition_id] = window
            self._changed[window.key] = None

    def finish(self) -> TriggerBatch:
        """The batch with each changed window once, its version one above the stored one."""
        for key in self._changed:
            stored = self._stored.get(key)
            window = self.windows(FlowKey(*key[:3])).get(key.condition_id)
            if window is not None:
                self.batch.windows.append(replace(window, version=stored.version + 1 if stored else 1))
            elif stored is not None:
                self.batch.removed_windows.append(stored)
        return self.batch
