from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import Conflict, NotFound, Unprocessable
from penstock.model.execution import Label
from penstock.scheduler.cron import parse_cron
from penstock.scheduler.schedule import iso

from .fakes import World, condition, flow_trigger, key_of, schedule
from .test_cron import seconds_between

START = datetime(2024, 1, 15, tzinfo=UTC)
END = datetime(2024, 5, 15, tzinfo=UTC)


def monthly(**properties: object) -> World:
    world = World()
    world.save("f", schedule("0 0 1 * *", timezone="UTC", inputs={"a": "own", "b": "own"}, **properties))
    return world


def test_every_date_of_the_range_runs_in_order_and_the_own_schedule_goes_on() -> None:
    world = monthly()
    before = world.row("f").next_date
    world.triggers.backfill_create(
        key_of("f"), START, end=END, inputs={"b": "given"}, labels=[Label("reason", "backfill")]
    )
    world.settle()
    assert [date[:10] for date in world.dates("f")] == ["2024-02-01", "2024-03-01", "2024-04-01", "2024-05-01"]
    context = world.context(world.fired("f")[0])
    assert context.inputs == {"a": "own", "b": "given"}
    assert Label("reason", "backfill") in context.labels
    assert world.row("f").backfill is None
    assert world.row("f").next_date == before


def test_one_execution_at_a_time() -> None:
    world = monthly()
    world.triggers.backfill_create(key_of("f"), START, end=END)
    world.settle(end=False)
    assert len(world.fired("f")) == 1
    running = world.row("f").backfill
    assert running is not None
    assert running.current_date == datetime(2024, 3, 1, tzinfo=UTC)
    world.executions.end(world.fired("f")[0].id)
    world.settle(end=False)
    assert len(world.fired("f")) == 2
    assert "LIMITED" not in world.outcomes("f")


def test_a_condition_does_not_carry_it_past_its_end() -> None:
    world = World()
    world.save("f", schedule("0 0 * * *", conditions=[condition("DayWeek", dayOfWeek="MONDAY")]))
    world.triggers.backfill_create(
        key_of("f"), datetime(2024, 1, 2, 12, tzinfo=UTC), end=datetime(2024, 1, 16, 12, tzinfo=UTC)
    )
    world.settle()
    assert [date[:10] for date in world.dates("f")] == ["2024-01-08", "2024-01-15"]
    assert world.row("f").backfill is None


def test_pause_holds_it_and_unpause_goes_on() -> None:
    world = monthly()
    world.triggers.backfill_create(key_of("f"), START, end=END)
    world.settle(end=False)
    world.triggers.backfill_pause(key_of("f"))
    world.executions.end(world.fired("f")[0].id)
    world.pass_time(timedelta(days=40), every=timedelta(days=1))
    assert len(world.fired("f")) == 1
    with pytest.raises(Conflict, match="paused already"):
        world.triggers.backfill_pause(key_of("f"))
    world.restart()
    world.settle()
    assert len(world.fired("f")) == 1
    world.triggers.backfill_unpause(key_of("f"))
    world.settle()
    assert len(world.fired("f")) == 4
    with pytest.raises(Conflict, match="has no backfill"):
        world.triggers.backfill_unpause(key_of("f"))


def test_delete_restores_the_date_from_before() -> None:
    world = monthly()
    before = world.row("f").next_date
    world.triggers.backfill_create(key_of("f"), START, end=END)
    world.settle(end=False)
    state = world.triggers.backfill_delete(key_of("f"))
    assert (state.backfill, state.next_date) == (None, before)
    world.executions.end(world.fired("f")[0].id)
    world.settle()
    assert len(world.fired("f")) == 1


def test_a_backfill_goes_on_after_a_restart_without_gap_or_double() -> None:
    world = monthly()
    world.triggers.backfill_create(key_of("f"), START, end=END)
    world.settle(end=False)
    world.restart()
    world.settle()
    assert [date[:10] for date in world.dates("f")] == ["2024-02-01", "2024-03-01", "2024-04-01", "2024-05-01"]


def test_the_same_range_can_be_run_again() -> None:
    world = monthly()
    for _ in range(2):
        world.triggers.backfill_create(key_of("f"), START, end=END)
        world.settle()
    assert len(world.fired("f")) == 8


def test_what_cannot_be_backfilled_is_refused() -> None:
    world = monthly()
    world.save("listener", flow_trigger(conditions=[condition("ExecutionStatus", **{"in": ["SUCCESS"]})]))
    with pytest.raises(Unprocessable, match="no dates"):
        world.triggers.backfill_create(key_of("listener"), START)
    with pytest.raises(Unprocessable, match="after its end"):
        world.triggers.backfill_create(key_of("f"), END, end=START)
    with pytest.raises(NotFound):
        world.triggers.backfill_create(key_of("f", "other"), START)
    world.triggers.backfill_create(key_of("f"), START, end=END)
    with pytest.raises(Conflict, match="has a backfill already"):
        world.triggers.backfill_create(key_of("f"), START, end=END)


def test_a_range_without_a_date_ends_at_once() -> None:
    world = monthly()
    state = world.triggers.backfill_create(
        key_of("f"), datetime(2024, 1, 2, tzinfo=UTC), end=datetime(2024, 1, 3, tzinfo=UTC)
    )
    assert state.backfill is None
    assert state.next_date == datetime(2026, 2, 1, tzinfo=UTC)


@settings(max_examples=40, deadline=None)
@given(
    cron=st.sampled_from(["0 0 * * *", "0 */6 * * *", "30 2 * * *", "0 12 * * MON", "15 3 L * *"]),
    begin=seconds_between(datetime(2025, 3, 1, tzinfo=UTC), datetime(2025, 4, 15, tzinfo=UTC)),
    days=st.integers(0, 12),
    breaks=st.lists(st.sampled_from(["restart", "pause"]), max_size=3),
)
def test_the_dates_of_a_backfill_are_the_cron_s_between_its_ends(
    cron: str, begin: datetime, days: int, breaks: list[str]
) -> None:
    world = World()
    world.save("f", schedule(cron, timezone="Europe/Paris"))
    end = begin + timedelta(days=days)
    world.triggers.backfill_create(key_of("f"), begin, end=end)
    for pause in breaks:
        world.settle(end=False)
        if pause == "restart":
            world.restart()
        elif world.row("f").backfill is not None:
            world.triggers.backfill_pause(key_of("f"))
            world.settle()
            world.triggers.backfill_unpause(key_of("f"))
    world.settle()
    zone, dates, expected = ZoneInfo("Europe/Paris"), parse_cron(cron), []
    date = dates.next(begin - timedelta(microseconds=1), zone)
    while date is not None and date <= end:
        expected.append(iso(date))
        date = dates.next(date, zone)
    assert world.dates("f") == expected
