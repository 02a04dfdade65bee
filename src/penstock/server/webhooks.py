"""The webhook route: the hot path of the server (engine.md 7.6)."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from penstock.engine.commands import StartExecution
from penstock.model.execution import Execution, ExecutionContext
from penstock.model.state import State
from penstock.ports.trigger_states import FlowKey
from penstock.server.executions import WAIT, ExecutionRoutes
from penstock.server.replies import encode, json_reply, nothing, offload
from penstock.server.services import Services
from penstock.server.shapes import Json, state_json
from penstock.server.waiting import Closing


class WebhookRoutes:
    """Handlers of webhooks."""

    def __init__(self, services: Services, executions: ExecutionRoutes) -> None:
        self._services = services
        self._executions = executions

    def routes(self) -> list[Route]:
        base = "/api/v1/{tenant}/executions/webhook/{namespace}/{flow}/{key}"
        methods = ["GET", "POST", "PUT"]
        return [
            Route(base, self.receive, methods=methods),
            Route(f"{base}/{{path:path}}", self.receive, methods=methods),
        ]

    async def receive(self, request: Request) -> Response:
        names = request.path_params
        received = self._services.webhooks(
            FlowKey(names["tenant"], names["namespace"], names["flow"]),
            names["key"],
            body=await request.body(),
            headers=_headers(request),
            parameters=_parameters(request),
        )
        fire, answer = received.fire, received.answer
        if fire is None:
            return nothing(204)
        execution: Execution = fire.execution
        context: ExecutionContext = fire.context
        closed = Closing(self._services.feed, execution.id) if answer.wait else None
        body = self._body(execution, context)
        final = State.FAILED if received.failed else None
        start = StartExecution(execution_id=execution.id, execution=execution, context=context, final_state=final)
        await asyncio.wrap_future(self._services.commands.submit(start))
        if received.failed:
            return json_reply(body, 500)
        if closed is None:
            return json_reply(body, answer.code or 200)
        await closed.wait(WAIT)
        return await self._waited(names["tenant"], execution, answer)

    def _body(self, execution: Execution, context: ExecutionContext) -> Json:
        trigger = context.trigger
        return {
            "tenantId": execution.tenant_id,
            "id": execution.id,
            "namespace": execution.namespace,
            "flowId": execution.flow_id,
            "flowRevision": execution.flow_revision,
            "trigger": {"id": trigger.id, "type": trigger.type, "variables": trigger.variables} if trigger else {},
            "labels": [{"key": x.key, "value": x.value} for x in context.labels],
            "state": state_json(execution.state, list(execution.histories)),
            "url": self._executions.url(execution),
        }

    async def _waited(self, tenant: str, execution: Execution, answer: object) -> Response:
        stored = await offload(self._services.reads.execution, tenant, execution.id)
        assert stored is not None
        head = stored.execution
        outputs = await offload(self._outputs, tenant, execution.id)
        code = getattr(answer, "code", None) or (500 if head.state is State.FAILED else 200)
        kind = getattr(answer, "content_type", None)
        if getattr(answer, "return_outputs", False):
            if kind == "text/plain":
                return Response(_plain(outputs), code, media_type="text/plain")
            return json_reply(outputs, code)
        body = self._body(head, stored.context)
        if outputs:
            body["outputs"] = outputs
        return json_reply(body, code)

    def _outputs(self, tenant: str, execution_id: str) -> dict[str, object]:
        row = self._services.reads.execution_outputs(execution_id)
        return dict(self._services.read_output(tenant, row)) if row is not None else {}


def _plain(outputs: dict[str, object]) -> str:
    """Outputs as text: a single one as it is, several as JSON."""
    if len(outputs) == 1:
        value = next(iter(outputs.values()))
        return value if isinstance(value, str) else encode(value).decode()
    return encode(outputs).decode()


def _headers(request: Request) -> dict[str, list[str]]:
    """Header names as most senders write them (`Content-Type`), each with all its values."""
    found: dict[str, list[str]] = {}
    for raw, value in request.scope["headers"]:
        name = "-".join(part.capitalize() for part in raw.decode("latin-1").split("-"))
        found.setdefault(name, []).append(value.decode("latin-1"))
    return found


def _parameters(request: Request) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    if request.scope["query_string"]:
        for name, value in request.query_params.multi_items():
            found.setdefault(name, []).append(value)
    return found
