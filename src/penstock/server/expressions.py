"""Routes that render expressions for people: in an execution, a task run, a flow, a namespace (api.md 9)."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from penstock.server.asked import json_of, text_of
from penstock.server.replies import json_reply, offload
from penstock.server.services import Services
from penstock.server.shapes import Json


class ExpressionRoutes:
    """Handlers of expressions."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def routes(self) -> list[Route]:
        """Addresses of their own."""
        return [Route("/api/v1/{tenant}/expressions/render", self.render, methods=["POST"])]

    def of_executions(self) -> list[Route]:
        """Addresses below an execution, with and without `actions/`."""
        base = "/api/v1/{tenant}/executions/{id}"
        places = ("actions/eval", "actions/eval/{run}", "eval/{run}")
        return [Route(f"{base}/{place}", self.evaluate, methods=["POST"]) for place in places]

    async def evaluate(self, request: Request) -> Response:
        """`{"result"}`, or `{"error", "stackTrace"}` where the expression fails: 200 both."""
        names = request.path_params
        text = await text_of(request)
        body = await offload(self._evaluated, names["tenant"], names["id"], names.get("run"), text)
        return json_reply(body)

    def _evaluated(self, tenant: str, execution_id: str, run_id: str | None, text: str) -> Json:
        try:
            return {"result": self._services.evaluate(tenant, execution_id, run_id, text)}
        except ValueError as error:
            return {"error": str(error), "stackTrace": str(error)}

    async def render(self, request: Request) -> Response:
        """Expressions in the context of an execution, of a flow, of a namespace or of nothing."""
        body = await json_of(request, dict[str, object])
        expressions = body.get("expressions")
        texts = [str(e) for e in expressions] if isinstance(expressions, list) else []
        return json_reply({"rendered": await offload(self._rendered, request.path_params["tenant"], body, texts)})

    def _rendered(self, tenant: str, body: Mapping[str, object], texts: list[str]) -> dict[str, str]:
        return {text: self._one(tenant, body, text) for text in texts}

    def _one(self, tenant: str, body: Mapping[str, object], text: str) -> str:
        """A rendered expression; what is wrong with it stands in its place."""
        execution_id = body.get("executionId")
        try:
            if execution_id:
                return self._services.evaluate(tenant, str(execution_id), None, text)
            place = (str(body.get("namespace") or ""), str(body.get("flowId") or ""))
            return self._services.evaluate_outside(tenant, *place, text)
        except ValueError as error:
            return str(error)
