"""Backfills: a range of a schedule's dates, run one after another after the fact (engine.md 7.3).

Pure: a row in, a row out. While a backfill lasts the row's next date is the backfill's; the
schedule's own does not run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from msgspec.structs import replace

from penstock.errors import Conflict, NotFound, Unprocessable
from penstock.model.execution import Label
from penstock.ports.trigger_states import Backfill, TriggerKind, TriggerState

_MICROSECOND = timedelta(microseconds=1)


class Planned(Protocol):
    """Dates of a schedule, `schedule.Dates` or `dates.GivenDates`."""

    def next(self, after: datetime) -> datetime | None: ...

    def next_within(self, after: datetime, end: datetime) -> datetime | None: ...


def begin(
    state: TriggerState,
    dates: Planned,
    *,
    now: datetime,
    start: datetime,
    end: datetime | None = None,
    inputs: Mapping[str, object] | None = None,
    labels: Sequence[Label] = (),
) -> TriggerState:
    """The row with a backfill of [start, end] (`end` is now by default).

    Raises:
        Unprocessable: not a schedule, or `start` is after `end`.
        Conflict: a backfill is running already.
    """
    if state.kind not in (TriggerKind.SCHEDULE, TriggerKind.SCHEDULE_ON_DATES):
        raise Unprocessable(f"Illegal argument: trigger {state.trigger_id!r} has no schedule that could be backfilled")
    if state.backfill is not None:
        raise Conflict(f"Trigger {state.trigger_id!r} has a backfill already: delete it before starting another one")
    start, last = start.astimezone(UTC), (end or now).astimezone(UTC)
    if start > last:
        raise Unprocessable(f"Illegal argument: the backfill's start {start} is after its end {last}")
    backfill = Backfill(
        start=start,
        end=last,
        current_date=start,
        inputs=dict(inputs or {}),
        labels=list(labels),
        previous_next_date=state.next_date,
    )
    return _at(state, backfill, dates.next_within(start - _MICROSECOND, last), dates=dates, now=now)


def advance(state: TriggerState, dates: Planned, *, now: datetime) -> TriggerState:
    """The row once the backfill's current date has been run or passed over: the next one, or the normal next date.

    A backfill never goes past its `end`, also where conditions leave no date before it.
    """
    backfill = _running(state)
    return _at(state, backfill, dates.next_within(backfill.current_date, backfill.end), dates=dates, now=now)


def pause(state: TriggerState) -> TriggerState:
    """The row with its backfill held. Raises NotFound, or Conflict when it is paused already."""
    backfill = _running(state)
    if backfill.paused:
        raise Conflict(f"The backfill of trigger {state.trigger_id!r} is paused already")
    return replace(state, backfill=replace(backfill, paused=True))


def unpause(state: TriggerState) -> TriggerState:
    """The row with its backfill going on. Raises NotFound, or Conflict when it is not paused."""
    backfill = _running(state)
    if not backfill.paused:
        raise Conflict(f"The backfill of trigger {state.trigger_id!r} is not paused")
    return replace(state, backfill=replace(backfill, paused=False), next_date=backfill.current_date)


def delete(state: TriggerState) -> TriggerState:
    """The row without its backfill and with the next date from before it. Raises NotFound."""
    backfill = _running(state)
    return replace(state, backfill=None, next_date=backfill.previous_next_date)


def _at(
    state: TriggerState, backfill: Backfill, date: datetime | None, *, dates: Planned, now: datetime
) -> TriggerState:
    if date is None:
        return replace(state, backfill=None, next_date=dates.next(now))
    return replace(state, backfill=replace(backfill, current_date=date), next_date=date)


def _running(state: TriggerState) -> Backfill:
    if state.backfill is None:
        raise NotFound(f"Trigger {state.trigger_id!r} has no backfill")
    return state.backfill
