"""What people and tasks do with triggers: enable, unlock, restart, backfill, look ahead. For the API and for Toggle.

Works wherever the store is at hand, also in a process that drives no trigger; the scheduler is told through `changed`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace

from penstock.clock import Clock
from penstock.errors import Conflict, NotFound, Unprocessable
from penstock.model.execution import Label
from penstock.ports.reads import Condition, Page, Sort
from penstock.ports.trigger_states import (
    VISIBLE_KINDS,
    Evaluation,
    FlowKey,
    LiveExecutions,
    TriggerBatch,
    TriggerKey,
    TriggerKind,
    TriggerState,
    TriggerStates,
)
from penstock.scheduler import backfill
from penstock.scheduler.conditions import FAULTS
from penstock.scheduler.declared import AnyTrigger, DeclaredFlow, DeclaredFlows
from penstock.scheduler.due import Defaults, PlannedDates, planned_dates
from penstock.scheduler.launching import RendererOf
from penstock.scheduler.rows import next_date, runs
from penstock.scheduler.verdict import Verdict

_ATTEMPTS = 5
_SWITCHED = (*VISIBLE_KINDS, TriggerKind.FLOW)
"""Kinds that can be disabled by their row."""


@dataclass(frozen=True, slots=True)
class TestedDate:
    """What a schedule would do at a moment.

    planned: whether the moment is one of its dates at all. verdict: what its conditions say.
    variables: what `trigger.*` would be.
    """

    __test__ = False

    planned: bool
    verdict: Verdict
    variables: Mapping[str, object]

    @property
    def fires(self) -> bool:
        """Whether an execution would be started."""
        return self.planned and self.verdict.holds


class Triggers:
    """Questions to and changes of trigger rows. Safe to use from any thread."""

    def __init__(
        self,
        states: TriggerStates,
        flows: DeclaredFlows,
        live: LiveExecutions,
        *,
        renderer_of: RendererOf,
        clock: Clock,
        defaults: Defaults | None = None,
        changed: Callable[[TriggerState], None] = lambda _: None,
        restarted: Callable[[TriggerKey], None] = lambda _: None,
        removed: Callable[[FlowKey], None] = lambda _: None,
    ) -> None:
        """`changed`, `restarted`, `removed`: the scheduler's `state_changed`, `restart`, `flow_saved`."""
        self._states = states
        self._flows = flows
        self._live = live
        self._renderer_of = renderer_of
        self._clock = clock
        self._defaults = defaults or Defaults()
        self._changed = changed
        self._restarted = restarted
        self._removed = removed

    # -- questions -------------------------------------------------------------------------------------------------

    def get(self, key: TriggerKey) -> TriggerState:
        """The row of a trigger. Raises NotFound."""
        state = self._states.get(key)
        if state is None or state.kind not in _SWITCHED:
            raise NotFound(f"Trigger '{key.trigger_id}' of flow '{key.namespace}.{key.flow_id}' is not found")
        return state

    def of_flow(self, flow: FlowKey) -> list[TriggerState]:
        """The rows of a flow that people see."""
        return [state for state in self._states.of_flow(flow) if state.kind in VISIBLE_KINDS]

    def search(
        self,
        tenant_id: str,
        filters: Sequence[Condition],
        *,
        sort: Sequence[Sort] = (),
        page: int = 1,
        size: int | None = None,
    ) -> Page[TriggerState]:
        """Rows that satisfy all filters; `ports.trigger_states` names them."""
        return self._states.search(tenant_id, filters, sort=sort, page=page, size=size)

    def locked(self, states: Iterable[TriggerState]) -> set[TriggerKey]:
        """Which of the triggers wait for an execution of theirs: asked of the store, kept nowhere."""
        asked = {state.key: state.execution_id for state in states if state.execution_id is not None}
        live = self._live.live(asked.values()) if asked else set()
        return {key for key, execution_id in asked.items() if execution_id in live}

    def evaluations(
        self, tenant_id: str, filters: Sequence[Condition], *, page: int = 1, size: int | None = None
    ) -> Page[Evaluation]:
        """Rows of the trigger journal, newest first."""
        return self._states.evaluations(tenant_id, filters, page=page, size=size)

    def next_dates(self, key: TriggerKey, count: int = 50) -> list[datetime]:
        """The next dates a schedule will run at, first the one that is planned already; disabled: would run at.

        Raises:
            NotFound: no such trigger.
            Unprocessable: it has no dates, or they cannot be computed.
        """
        state = self.get(key)
        _, _, dates = self._dates(state)
        if state.next_date is None or state.backfill is not None:
            return dates.upcoming(self._clock.now(), count)
        return [state.next_date, *dates.upcoming(state.next_date, count - 1)]

    def test_at(self, key: TriggerKey, date: datetime) -> TestedDate:
        """What a schedule would do at `date`. Raises NotFound and Unprocessable as `next_dates`."""
        _, _, dates = self._dates(self.get(key))
        return TestedDate(dates.has(date), dates.verdict(date), dates.variables(date).as_mapping())

    # -- changes ---------------------------------------------------------------------------------------------------

    def set_disabled(self, key: TriggerKey, *, disabled: bool) -> TriggerState:
        """Disable a trigger, or enable it again: then its next date is counted from now, what was missed is not run.

        Raises:
            NotFound: no such trigger.
        """

        def change(state: TriggerState) -> TriggerState:
            if state.disabled == disabled:
                return state
            if disabled:
                return replace(state, disabled=True, next_date=None)
            return self._dated(replace(state, disabled=False))

        return self._change(key, change)

    def toggle(self, key: TriggerKey, *, enabled: bool) -> TriggerState:
        """What the Toggle task does. Raises NotFound in Kestra's words."""
        try:
            return self.set_disabled(key, disabled=not enabled)
        except NotFound as fault:
            text = f"Unable to find trigger {key.trigger_id} for the flow {key.namespace}.{key.flow_id}"
            raise NotFound(text) from fault

    def unlock(self, key: TriggerKey) -> TriggerState:
        """Let a trigger run although an execution of it lives; its next date is counted from now.

        Raises:
            NotFound: no such trigger.
            Conflict: nothing locks it.
        """

        def change(state: TriggerState) -> TriggerState:
            if not self.locked([state]):
                raise Conflict("Illegal state: Trigger is not locked")
            return self._dated(replace(state, execution_id=None, worker_id=None))

        return self._change(key, change)

    def restart(self, key: TriggerKey) -> TriggerState:
        """Start a realtime trigger's stream anew, evaluate a polling one now, count a schedule's date from now.

        Raises:
            NotFound: no such trigger.
            Conflict: it is disabled.
        """

        def change(state: TriggerState) -> TriggerState:
            if state.disabled:
                raise Conflict(f"Trigger '{key.trigger_id}' is disabled: enable it instead of restarting it")
            return self._dated(replace(state, worker_id=None))

        state = self._change(key, change)
        if state.kind is TriggerKind.REALTIME:
            self._restarted(key)
        return state

    def delete(self, key: TriggerKey) -> None:
        """Delete an orphaned row.

        Raises:
            NotFound: no such trigger.
            Conflict: its flow still declares it.
        """
        self.get(key)
        flow = self._flows.get(key.flow)
        if flow is not None and flow.trigger(key.trigger_id) is not None:
            raise Conflict(f"Trigger '{key.trigger_id}' cannot be deleted because the flow still declares it")
        self._states.commit(TriggerBatch(removed_states=[key]))
        self._removed(key.flow)

    def backfill_create(
        self,
        key: TriggerKey,
        start: datetime,
        *,
        end: datetime | None = None,
        inputs: Mapping[str, object] | None = None,
        labels: Sequence[Label] = (),
    ) -> TriggerState:
        """Run every date of [start, end] (`end` is now by default), one after another.

        Raises:
            NotFound: no such trigger.
            Conflict: it has a backfill, or is disabled.
            Unprocessable: it is no schedule, or `start` is after `end`.
        """

        def change(state: TriggerState) -> TriggerState:
            if state.disabled:
                raise Conflict(f"Trigger '{key.trigger_id}' is disabled: enable it before a backfill")
            _, _, dates = self._dates(state)
            now = self._clock.now()
            return backfill.begin(state, dates, now=now, start=start, end=end, inputs=inputs, labels=labels)

        return self._change(key, change)

    def backfill_pause(self, key: TriggerKey) -> TriggerState:
        """Hold a backfill. Raises NotFound, Conflict."""
        return self._change(key, _with_backfill(backfill.pause))

    def backfill_unpause(self, key: TriggerKey) -> TriggerState:
        """Go on with a backfill. Raises NotFound, Conflict."""
        return self._change(key, _with_backfill(backfill.unpause))

    def backfill_delete(self, key: TriggerKey) -> TriggerState:
        """End a backfill; the date from before it is due again. Raises NotFound, Conflict."""
        return self._change(key, _with_backfill(backfill.delete))

    # -- how -------------------------------------------------------------------------------------------------------

    def _change(self, key: TriggerKey, change: Callable[[TriggerState], TriggerState]) -> TriggerState:
        """Read, change, write, and again when somebody else wrote in between."""
        for _ in range(_ATTEMPTS):
            state = self.get(key)
            changed = change(state)
            if changed == state:
                return state
            changed = replace(changed, version=state.version + 1, updated=self._clock.now())
            try:
                self._states.commit(TriggerBatch(states=[changed]))
            except Conflict:
                continue
            self._changed(changed)
            return changed
        raise Conflict(f"Trigger '{key.trigger_id}' is changed by somebody else all the time, try again")

    def _dated(self, state: TriggerState) -> TriggerState:
        """The row with the next date counted from now; a backfill goes on where it was."""
        if state.backfill is not None:
            return replace(state, next_date=state.backfill.current_date)
        flow, trigger = self._declared(state)
        if not runs(flow, trigger, state):
            return replace(state, next_date=None)
        try:
            date = next_date(
                flow,
                trigger,
                state.kind,
                now=self._clock.now(),
                renderer_of=self._renderer_of,
                defaults=self._defaults,
            )
        except FAULTS as fault:
            raise Unprocessable(f"Unable to compute the dates of trigger '{trigger.id}': {fault}") from fault
        return replace(state, next_date=date)

    def _declared(self, state: TriggerState) -> tuple[DeclaredFlow, AnyTrigger]:
        flow = self._flows.get(state.key.flow)
        trigger = flow.trigger(state.trigger_id) if flow is not None else None
        if flow is None or trigger is None:
            raise NotFound(f"Flow '{state.namespace}.{state.flow_id}' does not declare trigger '{state.trigger_id}'")
        return flow, trigger

    def _dates(self, state: TriggerState) -> tuple[DeclaredFlow, AnyTrigger, PlannedDates]:
        if state.kind not in (TriggerKind.SCHEDULE, TriggerKind.SCHEDULE_ON_DATES):
            raise Unprocessable(f"Illegal argument: trigger '{state.trigger_id}' is not a schedule, it has no dates")
        flow, trigger = self._declared(state)
        try:
            dates = planned_dates(flow, trigger, self._renderer_of(flow), kind=state.kind, defaults=self._defaults)
        except FAULTS as fault:
            raise Unprocessable(f"Unable to compute the dates of trigger '{trigger.id}': {fault}") from fault
        return flow, trigger, dates


def _with_backfill(change: Callable[[TriggerState], TriggerState]) -> Callable[[TriggerState], TriggerState]:
    """A change that answers a missing backfill as Kestra does: the trigger is in the wrong state."""

    def checked(state: TriggerState) -> TriggerState:
        if state.backfill is None:
            raise Conflict(f"Trigger '{state.trigger_id}' has no backfill")
        return change(state)

    return checked
