"""The ASGI application: routes, errors, log-in, and the older addresses without a tenant."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from penstock.errors import PenstockError
from penstock.server.actions import ActionRoutes
from penstock.server.auth import LoginGate, LoginRoutes
from penstock.server.errors import error_reply, http_reply
from penstock.server.executions import ExecutionRoutes
from penstock.server.files import ExecutionFileRoutes
from penstock.server.flows import FlowRoutes
from penstock.server.follow import FollowRoutes
from penstock.server.instance import InstanceRoutes
from penstock.server.logs import LogRoutes
from penstock.server.namespaces import FileRoutes, KeyValueRoutes, NamespaceRoutes
from penstock.server.outputs import OutputRoutes
from penstock.server.services import Services
from penstock.server.triggers import TriggerRoutes
from penstock.server.webhooks import WebhookRoutes

_TENANTLESS = (
    "flows", "executions", "logs", "outputs", "metrics", "triggers", "kv", "namespaces", "secrets", "expressions",
)  # fmt: skip


class MainTenant:
    """`/api/v1/flows/…` is `/api/v1/main/flows/…`, as older clients write it (api.md 1)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path: str = scope["path"]
            if path.startswith("/api/v1/") and path[8:].partition("/")[0] in _TENANTLESS:
                scope = {**scope, "path": f"/api/v1/main/{path[8:]}"}
        await self._app(scope, receive, send)


def create_app(services: Services) -> Starlette:
    """The server over what it is given."""
    executions = ExecutionRoutes(services)
    routes: list[Route] = [
        *WebhookRoutes(services, executions).routes(),
        *InstanceRoutes(services).routes(),
        *LoginRoutes(services.login).routes(),
        *ExecutionFileRoutes(services).routes(),
        *FollowRoutes(services, executions).routes(),
        *executions.routes()[:8],
        *ActionRoutes(services, executions).routes(),
        *executions.routes()[8:],
        *FlowRoutes(services).routes(),
        *OutputRoutes(services).routes(),
        *LogRoutes(services).routes(),
        *TriggerRoutes(services).routes(),
        *KeyValueRoutes(services).routes(),
        *FileRoutes(services).routes(),
        *NamespaceRoutes(services).routes(),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(MainTenant), Middleware(LoginGate, login=services.login)],
        exception_handlers={PenstockError: error_reply, HTTPException: http_reply, Exception: error_reply},
    )
