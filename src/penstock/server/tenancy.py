"""Addresses and their tenant: the older ones without, and the one tenant there is (api.md 1)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from penstock.server.errors import problem

TENANT = "main"
INSTANCE = frozenset({"plugins", "configs", "login", "logout", "setup", "me", "pebble", "notifications"})
"""Words below `/api/v1/` that are no tenant: what belongs to the whole instance."""

_BASE = "/api/v1/"


class MainTenant:
    """`/api/v1/flows/…` is `/api/v1/main/flows/…`; another tenant is refused, as the open-source edition does."""

    def __init__(self, app: ASGIApp, resources: frozenset[str]) -> None:
        """`resources`: what may stand behind the tenant, or in its place."""
        self._app = app
        self._resources = resources

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path: str = scope["path"]
            if path.startswith(_BASE) and not path.startswith("/api/v1/main/"):
                first, _, rest = path[len(_BASE) :].partition("/")
                if first in self._resources:
                    scope = {**scope, "path": f"{_BASE}{TENANT}/{path[len(_BASE) :]}", "asked": path}
                elif first not in INSTANCE and rest.partition("/")[0] in self._resources:
                    message = f"Bad Request: Tenant must be '{TENANT}' for OSS version"
                    refusal = problem(Request(scope), 400, "bad-request", title="Bad Request", message=message)
                    await refusal(scope, receive, send)
                    return
        await self._app(scope, receive, send)
