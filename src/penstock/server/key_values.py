"""Routes of the KV store (api.md 9, KV)."""

from __future__ import annotations

from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from penstock.errors import Unprocessable
from penstock.model.duration import parse_duration
from penstock.ports.key_values import KvRow
from penstock.ports.reads import Filter
from penstock.server.asked import json_of, text_of
from penstock.server.filters import filters, paging
from penstock.server.replies import json_reply, nothing, offload
from penstock.server.searchable import KEYS
from penstock.server.services import Services
from penstock.server.shapes import Json, page_json, without_nulls


class KeyValueRoutes:
    """Handlers of the KV store."""

    def __init__(self, services: Services) -> None:
        self._keys = services.key_values
        self._clock = services.clock

    def search_routes(self) -> list[Route]:
        """The address over all namespaces."""
        return [Route("/api/v1/{tenant}/kv", self.search)]

    def routes(self) -> list[Route]:
        """Addresses below a namespace."""
        base = "/api/v1/{tenant}/namespaces/{namespace}/kv"
        return [
            Route(base, self.list, methods=["GET"]),
            Route(base, self.delete_many, methods=["DELETE"]),
            Route(f"{base}/inheritance", self.inherited),
            Route(f"{base}/{{key}}", self.read, methods=["GET"]),
            Route(f"{base}/{{key}}", self.write, methods=["PUT"]),
            Route(f"{base}/{{key}}", self.delete, methods=["DELETE"]),
        ]

    async def read(self, request: Request) -> Response:
        names = request.path_params
        found = await offload(self._keys.get, names["tenant"], names["namespace"], names["key"])
        row = found.row
        return json_reply({"type": row.type, "value": found.wire, "revision": row.revision, "updated": row.updated})

    async def write(self, request: Request) -> Response:
        names = request.path_params
        text = await text_of(request)
        await offload(
            self._keys.put_text,
            names["tenant"],
            names["namespace"],
            names["key"],
            text=text,
            ttl=_ttl(request),
            description=request.headers.get("description"),
        )
        return nothing()

    async def delete(self, request: Request) -> Response:
        names = request.path_params
        return json_reply(await offload(self._keys.delete, names["tenant"], names["namespace"], names["key"]))

    async def delete_many(self, request: Request) -> Response:
        names = request.path_params
        body = await json_of(request, dict[str, list[str]])
        keys = await offload(self._keys.delete_all, names["tenant"], names["namespace"], body.get("keys", []))
        return json_reply({"keys": keys})

    async def list(self, request: Request) -> Response:
        asked = [Filter("namespace", "EQUALS", request.path_params["namespace"])]
        found = await offload(self._keys.search, request.path_params["tenant"], asked)
        return json_reply([_entry(row) for row in found.results])

    async def search(self, request: Request) -> Response:
        wanted = paging(request.query_params)
        asked = filters(request.query_params, KEYS, self._clock)
        found = await offload(
            self._keys.search,
            request.path_params["tenant"],
            asked,
            sort=wanted.sort,
            page=wanted.page,
            size=wanted.size,
        )
        return json_reply(page_json([_entry(row) for row in found.results], found.total))

    async def inherited(self, request: Request) -> Response:
        names = request.path_params
        rows = await offload(self._keys.inherited, names["tenant"], names["namespace"])
        return json_reply([_entry(row) for row in rows])


def _entry(row: KvRow) -> Json:
    return without_nulls(
        {
            "namespace": row.namespace,
            "key": row.key,
            "revision": row.revision,
            "description": row.description,
            "creationDate": row.created,
            "updateDate": row.updated,
            "expirationDate": row.expires,
        }
    )


def _ttl(request: Request) -> timedelta | None:
    """The header `ttl`, an ISO duration. Raises Unprocessable."""
    text = request.headers.get("ttl")
    if not text:
        return None
    try:
        return parse_duration(text)
    except ValueError as error:
        raise Unprocessable(f"Illegal argument: the header `ttl` is no ISO 8601 duration: {error}") from error
