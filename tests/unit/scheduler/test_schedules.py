"""Schedules driven by the whole scheduler: what runs, when, and what the journal says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import StoreUnavailable
from penstock.model.state import State
from penstock.ports.trigger_states import FlowKey, Outcome
from penstock.scheduler import Defaults, Recovery
from penstock.scheduler.cron import parse_cron
from penstock.scheduler.schedule import iso

from .fakes import World, condition, on_dates, schedule

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def test_each_date_starts_one_execution_with_its_variables() -> None:
    world = World()
    world.save("f", schedule("* * * * *", inputs={"day": "{{ trigger.date }}"}, labels={"team": "data"}))
    world.pass_time(3 * MINUTE)
    assert world.dates("f") == ["2026-01-01T12:01:00Z", "2026-01-01T12:02:00Z", "2026-01-01T12:03:00Z"]
    first = world.fired("f")[0]
    assert world.variables(first) == {
        "date": "2026-01-01T12:01:00Z",
        "next": "2026-01-01T12:02:00Z",
        "previous": "2026-01-01T12:00:00Z",
    }
    context = world.context(first)
    assert context.inputs == {"day": "2026-01-01T12:01:00Z"}
    assert [(label.key, label.value) for label in context.labels][:2] == [("team", "data"), ("system.from", "trigger")]
    assert first.schedule_date == datetime(2026, 1, 1, 12, 1, 0, tzinfo=UTC)


def test_dates_are_in_the_zone_of_the_trigger() -> None:
    world = World(datetime(2026, 3, 28, 12, 0, tzinfo=UTC))
    world.save("f", schedule("30 2 * * *", timezone="Europe/Paris"))
    world.pass_time(timedelta(days=3), every=MINUTE)
    assert world.dates("f") == [
        "2026-03-29T03:30:00+02:00",
        "2026-03-30T02:30:00+02:00",
        "2026-03-31T02:30:00+02:00",
    ]


def test_without_a_zone_the_installation_s_holds() -> None:
    world = World(defaults=Defaults(zone=ZoneInfo("Asia/Kolkata")))
    world.save("f", schedule("0 18 * * *"))
    world.pass_time(HOUR, every=MINUTE)
    assert world.dates("f") == ["2026-01-01T18:00:00+05:30"]


def test_the_next_date_waits_for_the_execution_and_runs_when_it_ends() -> None:
    world = World()
    world.save("f", schedule("* * * * *"))
    world.pass_time(3 * MINUTE, end=False)
    assert len(world.fired("f")) == 1
    assert world.outcomes("f") == ["FIRED", "LIMITED"]
    world.executions.end(world.fired("f")[0].id)
    world.scheduler.step()
    assert world.dates("f") == ["2026-01-01T12:01:00Z", "2026-01-01T12:02:00Z"]


def test_allow_concurrent_waits_for_nothing() -> None:
    world = World()
    world.save("f", schedule("* * * * *", allowConcurrent=True))
    world.pass_time(3 * MINUTE, end=False)
    assert len(world.fired("f")) == 3


def test_busy_is_asked_of_the_store_so_that_no_lock_can_stay() -> None:
    world = World()
    world.save("f", schedule("* * * * *"))
    world.pass_time(2 * MINUTE, end=False)
    del world.executions.stored[world.fired("f")[0].id]
    world.restart()
    world.pass_time(MINUTE, end=False)
    assert len(world.fired("f")) == 2


def test_an_end_that_nobody_announced_is_found_by_the_check() -> None:
    world = World()
    world.save("f", schedule("* * * * *"))
    world.pass_time(2 * MINUTE, end=False)
    world.executions.listeners.clear()
    world.executions.end(world.fired("f")[0].id)
    world.scheduler.step()
    assert len(world.fired("f")) == 1
    world.scheduler._ends.check()
    world.scheduler.step()
    assert len(world.fired("f")) == 2


def test_conditions_choose_among_the_dates() -> None:
    world = World()
    monday = condition("DayWeek", dayOfWeek="MONDAY")
    world.save("f", schedule("0 0 * * *", conditions=[monday]))
    assert world.row("f").next_date == datetime(2026, 1, 5, tzinfo=UTC)
    world.pass_time(timedelta(days=14), every=HOUR)
    assert world.dates("f") == ["2026-01-05T00:00:00Z", "2026-01-12T00:00:00Z"]
    assert world.variables(world.fired("f")[0])["next"] == "2026-01-12T00:00:00Z"
    assert world.variables(world.fired("f")[1])["previous"] == "2026-01-05T00:00:00Z"


def test_when_chooses_as_conditions_do() -> None:
    world = World()
    world.save("f", schedule("0 0 * * *", when="{{ dayOfWeek(trigger.date) == 'MONDAY' }}"))
    world.pass_time(timedelta(days=8), every=HOUR)
    assert world.dates("f") == ["2026-01-05T00:00:00Z"]


def test_a_condition_that_never_holds_is_asked_at_each_date_and_leaves_rows() -> None:
    world = World()
    world.save("f", schedule("0 * * * *", when="{{ vars.open }}"), variables={"open": False})
    world.pass_time(2 * HOUR, every=MINUTE)
    assert world.fired("f") == []
    row = world.states.journal[0]
    assert (row.outcome, row.condition, row.values) == (Outcome.SKIPPED, "{{ vars.open }}", {"result": "false"})


def test_a_condition_that_cannot_be_evaluated_makes_a_failed_execution_and_goes_on() -> None:
    world = World()
    world.save("f", schedule("0 * * * *", when="{{ nothing.here }}"))
    world.pass_time(2 * HOUR, every=MINUTE)
    assert [world.executions.final[e.id] for e in world.fired("f")] == [State.FAILED, State.FAILED]
    assert world.outcomes("f") == ["ERROR", "ERROR"]
    assert any(line.execution_id == world.fired("f")[0].id for line in world.states.logs)
    assert any(line.level == "WARN" and line.trigger_id == "t" for line in world.states.logs)


def test_inputs_that_are_not_valid_are_said_and_fail_on_demand_only() -> None:
    world = World()
    world.save("quiet", schedule("* * * * *", inputs={"bad": 1}))
    world.save("loud", schedule("* * * * *", inputs={"bad": 1}, failOnTriggerError=True))
    world.pass_time(MINUTE)
    assert world.fired("quiet") == []
    assert world.outcomes("quiet") == ["ERROR"]
    assert [world.executions.final[e.id] for e in world.fired("loud")] == [State.FAILED]


def test_a_failing_trigger_stops_no_other() -> None:
    world = World()
    broken = world.save("broken", schedule("* * * * *"))
    world.save("fine", schedule("* * * * *"))
    world.flows.explode.add(broken)
    world.pass_time(2 * MINUTE)
    assert len(world.fired("fine")) == 2
    assert "ERROR" in world.outcomes("broken")
    assert "a bug in a plugin" in next(r for r in world.states.journal if r.flow_id == "broken").reason
    world.flows.explode.clear()
    world.pass_time(3 * MINUTE)
    assert len(world.fired("broken")) >= 2


def test_a_zone_that_does_not_exist_is_said_and_looked_at_again() -> None:
    world = World()
    world.save("f", schedule("* * * * *", timezone="Mars/Olympus"))
    world.save("g", schedule("* * * * *"))
    world.pass_time(2 * MINUTE)
    assert set(world.outcomes("f")) == {"ERROR"}
    assert "Unknown time zone 'Mars/Olympus'" in world.states.journal[0].reason
    assert len(world.fired("g")) == 2


@pytest.mark.parametrize(
    ("recovery", "expected"),
    [
        ("ALL", ["12:01", "12:02", "12:03", "12:04", "12:05", "12:06"]),
        ("LAST", ["12:01", "12:05", "12:06"]),
        ("NONE", ["12:01", "12:06"]),
    ],
)
def test_missed_dates_are_recovered_as_asked(recovery: str, expected: list[str]) -> None:
    world = World()
    world.save("f", schedule("* * * * *", recoverMissedSchedules=recovery))
    world.pass_time(MINUTE)
    world.clock.advance(4 * MINUTE)
    world.restart()
    world.pass_time(MINUTE)
    assert [date[11:16] for date in world.dates("f")] == expected


def test_the_installation_s_recovery_holds_for_triggers_that_do_not_say() -> None:
    world = World(defaults=Defaults(recovery=Recovery.NONE))
    world.save("f", schedule("* * * * *"))
    world.clock.advance(10 * MINUTE)
    world.restart()
    world.settle()
    assert world.fired("f") == []
    assert world.outcomes("f") == ["LATE"]


def test_dates_later_than_allowed_are_passed_over() -> None:
    world = World()
    world.save("f", schedule("* * * * *", lateMaximumDelay="PT90S"))
    world.pass_time(MINUTE)
    world.clock.advance(10 * MINUTE)
    world.restart()
    world.settle()
    assert [date[11:16] for date in world.dates("f")] == ["12:01", "12:10", "12:11"]
    assert "LATE" in world.outcomes("f")


def test_stop_after_disables_the_trigger() -> None:
    world = World()
    world.save("f", schedule("* * * * *", stopAfter=["FAILED"]))
    world.pass_time(MINUTE)
    assert not world.row("f").disabled
    world.pass_time(MINUTE, end=False)
    world.executions.end(world.fired("f")[-1].id, State.FAILED)
    world.pass_time(5 * MINUTE)
    assert world.row("f").disabled
    assert len(world.fired("f")) == 2


def test_stop_after_holds_for_an_end_while_no_scheduler_ran() -> None:
    world = World()
    world.save("f", schedule("* * * * *", stopAfter=["SUCCESS"]))
    world.pass_time(MINUTE, end=False)
    world.executions.listeners.clear()
    world.clock.advance(MINUTE)
    world.executions.end(world.fired("f")[0].id)
    world.restart()
    world.pass_time(3 * MINUTE)
    assert world.row("f").disabled
    assert len(world.fired("f")) == 1


def test_disabled_flows_and_triggers_do_not_run() -> None:
    world = World()
    world.save("asleep", schedule("* * * * *", disabled=True))
    world.save("stopped", schedule("* * * * *"), runnable=False)
    world.pass_time(3 * MINUTE)
    assert world.executions.started == []
    world.save("stopped", schedule("* * * * *"))
    world.pass_time(MINUTE)
    assert [date[11:16] for date in world.dates("stopped")] == ["12:04"]


def test_updating_a_flow_keeps_the_row_and_a_changed_cron_counts_from_now() -> None:
    world = World()
    world.save("f", schedule("0 * * * *"))
    before = world.row("f").next_date
    world.clock.advance(MINUTE)
    world.save("f", schedule("0 * * * *"))
    assert world.row("f").next_date == before
    world.save("f", schedule("30 * * * *"))
    assert world.row("f").next_date == datetime(2026, 1, 1, 12, 30, tzinfo=UTC)
    world.save("f")
    assert world.states.rows == {}
    world.pass_time(HOUR, every=MINUTE)
    assert world.fired("f") == []


def test_a_flow_saved_or_deleted_while_no_scheduler_listened_is_caught_up_with() -> None:
    world = World()
    kept = world.save("gone", schedule("* * * * *"))
    new = world.save("new", schedule("* * * * *"))
    world.states.rows = {key: row for key, row in world.states.rows.items() if key.flow != new}
    del world.flows.flows[kept]
    world.restart()
    world.pass_time(MINUTE)
    assert [e.flow_id for e in world.executions.started] == ["new"]
    assert [key.flow_id for key in world.states.rows] == ["new"]


def test_a_store_that_is_down_loses_nothing() -> None:
    world = World()
    world.save("f", schedule("* * * * *"))
    world.states.down = True
    world.clock.advance(2 * MINUTE)
    with pytest.raises(StoreUnavailable):
        world.scheduler.step()
    world.states.down = False
    world.pass_time(timedelta(seconds=2))
    assert [date[11:16] for date in world.dates("f")] == ["12:01", "12:02"]


def test_rows_that_the_store_refused_follow_later() -> None:
    world = World()
    world.states.down = True
    world.save("f", schedule("* * * * *"))
    assert world.states.rows == {}
    world.states.down = False
    world.pass_time(MINUTE)
    assert len(world.fired("f")) == 1


def test_before_the_rows_are_loaded_every_execution_may_matter() -> None:
    world = World()
    flow = FlowKey("main", "company.team", "up")
    assert world.scheduler.listens(flow)
    world.load()
    assert not world.scheduler.listens(flow)


def test_given_dates_fire_once_each_in_order() -> None:
    world = World()
    world.save("f", on_dates("2026-01-01T12:02:00Z", "2026-01-01T12:01:00Z", "2025-01-01T00:00:00Z"))
    world.pass_time(5 * MINUTE)
    assert world.dates("f") == ["2026-01-01T12:01:00Z", "2026-01-01T12:02:00Z"]
    assert world.variables(world.fired("f")[0]) == {"date": "2026-01-01T12:01:00Z"}
    following = world.row("f").next_date
    assert following is not None
    assert following - world.clock.now() > timedelta(days=360)


def test_given_dates_may_be_an_expression_and_have_a_zone() -> None:
    world = World()
    trigger = on_dates(timezone="Europe/Paris").model_copy(update={"dates": "{{ vars.dates }}"})
    world.save("f", trigger, variables={"dates": ["2026-01-01T13:01:00"]})
    world.pass_time(2 * MINUTE)
    assert world.dates("f") == ["2026-01-01T13:01:00+01:00"]


CRONS = ["* * * * *", "*/7 * * * *", "0,30 * * * *", "15 2 * * *", "0 */3 * * *", "30 1-4 * * *"]


@settings(max_examples=60, deadline=None)
@given(
    cron=st.sampled_from(CRONS),
    zone=st.sampled_from(["UTC", "Europe/Paris", "America/New_York"]),
    recovery=st.sampled_from(["ALL", "LAST", "NONE"]),
    start=st.sampled_from(["2026-03-28T22:13:00+00:00", "2026-10-24T23:01:30+00:00", "2026-06-01T00:00:00+00:00"]),
    acts=st.lists(st.tuples(st.sampled_from(["pass", "pass", "down", "off", "on"]), st.integers(1, 200)), max_size=8),
)
def test_fired_dates_are_those_of_a_small_model(
    cron: str, zone: str, recovery: str, start: str, acts: list[tuple[str, int]]
) -> None:
    """The model: a cursor that walks over the cron's dates; time off moves it, down time by the recovery."""
    world = World(datetime.fromisoformat(start))
    world.save("f", schedule(cron, timezone=zone, recoverMissedSchedules=recovery))
    dates, where = parse_cron(cron), ZoneInfo(zone)
    expected: list[str] = []
    cursor, enabled = world.clock.now(), True

    def run_until(moment: datetime) -> None:
        nonlocal cursor
        while enabled and (date := dates.next(cursor, where)) is not None and date <= moment:
            expected.append(iso(date))
            cursor = date

    for act, minutes in acts:
        length = minutes * MINUTE
        if act == "pass":
            world.pass_time(length, every=MINUTE)
            run_until(world.clock.now())
        elif act == "down":
            world.clock.advance(length)
            now = world.clock.now()
            missed = enabled and (dates.next(cursor, where) or now) < now
            if missed and recovery == "NONE":
                cursor = now
            elif missed and recovery == "LAST":
                latest = dates.previous(now + timedelta(microseconds=1), where)
                assert latest is not None
                cursor = latest - timedelta(microseconds=1)
            run_until(now)
            world.restart()
            world.settle()
        elif act == "off" and enabled:
            world.triggers.set_disabled(world.row("f").key, disabled=True)
            enabled = False
        elif act == "on" and not enabled:
            world.triggers.set_disabled(world.row("f").key, disabled=False)
            enabled, cursor = True, world.clock.now()
    assert world.dates("f") == expected
    assert world.states.fires == {}
