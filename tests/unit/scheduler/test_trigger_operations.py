from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from penstock.errors import Conflict, NotFound, Unprocessable
from penstock.ports.trigger_states import TriggerBatch

from .fakes import World, condition, flow_trigger, key_of, on_dates, schedule, webhook

MINUTE = timedelta(minutes=1)


def test_enabling_again_does_not_run_what_was_missed() -> None:
    world = World()
    world.save("f", schedule("* * * * *"))
    assert world.triggers.set_disabled(key_of("f"), disabled=True).next_date is None
    world.pass_time(5 * MINUTE)
    world.triggers.set_disabled(key_of("f"), disabled=False)
    world.pass_time(MINUTE)
    assert [date[11:16] for date in world.dates("f")] == ["12:06"]


def test_setting_what_is_set_changes_nothing() -> None:
    world = World()
    world.save("f", schedule("* * * * *"))
    before = world.row("f")
    assert world.triggers.set_disabled(key_of("f"), disabled=False) == before


def test_toggle_names_a_trigger_it_does_not_find() -> None:
    world = World()
    world.save("f", schedule("* * * * *"))
    assert world.triggers.toggle(key_of("f"), enabled=False).disabled
    with pytest.raises(NotFound, match=r"Unable to find trigger x for the flow company\.team\.f"):
        world.triggers.toggle(key_of("f", "x"), enabled=True)


def test_unlock_lets_it_run_while_its_execution_lives() -> None:
    world = World()
    world.save("f", schedule("* * * * *"))
    with pytest.raises(Conflict, match="not locked"):
        world.triggers.unlock(key_of("f"))
    world.pass_time(3 * MINUTE, end=False)
    assert world.triggers.locked([world.row("f")]) == {key_of("f")}
    state = world.triggers.unlock(key_of("f"))
    assert (state.execution_id, state.next_date) == (None, datetime(2026, 1, 1, 12, 4, tzinfo=UTC))
    world.pass_time(MINUTE, end=False)
    assert [date[11:16] for date in world.dates("f")] == ["12:01", "12:04"]


def test_restart_counts_from_now_and_refuses_what_is_disabled() -> None:
    world = World()
    world.save("f", schedule("* * * * *"))
    world.clock.advance(10 * MINUTE)
    assert world.triggers.restart(key_of("f")).next_date == datetime(2026, 1, 1, 12, 11, tzinfo=UTC)
    world.triggers.set_disabled(key_of("f"), disabled=True)
    with pytest.raises(Conflict, match="disabled"):
        world.triggers.restart(key_of("f"))


def test_only_orphaned_rows_are_deleted() -> None:
    world = World()
    flow = world.save("f", schedule("* * * * *"))
    with pytest.raises(Conflict, match="because the flow still declares it"):
        world.triggers.delete(key_of("f"))
    del world.flows.flows[flow]
    world.triggers.delete(key_of("f"))
    assert world.states.rows == {}
    with pytest.raises(NotFound):
        world.triggers.delete(key_of("f"))


def test_the_next_dates_are_those_that_will_run() -> None:
    world = World()
    world.save("f", schedule("0 0 * * *", conditions=[condition("Weekend")]))
    dates = world.triggers.next_dates(key_of("f"), 5)
    assert [date.date().isoformat() for date in dates] == [
        "2026-01-03",
        "2026-01-04",
        "2026-01-10",
        "2026-01-11",
        "2026-01-17",
    ]
    assert len(world.triggers.next_dates(key_of("f"))) == 50
    world.save("dates", on_dates("2026-05-01T00:00:00Z", "2026-04-01T00:00:00Z"))
    assert [d.month for d in world.triggers.next_dates(key_of("dates"))] == [4, 5]


def test_a_date_can_be_tried() -> None:
    world = World()
    world.save("f", schedule("0 0 * * *", conditions=[condition("Weekend")]))
    saturday = world.triggers.test_at(key_of("f"), datetime(2026, 1, 3, tzinfo=UTC))
    assert saturday.fires
    assert saturday.variables["next"] == "2026-01-04T00:00:00Z"
    monday = world.triggers.test_at(key_of("f"), datetime(2026, 1, 5, tzinfo=UTC))
    assert (monday.planned, monday.fires, monday.verdict.condition) == (True, False, "Weekend")
    noon = world.triggers.test_at(key_of("f"), datetime(2026, 1, 3, 12, tzinfo=UTC))
    assert (noon.planned, noon.fires) == (False, False)


def test_what_has_no_dates_says_so() -> None:
    world = World()
    world.save("f", flow_trigger(states=["SUCCESS"]))
    with pytest.raises(Unprocessable, match="not a schedule"):
        world.triggers.next_dates(key_of("f"))


def test_rows_of_webhooks_and_flow_triggers_are_not_shown() -> None:
    world = World()
    flow = world.save("f", webhook().model_copy(update={"id": "w"}), flow_trigger(states=["SUCCESS"]))
    assert world.triggers.of_flow(flow) == []
    with pytest.raises(NotFound):
        world.triggers.get(key_of("f", "w"))


def test_a_change_that_meets_another_one_is_made_again() -> None:
    world = World()
    world.save("f", schedule("* * * * *"))
    commit, interfered = world.states.commit, []

    def interfering(batch: TriggerBatch) -> None:
        if not interfered:
            interfered.append(True)
            world.states.commit = commit  # type: ignore[method-assign]
            world.pass_time(MINUTE)
        commit(batch)

    world.states.commit = interfering  # type: ignore[method-assign]
    assert world.triggers.set_disabled(key_of("f"), disabled=True).disabled
    assert len(world.fired("f")) == 1
    assert world.row("f").disabled
