"""Webhooks: which trigger a request means, what it sees, and the execution it makes (engine.md 7.6).

Pure: a flow, a key and a request in; what to start and what to answer out. The server starts, waits and answers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from penstock.errors import Conflict, NotFound, Unprocessable
from penstock.model.entries import LogEntry
from penstock.model.task import LogLevel
from penstock.ports.trigger_states import Evaluation, Outcome, PendingFire, TriggerKind
from penstock.scheduler.conditions import FAULTS, Scene, judge
from penstock.scheduler.declared import AnyTrigger, DeclaredFlow, is_disabled, kind_of
from penstock.scheduler.fields import field_of, list_of, text_of
from penstock.scheduler.firing import Firing, Occasion
from penstock.scheduler.launching import own_variables
from penstock.scheduler.notes import evaluation, log, skipped
from penstock.scheduler.verdict import Renderer


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """A request as the server got it; names of headers keep their spelling, each name has all its values."""

    body: bytes = b""
    headers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    parameters: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WebhookAnswer:
    """How the trigger wants to be answered. code: None for the usual one (200, or 500 when the execution FAILED)."""

    wait: bool = False
    return_outputs: bool = False
    content_type: str | None = None
    code: int | None = None


@dataclass(frozen=True, slots=True)
class Received:
    """What a request came to.

    fire: the execution to start; None when a condition did not hold (answer 204). failed: it is created FAILED since
    the trigger could not be evaluated (answer 500). note: its row of the trigger journal; logs: its log lines.
    """

    fire: PendingFire | None
    answer: WebhookAnswer
    note: Evaluation
    logs: list[LogEntry] = field(default_factory=list)
    failed: bool = False


def receive(
    flow: DeclaredFlow | None,
    key: str,
    request: WebhookRequest,
    *,
    firing: Firing,
    execution_id: str,
    now: datetime,
) -> Received:
    """What a request to a flow's webhook of that key comes to.

    Raises:
        NotFound: there is no such flow, or no enabled webhook of that key.
        Conflict: the flow is disabled or not valid.
        Unprocessable: the inputs are not valid (the 2.0 rule); nothing is created.
    """
    if flow is None:
        raise NotFound("Flow not found")
    if not flow.runnable:
        raise Conflict("Cannot execute a flow which is disabled or not valid")
    render = firing.renderer_of(flow)
    trigger = find_webhook(flow, key, render)
    variables = request_variables(request)
    occasion = Occasion(flow=flow, trigger=trigger, execution_id=execution_id, at=now, variables=variables)
    answer = _answer(trigger, render, variables)
    seen = {"trigger": {**own_variables(trigger), **variables}}
    verdict = judge(
        list_of(field_of(trigger, "conditions")),
        text_of(field_of(trigger, "when")),
        Scene(render, seen, flow.key.namespace, flow.key.flow_id),
    )
    if verdict.warning:
        return _failed(firing, occasion, answer, verdict.warning)
    if not verdict.holds:
        return Received(None, answer, skipped(occasion.key, verdict, at=now))
    return _started(firing, occasion, answer)


def find_webhook(flow: DeclaredFlow, key: str, render: Renderer) -> AnyTrigger:
    """The enabled webhook whose rendered `key`, trimmed, is `key`; one whose key fails to render is passed over.

    Raises:
        NotFound: there is none.
    """
    for trigger in flow.triggers:
        if kind_of(trigger) is TriggerKind.WEBHOOK and not is_disabled(trigger) and _key(trigger, render) == key:
            return trigger
    raise NotFound("Webhook not found")


def request_variables(request: WebhookRequest) -> dict[str, object]:
    """`trigger.body` (a JSON object or array where it is one, else the text), `headers` and `parameters`."""
    return {
        "body": _body(request.body),
        "headers": {name: list(values) for name, values in request.headers.items()},
        "parameters": {name: list(values) for name, values in request.parameters.items()},
    }


def _key(trigger: AnyTrigger, render: Renderer) -> str | None:
    written = str(field_of(trigger, "key", ""))
    if "{" not in written:
        return written.strip()
    try:
        return render.text(written, {"trigger": own_variables(trigger)}).strip()
    except FAULTS:
        return None


def _body(body: bytes) -> object:
    if not body:
        return None
    text = body.decode("utf-8", errors="replace")
    if not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _answer(trigger: AnyTrigger, render: Renderer, variables: Mapping[str, object]) -> WebhookAnswer:
    written = field_of(trigger, "response_code")
    code: int | None = written if isinstance(written, int) else None
    if isinstance(written, str):
        try:
            code = int(render.text(written, {"trigger": {**own_variables(trigger), **variables}}).strip())
        except FAULTS as fault:
            raise Unprocessable(f"Illegal argument: `responseCode` is not a number: {fault}") from fault
    return WebhookAnswer(
        wait=field_of(trigger, "wait", False) is True,
        return_outputs=field_of(trigger, "return_outputs", False) is True,
        content_type=text_of(field_of(trigger, "response_content_type")),
        code=code,
    )


def _started(firing: Firing, occasion: Occasion, answer: WebhookAnswer) -> Received:
    try:
        fired = firing.fire(occasion)
    except FAULTS as fault:
        raise Unprocessable(f"Illegal argument: unable to start the execution: {fault}") from fault
    note = evaluation(occasion.key, Outcome.FIRED, at=occasion.at, execution_id=fired.fire.id)
    return Received(fired.fire, answer, note, fired.logs)


def _failed(firing: Firing, occasion: Occasion, answer: WebhookAnswer, message: str) -> Received:
    fired = firing.failed(occasion, message)
    logs = [log(occasion.key, LogLevel.WARN, message, at=occasion.at), *fired.logs]
    note = evaluation(occasion.key, Outcome.ERROR, at=occasion.at, reason=message, execution_id=fired.fire.id)
    return Received(fired.fire, answer, note, logs, failed=True)
