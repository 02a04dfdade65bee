"""Routes of flows: create, read, update, delete, search, validate, revisions (api.md 9, Flows)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from penstock.catalog.bulk import upsert
from penstock.catalog.validation import validate
from penstock.errors import NotFound
from penstock.ports.reads import Filter
from penstock.server.filters import FLOW_LEGACY, filters, flag, paging
from penstock.server.forms import read_form
from penstock.server.replies import json_reply, nothing, offload
from penstock.server.services import Services
from penstock.server.shapes import Json, flow_json, page_json


class FlowRoutes:
    """Handlers of flows."""

    def __init__(self, services: Services) -> None:
        self._shelf = services.shelf

    def routes(self) -> list[Route]:
        """Their addresses below the tenant; fixed words come before identifiers."""
        base = "/api/v1/{tenant}/flows"
        return [
            Route(base, self.create, methods=["POST"]),
            Route(f"{base}/search", self.search),
            Route(f"{base}/source", self.search_source),
            Route(f"{base}/validate", self.validate, methods=["POST"]),
            Route(f"{base}/bulk", self.bulk, methods=["POST"]),
            Route(f"{base}/distinct-namespaces", self.namespaces),
            Route(f"{base}/{{change:str}}/by-ids", self.change_many, methods=["POST", "DELETE"]),
            Route(f"{base}/{{change:str}}/by-query", self.change_matching, methods=["POST", "DELETE"]),
            Route(f"{base}/{{namespace}}", self.of_namespace, methods=["GET"]),
            Route(f"{base}/{{namespace}}", self.upsert_namespace, methods=["POST"]),
            Route(f"{base}/{{namespace}}/{{id}}", self.read, methods=["GET"]),
            Route(f"{base}/{{namespace}}/{{id}}", self.update, methods=["PUT"]),
            Route(f"{base}/{{namespace}}/{{id}}", self.delete, methods=["DELETE"]),
            Route(f"{base}/{{namespace}}/{{id}}/revisions", self.revisions, methods=["GET"]),
            Route(f"{base}/{{namespace}}/{{id}}/revisions", self.delete_revisions, methods=["DELETE"]),
            Route(f"{base}/{{namespace}}/{{id}}/tasks/{{task}}", self.task),
        ]

    async def create(self, request: Request) -> Response:
        source = (await request.body()).decode()
        draft = flag(request.query_params, "draft")
        shelved = await offload(self._shelf.create, _tenant(request), source, draft=draft)
        return json_reply(flow_json(shelved.row, source=True))

    async def read(self, request: Request) -> Response:
        params, names = request.query_params, request.path_params
        revision = int(params["revision"]) if params.get("revision") else None
        found = await offload(
            self._shelf.latest,
            _tenant(request),
            names["namespace"],
            names["id"],
            allow_deleted=flag(params, "allowDeleted"),
            revision=revision,
        )
        if found is None:
            raise NotFound("Not Found")
        return json_reply(flow_json(found.row, source=flag(params, "source")))

    async def update(self, request: Request) -> Response:
        source = (await request.body()).decode()
        names = request.path_params
        shelved = await offload(
            self._shelf.update,
            _tenant(request),
            names["namespace"],
            names["id"],
            source=source,
            draft=flag(request.query_params, "draft"),
        )
        return json_reply(flow_json(shelved.row, source=True))

    async def delete(self, request: Request) -> Response:
        names = request.path_params
        await offload(self._shelf.delete, _tenant(request), names["namespace"], names["id"])
        return nothing(204)

    async def search(self, request: Request) -> Response:
        wanted = paging(request.query_params)
        asked = filters(request.query_params, legacy=FLOW_LEGACY)
        found = await offload(
            self._shelf.search, _tenant(request), asked, sort=wanted.sort, page=wanted.page, size=wanted.size
        )
        return json_reply(page_json([flow_json(row) for row in found.results], found.total))

    async def search_source(self, request: Request) -> Response:
        params = request.query_params
        wanted = paging(params)
        found = await offload(
            self._shelf.search_source,
            _tenant(request),
            params.get("q", ""),
            namespace=params.get("namespace"),
            page=wanted.page,
            size=wanted.size,
        )
        results = [{**flow_json(m.flow), "fragments": m.fragments} for m in found.results]
        return json_reply(page_json(results, found.total))

    async def of_namespace(self, request: Request) -> Response:
        rows = await offload(self._shelf.in_namespace, _tenant(request), request.path_params["namespace"])
        return json_reply([flow_json(row) for row in rows])

    async def upsert_namespace(self, request: Request) -> Response:
        text = (await request.body()).decode()
        done = await offload(
            upsert,
            self._shelf,
            _tenant(request),
            text,
            namespace=request.path_params["namespace"],
            delete=flag(request.query_params, "delete", default=True),
        )
        return json_reply([flow_json(s.row, source=True) for s in done.saved])

    async def bulk(self, request: Request) -> Response:
        params = request.query_params
        text = (await request.body()).decode()
        done = await offload(
            upsert,
            self._shelf,
            _tenant(request),
            text,
            namespace=params.get("namespace"),
            children=flag(params, "allowNamespaceChild"),
            delete=flag(params, "delete", default=True),
        )
        return json_reply([flow_json(s.row, source=True) for s in done.saved])

    async def validate(self, request: Request) -> Response:
        tenant = _tenant(request)
        if request.headers.get("content-type", "").startswith("multipart/"):
            form = await read_form(request)
            results = []
            for part in form.files:
                text = part.content.decode()
                results.extend(await offload(validate, self._shelf, tenant, text, filename=part.name))
            return json_reply(results)
        text = (await request.body()).decode()
        return json_reply(await offload(validate, self._shelf, tenant, text))

    async def revisions(self, request: Request) -> Response:
        names = request.path_params
        rows = await offload(
            self._shelf.revisions,
            _tenant(request),
            names["namespace"],
            names["id"],
            allow_deleted=flag(request.query_params, "allowDelete"),
        )
        if not rows:
            raise NotFound("Not Found")
        return json_reply([flow_json(row, source=True) for row in rows])

    async def delete_revisions(self, request: Request) -> Response:
        names = request.path_params
        numbers = [int(n) for text in request.query_params.getlist("revisions") for n in text.split(",")]
        await offload(self._shelf.delete_revisions, _tenant(request), names["namespace"], names["id"], numbers=numbers)
        return nothing()

    async def task(self, request: Request) -> Response:
        names = request.path_params
        shelved = await offload(self._shelf.find, _tenant(request), names["namespace"], names["id"])
        task = shelved.task(names["task"]) if shelved is not None else None
        if task is None:
            raise NotFound("Not Found")
        return json_reply(task.model_dump(by_alias=True, exclude_none=True, mode="json"))

    async def namespaces(self, request: Request) -> Response:
        query = request.query_params.get("q")
        rows = await offload(self._shelf.rows.namespaces, _tenant(request))
        return json_reply([n for n in rows if query is None or query.lower() in n.lower()])

    async def change_many(self, request: Request) -> Response:
        wanted = msgspec.json.decode(await request.body(), type=list[dict[str, object]])
        pairs = [(str(w["namespace"]), str(w["id"])) for w in wanted]
        return json_reply(await offload(self._change, _tenant(request), request.path_params["change"], pairs))

    async def change_matching(self, request: Request) -> Response:
        asked = filters(request.query_params)
        found = await offload(self._shelf.search, _tenant(request), asked, sort=[], page=1, size=100_000)
        pairs = [(row.namespace, row.id) for row in found.results]
        return json_reply(await offload(self._change, _tenant(request), request.path_params["change"], pairs))

    def _change(self, tenant: str, change: str, pairs: Sequence[tuple[str, str]]) -> Json:
        count = 0
        for namespace, flow_id in pairs:
            if change == "delete":
                self._shelf.delete(tenant, namespace, flow_id)
                count += 1
            elif change in ("enable", "disable"):
                count += self._shelf.set_disabled(tenant, namespace, flow_id, disabled=change == "disable")
            else:
                raise NotFound("Not Found")
        return {"count": count}


def _tenant(request: Request) -> str:
    return request.path_params["tenant"]


def only(namespace: str, flow_id: str) -> list[Filter]:
    """The filters that name one flow."""
    return [Filter("namespace", "EQUALS", namespace), Filter("flowId", "EQUALS", flow_id)]
