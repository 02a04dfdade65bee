"""Each match starts one execution: after crashes, with answers lost, and with several schedulers on one store."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from threading import Event

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.clock import SystemClock
from penstock.errors import Conflict, NotFound, StoreUnavailable
from penstock.scheduler.agenda import Agenda

from .fakes import START, World, flow_trigger, key_of, schedule

MINUTE = timedelta(minutes=1)
UP = {"namespace": "company.team", "flowId": "up"}


def crash(world: World) -> None:
    """The process dies after its next commit that holds a fire, before anything else happens."""
    world.states.crash_after_commit = True
    with pytest.raises(KeyboardInterrupt):
        world.scheduler.step()
    world.states.crash_after_commit = False


def test_a_crash_between_commit_and_start_of_a_schedule() -> None:
    world = World()
    world.save("f", schedule("* * * * *"))
    world.clock.advance(MINUTE)
    crash(world)
    assert world.executions.started == []
    world.restart()
    world.settle()
    world.restart()
    world.settle()
    assert [date[11:16] for date in world.dates("f")] == ["12:01"]


def test_a_crash_between_commit_and_start_of_a_flow_trigger() -> None:
    world = World()
    world.save("down", flow_trigger(dependsOn=[UP]))
    world.run_flow("up")
    crash(world)
    assert world.states.outbox == {}
    world.restart()
    world.settle()
    assert len(world.fired("down")) == 1
    assert world.states.fires == {}


def test_a_transition_before_the_start_is_consumed_by_it() -> None:
    world = World()
    world.save("down", flow_trigger(dependsOn=[UP]))
    world.executions.listeners.clear()
    world.run_flow("up")
    world.restart()
    world.settle()
    assert len(world.fired("down")) == 1


def test_an_executor_that_is_down_gets_the_fire_later() -> None:
    world = World()
    world.save("down", flow_trigger(dependsOn=[UP]))
    world.executions.refuse = StoreUnavailable("down")
    world.run_flow("up")
    world.scheduler.step()
    assert len(world.states.fires) == 1
    world.executions.refuse = None
    world.scheduler.step()
    world.scheduler.step()
    assert len(world.fired("down")) == 1
    assert world.states.fires == {}


@pytest.mark.parametrize("refusal", [Conflict("exists"), NotFound("no such flow")])
def test_a_fire_that_is_refused_for_good_is_done(refusal: Exception) -> None:
    world = World()
    world.save("down", flow_trigger(dependsOn=[UP]))
    world.executions.refuse = refusal
    world.run_flow("up")
    world.scheduler.step()
    assert world.states.fires == {}


def test_an_execution_that_is_about_to_start_counts_as_live() -> None:
    world = World()
    world.save("f", schedule("* * * * *"))
    world.executions.refuse = StoreUnavailable("down")
    world.clock.advance(MINUTE)
    world.scheduler._dates_round()
    world.clock.advance(MINUTE)
    world.scheduler._dates_round()
    assert len(world.states.fires) == 1
    assert world.outcomes("f") == ["FIRED", "LIMITED"]


def test_two_schedulers_on_one_store_fire_each_date_once() -> None:
    world = World()
    world.save("f", schedule("* * * * *"))
    world.save("g", schedule("* * * * *", allowConcurrent=True))
    second = world.new_scheduler()
    second.load()
    for _ in range(5):
        world.clock.advance(MINUTE)
        world.settle()
        second.step()
        world.settle()
    assert [date[11:16] for date in world.dates("f")] == ["12:01", "12:02", "12:03", "12:04", "12:05"]
    assert [date[11:16] for date in world.dates("g")] == ["12:01", "12:02", "12:03", "12:04", "12:05"]


def test_a_row_that_another_scheduler_changed_is_read_again() -> None:
    world = World()
    world.save("f", schedule("* * * * *"))
    world.save("g", schedule("* * * * *"))
    stale = world.states.get_many
    world.clock.advance(MINUTE)
    second = world.new_scheduler()
    second.load()
    old = stale([key_of("f"), key_of("g")])
    world.states.get_many = lambda keys: [row for row in old if row.key in keys]  # type: ignore[method-assign]
    world.scheduler._dates_round()
    assert len(world.states.fires) == 2
    second._dates_round()  # works on the old rows, is refused, and puts the triggers back
    world.states.get_many = stale  # type: ignore[method-assign]
    world.pass_time(timedelta(seconds=3))
    second.step()
    assert len(world.fired("f")) == len(world.fired("g")) == 1


@settings(max_examples=60, deadline=None)
@given(acts=st.lists(st.sampled_from(["a", "b", "first", "second", "crash", "race"]), max_size=20))
def test_two_schedulers_share_transitions_and_windows(acts: list[str]) -> None:
    """However their rounds fall, as many executions start as one scheduler alone would start."""
    world = World()
    world.save("down", flow_trigger(dependsOn=[{**UP, "flowId": "a"}, {**UP, "flowId": "b"}]))
    world.save("each", flow_trigger(dependsOn=[{**UP, "flowId": "a"}]))
    schedulers = [world.scheduler, world.new_scheduler()]
    schedulers[1].load()
    met: set[str] = set()
    both = each = 0
    for act in acts:
        if act in ("a", "b"):
            world.run_flow(act)
            each += act == "a"
            met.add(act)
            if len(met) == 2:
                both, met = both + 1, set()
        elif act == "race":
            waiting = world.states.transitions(100)
            world.states.transitions = lambda limit, seen=waiting: seen  # type: ignore[method-assign]
            for scheduler in schedulers:
                scheduler._parts.fires.submit(scheduler._outbox.drain())
            del world.states.transitions
        elif act == "crash":
            world.states.crash_after_commit = True
            try:
                schedulers[0].step()
            except KeyboardInterrupt:
                world.scheduler = schedulers[0] = world.new_scheduler()
                schedulers[0].load()
            world.states.crash_after_commit = False
        else:
            schedulers[act == "second"].step()
    for scheduler in schedulers:
        scheduler.load()
        scheduler.step()
    assert len(world.fired("each")) == each
    assert len(world.fired("down")) == both
    assert world.states.fires == {}


def test_threads_fire_at_once_when_a_commit_is_announced() -> None:
    world = World(SystemClock().now())
    world.save("down", flow_trigger(dependsOn=[UP]))
    scheduler = world.scheduler
    scheduler._feed = world.executions
    scheduler.start()
    try:
        world.run_flow("up")
        assert _until(lambda: bool(world.fired("down")))
        assert _until(lambda: not world.states.fires)
    finally:
        scheduler.stop()
    assert scheduler._threads == []


def test_threads_wake_when_a_date_comes() -> None:
    world = World()
    world.clock = SystemClock()  # type: ignore[assignment]
    world.executions.clock = world.clock
    world.scheduler = world.new_scheduler()
    world.scheduler.start()
    try:
        world.save("f", schedule("* * * * * *", withSeconds=True))
        assert _until(lambda: len(world.fired("f")) == 1)
        world.executions.end(world.fired("f")[0].id)
        assert _until(lambda: len(world.fired("f")) == 2)
    finally:
        world.scheduler.stop()


def test_a_loop_outlives_whatever_goes_wrong_in_a_round() -> None:
    world = World()
    world.scheduler._stopping.set()

    def unforeseen() -> bool:
        raise RuntimeError("unforeseen")

    def unavailable() -> bool:
        raise StoreUnavailable("the disk is full")

    assert world.scheduler._guarded(unforeseen) is False
    assert world.scheduler._guarded(unavailable) is False


def test_the_agenda_gives_what_is_due_in_order_and_forgets_what_was_replaced() -> None:
    agenda = Agenda()
    agenda.fill([(key_of("a"), START), (key_of("b"), START + MINUTE), (key_of("c"), START + 2 * MINUTE)])
    agenda.put(key_of("a"), START + 3 * MINUTE)
    agenda.put(key_of("c"), None)
    assert agenda.next() == START + MINUTE
    assert agenda.take(START, 10) == []
    assert agenda.take(START + 5 * MINUTE, 1) == [key_of("b")]
    assert agenda.take(START + 5 * MINUTE, 10) == [key_of("a")]
    assert agenda.next() is None
    for _ in range(5000):
        agenda.put(key_of("d"), START)
        agenda.put(key_of("d"), START + MINUTE)
    assert len(agenda._heap) < 2000
    assert len(agenda) == 1


def _until(holds: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Whether something comes to hold within a few seconds."""
    patience = Event()
    for _ in range(int(seconds * 200)):
        if holds():
            return True
        patience.wait(0.005)
    return False
