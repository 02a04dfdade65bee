"""The webhook route: the hot path of the server (engine.md 7.6).

A webhook that needs nothing from outside is worked out where the request arrives: handing it to a thread would cost more
than the work. One with conditions or inputs may look things up, so it goes to a thread.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from penstock.catalog.flows import Shelved
from penstock.engine.commands import StartExecution
from penstock.model.execution import Execution, ExecutionContext
from penstock.model.state import State
from penstock.ports.trigger_states import FlowKey
from penstock.server.asked import body_of
from penstock.server.executions import WAIT, ExecutionRoutes
from penstock.server.replies import encode, json_reply, nothing, offload
from penstock.server.services import Services, WebhookReceived
from penstock.server.shapes import Json, labels_json, started_by, state_json
from penstock.server.waiting import Closing

_LOOKS = ("conditions", "when", "inputs", "labels", "responseCode")
"""Properties of a trigger whose templates may need the outside."""


class WebhookRoutes:
    """Handlers of webhooks."""

    def __init__(self, services: Services, executions: ExecutionRoutes) -> None:
        self._services = services
        self._executions = executions
        login = services.login
        self._own = base64.b64encode(f"{login.user}:{login.password}".encode()).decode() if login.enabled else ""
        self._plain: dict[int, tuple[Shelved, bool]] = {}

    def routes(self) -> list[Route]:
        """Their addresses."""
        base = "/api/v1/{tenant}/executions/webhook/{namespace}/{flow}/{key}"
        methods = ["GET", "POST", "PUT"]
        return [
            Route(base, self.receive, methods=methods),
            Route(f"{base}/{{path:path}}", self.receive, methods=methods),
        ]

    async def receive(self, request: Request) -> Response:
        """Start the flow: 200 with the execution, 204 where a condition does not hold, with `wait` once it has ended."""
        names = request.path_params
        flow, key = FlowKey(names["tenant"], names["namespace"], names["flow"]), names["key"]
        given = {
            "body": await body_of(request),
            "headers": _headers(request, self._own),
            "parameters": _parameters(request),
        }
        if self._is_plain(flow):
            received = self._services.webhooks(flow, key, **given)
        else:
            received = await offload(self._services.webhooks, flow, key, **given)
        if received.fire is None:
            return nothing(204)
        return await self._started(received)

    def _is_plain(self, flow: FlowKey) -> bool:
        """Whether the flow's triggers and inputs can be worked out at once; remembered by revision."""
        shelved = self._services.shelf.current(*flow)
        if shelved is None:
            return True
        known = self._plain.get(id(shelved))
        if known is None or known[0] is not shelved:
            if len(self._plain) > 1000:
                self._plain.clear()
            known = self._plain[id(shelved)] = (shelved, _needs_nothing(shelved.row.document))
        return known[1]

    async def _started(self, received: WebhookReceived) -> Response:
        fire, answer = received.fire, received.answer
        execution: Execution = fire.execution
        context: ExecutionContext = fire.context
        closing = Closing(self._services.feed, execution.id) if answer.wait else None
        body = self._body(execution, context)
        final = State.FAILED if received.failed else None
        start = StartExecution(execution_id=execution.id, execution=execution, context=context, final_state=final)
        await asyncio.wrap_future(self._services.commands.submit(start))
        if received.failed:
            return json_reply(body, 500)
        if closing is None:
            return json_reply(body, answer.code or 200)
        await closing.wait(WAIT)
        return await offload(self._waited, execution, answer)

    def _body(self, execution: Execution, context: ExecutionContext) -> Json:
        return {
            "tenantId": execution.tenant_id,
            "id": execution.id,
            "namespace": execution.namespace,
            "flowId": execution.flow_id,
            "flowRevision": execution.flow_revision,
            "trigger": started_by(context.trigger) if context.trigger is not None else {},
            "labels": labels_json(context.labels),
            "state": state_json(execution.state, list(execution.histories)),
            "url": self._executions.url(execution),
        }

    def _waited(self, execution: Execution, answer: object) -> Response:
        """The answer of a trigger that waits: its outputs where it returns them, else the execution with them."""
        stored = self._services.reads.execution(execution.tenant_id, execution.id)
        head, context = (stored.execution, stored.context) if stored is not None else (execution, ExecutionContext())
        outputs = self._outputs(execution)
        code = getattr(answer, "code", None) or (500 if head.state is State.FAILED else 200)
        if getattr(answer, "return_outputs", False):
            if getattr(answer, "content_type", None) == "text/plain":
                return Response(_plain_text(outputs), code, media_type="text/plain")
            return json_reply(outputs, code)
        body = self._body(head, context)
        if outputs:
            body["outputs"] = outputs
        return json_reply(body, code)

    def _outputs(self, execution: Execution) -> Mapping[str, object]:
        row = self._services.reads.execution_outputs(execution.id)
        return self._services.read_output(execution.tenant_id, row) if row is not None else {}


def _needs_nothing(document: Mapping[str, object]) -> bool:
    triggers = document.get("triggers")
    entries = triggers if isinstance(triggers, list) else []
    looks = any(isinstance(t, Mapping) and any(t.get(name) for name in _LOOKS) for t in entries)
    return not looks and not document.get("inputs")


def _plain_text(outputs: Mapping[str, object]) -> str:
    """Outputs as text: a single one as it is, several as JSON."""
    if len(outputs) == 1:
        value = next(iter(outputs.values()))
        return value if isinstance(value, str) else encode(value).decode()
    return encode(outputs).decode()


def _headers(request: Request, own: str) -> dict[str, list[str]]:
    """Header names as most senders write them (`Content-Type`), each with all its values."""
    found: dict[str, list[str]] = {}
    for raw, value in request.scope["headers"]:
        name = "-".join(part.capitalize() for part in raw.decode("latin-1").split("-"))
        found.setdefault(name, []).append(value.decode("latin-1"))
    if own:
        _hide(found, own)
    return found


def _hide(headers: dict[str, list[str]], own: str) -> None:
    """Mask our own login: what a flow sees of a request is stored and shown. Other senders' credentials are theirs."""
    for name in ("Authorization", "Cookie"):
        if name in headers:
            headers[name] = [value.replace(own, "***") for value in headers[name]]


def _parameters(request: Request) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    if request.scope["query_string"]:
        for name, value in request.query_params.multi_items():
            found.setdefault(name, []).append(value)
    return found
