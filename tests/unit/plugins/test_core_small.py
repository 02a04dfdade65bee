"""Log, Fail, Assert, OutputValues, metrics, templated tasks, toggles."""

from __future__ import annotations

import pytest

from penstock.model.state import State
from penstock.testing.task_desk import TaskDesk

CORE = "io.kestra.plugin.core."


def test_log_takes_several_messages(desk: TaskDesk) -> None:
    result = desk.run_type(CORE + "log.Log", {"n": 1}, message=["a {{ n }}", "b"], level="WARN")
    assert desk.lines(result) == [("WARN", "a 1"), ("WARN", "b")]


def test_echo_logs_its_format(desk: TaskDesk) -> None:
    result = desk.run_type(CORE + "debug.Echo", format="{{ task.id }}")
    assert desk.lines(result) == [("INFO", "task")]


@pytest.mark.parametrize(("condition", "state"), [("{{ false }}", State.SUCCESS), ("no", State.FAILED)])
def test_fail_by_condition_logs_its_message(desk: TaskDesk, condition: str, state: State) -> None:
    result = desk.run_type(CORE + "execution.Fail", condition=condition, errorMessage="mine")
    assert result.state is state
    if state is State.FAILED:
        assert desk.messages(result)[:2] == ["mine", "Fail on a condition"]


def test_fail_without_properties(desk: TaskDesk) -> None:
    assert desk.run_type(CORE + "execution.Fail").error == "Task failure"


def test_assert_counts_what_failed(desk: TaskDesk) -> None:
    fine = desk.run_type(CORE + "execution.Assert", {"n": 5}, conditions=["{{ n > 0 }}", "{{ n < 10 }}"])
    assert fine.state is State.SUCCESS
    bad = desk.run_type(
        CORE + "execution.Assert",
        {"n": 50},
        conditions=["{{ n > 0 }}", "{{ n < 10 }}", "{{ gone }}"],
        errorMessage="out",
    )
    assert bad.state is State.FAILED
    assert bad.error == "2 assertions failed: out"
    assert {m.name: m.value for m in bad.metrics} == {"failed": 2, "success": 1}
    assert desk.messages(bad)[0] == "Assertion `{{ n < 10 }}` failed"


def test_output_values_render_texts_to_texts(desk: TaskDesk) -> None:
    values = {"list": "{{ l }}", "text": "n={{ 1 }}", "plain": 3, "deep": {"a": ["{{ true }}"]}}
    result = desk.run_type(CORE + "output.OutputValues", {"l": [1, 2]}, values=values)
    assert result.outputs == {"values": {"list": "[1,2]", "text": "n=1", "plain": 3, "deep": {"a": ["true"]}}}
    whole = desk.run_type(CORE + "output.OutputValues", {"m": {"x": 1}}, values="{{ m }}")
    assert whole.outputs == {"values": {"x": 1}}


def test_publish_metrics(desk: TaskDesk) -> None:
    metrics = [
        {"type": "counter", "name": "rows", "value": "{{ 1 + 1 }}", "tags": {"a": "{{ flow.id }}"}},
        {"type": "gauge", "name": "load", "value": 0.5},
        {"type": "timer", "name": "took", "value": "PT1.5S"},
    ]
    result = desk.run_type(CORE + "metric.Publish", metrics=metrics)
    assert [(m.type.value, m.name, m.value) for m in result.metrics] == [
        ("counter", "rows", 2),
        ("gauge", "load", 0.5),
        ("timer", "took", 1500),
    ]
    assert result.metrics[0].tags == {"a": "desk"}


def templated(desk: TaskDesk, spec: str) -> tuple[State, object, str]:
    result = desk.run_type(CORE + "templating.TemplatedTask", {"vars": {"t": CORE + "debug.Return"}}, spec=spec)
    return result.state, result.outputs, result.error or ""


def test_templated_task(desk: TaskDesk) -> None:
    assert templated(desk, "type: {{ vars.t }}\nformat: It's alive!")[1] == {"value": "It's alive!"}
    assert templated(desk, f"type: {CORE}flow.Sleep\nduration: PT0.001S")[0] is State.SUCCESS


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (f"type: {CORE}flow.Pause", "must be a runnable task"),
        (f"type: {CORE}templating.TemplatedTask\nspec: x", "cannot be of type"),
        ("[1, 2", "is not YAML"),
        ("just text", "with a `type`"),
        (f"type: {CORE}flow.Sleep", "is not valid"),
    ],
)
def test_templated_task_refuses(desk: TaskDesk, spec: str, message: str) -> None:
    state, _, error = templated(desk, spec)
    assert state is State.FAILED
    assert message in error


def test_toggle(desk: TaskDesk) -> None:
    desk.platform.triggers["company.team", "desk", "daily"] = True
    assert desk.run_type(CORE + "trigger.Toggle", trigger="daily").state is State.SUCCESS
    assert desk.platform.triggers == {("company.team", "desk", "daily"): False}
    missing = desk.run_type(CORE + "trigger.Toggle", trigger="gone", flowId="f", namespace="n", enabled=True)
    assert missing.error == "Unable to find trigger gone for the flow n.f"
