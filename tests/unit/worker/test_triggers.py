"""Polling and realtime triggers on a worker."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator, Mapping

import pytest

from penstock.errors import TaskFailed
from penstock.plugin import PollingTrigger, RealtimeTrigger, RunContext
from penstock.testing.task_desk import TaskDesk
from penstock.worker import TriggerPlace, TriggerRunner

PLACE = TriggerPlace("main", "company.team", "desk", 3, "exec-to-be", {"vars": {"limit": 2}})


class Looks(PollingTrigger):
    mode: str

    def evaluate(self, ctx: RunContext) -> Mapping[str, object] | None:
        ctx.logger.info(ctx.render("looking for {{ trigger.id }} of {{ flow.revision }}"))
        if self.mode == "fails":
            raise OSError("no such host")
        if self.mode == "nothing":
            return None
        return {"uri": ctx.storage.put("found.txt", b"x"), "limit": ctx.render("{{ vars.limit }}", int)}


class LooksLater(PollingTrigger):
    async def evaluate(self, ctx: RunContext) -> Mapping[str, object] | None:
        return {"id": ctx.flow_id}


class Events(RealtimeTrigger):
    count: int

    def stream(self, ctx: RunContext) -> Iterator[Mapping[str, object]]:
        for number in range(self.count):
            yield {"n": number}
        if self.count > 2:
            raise TaskFailed("the stream broke")


class AsyncEvents(RealtimeTrigger):
    async def stream(self, ctx: RunContext) -> AsyncIterator[Mapping[str, object]]:
        number = 0
        while not ctx.is_killed():
            number += 1
            yield {"n": number}


@pytest.fixture
def runner(desk: TaskDesk) -> Iterator[TriggerRunner]:
    made = TriggerRunner(desk.notes, desk.equipment)
    yield made
    made.close()


def looks(mode: str) -> Looks:
    return Looks(id="watch", type="acme.Looks", mode=mode)


def test_an_evaluation_gives_variables_and_files_of_the_execution_to_start(
    desk: TaskDesk, runner: TriggerRunner
) -> None:
    found = runner.evaluate(looks("finds"), PLACE).result(10)
    assert found == {
        "uri": "kestra:///company/team/desk/executions/exec-to-be/trigger/watch/found.txt",
        "limit": 2,
    }
    line = next(entry for entry in desk.notes.logs if entry.level == "INFO")
    assert (line.trigger_id, line.execution_id, line.message) == ("watch", None, "looking for watch of 3")
    assert desk.notes.logs[0].message == "Type Looks started"


def test_nothing_found_and_coroutines(runner: TriggerRunner) -> None:
    assert runner.evaluate(looks("nothing"), PLACE).result(10) is None
    assert runner.evaluate(LooksLater(id="later", type="acme.Later"), PLACE).result(10) == {"id": "desk"}


def test_a_failing_evaluation_fails_and_is_logged(desk: TaskDesk, runner: TriggerRunner) -> None:
    with pytest.raises(TaskFailed, match="no such host"):
        runner.evaluate(looks("fails"), PLACE).result(10)
    assert any(entry.level == "ERROR" and "no such host" in entry.message for entry in desk.notes.logs)


@pytest.mark.parametrize("count", [2, 3])
def test_a_stream_hands_on_every_event_and_says_how_it_ended(runner: TriggerRunner, count: int) -> None:
    seen: list[object] = []
    ends: list[BaseException | None] = []
    over = threading.Event()

    def ended(problem: BaseException | None) -> None:
        ends.append(problem)
        over.set()

    runner.stream(Events(id="e", type="acme.E", count=count), PLACE, emit=lambda v: seen.append(v["n"]), ended=ended)
    assert over.wait(10)
    assert seen == list(range(count))
    assert (ends[0] is None) == (count == 2)


def test_a_stopped_stream_calls_nobody_any_more(runner: TriggerRunner) -> None:
    seen: list[object] = []
    started, ends = threading.Event(), []

    def emit(variables: Mapping[str, object]) -> None:
        seen.append(variables["n"])
        started.set()

    stop = runner.stream(AsyncEvents(id="a", type="acme.A"), PLACE, emit=emit, ended=ends.append)
    assert started.wait(10)
    stop()
    thread = next((t for t in threading.enumerate() if t.name == "worker_stream_desk_a"), None)
    if thread is not None:
        thread.join(10)
        assert not thread.is_alive()
    assert ends == []
