"""Routes of the instance: health, configuration, login, templates, plugins (api.md 9, 11)."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from penstock.errors import NotFound
from penstock.server.replies import json_reply, offload
from penstock.server.services import Services
from penstock.server.shapes import page_json


class InstanceRoutes:
    """Handlers of what belongs to no tenant's things."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def routes(self) -> list[Route]:
        return [
            Route("/", lambda _: RedirectResponse("/ui/", 307)),
            Route("/ping", lambda _: PlainTextResponse("pong")),
            Route("/health", self.health),
            Route("/health/liveness", self.health),
            Route("/health/readiness", self.health),
            Route("/version", self.version),
            Route("/api/v1/configs", self.configs),
            Route("/api/v1/configs/login", self.login_configs),
            Route("/api/v1/plugins", self.plugins),
            Route("/api/v1/plugins/schemas/{type}", self.schema),
            Route("/api/v1/{tenant}/expressions/render", self.render, methods=["POST"]),
        ]

    async def health(self, request: Request) -> Response:
        return json_reply({"name": "penstock", "status": "UP", "details": {}})

    async def version(self, request: Request) -> Response:
        return json_reply({"version": self._services.version, "serverType": "STANDALONE"})

    async def configs(self, request: Request) -> Response:
        services = self._services
        return json_reply(
            {
                "uuid": services.uuid,
                "version": services.version,
                "edition": "OSS",
                "chartDefaultDuration": "PT24H",
                "isCustomDashboardsEnabled": False,
                "isAnonymousUsageEnabled": False,
                "isUiAnonymousUsageEnabled": False,
                "isBasicAuthInitialized": True,
                "isAiEnabled": False,
                "isConcurrencyViewEnabled": True,
                "systemNamespace": "system",
                "hiddenLabelsPrefixes": ["system.", "internal."],
                "preview": {"initial": 100, "max": 5000},
                "pluginsHash": len(services.plugin_names()),
                "url": services.url,
            }
        )

    async def login_configs(self, request: Request) -> Response:
        return json_reply({"isBasicAuthInitialized": True})

    async def plugins(self, request: Request) -> Response:
        groups: dict[str, list[dict[str, object]]] = {}
        for name in await offload(self._services.plugin_names):
            group = ".".join(name.split(".")[:4])
            groups.setdefault(group, []).append({"cls": name, "deprecated": False})
        results = [
            {"name": group.rpartition(".")[2], "title": group, "group": group, "tasks": tasks}
            for group, tasks in sorted(groups.items())
        ]
        return json_reply(page_json(results, len(results)))

    async def schema(self, request: Request) -> Response:
        found = await offload(self._services.schema, request.path_params["type"])
        if found is None:
            raise NotFound("Not Found")
        if request.query_params.get("arrayOf", "").lower() == "true":
            found = {"type": "array", "items": found}
        return json_reply(found)

    async def render(self, request: Request) -> Response:
        """Expressions rendered in the context of an execution, or of a flow, or of nothing."""
        body = msgspec.json.decode(await request.body(), type=dict[str, object])
        expressions = body.get("expressions")
        texts = [str(e) for e in expressions] if isinstance(expressions, list) else []
        tenant = request.path_params["tenant"]
        rendered = {text: await offload(self._render, tenant, body, text) for text in texts}
        return json_reply({"rendered": rendered})

    def _render(self, tenant: str, body: Mapping[str, object], text: str) -> str:
        try:
            execution_id = body.get("executionId")
            if execution_id:
                return self._services.evaluate(tenant, str(execution_id), None, text)
            place = (str(body.get("namespace") or ""), str(body.get("flowId") or ""))
            return self._services.evaluate_outside(tenant, *place, text)
        except ValueError as error:
            return str(error)
