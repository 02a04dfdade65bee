from __future__ import annotations

from typing import Any

import pytest

from penstock.errors import Conflict, NotFound, Unprocessable
from penstock.model.state import State
from penstock.scheduler import Firing, Received, WebhookRequest, receive
from penstock.scheduler.webhook import request_variables

from .fakes import FakeLauncher, World, condition, webhook


def ask(world: World, key: str = "secret", body: bytes = b"", **request: Any) -> Received:
    flow = next(iter(world.flows.flows.values()), None)
    firing = Firing(FakeLauncher(world.clock), world.renderer_of)
    asked = WebhookRequest(body, **request)
    return receive(flow, key, asked, firing=firing, execution_id="e1", now=world.clock.now())


def test_body_headers_and_parameters_are_the_execution_s_variables() -> None:
    world = World()
    world.save("f", webhook(inputs={"a": "{{ trigger.body.a }}"}), labels={"flow-label": "x"})
    received = ask(
        world,
        body=b'{"a": 1, "b": true}',
        headers={"Content-Type": ["application/json"]},
        parameters={"name": ["john"], "age": ["12", "13"]},
    )
    assert received.fire is not None
    assert received.fire.id == "e1"
    trigger = received.fire.context.trigger
    assert trigger is not None
    assert (trigger.id, trigger.type) == ("t", "io.kestra.plugin.core.trigger.Webhook")
    assert trigger.variables == {
        "body": {"a": 1, "b": True},
        "headers": {"Content-Type": ["application/json"]},
        "parameters": {"name": ["john"], "age": ["12", "13"]},
    }
    assert received.fire.context.inputs == {"a": 1}
    assert [label.key for label in received.fire.context.labels][:2] == ["flow-label", "system.from"]
    assert received.note.outcome == "FIRED"


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        (b"", None),
        (b"[1, 2]", [1, 2]),
        (b' {"a": {}}', {"a": {}}),
        (b"plain text", "plain text"),
        (b"{broken", "{broken"),
        (b"12", "12"),
        (b'"text"', '"text"'),
        (b"\xff", "\ufffd"),
    ],
)
def test_only_objects_and_arrays_are_parsed(body: bytes, seen: object) -> None:
    assert request_variables(WebhookRequest(body))["body"] == seen


def test_the_key_may_be_an_expression_and_is_compared_trimmed() -> None:
    world = World()
    world.save("f", webhook(" {{ vars.key }} "), variables={"key": "sesame "})
    assert ask(world, "sesame").fire is not None
    for wrong in ("Sesame", "", "{{ vars.key }}"):
        with pytest.raises(NotFound):
            ask(world, wrong)


def test_a_key_that_fails_to_render_hides_only_its_own_trigger() -> None:
    world = World()
    other = webhook("good").model_copy(update={"id": "other"})
    world.save("f", webhook("{{ nothing.here }}"), other)
    received = ask(world, "good")
    assert received.fire is not None
    assert received.fire.trigger_id == "other"


def test_who_may_not_be_asked() -> None:
    world = World()
    with pytest.raises(NotFound, match="Flow not found"):
        ask(world)
    world.save("f", webhook(disabled=True))
    with pytest.raises(NotFound, match="Webhook not found"):
        ask(world)
    world.save("f", webhook(), runnable=False)
    with pytest.raises(Conflict):
        ask(world)


@pytest.mark.parametrize(
    "guard",
    [
        {"when": "{{ trigger.body.env == 'prod' }}"},
        {"conditions": [condition("Expression", expression="{{ trigger.body.env == 'prod' }}")]},
    ],
    ids=["when", "conditions"],
)
def test_a_condition_that_does_not_hold_starts_nothing(guard: dict[str, object]) -> None:
    world = World()
    world.save("f", webhook(**guard))
    assert ask(world, body=b'{"env": "prod"}').fire is not None
    refused = ask(world, body=b'{"env": "dev"}')
    assert refused.fire is None
    assert refused.note.outcome == "SKIPPED"


def test_a_condition_that_cannot_be_evaluated_makes_a_failed_execution() -> None:
    world = World()
    world.save("f", webhook(when="{{ trigger.body.env.deep }}"))
    received = ask(world, body=b"{}")
    assert received.failed
    assert received.fire is not None
    assert received.fire.final_state is State.FAILED
    assert received.note.outcome == "ERROR"


def test_inputs_that_are_not_valid_are_the_caller_s_fault() -> None:
    world = World()
    world.save("f", webhook(inputs={"bad": 1}))
    with pytest.raises(Unprocessable, match="Invalid input"):
        ask(world)


def test_how_the_trigger_wants_to_be_answered() -> None:
    world = World()
    world.save(
        "f",
        webhook(wait=True, returnOutputs=True, responseContentType="text/plain", responseCode="{{ 200 + 1 }}"),
    )
    answer = ask(world).answer
    assert (answer.wait, answer.return_outputs, answer.content_type, answer.code) == (True, True, "text/plain", 201)
    world.save("f", webhook(responseCode="{{ 'none' }}"))
    with pytest.raises(Unprocessable, match="responseCode"):
        ask(world)
