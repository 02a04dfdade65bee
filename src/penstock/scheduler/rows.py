"""Rows of triggers kept in step with the flows that declare them (engine.md 7.2).

Pure: a flow and its rows in, the changes out. Updating a flow keeps a row; a trigger that was changed, or that may run
again, gets a new next date counted from now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from msgspec.structs import replace

from penstock.ports.trigger_states import Outcome, Source, TriggerBatch, TriggerKey, TriggerKind, TriggerState
from penstock.scheduler.conditions import FAULTS
from penstock.scheduler.dates import AGAIN, GivenDates
from penstock.scheduler.declared import (
    AnyTrigger,
    DeclaredFlow,
    definition_hash,
    is_disabled,
    key_of,
    kind_of,
    stop_states,
)
from penstock.scheduler.due import RETRY, Defaults, planned_dates
from penstock.scheduler.flow_rules import flow_rule
from penstock.scheduler.launching import RendererOf
from penstock.scheduler.notes import evaluation


@dataclass(frozen=True, slots=True)
class RowChange:
    """What a saved or deleted flow means for its rows. states: all rows of the flow as they are from now on."""

    batch: TriggerBatch
    states: list[TriggerState] = field(default_factory=list)
    removed: list[TriggerKey] = field(default_factory=list)


def rows_of(
    flow: DeclaredFlow,
    existing: Sequence[TriggerState],
    *,
    now: datetime,
    renderer_of: RendererOf,
    defaults: Defaults,
) -> RowChange:
    """The rows of a flow's latest revision, given those that exist."""
    change = RowChange(TriggerBatch())
    known = {state.trigger_id: state for state in existing}
    for trigger in flow.triggers:
        kind = kind_of(trigger)
        if kind is None:
            continue
        old = known.pop(trigger.id, None)
        if old is not None and old.kind is not kind:
            change.batch.removed_states.append(old.key)
            old = None
        state = _row(flow, trigger, old, kind=kind, now=now)
        if _needs_date(state, old, flow, trigger):
            date = _date(state, flow, trigger, now=now, renderer_of=renderer_of, defaults=defaults, batch=change.batch)
            state = replace(state, next_date=date)
        if old is None or state != old:
            state = replace(state, version=old.version + 1 if old else 1, updated=now)
            change.batch.states.append(state)
        change.states.append(state)
    change.removed.extend(state.key for state in known.values())
    change.batch.removed_states.extend(change.removed)
    return change


def next_date(
    flow: DeclaredFlow,
    trigger: AnyTrigger,
    kind: TriggerKind,
    *,
    now: datetime,
    renderer_of: RendererOf,
    defaults: Defaults,
) -> datetime | None:
    """When a trigger that starts to run at `now` is due first: schedules at their next date, polling at once.

    Raises:
        ValueError, PenstockError: its dates cannot be computed.
    """
    if kind is TriggerKind.POLLING:
        return now
    if kind not in (TriggerKind.SCHEDULE, TriggerKind.SCHEDULE_ON_DATES):
        return None
    dates = planned_dates(flow, trigger, renderer_of(flow), kind=kind, defaults=defaults)
    found = dates.next(now)
    return now + AGAIN if found is None and isinstance(dates, GivenDates) else found


def runs(flow: DeclaredFlow, trigger: AnyTrigger, state: TriggerState) -> bool:
    """Whether flow, trigger and row are all enabled."""
    return flow.runnable and not is_disabled(trigger) and not state.disabled


def _row(
    flow: DeclaredFlow, trigger: AnyTrigger, old: TriggerState | None, *, kind: TriggerKind, now: datetime
) -> TriggerState:
    sources = _sources(flow, trigger) if kind is TriggerKind.FLOW else []
    if old is not None:
        return replace(
            old,
            flow_revision=flow.revision,
            definition=definition_hash(trigger),
            stop_after=stop_states(trigger),
            sources=sources,
        )
    return TriggerState(
        tenant_id=flow.key.tenant_id,
        namespace=flow.key.namespace,
        flow_id=flow.key.flow_id,
        trigger_id=trigger.id,
        kind=kind,
        flow_revision=flow.revision,
        definition=definition_hash(trigger),
        updated=now,
        stop_after=stop_states(trigger),
        sources=sources,
    )


def _sources(flow: DeclaredFlow, trigger: AnyTrigger) -> list[Source]:
    """Where a Flow trigger listens; nowhere while its flow is disabled, everywhere when its rule cannot be read."""
    if not flow.runnable or is_disabled(trigger):
        return []
    try:
        return list(flow_rule(key_of(flow, trigger), trigger).sources)
    except FAULTS:
        return [Source()]


def _needs_date(state: TriggerState, old: TriggerState | None, flow: DeclaredFlow, trigger: AnyTrigger) -> bool:
    if state.backfill is not None:
        return False
    if old is None or old.definition != state.definition:
        return True
    return runs(flow, trigger, state) != (old.next_date is not None)


def _date(
    state: TriggerState,
    flow: DeclaredFlow,
    trigger: AnyTrigger,
    *,
    now: datetime,
    renderer_of: RendererOf,
    defaults: Defaults,
    batch: TriggerBatch,
) -> datetime | None:
    if not runs(flow, trigger, state):
        return None
    try:
        return next_date(flow, trigger, state.kind, now=now, renderer_of=renderer_of, defaults=defaults)
    except FAULTS as fault:
        reason = f"Unable to compute the dates of the trigger: {fault}"
        batch.evaluations.append(evaluation(state.key, Outcome.ERROR, at=now, reason=reason))
        return now + RETRY
