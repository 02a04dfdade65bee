"""Routes of the instance: health, version, configuration, the words of templates (api.md 9, 11)."""

from __future__ import annotations

import hashlib

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from penstock.errors import PenstockError
from penstock.server.replies import json_reply, nothing, offload
from penstock.server.services import Services
from penstock.server.shapes import Json


class InstanceRoutes:
    """Handlers of what belongs to no tenant's things."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def routes(self) -> list[Route]:
        """Their addresses."""
        return [
            Route("/", lambda _: RedirectResponse("/ui/", 307)),
            Route("/ping", lambda _: PlainTextResponse("pong")),
            Route("/health", self.health),
            Route("/health/liveness", self.liveness),
            Route("/health/readiness", self.health),
            Route("/version", self.version),
            Route("/api/v1/configs", self.configs),
            Route("/api/v1/{tenant}/configs", self.configs),
            Route("/api/v1/{tenant}/basicAuth", lambda _: nothing(405), methods=["POST"]),
            Route("/api/v1/{tenant}/usages/all", self.usages),
            Route("/api/v1/pebble/filters", self.filters),
            Route("/api/v1/pebble/functions", self.functions),
        ]

    async def liveness(self, request: Request) -> Response:
        """The event loop turns: that is all a liveness probe may ask."""
        return json_reply({"name": "penstock", "status": "UP", "details": {}})

    async def health(self, request: Request) -> Response:
        """UP when the database answers, else 503 and DOWN."""
        try:
            await offload(self._services.shelf.rows.latest, "main", "system", "health")
        except PenstockError as error:
            down = {"database": {"status": "DOWN", "details": {"error": str(error)}}}
            return json_reply({"name": "penstock", "status": "DOWN", "details": down}, 503)
        return json_reply({"name": "penstock", "status": "UP", "details": {"database": {"status": "UP"}}})

    async def version(self, request: Request) -> Response:
        return json_reply({"version": f"{self._services.version}-oss", "serverType": "STANDALONE"})

    async def configs(self, request: Request) -> Response:
        """What clients decide by: the version above all, since one below 2 means 1.x to them."""
        services = self._services
        names = "\n".join(await offload(services.plugin_names))
        body: Json = {
            "uuid": services.uuid,
            "version": services.version,
            "edition": "OSS",
            "chartDefaultDuration": "PT24H",
            "flowTemplate": "",
            "isCustomDashboardsEnabled": False,
            "isAnonymousUsageEnabled": False,
            "isUiAnonymousUsageEnabled": False,
            "isTemplateEnabled": False,
            "isBasicAuthInitialized": True,
            "isBasicAuthEnabled": services.login.enabled,
            "isAiEnabled": False,
            "isAiApiKeyConfigured": False,
            "isConcurrencyViewEnabled": True,
            "systemNamespace": "system",
            "hiddenLabelsPrefixes": ["system.", "internal."],
            "preview": {"initial": 100, "max": 5000},
            "pluginsHash": int.from_bytes(hashlib.sha256(names.encode()).digest()[:4], "big") >> 1,
            "url": services.url,
        }
        return json_reply({**body, **services.extra})

    async def usages(self, request: Request) -> Response:
        """How much there is."""
        return json_reply(await offload(self._usages, request.path_params["tenant"]))

    def _usages(self, tenant: str) -> Json:
        services = self._services
        flows = services.shelf.search(tenant, size=1).total
        executions = services.reads.search_executions(tenant, [], sort=[], page=1, size=1).total
        namespaces = services.namespaces.with_flows(tenant)
        return {
            "flows": {"count": flows, "namespacesCount": len(namespaces)},
            "executions": {"totalExecutions": executions},
        }

    async def filters(self, request: Request) -> Response:
        from penstock.expr import vocabulary

        return json_reply([word.name for word in vocabulary() if word.kind == "filter"])

    async def functions(self, request: Request) -> Response:
        from penstock.expr import vocabulary

        words = (word for word in vocabulary() if word.kind == "function")
        return json_reply([{"name": w.name, "arguments": [{"name": p} for p in w.parameters]} for w in words])
