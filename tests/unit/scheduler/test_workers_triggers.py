"""Polling and realtime triggers: evaluated by workers, driven by the scheduler."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from datetime import timedelta

from penstock.errors import StoreUnavailable, TaskFailed
from penstock.model.duration import IsoDuration
from penstock.model.state import State
from penstock.model.triggers import Trigger
from penstock.scheduler import Emit, Ended, Polled, TriggerWork

from .fakes import World, key_of

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


class Poll(Trigger):
    interval: IsoDuration = MINUTE

    def evaluate(self) -> None: ...


class Stream(Trigger):
    topic: str = "a"

    def stream(self) -> None: ...


class Workers:
    """A `TriggerEvaluator` whose answers the test gives."""

    def __init__(self) -> None:
        self.polls: list[tuple[TriggerWork, Future[Polled]]] = []
        self.streams: dict[str, tuple[TriggerWork, Emit, Ended]] = {}
        self.stopped: list[str] = []
        self.refuse: Exception | None = None

    def evaluate(self, work: TriggerWork) -> Future[Polled]:
        future: Future[Polled] = Future()
        self.polls.append((work, future))
        return future

    def stream(self, work: TriggerWork, emit: Emit, ended: Ended) -> Callable[[], None]:
        if self.refuse is not None:
            raise self.refuse
        name = work.key.flow_id
        self.streams[name] = (work, emit, ended)
        return lambda: self.stopped.append(name)

    def answer(self, variables: Mapping[str, object] | None = None, *, fault: Exception | None = None) -> None:
        _, future = self.polls[-1]
        if fault is not None:
            future.set_exception(fault)
        else:
            future.set_result(Polled(variables, worker_id="w1"))


def world_with(*triggers: Trigger) -> tuple[World, Workers]:
    workers = Workers()
    world = World(evaluator=workers)
    world.save("f", *triggers)
    world.settle()
    return world, workers


def poll(**properties: object) -> Poll:
    return Poll.model_validate({"id": "t", "type": "io.example.Poll", **properties})


def stream(**properties: object) -> Stream:
    return Stream.model_validate({"id": "t", "type": "io.example.Stream", **properties})


def test_it_is_evaluated_at_once_then_an_interval_after_each_end() -> None:
    world, workers = world_with(poll())
    assert len(workers.polls) == 1
    world.pass_time(5 * MINUTE)
    assert len(workers.polls) == 1, "one at a time"
    workers.answer()
    world.settle()
    world.pass_time(59 * SECOND)
    assert len(workers.polls) == 1
    world.pass_time(SECOND)
    assert len(workers.polls) == 2
    assert world.outcomes("f") == ["SKIPPED"]
    assert world.row("f").worker_id == "w1"


def test_what_it_finds_becomes_an_execution_with_the_id_it_was_given() -> None:
    world, workers = world_with(poll(inputs={"n": "{{ trigger.count }}"}))
    workers.answer({"count": 3})
    world.settle(end=False)
    fired = world.fired("f")[0]
    assert fired.id == workers.polls[0][0].execution_id
    assert world.variables(fired) == {"count": 3}
    assert world.context(fired).inputs == {"n": 3}
    world.pass_time(5 * MINUTE, end=False)
    assert len(workers.polls) == 1, "not while its execution lives"
    assert world.outcomes("f") == ["FIRED", "LIMITED"]
    world.executions.end(fired.id)
    world.settle()
    assert len(workers.polls) == 2


def test_an_evaluation_that_fails_is_said_and_repeated() -> None:
    world, workers = world_with(poll())
    workers.answer(fault=TaskFailed("no connection"))
    world.settle()
    assert world.fired("f") == []
    assert world.outcomes("f") == ["ERROR"]
    assert any(line.level == "WARN" and "no connection" in line.message for line in world.states.logs)
    world.pass_time(MINUTE)
    assert len(workers.polls) == 2


def test_fail_on_trigger_error_makes_a_failed_execution() -> None:
    world, workers = world_with(poll(failOnTriggerError=True))
    workers.answer(fault=TaskFailed("no connection"))
    world.settle()
    assert [world.executions.final[e.id] for e in world.fired("f")] == [State.FAILED]


def test_conditions_are_asked_before_the_worker() -> None:
    world, workers = world_with(poll(when="{{ trigger.id == 'other' }}"))
    assert workers.polls == []
    assert world.outcomes("f") == ["SKIPPED"]
    world.pass_time(2 * MINUTE)
    assert world.outcomes("f") == ["SKIPPED"] * 3


def test_an_answer_for_a_trigger_that_was_disabled_starts_nothing() -> None:
    world, workers = world_with(poll())
    world.triggers.set_disabled(key_of("f"), disabled=True)
    workers.answer({"count": 1})
    world.pass_time(5 * MINUTE)
    assert world.fired("f") == []
    assert len(workers.polls) == 1


def test_a_store_that_is_down_keeps_the_answer() -> None:
    world, workers = world_with(poll())
    workers.answer({"count": 1})
    world.states.down = True
    assert world.scheduler._guarded(world.scheduler._dates_round) is False
    world.states.down = False
    world.settle()
    assert len(world.fired("f")) == 1


def test_each_event_of_a_stream_is_an_execution_stored_before_it_returns() -> None:
    world, workers = world_with(stream())
    _, emit, _ = workers.streams["f"]
    first = emit({"value": 1})
    assert first in world.states.fires or first in world.executions.stored
    emit({"value": 2})
    world.settle(end=False)
    assert [world.variables(e)["value"] for e in world.fired("f")] == [1, 2]
    assert world.row("f").execution_id == world.fired("f")[1].id
    world.states.down = True
    try:
        emit({"value": 3})
    except StoreUnavailable:
        pass
    else:
        raise AssertionError("an event that is not stored must be told to its source")


def test_a_stream_is_kept_replaced_and_stopped_as_its_flow_says() -> None:
    world, workers = world_with(stream())
    first = workers.streams["f"][0]
    world.save("f", stream())
    world.settle()
    assert workers.streams["f"][0] is first
    world.save("f", stream(topic="b"))
    world.settle()
    assert workers.stopped == ["f"]
    assert workers.streams["f"][0] is not first
    world.triggers.set_disabled(key_of("f"), disabled=True)
    world.settle()
    assert workers.stopped == ["f", "f"]
    world.triggers.set_disabled(key_of("f"), disabled=False)
    world.settle()
    world.triggers.restart(key_of("f"))
    world.settle()
    assert workers.stopped == ["f", "f", "f"]
    world.save("f", stream(topic="b", disabled=True))
    world.settle()
    assert workers.stopped == ["f"] * 4
    world.save("f", stream(topic="b"))
    world.settle()
    world.delete("f")
    assert workers.stopped == ["f"] * 5
    assert not world.scheduler._streams.running(key_of("f"))


def test_a_stream_that_cannot_start_makes_one_failed_execution_and_tries_again() -> None:
    workers = Workers()
    workers.refuse = TaskFailed("no broker")
    world = World(evaluator=workers)
    world.save("f", stream())
    world.settle()
    world.pass_time(10 * SECOND)
    assert [world.executions.final[e.id] for e in world.fired("f")] == [State.FAILED]
    message = "Realtime trigger failed to be created in the worker with error: no broker"
    assert any(line.message == message for line in world.states.logs)
    assert world.outcomes("f").count("ERROR") >= 3
    workers.refuse = None
    world.pass_time(2 * MINUTE)
    assert world.scheduler._streams.running(key_of("f"))


def test_a_stream_that_ends_starts_again_also_after_a_restart() -> None:
    world, workers = world_with(stream())
    workers.streams["f"][2](None)
    world.settle()
    assert not world.scheduler._streams.running(key_of("f"))
    world.pass_time(2 * SECOND)
    assert world.scheduler._streams.running(key_of("f"))
    workers.streams.clear()
    world.scheduler.stop()
    assert workers.stopped == ["f"]
    world.restart()
    world.settle()
    assert "f" in workers.streams
