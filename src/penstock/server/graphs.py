"""Routes of topologies: a flow as nodes, edges and clusters, with the task runs of an execution (api.md 12, FlowGraph)."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from penstock.errors import NotFound
from penstock.server.asked import optional_number, text_of
from penstock.server.graph import graph_of
from penstock.server.replies import json_reply, offload
from penstock.server.services import Services
from penstock.server.shapes import Json, run_json

_RUNS = 1000
"""Task runs that are put into a graph: the newest of each task among so many."""


class GraphRoutes:
    """Handlers of topologies."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def of_flows(self) -> list[Route]:
        """Addresses below flows."""
        base = "/api/v1/{tenant}/flows"
        return [
            Route(f"{base}/graph", self.of_source, methods=["POST"]),
            Route(f"{base}/{{namespace}}/{{id}}/graph", self.of_flow),
        ]

    def of_executions(self) -> list[Route]:
        """Addresses below executions."""
        return [Route("/api/v1/{tenant}/executions/{id}/graph", self.of_execution)]

    async def of_source(self, request: Request) -> Response:
        """The topology of a source that nobody has saved. Raises FlowInvalid."""
        parsed = await offload(self._services.shelf.parse, await text_of(request))
        return json_reply(graph_of(parsed.document))

    async def of_flow(self, request: Request) -> Response:
        names = request.path_params
        revision = optional_number(request.query_params, "revision")
        found = await offload(
            self._services.shelf.latest, names["tenant"], names["namespace"], names["id"], revision=revision
        )
        return json_reply(graph_of(found.row.document))

    async def of_execution(self, request: Request) -> Response:
        names = request.path_params
        return json_reply(await offload(self._of_execution, names["tenant"], names["id"]))

    def _of_execution(self, tenant: str, execution_id: str) -> Json:
        stored = self._services.reads.execution(tenant, execution_id)
        if stored is None:
            raise NotFound("Not Found")
        head = stored.execution
        shelved = self._services.shelf.at(tenant, head.namespace, head.flow_id, revision=head.flow_revision)
        if shelved is None:
            raise NotFound("Not Found")
        page = self._services.reads.runs(execution_id, owner=None, size=_RUNS)
        runs: Mapping[str, Json] = {run.task_id: run_json(run, head) for run in page.results}
        return graph_of(shelved.row.document, runs)
