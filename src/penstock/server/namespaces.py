"""Routes of namespaces, which flows make (api.md 9, Namespaces)."""

from __future__ import annotations

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from penstock.ports.reads import Filter
from penstock.server.asked import flag, json_of
from penstock.server.filters import filters, paging
from penstock.server.replies import json_reply, offload
from penstock.server.searchable import NAMESPACES
from penstock.server.services import Services
from penstock.server.shapes import page_json


class NamespaceRoutes:
    """Handlers of namespaces."""

    def __init__(self, services: Services) -> None:
        self._namespaces = services.namespaces
        self._clock = services.clock

    def routes(self) -> list[Route]:
        """Their addresses."""
        base = "/api/v1/{tenant}/namespaces"
        return [
            Route(f"{base}/search", self.search),
            Route(f"{base}/autocomplete", self.autocomplete, methods=["POST"]),
            Route(f"{base}/{{namespace}}", self.read),
        ]

    async def search(self, request: Request) -> Response:
        params = request.query_params
        wanted = paging(params)
        query, existing = self._asked(params)
        found = await offload(
            self._namespaces.search,
            request.path_params["tenant"],
            query=query,
            existing=existing,
            descending=any(s.descending for s in wanted.sort),
            page=wanted.page,
            size=wanted.size,
        )
        return json_reply(page_json([{"id": n, "deleted": False} for n in found.results], found.total))

    def _asked(self, params: QueryParams) -> tuple[str | None, bool]:
        """The text that names must hold, and whether only namespaces with flows are wanted."""
        query, existing = None, flag(params, "existing")
        for one in filters(params, NAMESPACES, self._clock):
            if isinstance(one, Filter) and one.field in ("q", "namespace"):
                query = str(one.value) or None
            elif isinstance(one, Filter):
                existing = str(one.value).lower() == "true"
        return query, existing

    async def autocomplete(self, request: Request) -> Response:
        """Namespaces for a text; those of `ids` are always among them."""
        body = await json_of(request, dict[str, object]) if _has_body(request) else {}
        known = body.get("ids")
        found = await offload(
            self._namespaces.autocomplete,
            request.path_params["tenant"],
            query=str(body.get("q") or ""),
            known=[str(k) for k in known] if isinstance(known, list) else [],
        )
        return json_reply(found)

    async def read(self, request: Request) -> Response:
        names = request.path_params
        found = await offload(self._namespaces.require, names["tenant"], names["namespace"])
        return json_reply({"id": found, "deleted": False})


def _has_body(request: Request) -> bool:
    return request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
