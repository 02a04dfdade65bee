"""Routes of what a namespace holds: keys, files, secrets, and namespaces themselves (api.md 9)."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from penstock.errors import BadRequest, NotFound
from penstock.model.duration import parse_duration
from penstock.ports.key_values import KvRow
from penstock.ports.reads import Filter
from penstock.server.filters import filters, paging
from penstock.server.forms import read_form
from penstock.server.replies import json_reply, nothing, offload
from penstock.server.services import Services
from penstock.server.shapes import Json, page_json, without_nulls

_BASE = "/api/v1/{tenant}"


class KeyValueRoutes:
    """Handlers of the KV store."""

    def __init__(self, services: Services) -> None:
        self._keys = services.key_values

    def routes(self) -> list[Route]:
        base = f"{_BASE}/namespaces/{{namespace}}/kv"
        return [
            Route(f"{_BASE}/kv", self.search),
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
        return json_reply(
            {
                "type": row.type,
                "value": found.wire,
                "revision": row.revision,
                "updated": row.updated,
            }
        )

    async def write(self, request: Request) -> Response:
        names = request.path_params
        text = (await request.body()).decode()
        ttl = request.headers.get("ttl")
        await offload(
            self._keys.put_text,
            names["tenant"],
            names["namespace"],
            names["key"],
            text=text,
            ttl=parse_duration(ttl) if ttl else None,
            description=request.headers.get("description"),
        )
        return nothing()

    async def delete(self, request: Request) -> Response:
        names = request.path_params
        return json_reply(await offload(self._keys.delete, names["tenant"], names["namespace"], names["key"]))

    async def delete_many(self, request: Request) -> Response:
        names = request.path_params
        body = msgspec.json.decode(await request.body(), type=dict[str, list[str]])
        keys = await offload(self._keys.delete_all, names["tenant"], names["namespace"], body.get("keys", []))
        return json_reply({"keys": keys})

    async def list(self, request: Request) -> Response:
        asked = [Filter("namespace", "EQUALS", request.path_params["namespace"])]
        found = await offload(self._keys.search, request.path_params["tenant"], asked, sort=[], page=1, size=100_000)
        return json_reply([_entry(row) for row in found.results])

    async def search(self, request: Request) -> Response:
        wanted = paging(request.query_params)
        asked = filters(request.query_params)
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


class FileRoutes:
    """Handlers of namespace files."""

    def __init__(self, services: Services) -> None:
        self._files = services.files

    def routes(self) -> list[Route]:
        base = f"{_BASE}/namespaces/{{namespace}}/files"
        return [
            Route(base, self.download, methods=["GET"]),
            Route(base, self.upload, methods=["POST"]),
            Route(base, self.move, methods=["PUT"]),
            Route(base, self.delete, methods=["DELETE"]),
            Route(f"{base}/directory", self.directory, methods=["GET"]),
            Route(f"{base}/directory", self.make_directory, methods=["POST"]),
            Route(f"{base}/search", self.search),
            Route(f"{base}/stats", self.stats),
            Route(f"{base}/revisions", self.revisions),
            Route(f"{base}/export", self.export),
        ]

    async def download(self, request: Request) -> Response:
        names = request.path_params
        revision = request.query_params.get("revision")
        source = await offload(
            self._files.open,
            names["tenant"],
            names["namespace"],
            _path(request),
            revision=int(revision) if revision else None,
        )
        with source:
            content = await offload(source.read)
        return Response(content, media_type="application/octet-stream")

    async def upload(self, request: Request) -> Response:
        names = request.path_params
        form = await read_form(request)
        if not form.files:
            raise BadRequest("a part `fileContent` with the file is required")
        part = form.files[0]
        await offload(
            self._files.upload,
            names["tenant"],
            names["namespace"],
            _path(request),
            name=part.name,
            data=part.content,
        )
        return nothing()

    async def move(self, request: Request) -> Response:
        names, params = request.path_params, request.query_params
        if not params.get("from") or not params.get("to"):
            raise BadRequest("`from` and `to` are required")
        await offload(self._files.move, names["tenant"], names["namespace"], params["from"], to=params["to"])
        return nothing()

    async def delete(self, request: Request) -> Response:
        names = request.path_params
        await offload(self._files.delete, names["tenant"], names["namespace"], _path(request))
        return nothing()

    async def directory(self, request: Request) -> Response:
        names = request.path_params
        path = request.query_params.get("path") or "/"
        return json_reply(await offload(self._files.directory, names["tenant"], names["namespace"], path))

    async def make_directory(self, request: Request) -> Response:
        names = request.path_params
        await offload(self._files.make_folder, names["tenant"], names["namespace"], _path(request))
        return nothing()

    async def search(self, request: Request) -> Response:
        names = request.path_params
        query = request.query_params.get("q", "")
        return json_reply(await offload(self._files.paths_holding, names["tenant"], names["namespace"], query))

    async def stats(self, request: Request) -> Response:
        names = request.path_params
        return json_reply(await offload(self._files.stats, names["tenant"], names["namespace"], _path(request)))

    async def revisions(self, request: Request) -> Response:
        names = request.path_params
        rows = await offload(self._files.revisions, names["tenant"], names["namespace"], _path(request))
        return json_reply([{"revision": row.revision} for row in rows])

    async def export(self, request: Request) -> Response:
        names = request.path_params
        chunks = self._files.export(names["tenant"], names["namespace"])
        name = f"{names['namespace']}_files.zip"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingResponse(chunks, media_type="application/octet-stream", headers=headers)


def _path(request: Request) -> str:
    path = request.query_params.get("path")
    if not path:
        raise BadRequest("`path` is required")
    return path


class NamespaceRoutes:
    """Handlers of namespaces and their secrets."""

    def __init__(self, services: Services) -> None:
        self._namespaces = services.namespaces
        self._secrets = services.secrets

    def routes(self) -> list[Route]:
        base = f"{_BASE}/namespaces"
        return [
            Route(f"{base}/search", self.search),
            Route(f"{base}/autocomplete", self.autocomplete, methods=["POST"]),
            Route(f"{base}/{{namespace}}/inherited-secrets", self.inherited_secrets),
            Route(f"{base}/{{namespace}}/secrets", self.put_secret, methods=["PUT", "POST"]),
            Route(f"{base}/{{namespace}}/secrets/{{key}}", self.delete_secret, methods=["DELETE"]),
            Route(f"{_BASE}/secrets", self.secrets),
            Route(f"{base}/{{namespace}}", self.read),
        ]

    async def search(self, request: Request) -> Response:
        wanted = paging(request.query_params)
        params = request.query_params
        query = params.get("q") or params.get("filters[q][EQUALS]")
        names = await offload(self._namespaces.all, request.path_params["tenant"])
        found = [n for n in names if query is None or query.lower() in n.lower()]
        start = (wanted.page - 1) * wanted.size
        shown = [{"id": n, "deleted": False} for n in found[start : start + wanted.size]]
        return json_reply(page_json(shown, len(found)))

    async def autocomplete(self, request: Request) -> Response:
        raw = await request.body()
        body = msgspec.json.decode(raw, type=dict[str, object]) if raw else {}
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
        if not await offload(self._namespaces.exists, names["tenant"], names["namespace"]):
            raise NotFound("Not Found")
        return json_reply({"id": names["namespace"], "deleted": False})

    async def secrets(self, request: Request) -> Response:
        wanted = paging(request.query_params)
        found = await offload(
            self._secrets.search,
            request.path_params["tenant"],
            filters(request.query_params),
            sort=wanted.sort,
            page=wanted.page,
            size=wanted.size,
        )
        results = [
            without_nulls({"namespace": row.namespace, "key": row.key, "description": row.description})
            for row in found.results
        ]
        return json_reply({"readOnly": False, **page_json(results, found.total)})

    async def put_secret(self, request: Request) -> Response:
        names = request.path_params
        body = msgspec.json.decode(await request.body(), type=dict[str, object])
        if not body.get("key") or body.get("value") is None:
            raise BadRequest("`key` and `value` are required")
        description = body.get("description")
        await offload(
            self._secrets.put,
            names["tenant"],
            names["namespace"],
            str(body["key"]),
            value=str(body["value"]),
            description=str(description) if description else None,
        )
        return json_reply(await offload(self._secrets.keys, names["tenant"], names["namespace"]))

    async def delete_secret(self, request: Request) -> Response:
        names = request.path_params
        gone = await offload(self._secrets.delete, names["tenant"], names["namespace"], names["key"])
        if not gone:
            raise NotFound("Not Found")
        return nothing(204)

    async def inherited_secrets(self, request: Request) -> Response:
        names = request.path_params
        return json_reply(await offload(self._secrets.inherited, names["tenant"], names["namespace"]))
