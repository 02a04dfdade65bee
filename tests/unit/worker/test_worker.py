"""Jobs in, reports out."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import Awaitable
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.expr import Secret
from penstock.model.job import JobKind
from penstock.model.state import State
from penstock.model.task import LogLevel, Task
from penstock.plugin import Ended, Returned, RunContext, RunnableTask, TaskFailed
from penstock.plugin.dynamic_run import DynamicRun
from penstock.testing.task_desk import TaskDesk

RETURN = "io.kestra.plugin.core.debug.Return"
LOG = "io.kestra.plugin.core.log.Log"
SLEEP = "io.kestra.plugin.core.flow.Sleep"

GATES: dict[str, threading.Event] = {}


class Held(RunnableTask):
    """Waits at a gate, deaf to kills unless `listens`."""

    gate: str
    listens: bool = False

    def run(self, ctx: RunContext) -> Returned:
        ctx.logger.info("at the gate")
        if self.listens:
            ctx.on_kill(GATES[self.gate].set)
        GATES[self.gate].wait(30)
        return {"passed": True}


class Careful(RunnableTask):
    """Returns as its property says."""

    mode: str

    def run(self, ctx: RunContext) -> Returned | Awaitable[Returned]:
        match self.mode:
            case "warning":
                return Ended({"n": 1}, State.WARNING)
            case "partial":
                raise TaskFailed("half done", outputs={"done": 1})
            case "crash":
                return {}["nothing"]
            case "async":
                return self._later()
            case _:
                ctx.add_dynamic_run(DynamicRun("model_a", State.WARNING, timedelta(seconds=2), {"rows": 3}))
                return {}

    async def _later(self) -> Returned:
        await asyncio.sleep(0)
        return {"later": True}


class Pausing(RunnableTask):
    """Waits a little, or until it is killed."""

    def run(self, ctx: RunContext) -> Returned:
        return {"killed": ctx.wait(timedelta(milliseconds=3))}


def careful(mode: str) -> Careful:
    return Careful(id="careful", type="test", mode=mode)


@pytest.fixture
def gate() -> str:
    name = f"gate-{len(GATES)}"
    GATES[name] = threading.Event()
    return name


def test_a_quick_task_is_reported_in_one_go(desk: TaskDesk) -> None:
    result = desk.run_type(RETURN, {"name": "Ada"}, format="Hi {{ name }}")
    assert (result.state, result.outputs) == (State.SUCCESS, {"value": "Hi Ada"})
    assert desk.notes.starts == []
    assert desk.lines(result) == [("DEBUG", "Hi Ada")]
    assert {(m.name, m.type.value) for m in result.metrics} == {("length", "counter"), ("duration", "timer")}
    assert result.metrics[0].value == 6
    assert result.worker_id == "desk"
    assert result.started_at <= result.ended_at


def test_a_longer_task_says_when_it_starts(desk: TaskDesk) -> None:
    result = desk.run_type(SLEEP, duration="PT0.001S")
    assert result.state is State.SUCCESS
    assert [(s.task_run_id, s.stamp) for s in desk.notes.starts] == [(result.task_run_id, 1)]


def test_a_failure_is_one_error_line_and_its_trace_at_debug(desk: TaskDesk) -> None:
    result = desk.run_type("io.kestra.plugin.core.execution.Fail", {"why": "x"}, errorMessage="broke: {{ why }}")
    assert (result.state, result.error) == (State.FAILED, "broke: x")
    (level, message), (trace_level, trace) = desk.lines(result)
    assert (level, message) == ("ERROR", "broke: x")
    assert trace_level == "DEBUG"
    assert "Traceback" in trace


def test_a_failing_template_fails_the_task_run_and_shows_the_place(desk: TaskDesk) -> None:
    result = desk.run_type(RETURN, format="{{ nothing.here }}")
    assert result.state is State.FAILED
    assert "Unable to find `nothing` used in the expression" in (result.error or "")


def test_outputs_of_warnings_failures_and_crashes(desk: TaskDesk) -> None:
    warned = desk.run(careful("warning"))
    assert (warned.state, warned.outputs) == (State.WARNING, {"n": 1})
    partial = desk.run(careful("partial"))
    assert (partial.state, partial.outputs, partial.error) == (State.FAILED, {"done": 1}, "half done")
    crashed = desk.run(careful("crash"))
    assert (crashed.state, crashed.error) == (State.FAILED, "KeyError: 'nothing'")


def test_an_asynchronous_task_and_dynamic_runs(desk: TaskDesk) -> None:
    assert desk.run(careful("async")).outputs == {"later": True}
    (child,) = desk.run(careful("dynamic")).children
    assert (child.run.task_id, child.run.state, child.run.dynamic) == ("model_a", State.WARNING, True)
    assert child.outputs == {"rows": 3}
    assert child.run.histories[-1].date - child.run.histories[0].date == timedelta(seconds=2)


def test_a_task_that_is_not_runnable_fails_with_its_name(desk: TaskDesk) -> None:
    result = desk.run(Task(id="odd", type="acme.Odd"))
    assert "odd of type acme.Odd cannot be run by a worker" in (result.error or "")


def test_timeout_ends_an_asynchronous_task(desk: TaskDesk) -> None:
    result = desk.run_type(SLEEP, duration="PT60S", timeout="{{ 'PT0.05S' }}")
    assert (result.state, result.error) == (State.FAILED, "Timeout after 00:00:00.050")
    assert desk.lines(result) == [("ERROR", "Timeout after 00:00:00.050")]


def test_timeout_ends_a_task_that_listens_and_keeps_its_outputs(desk: TaskDesk, gate: str) -> None:
    result = desk.run(Held(id="held", type="test", gate=gate, listens=True, timeout=timedelta(milliseconds=50)))
    assert (result.state, result.outputs) == (State.FAILED, {"passed": True})
    assert result.error == "Timeout after 00:00:00.050"


def test_an_attempt_that_does_not_end_is_given_up_and_its_thread_replaced(gate: str) -> None:
    with TaskDesk(threads=1, grace=timedelta(milliseconds=50)) as desk:
        result = desk.run(Held(id="held", type="test", gate=gate, timeout=timedelta(milliseconds=50)))
        assert (result.state, result.outputs) == (State.FAILED, None)
        assert desk.run_type(RETURN, format="next").outputs == {"value": "next"}
        GATES[gate].set()
        assert desk.run_type(RETURN, format="after").outputs == {"value": "after"}
        assert [r.task_run_id for r in desk.notes.results].count(result.task_run_id) == 1


def test_kill_ends_running_attempts_of_the_execution_only(desk: TaskDesk, gate: str) -> None:
    task = Held(id="held", type="test", gate=gate, listens=True)
    ours = desk.send(desk.job(task))
    sleeping = desk.send(desk.job(desk.task(SLEEP, duration="PT60S")))
    other = desk.send(desk.job(desk.task(SLEEP, duration="PT60S"), execution_id="other"))
    desk.notes.wait_until(lambda notes: len(notes.starts) == 3)
    desk.queue.kill("exec")
    assert desk.notes.wait_for(ours.task_run_id).state is State.KILLED
    assert desk.notes.wait_for(sleeping.task_run_id).state is State.KILLED
    desk.queue.kill("other", other.task_run_id)
    assert desk.notes.wait_for(other.task_run_id).state is State.KILLED


def test_jobs_of_a_killed_execution_do_not_start_unless_forced(desk: TaskDesk) -> None:
    desk.queue.kill("exec")
    task = desk.task(RETURN, format="x")
    assert desk.run(task).state is State.KILLED
    assert desk.run(task, force=True).state is State.SUCCESS
    desk.queue.forget("exec")
    assert desk.run(task).state is State.SUCCESS


def test_lines_of_a_running_attempt_are_sent_before_it_ends(desk: TaskDesk, gate: str) -> None:
    job = desk.send(desk.job(Held(id="held", type="test", gate=gate)))
    desk.notes.wait_until(lambda notes: [entry.message for entry in notes.logs] == ["at the gate"])
    GATES[gate].set()
    assert desk.notes.wait_for(job.task_run_id).logs == []


def test_quick_tasks_go_on_while_all_but_one_thread_is_held(desk: TaskDesk) -> None:
    gates = [f"held-{n}" for n in range(3)]
    GATES.update({name: threading.Event() for name in gates})
    for name in gates:
        desk.send(desk.job(Held(id="held", type="test", gate=name)))
    assert desk.run_type(RETURN, format="through").outputs == {"value": "through"}
    for name in gates:
        GATES[name].set()
    desk.notes.wait_until(lambda notes: len(notes.results) == 4)


def test_log_level_filters_and_long_messages_are_split(desk: TaskDesk) -> None:
    quiet = desk.run_type(LOG, message="hush", level="DEBUG", logLevel="INFO")
    assert desk.lines(quiet) == []
    long = desk.run_type(LOG, message="x" * 40_000)
    assert [len(message) for message in desk.messages(long)] == [15 * 1024, 15 * 1024, 40_000 - 30 * 1024]


def test_log_to_file_keeps_lines_in_storage(desk: TaskDesk) -> None:
    result = desk.run_type(LOG, message="Hello World!", logToFile=True)
    assert desk.lines(result) == []
    assert desk.read(result.log_file).decode().endswith("INFO  Hello World!\n")


def test_secrets_are_masked_in_lines_errors_and_outputs(desk: TaskDesk) -> None:
    desk.platform.secret_texts["TOKEN"] = "very-secret\nsecond line here"
    shown = desk.run_type(RETURN, format="a {{ secret('TOKEN') }} {{ secret('TOKEN') | base64encode }}")
    failed = desk.run_type("io.kestra.plugin.core.execution.Fail", errorMessage="no {{ secret('TOKEN') }}")
    line = desk.run_type(LOG, message=["{{ secret('TOKEN') | length }}", "second line here"])
    assert shown.outputs == {"value": "a ****** ******"}
    assert failed.error == "no ******"
    assert desk.messages(line)[1] == "******"
    assert not any("very-secret" in entry.message for entry in desk.notes.logs)


def test_given_secret_values_are_masked_too(desk: TaskDesk) -> None:
    result = desk.run(desk.task(RETURN, format="pw hunter22"), secret_values=["hunter22"])
    assert result.outputs == {"value": "pw ******"}


def test_evaluate_renders_values_of_any_nesting_and_keeps_types(desk: TaskDesk) -> None:
    desk.platform.secret_texts["K"] = "key"
    templates = {"if": "{{ n > 1 }}", "nested": {"list": ["{{ n }}", "{{ secret('K') }}"]}}
    result = desk.run(Task(id="if", type="x"), {"n": 2}, kind=JobKind.EVALUATE, templates=templates)
    assert result.values == {"if": True, "nested": {"list": [2, "key"]}}
    assert isinstance(result.values["nested"]["list"][1], Secret)  # pyright: ignore[reportIndexIssue]
    stored = desk.run(Task(id="loop", type="x"), {"n": 2}, kind=JobKind.EVALUATE, templates=templates, store="o.ion")
    assert b"list:[2," in desk.read((stored.values or {})["uri"])


def test_evaluate_reports_a_failing_template(desk: TaskDesk) -> None:
    result = desk.run(Task(id="if", type="x"), kind=JobKind.EVALUATE, templates={"if": "{{ gone }}"})
    assert result.state is State.FAILED
    assert result.values is None


def test_stopping_waits_for_what_runs(gate: str) -> None:
    desk = TaskDesk()
    desk.send(desk.job(Held(id="held", type="test", gate=gate)))
    desk.notes.wait_until(lambda notes: notes.starts)
    threading.Timer(0.05, GATES[gate].set).start()
    assert desk.worker.stop(grace=timedelta(seconds=10))
    assert [result.state for result in desk.notes.results] == [State.SUCCESS]
    desk.close()


def test_what_has_not_ended_when_the_worker_stops_is_not_reported(gate: str) -> None:
    desk = TaskDesk()
    desk.send(desk.job(desk.task(SLEEP, duration="PT60S")))
    desk.send(desk.job(Held(id="held", type="test", gate=gate, listens=True)))
    desk.notes.wait_until(lambda notes: len(notes.starts) == 2)
    assert not desk.worker.stop()
    assert desk.notes.results == []
    desk.close()


def test_level_of_a_line_may_be_a_template(desk: TaskDesk) -> None:
    result = desk.run_type(LOG, {"l": "error"}, message="m", level="{{ l }}")
    assert desk.lines(result) == [(LogLevel.ERROR.value, "m")]


@given(
    st.lists(st.sampled_from(["quick", "sleep", "fail", "timeout", "held", "async"]), max_size=40), st.integers(0, 40)
)
@settings(max_examples=15, deadline=None)
def test_every_job_is_reported_once_whatever_is_killed(kinds: list[str], killed_after: int) -> None:
    with TaskDesk(threads=3) as desk:
        tasks = {
            "quick": desk.task(RETURN, format="x"),
            "sleep": desk.task(SLEEP, duration="PT0.002S"),
            "fail": careful("crash"),
            "timeout": desk.task(SLEEP, duration="PT60S", timeout="PT0.002S"),
            "held": Pausing(id="p", type="test"),
            "async": careful("async"),
        }
        for number, kind in enumerate(kinds):
            if number == killed_after:
                desk.queue.kill("exec")
            desk.send(desk.job(tasks[kind], task_run_id=str(number)))
        desk.notes.wait_until(lambda notes: len(notes.results) >= len(kinds))
        assert sorted(r.task_run_id for r in desk.notes.results) == sorted(map(str, range(len(kinds))))
        by_id = {r.task_run_id: r.state for r in desk.notes.results}
        assert all(by_id[str(n)] is State.KILLED for n in range(len(kinds)) if n >= killed_after)
        desk.notes.wait_until(lambda _: desk.worker.busy == 0)


def test_secrets_in_metrics_and_stored_values_are_plain_and_masked(desk: TaskDesk) -> None:
    desk.platform.secret_texts["K"] = "hidden-text"
    result = desk.run_type(
        "io.kestra.plugin.core.metric.Publish",
        metrics=[{"type": "counter", "name": "n", "value": 1, "tags": {"t": "is {{ secret('K') }}"}}],
    )
    assert result.metrics[0].tags == {"t": "is ******"}
    assert b"hidden-text" not in msgspec.json.encode([result.metrics, result.logs, result.outputs])


FORMS = [
    "{{ s }}", "a{{ s }}b", "{{ s | upper }}{{ s }}", "{{ s | base64encode }}", "{{ ('x' ~ s) | base64encode }}",
    "{{ s | urlencode }}", "{{ s | json }}", "{{ {'k': s} | json }}", "{{ [s, s] }}", "{{ s | trim }}",
    "{{ s | title }}{{ s }}",
    "{{ s | replace({'-': '-'}) }}", "https://u:{{ s }}@host/?t={{ s | urlencode }}", "{{ s ~ s }}",
    "{{ render('{{ s }}') }}",
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("way", ["output", "log", "error", "nested"])
def test_no_form_of_a_secret_leaves_the_worker(desk: TaskDesk, form: str, way: str) -> None:
    desk.platform.secret_texts["S"] = "pa55-w0rd/with+signs"
    template = "{% set s = secret('S') %}" + form
    kinds: dict[str, tuple[str, dict[str, object]]] = {
        "output": (RETURN, {"format": template}),
        "log": (LOG, {"message": template}),
        "error": ("io.kestra.plugin.core.execution.Fail", {"errorMessage": template}),
        "nested": ("io.kestra.plugin.core.output.OutputValues", {"values": {"a": {"b": [template]}}}),
    }
    kind, properties = kinds[way]
    result = desk.run_type(kind, {"s": None}, **properties)
    sent = msgspec.json.encode([result.outputs, result.error, result.logs, result.metrics]).decode()
    assert "pa55-w0rd" not in sent
    assert base64.b64encode(b"pa55-w0rd/with+signs").decode() not in sent
