"""The scheduler: what is due runs when it is due, what waits for an execution runs when that commits.

Two threads: one for dates (schedules, polling, realtime triggers and executions' ends), one for the outbox of
transitions. Both sleep until something is due or somebody wakes them; a safety tick twice a minute looks for what a
lost message may have left. `step` does one round of everything without a thread, which is all that tests need.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from threading import Event, Thread

from penstock.clock import Clock, monotonic
from penstock.errors import Conflict, PenstockError
from penstock.model.entries import LogEntry
from penstock.ports.commands import Commands
from penstock.ports.feed import Change, Feed
from penstock.ports.trigger_states import (
    Evaluation,
    FlowKey,
    LiveExecutions,
    TriggerBatch,
    TriggerKey,
    TriggerKind,
    TriggerState,
    TriggerStates,
)
from penstock.scheduler.agenda import Agenda
from penstock.scheduler.declared import DeclaredFlows
from penstock.scheduler.due import Defaults
from penstock.scheduler.ends import Ends
from penstock.scheduler.fires import Fires
from penstock.scheduler.firing import Firing
from penstock.scheduler.index import TriggerIndex
from penstock.scheduler.launching import Launcher, RendererOf
from penstock.scheduler.outbox import Outbox, Transitions
from penstock.scheduler.parts import Parts, TriggerEvaluator
from penstock.scheduler.polling import Polls
from penstock.scheduler.realtime import Streams
from penstock.scheduler.rows import RowChange, rows_of
from penstock.scheduler.ticker import Ticker
from penstock.scheduler.upstream import ReadUri, UpstreamReads

_log = logging.getLogger(__name__)
SAFETY = 30.0
"""Seconds between looks at what no message has announced."""
_PAUSE = 1.0
"""Seconds a loop waits after something went wrong, lest it spins."""
_ATTEMPTS = 10


class Scheduler:
    """Drives all triggers of one installation."""

    def __init__(
        self,
        *,
        states: TriggerStates,
        flows: DeclaredFlows,
        live: LiveExecutions,
        reads: UpstreamReads,
        read_uri: ReadUri,
        transitions: Transitions,
        commands: Commands,
        launcher: Launcher,
        renderer_of: RendererOf,
        clock: Clock,
        feed: Feed | None = None,
        defaults: Defaults | None = None,
        evaluator: TriggerEvaluator | None = None,
    ) -> None:
        firing = Firing(launcher, renderer_of)
        self._dates_wake, self._outbox_wake, self._stopping = Event(), Event(), Event()
        self._parts = Parts(
            states=states,
            flows=flows,
            live=live,
            reads=reads,
            firing=firing,
            fires=Fires(states, commands, wake=self._outbox_wake.set),
            agenda=Agenda(),
            clock=clock,
            defaults=defaults or Defaults(),
            evaluator=evaluator,
        )
        self.index = TriggerIndex()
        self._outbox = Outbox(
            states,
            transitions,
            reads=reads,
            read_uri=read_uri,
            flows=flows,
            index=self.index,
            firing=firing,
            clock=clock,
        )
        self._ends = Ends(self._parts)
        self._polls = Polls(self._parts, wake=self._dates_wake.set)
        self._streams = Streams(self._parts, wake=self._dates_wake.set)
        self._ticker = Ticker(self._parts, self._ends, self._polls, streams=self._streams)
        self._feed = feed
        self._unsubscribe: Callable[[], None] | None = None
        self._threads: list[Thread] = []
        self._loaded = False
        self._behind: deque[FlowKey] = deque()
        self._dates_checked = self._outbox_checked = monotonic()
        self._notes: deque[tuple[list[Evaluation], list[LogEntry]]] = deque()

    # -- life ------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Load what is kept and drive it until `stop`."""
        if self._feed is not None:
            self._unsubscribe = self._feed.on_change(self._changed)
        self.load()
        self._stopping.clear()
        for name, loop in (("scheduler-dates", self._dates_loop), ("scheduler-outbox", self._outbox_loop)):
            thread = Thread(target=loop, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Stop driving; what was committed is taken up by the next start. Waits at most `timeout` seconds a thread."""
        self._stopping.set()
        self._dates_wake.set()
        self._outbox_wake.set()
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        self._streams.stop_all()
        self._polls.stop()
        for thread in self._threads:
            thread.join(timeout)
        self._threads.clear()

    def load(self) -> None:
        """Take up the rows that are kept, and bring those in step that flows have outrun; submit what is pending."""
        known: dict[FlowKey, int] = {}
        absent: list[TriggerKey] = []
        now = self._parts.clock.now()
        stopping: list[TriggerState] = []
        self._parts.agenda.fill(self._kept_dates(known, absent, stopping, now=now))
        self._ticker.was_absent(absent, now)
        self._ends.learn(stopping)
        for state in stopping:
            self._ends.recover(state)
        self._reconcile(known)
        self._loaded = True
        self._parts.fires.recover()
        self._outbox_wake.set()

    def step(self) -> None:
        """One round of everything that is due or waiting, on the caller's thread; for tests and embedding."""
        while self._dates_round() or self._outbox_round():
            pass

    # -- what others tell ------------------------------------------------------------------------------------------

    def flow_saved(self, flow: FlowKey) -> None:
        """The latest revision of a flow has changed (or is gone): its rows follow.

        Never fails: what the store refuses now is tried again until it succeeds, at the latest by the next start.
        """
        try:
            self._follow_flow(flow)
        except PenstockError:
            _log.warning(
                "the triggers of a flow could not be brought in step, they are tried again",
                extra={"event": "rows.failed", "namespace": flow.namespace, "flow": flow.flow_id},
                exc_info=True,
            )
            self._behind.append(flow)

    def flow_deleted(self, flow: FlowKey) -> None:
        """A flow is gone: so are its rows."""
        self.flow_saved(flow)

    def state_changed(self, state: TriggerState) -> None:
        """A row was changed by somebody (`Triggers` does so): it is due when it now says."""
        self._ticker.forget(state.key)
        self._outbox.forget(state.key)
        if state.kind is TriggerKind.FLOW:
            self._listen(state)
        else:
            self._parts.agenda.put(state.key, self._due(state))
        self._dates_wake.set()

    def restart(self, key: TriggerKey) -> None:
        """Stop a realtime trigger's stream and start it anew."""
        self._streams.stop(key)
        self._parts.agenda.put(key, self._parts.clock.now())
        self._dates_wake.set()

    def note(self, evaluations: Sequence[Evaluation], logs: Sequence[LogEntry] = ()) -> None:
        """Rows for the trigger journal from elsewhere (webhooks): written soon, many at a time."""
        self._notes.append((list(evaluations), list(logs)))
        self._outbox_wake.set()

    def wake(self) -> None:
        """Look for transitions now: to be called after a commit where no `Feed` tells."""
        self._outbox_wake.set()

    def listens(self, flow: FlowKey) -> bool:
        """Whether a Flow trigger may react to executions of `flow`; without one no outbox row is needed.

        Before `load` nobody knows, so it is said of every flow.
        """
        return not self._loaded or self.index.wants(flow)

    # -- rounds ----------------------------------------------------------------------------------------------------

    def _dates_round(self) -> bool:
        """One round of the thread of dates; whether there may be more to do at once."""
        self._catch_up()
        self._ends.settle()
        self._polls.settle()
        self._streams.settle()
        return self._ticker.tick() > 0

    def _outbox_round(self) -> bool:
        """One round of the thread of transitions; whether there may be more to do at once."""
        fires = self._outbox.drain()
        fires += self._outbox.sweep()
        self._parts.fires.submit(fires)
        settled = self._parts.fires.settle()
        self._write_notes()
        return bool(fires or settled) or self._outbox.pending()

    def _write_notes(self) -> None:
        batch = TriggerBatch()
        while self._notes:
            evaluations, logs = self._notes.popleft()
            batch.evaluations += evaluations
            batch.logs += logs
        if not batch.empty():
            self._parts.states.commit(batch)

    def _dates_loop(self) -> None:
        while not self._stopping.is_set():
            self._dates_wake.clear()
            if not self._guarded(self._dates_round):
                self._guarded(self._check_dates)
                self._dates_wake.wait(self._until_due())

    def _outbox_loop(self) -> None:
        while not self._stopping.is_set():
            self._outbox_wake.clear()
            if not self._guarded(self._outbox_round):
                self._guarded(self._check_outbox)
                self._outbox_wake.wait(self._until_window_end())

    def _guarded(self, work: Callable[[], bool]) -> bool:
        """A loop must outlive whatever goes wrong in a round: it is told to operators and tried again."""
        try:
            return work()
        except PenstockError:
            _log.warning("the scheduler could not do its work", extra={"event": "scheduler.failed"}, exc_info=True)
        except Exception:
            _log.exception("the scheduler has failed unexpectedly", extra={"event": "scheduler.bug"})
        self._stopping.wait(_PAUSE)
        return False

    def _check_dates(self) -> bool:
        """Now and then: triggers whose execution has ended unnoticed."""
        if monotonic() - self._dates_checked >= SAFETY:
            self._dates_checked = monotonic()
            self._ends.check()
        return False

    def _check_outbox(self) -> bool:
        """Now and then: fires that are pending in the store, yet not on their way."""
        if monotonic() - self._outbox_checked >= SAFETY:
            self._outbox_checked = monotonic()
            self._parts.fires.recover()
        return False

    def _until_due(self) -> float:
        return self._seconds_until(self._parts.agenda.next())

    def _until_window_end(self) -> float:
        return self._seconds_until(self._outbox.next_sweep)

    def _seconds_until(self, date: datetime | None) -> float:
        if date is None:
            return SAFETY
        return min(max((date - self._parts.clock.now()).total_seconds(), 0.0), SAFETY)

    # -- rows ------------------------------------------------------------------------------------------------------

    def _kept_dates(
        self, known: dict[FlowKey, int], absent: list[TriggerKey], stopping: list[TriggerState], *, now: datetime
    ) -> Iterator[tuple[TriggerKey, datetime]]:
        """Due dates of all kept rows; on the way, every row is introduced to whoever cares for its kind."""
        for state in self._parts.states.all_states():
            key = state.key
            known[key.flow] = max(state.flow_revision, known.get(key.flow, 0))
            if state.stop_after:
                stopping.append(state)
            if state.kind is TriggerKind.FLOW and not state.disabled:
                self.index.put(key, state.sources)
            date = self._due(state)
            if date is None:
                continue
            if date < now and state.kind in (TriggerKind.SCHEDULE, TriggerKind.SCHEDULE_ON_DATES):
                absent.append(key)
            yield key, date

    def _reconcile(self, known: dict[FlowKey, int]) -> None:
        """Rows of flows that were saved or deleted while no scheduler heard of it."""
        for flow, revision in self._parts.flows.revisions():
            if known.pop(flow, None) != revision:
                self.flow_saved(flow)
        for flow in known:
            self.flow_saved(flow)

    def _catch_up(self) -> None:
        """Flows whose rows the store refused: again, once each."""
        for _ in range(len(self._behind)):
            self._follow_flow(self._behind[0])
            self._behind.popleft()

    def _follow_flow(self, flow: FlowKey) -> None:
        for _ in range(_ATTEMPTS):
            change = self._row_change(flow)
            try:
                if not change.batch.empty():
                    self._parts.states.commit(change.batch)
            except Conflict:
                continue
            self._follow(change)
            return
        raise Conflict(f"the triggers of flow {'.'.join(flow[1:])} are changed by somebody else all the time")

    def _row_change(self, flow: FlowKey) -> RowChange:
        existing = self._parts.states.of_flow(flow)
        declared = self._parts.flows.get(flow)
        if declared is None:
            removed = [state.key for state in existing]
            change = RowChange(TriggerBatch(removed_states=removed), removed=removed)
        elif not declared.readable:
            change = RowChange(TriggerBatch(), states=existing)
        else:
            change = rows_of(
                declared,
                existing,
                now=self._parts.clock.now(),
                renderer_of=self._parts.firing.renderer_of,
                defaults=self._parts.defaults,
            )
        if change.removed:
            gone = {key.trigger_id for key in change.removed}
            windows = self._parts.states.windows(flow)
            change.batch.removed_windows.extend(window for window in windows if window.trigger_id in gone)
        return change

    def _follow(self, change: RowChange) -> None:
        """Agenda, index and streams after the rows of a flow have changed."""
        for key in change.removed:
            self._ticker.forget(key)
            self._outbox.forget(key)
            self._parts.agenda.put(key, None)
            self.index.remove(key)
            self._streams.stop(key)
        self._ends.learn(change.states)
        for state in change.states:
            self._outbox.forget(state.key)
            if state.kind is TriggerKind.FLOW:
                self._listen(state)
            else:
                self._parts.agenda.put(state.key, self._due(state))
        self._dates_wake.set()

    def _listen(self, state: TriggerState) -> None:
        if state.disabled or not state.sources:
            self.index.remove(state.key)
        else:
            self.index.put(state.key, state.sources)

    def _due(self, state: TriggerState) -> datetime | None:
        """When a row is looked at: a realtime one at once, since its stream must be started, kept or stopped."""
        return self._parts.clock.now() if state.kind is TriggerKind.REALTIME else due_date(state)

    def _changed(self, change: Change) -> None:
        """The feed's callback: quick, on the publisher's thread."""
        if self.index.wants(FlowKey(change.tenant_id, change.namespace, change.flow_id)):
            self._outbox_wake.set()
        if change.closed and self._ends.closed(change):
            self._dates_wake.set()


def due_date(state: TriggerState) -> datetime | None:
    """When a row is due: never while it is disabled or its backfill is paused."""
    if state.disabled or (state.backfill is not None and state.backfill.paused):
        return None
    return state.next_date
