"""What people write: templates anywhere, words in any case, no unknown property, both dialects' names."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pytest
from pydantic import TypeAdapter, ValidationError

from penstock.model.authored import Authored, Dynamic, Free, holds_template
from penstock.model.duration import IsoDuration
from penstock.model.flow import Check, Concurrency, Flow, Sla
from penstock.model.flow_values import Labels
from penstock.model.flowables import CheckFrequency, Loop, LoopFetch, LoopUntil, Pause, PauseBehavior, Sequential
from penstock.model.inputs import INPUT_TYPES, Input
from penstock.model.task import ConstantRetry, LogLevel, Retry, Task
from penstock.model.triggers import FlowTrigger, Schedule

INPUT: TypeAdapter[object] = TypeAdapter(Input)
RETRY: TypeAdapter[object] = TypeAdapter(Retry)


class Example(Authored):
    """A record with a property of each kind."""

    number: Dynamic[int] = 0
    wait_for: Dynamic[IsoDuration] | None = None
    names: Dynamic[list[str]] = []
    anything: Free = None


@pytest.mark.parametrize(
    "value",
    ["{{ a }}", "x {% if a %}y{% endif %}", ["a", "{{ b }}"], {"{{ k }}": 1}, {"a": [{"b": "{{ c }}"}]}],
    ids=str,
)
def test_templates_are_found_at_any_depth(value: object) -> None:
    assert holds_template(value)


@pytest.mark.parametrize("value", ["plain {x}", 1, None, ["a"], {"a": "b"}, b"{{ bytes }}"], ids=str)
def test_what_holds_none(value: object) -> None:
    assert not holds_template(value)


def test_a_dynamic_property_is_checked_at_once_unless_it_holds_a_template() -> None:
    made = Example.model_validate(
        {"number": "3", "waitFor": "PT1S", "names": '["a", "b"]', "anything": [1, {"x": None}]}
    )
    assert (made.number, made.wait_for, made.names) == (3, timedelta(seconds=1), ["a", "b"])
    later = Example.model_validate({"number": "{{ n }}", "names": ["{{ a }}"], "waitFor": "{{ d }}"})
    assert (later.number, later.names, later.wait_for) == ("{{ n }}", ["{{ a }}"], "{{ d }}")
    for wrong in ({"number": "three"}, {"waitFor": "1 second"}, {"names": "a, b"}):
        with pytest.raises(ValidationError):
            Example.model_validate(wrong)


def test_records_are_closed_and_never_change() -> None:
    with pytest.raises(ValidationError, match="extra_forbidden"):
        Example.model_validate({"nubmer": 1})
    with pytest.raises(ValidationError, match="frozen"):
        Example(number=1).number = 2  # pyright: ignore[reportAttributeAccessIssue]


def test_words_are_read_in_any_case() -> None:
    assert Concurrency.model_validate({"limit": 1, "behavior": "cancel"}).behavior == "CANCEL"
    assert Task.model_validate({"id": "t", "type": "x", "logLevel": "warn"}).log_level is LogLevel.WARN
    assert Schedule.model_validate({"id": "s", "type": "x", "cron": "@daily", "stopAfter": ["failed"]}).stop_after == [
        "FAILED"
    ]
    assert Pause.model_validate({"id": "p", "type": "x", "behavior": "Warn"}).behavior is PauseBehavior.WARN


def test_both_names_of_a_property_mean_the_same() -> None:
    old = {"type": "constant", "interval": "PT1S"}
    assert RETRY.validate_python({**old, "maxAttempt": 3}) == RETRY.validate_python({**old, "maxAttempts": 3})
    assert Check.model_validate({"condition": "a"}) == Check.model_validate({"when": "a"})
    assert (
        Task.model_validate({"id": "t", "type": "x", "runIf": "a"}).run_if
        == Task.model_validate({"id": "t", "type": "x", "when": "a"}).run_if
        == "a"
    )


def test_a_retry_is_of_the_kind_it_names() -> None:
    made = RETRY.validate_python({"type": "constant", "interval": "PT1S", "maxDuration": "PT1M"})
    assert isinstance(made, ConstantRetry)
    assert (made.interval, made.max_duration, made.max_attempts) == (timedelta(seconds=1), timedelta(minutes=1), None)
    for wrong in (
        {"type": "constant"},
        {"type": "linear", "interval": "PT1S"},
        {"type": "exponential", "interval": "PT1S"},
        {"type": "random", "minInterval": "PT1S"},
        {"type": "constant", "interval": "PT1S", "maxAttempts": 0},
    ):
        with pytest.raises(ValidationError):
            RETRY.validate_python(wrong)


@pytest.mark.parametrize(
    "written",
    [{"a": 1, "b": True}, [{"key": "a", "value": "1"}, {"key": "b", "value": True}]],
    ids=["map", "list"],
)
def test_labels_become_a_list(written: object) -> None:
    made = TypeAdapter(Labels).validate_python(written)
    assert [(label.key, label.value) for label in made] == [("a", "1"), ("b", "true")]


@pytest.mark.parametrize("kind", INPUT_TYPES)
def test_every_input_type(kind: str) -> None:
    own: Mapping[str, object] = {"ARRAY": {"itemType": "STRING"}, "FORM": {"inputs": []}}.get(kind, {})
    made = INPUT.validate_python({"id": "a.b", "type": kind.lower(), **own})
    assert getattr(made, "type") == kind  # noqa: B009
    assert getattr(made, "required") is True  # noqa: B009


def test_inputs_have_the_properties_of_their_type_only() -> None:
    assert INPUT.validate_python({"name": "older", "type": "STRING"}) == INPUT.validate_python(
        {"id": "older", "type": "STRING"}
    )
    for wrong in (
        {"id": "a", "type": "STRING", "max": 1},
        {"id": "a", "type": "ARRAY"},
        {"id": "a", "type": "NOPE"},
        {"id": "a b", "type": "STRING"},
        {"type": "STRING"},
    ):
        with pytest.raises(ValidationError):
            INPUT.validate_python(wrong)


def test_defaults_that_the_language_promises() -> None:
    child = Task(id="c", type="x")
    loop = Loop.model_validate({"id": "l", "type": Loop.TYPE, "values": [], "tasks": [child]})
    assert (loop.concurrency_limit, loop.transmit_failed, loop.fetch_type) == (1, True, LoopFetch.AUTO)
    until = LoopUntil.model_validate({"id": "u", "type": LoopUntil.TYPE, "condition": "x", "tasks": [child]})
    assert until.check_frequency == CheckFrequency()
    assert until.fail_on_max_reached is False
    assert FlowTrigger(id="t", type=FlowTrigger.TYPE).mode == "ALL"
    assert (
        Sla.model_validate({"id": "s", "type": "EXECUTION_ASSERTION", "behavior": "NONE", "assert": "x"}).assert_ == "x"
    )


def test_children_keep_their_own_class_and_its_properties() -> None:
    inner = Sequential.model_validate({"id": "inner", "type": Sequential.TYPE, "tasks": [Task(id="c", type="x")]})
    flow = Flow.model_validate({"id": "f", "namespace": "n", "tasks": [inner]})
    assert flow.tasks[0] is inner
    dumped = flow.model_dump(by_alias=True, exclude_none=True, mode="json")
    assert dumped["tasks"][0]["tasks"][0]["id"] == "c"


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "-a"},
        {"id": "a" * 101},
        {"namespace": "Upper"},
        {"namespace": ""},
        {"tasks": []},
        {"concurrency": {"limit": 0}},
        {"nope": 1},
    ],
    ids=str,
)
def test_a_flow_that_is_not_valid_by_itself(wrong: Mapping[str, object]) -> None:
    valid: dict[str, object] = {"id": "f", "namespace": "n", "tasks": [Task(id="t", type="x")]}
    Flow.model_validate(valid)
    with pytest.raises(ValidationError):
        Flow.model_validate({**valid, **wrong})
