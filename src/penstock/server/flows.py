"""Routes of flows: create, read, update, delete, search, revisions, bulk (api.md 9, Flows)."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from penstock.catalog.bulk import upsert
from penstock.catalog.flows import Shelved
from penstock.errors import NotFound
from penstock.model.state import State
from penstock.ports.flows import FlowRow
from penstock.ports.reads import Filter
from penstock.server.asked import flag, json_of, needed, optional_number, text_of
from penstock.server.errors import InvalidParameter
from penstock.server.filters import filters, paging, refuse_flat
from penstock.server.replies import json_reply, nothing, offload
from penstock.server.searchable import FLOWS
from penstock.server.services import Services
from penstock.server.shapes import Json, flow_json, only, page_json

_HOLDING = [State.RUNNING, State.PAUSED, State.KILLING, State.RETRYING, State.RESTARTED, State.CREATED]
"""States in which an execution may hold a slot of its flow's concurrency limit."""


class FlowRoutes:
    """Handlers of flows."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._shelf = services.shelf

    def routes(self) -> list[Route]:
        """Their addresses below the tenant; fixed words come before identifiers."""
        base = "/api/v1/{tenant}/flows"
        one = f"{base}/{{namespace}}/{{id}}"
        routes = [
            Route(base, self.create, methods=["POST"]),
            Route(f"{base}/search", self.search),
            Route(f"{base}/bulk", self.bulk, methods=["POST"]),
            Route(f"{base}/distinct-namespaces", self.namespaces),
        ]
        for change, method in (("delete", "DELETE"), ("enable", "POST"), ("disable", "POST")):
            routes.append(Route(f"{base}/{change}/by-ids", self.change_named, methods=[method]))
            routes.append(Route(f"{base}/{change}/by-query", self.change_matching, methods=[method]))
        return [
            *routes,
            Route(f"{base}/{{namespace}}", self.of_namespace, methods=["GET"]),
            Route(f"{base}/{{namespace}}", self.upsert_namespace, methods=["POST"]),
            Route(one, self.read, methods=["GET"]),
            Route(one, self.update, methods=["PUT"]),
            Route(one, self.delete, methods=["DELETE"]),
            Route(f"{one}/revisions", self.revisions, methods=["GET"]),
            Route(f"{one}/revisions", self.delete_revisions, methods=["DELETE"]),
            Route(f"{one}/tasks/{{task}}", self.task),
        ]

    def limits(self) -> list[Route]:
        """The addresses of concurrency limits."""
        base = "/api/v1/{tenant}/concurrency-limit"
        return [
            Route(f"{base}/search", self.search_limits),
            Route(f"{base}/{{namespace}}/{{flow}}", self.limit, methods=["GET", "PUT"]),
        ]

    # -- one -------------------------------------------------------------------------------------------------------

    async def create(self, request: Request) -> Response:
        draft = flag(request.query_params, "draft")
        shelved = await offload(self._shelf.create, _tenant(request), await text_of(request), draft=draft)
        return _saved(shelved)

    async def read(self, request: Request) -> Response:
        params, names = request.query_params, request.path_params
        found = await offload(
            self._shelf.latest,
            _tenant(request),
            names["namespace"],
            names["id"],
            allow_deleted=flag(params, "allowDeleted"),
            revision=optional_number(params, "revision"),
        )
        return json_reply(flow_json(found.row, source=flag(params, "source")))

    async def update(self, request: Request) -> Response:
        names = request.path_params
        shelved = await offload(
            self._shelf.update,
            _tenant(request),
            names["namespace"],
            names["id"],
            source=await text_of(request),
            draft=flag(request.query_params, "draft"),
        )
        return _saved(shelved)

    async def delete(self, request: Request) -> Response:
        names = request.path_params
        await offload(self._shelf.delete, _tenant(request), names["namespace"], names["id"])
        return nothing(204)

    async def task(self, request: Request) -> Response:
        """One task of a flow, at any depth, with every property as it is understood."""
        names = request.path_params
        revision = optional_number(request.query_params, "revision")
        shelved = await offload(self._shelf.find, _tenant(request), names["namespace"], names["id"], revision=revision)
        task = await offload(shelved.task, names["task"]) if shelved is not None else None
        if task is None:
            raise NotFound("Not Found")
        return json_reply(task.model_dump(by_alias=True, exclude_none=True, exclude_unset=True, mode="json"))

    async def revisions(self, request: Request) -> Response:
        names = request.path_params
        deleted = flag(request.query_params, "allowDelete")
        rows = await offload(
            self._shelf.revisions, _tenant(request), names["namespace"], names["id"], allow_deleted=deleted
        )
        return json_reply([flow_json(row, source=True) for row in rows])

    async def delete_revisions(self, request: Request) -> Response:
        """Remove revisions for good: `revisions=1,2`."""
        names, params = request.path_params, request.query_params
        needed(params, "revisions")
        try:
            numbers = [int(n) for text in params.getlist("revisions") for n in text.split(",")]
        except ValueError as error:
            raise InvalidParameter("`revisions` must be whole numbers joined by commas") from error
        await offload(self._shelf.delete_revisions, _tenant(request), names["namespace"], names["id"], numbers=numbers)
        return nothing()

    # -- many ------------------------------------------------------------------------------------------------------

    async def search(self, request: Request) -> Response:
        wanted = paging(request.query_params)
        asked = filters(request.query_params, FLOWS, self._services.clock)
        found = await offload(
            self._shelf.search, _tenant(request), asked, sort=wanted.sort, page=wanted.page, size=wanted.size
        )
        return json_reply(page_json([flow_json(row) for row in found.results], found.total))

    async def of_namespace(self, request: Request) -> Response:
        rows = await offload(self._shelf.in_namespace, _tenant(request), request.path_params["namespace"])
        return json_reply([flow_json(row) for row in rows])

    async def namespaces(self, request: Request) -> Response:
        query = request.query_params.get("q")
        return json_reply(await offload(self._services.namespaces.with_flows, _tenant(request), query=query))

    async def upsert_namespace(self, request: Request) -> Response:
        """Save all documents of a namespace; with `delete` (the default) flows that are not among them go."""
        return await self._upsert(request, request.path_params["namespace"], children=False)

    async def bulk(self, request: Request) -> Response:
        """Save documents of any namespace, or of one (and those below it)."""
        params = request.query_params
        children = flag(params, "allowNamespaceChild")
        return await self._upsert(request, params.get("namespace"), children=children)

    async def _upsert(self, request: Request, namespace: str | None, *, children: bool) -> Response:
        done = await offload(
            upsert,
            self._shelf,
            _tenant(request),
            await text_of(request),
            namespace=namespace,
            children=children,
            delete=flag(request.query_params, "delete", default=True),
        )
        return json_reply([flow_json(s.row, source=True) for s in done.saved])

    async def change_named(self, request: Request) -> Response:
        """Delete, enable or disable the flows that the body names as `[{"namespace", "id"}]`."""
        wanted = await json_of(request, list[dict[str, object]])
        pairs = [(str(w.get("namespace")), str(w.get("id"))) for w in wanted]
        return json_reply(await offload(self._change, _tenant(request), _change_of(request), pairs))

    async def change_matching(self, request: Request) -> Response:
        """Delete, enable or disable the flows that the filters name."""
        return json_reply(await offload(self._change_matching, request))

    def _change_matching(self, request: Request) -> Json:
        found = rows_matching(self._services, request, flat=False)
        return self._change(_tenant(request), _change_of(request), [(row.namespace, row.id) for row in found])

    def _change(self, tenant: str, change: str, pairs: Sequence[tuple[str, str]]) -> Json:
        """How many flows were really changed: one that is disabled already counts 0 (api.md 6)."""
        count = 0
        for namespace, flow_id in pairs:
            if change == "delete":
                self._shelf.delete(tenant, namespace, flow_id)
                count += 1
            else:
                count += self._shelf.set_disabled(tenant, namespace, flow_id, disabled=change == "disable")
        return {"count": count}

    # -- concurrency -----------------------------------------------------------------------------------------------

    async def search_limits(self, request: Request) -> Response:
        """The flows that have a concurrency limit, and how many of their executions run."""
        found = await offload(self._limits, _tenant(request))
        return json_reply(page_json(found, len(found)))

    def _limits(self, tenant: str) -> list[Json]:
        limited = (row for row in self._shelf.rows.all_latest(tenant) if row.document.get("concurrency"))
        return [self._limit(tenant, row.namespace, row.id) for row in limited]

    async def limit(self, request: Request) -> Response:
        """How many executions of a flow run. The number is counted, so there is nothing a PUT could correct."""
        names = request.path_params
        return json_reply(await offload(self._limit, names["tenant"], names["namespace"], names["flow"]))

    def _limit(self, tenant: str, namespace: str, flow_id: str) -> Json:
        asked = [*only(namespace, flow_id), Filter("state", "IN", _HOLDING)]
        running = self._services.reads.search_executions(tenant, asked, sort=[], page=1, size=1).total
        return {"tenantId": tenant, "namespace": namespace, "flowId": flow_id, "running": running}


def rows_matching(services: Services, request: Request, *, flat: bool) -> list[FlowRow]:
    """All flows that a request's filters name. Not `flat`: parameters of older clients are refused, lest all be hit."""
    params = request.query_params
    if not flat:
        refuse_flat(params, FLOWS)
    asked = filters(params, FLOWS, services.clock)
    return services.shelf.search(_tenant(request), asked).results


def _saved(shelved: Shelved) -> Response:
    return json_reply(flow_json(shelved.row, source=True))


def _change_of(request: Request) -> str:
    return request.url.path.split("/")[-2]


def _tenant(request: Request) -> str:
    return request.path_params["tenant"]
