"""Routes of secrets: their keys for all to see, their values only ever written (api.md 9, Secrets)."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from penstock.errors import BadRequest, NotFound
from penstock.ports.reads import Filter
from penstock.server.asked import json_of
from penstock.server.filters import filters, paging
from penstock.server.replies import json_reply, nothing, offload
from penstock.server.searchable import SECRETS
from penstock.server.services import Services
from penstock.server.shapes import Json, page_json, without_nulls


class SecretRoutes:
    """Handlers of secrets."""

    def __init__(self, services: Services) -> None:
        self._secrets = services.secrets
        self._clock = services.clock

    def search_routes(self) -> list[Route]:
        """The address over all namespaces."""
        return [Route("/api/v1/{tenant}/secrets", self.search)]

    def routes(self) -> list[Route]:
        """Addresses below a namespace."""
        base = "/api/v1/{tenant}/namespaces/{namespace}"
        return [
            Route(f"{base}/inherited-secrets", self.inherited),
            Route(f"{base}/secrets", self.of_namespace, methods=["GET"]),
            Route(f"{base}/secrets", self.put, methods=["PUT", "POST"]),
            Route(f"{base}/secrets/{{key}}", self.describe, methods=["PATCH"]),
            Route(f"{base}/secrets/{{key}}", self.delete, methods=["DELETE"]),
        ]

    async def search(self, request: Request) -> Response:
        return await self._page(request, None)

    async def of_namespace(self, request: Request) -> Response:
        return await self._page(request, request.path_params["namespace"])

    async def _page(self, request: Request, namespace: str | None) -> Response:
        wanted = paging(request.query_params)
        asked = filters(request.query_params, SECRETS, self._clock)
        if namespace is not None:
            asked.append(Filter("namespace", "EQUALS", namespace))
        tenant = request.path_params["tenant"]
        found = await offload(self._secrets.search, tenant, asked, sort=wanted.sort, page=wanted.page, size=wanted.size)
        shown = [
            without_nulls(
                {
                    "namespace": row.namespace,
                    "key": row.key,
                    "description": row.description,
                    "tags": _tag_list(row.tags) or None,
                    "updateDate": row.updated,
                }
            )
            for row in found.results
        ]
        return json_reply({"readOnly": False, **page_json(shown, found.total)})

    async def put(self, request: Request) -> Response:
        """Body `{"key", "value", "description"?, "tags"?}`; answers the keys of the namespace."""
        names = request.path_params
        body = await json_of(request, dict[str, object])
        if not body.get("key") or body.get("value") is None:
            raise BadRequest("`key` and `value` are required")
        await offload(
            self._secrets.put,
            names["tenant"],
            names["namespace"],
            str(body["key"]),
            value=str(body["value"]),
            description=_text(body.get("description")),
            tags=_tags(body.get("tags")),
        )
        return json_reply(await offload(self._secrets.keys, names["tenant"], names["namespace"]))

    async def describe(self, request: Request) -> Response:
        """Another description and other tags; the value stays."""
        names = request.path_params
        body = await json_of(request, dict[str, object])
        await offload(
            self._secrets.describe,
            names["tenant"],
            names["namespace"],
            names["key"],
            description=_text(body.get("description")),
            tags=_tags(body.get("tags")),
        )
        return json_reply(await offload(self._secrets.keys, names["tenant"], names["namespace"]))

    async def delete(self, request: Request) -> Response:
        names = request.path_params
        if not await offload(self._secrets.delete, names["tenant"], names["namespace"], names["key"]):
            raise NotFound(f"Cannot find secret for key '{names['key']}'.")
        return nothing(204)

    async def inherited(self, request: Request) -> Response:
        """Namespace -> keys, from the namespace up."""
        names = request.path_params
        return json_reply(await offload(self._secrets.inherited, names["tenant"], names["namespace"]))


def _text(value: object) -> str | None:
    return str(value) if value else None


def _tags(value: object) -> dict[str, str] | None:
    """Tags written as a map or as a list of `{key, value}`."""
    if isinstance(value, Mapping):
        return {str(k): str(v) for k, v in value.items()}
    if isinstance(value, list):
        return {str(t.get("key")): str(t.get("value")) for t in value if isinstance(t, Mapping)}
    return None


def _tag_list(tags: Mapping[str, str]) -> list[Json]:
    return [{"key": key, "value": value} for key, value in tags.items()]
