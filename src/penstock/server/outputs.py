"""Routes of outputs, in each path form that clients use (api.md 9, 12)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from penstock.errors import NotFound
from penstock.ports.reads import StoredRun
from penstock.server.replies import json_reply, offload
from penstock.server.services import Services
from penstock.server.shapes import Json, is_iteration


class OutputRoutes:
    """Handlers of outputs."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._reads = services.reads

    def routes(self) -> list[Route]:
        base = "/api/v1/{tenant}/outputs"
        return [
            Route(f"{base}/executions/{{execution}}", self.of_flow),
            Route(f"{base}/tasks/{{execution}}", self.list),
            Route(f"{base}/tasks/{{execution}}/{{run}}", self.of_run),
            Route(f"{base}/{{execution}}", self.list),
            Route(f"{base}/{{execution}}/{{run}}", self.of_run),
        ]

    async def of_flow(self, request: Request) -> Response:
        return json_reply(await offload(self._flow_outputs, request.path_params))

    def _flow_outputs(self, names: dict[str, str]) -> object:
        if self._reads.execution(names["tenant"], names["execution"]) is None:
            self._iteration(names["execution"])
            return {}
        row = self._reads.execution_outputs(names["execution"])
        return {} if row is None else self._services.read_output(names["tenant"], row)

    async def list(self, request: Request) -> Response:
        return json_reply(await offload(self._list, request.path_params))

    def _list(self, names: dict[str, str]) -> object:
        execution_id, owner = names["execution"], ""
        if self._reads.execution(names["tenant"], execution_id) is None:
            found = self._iteration(execution_id)
            execution_id, owner = found.execution_id, found.run.id
        rows = [row for row in self._reads.outputs(execution_id, owner) if "#" not in row.task_id]
        entries: list[Json] = []
        for row in rows:
            entry: Json = {"taskId": row.task_id, "taskRunId": row.task_run_id}
            if row.path:
                entry["value"] = row.path[-1]
            if row.iteration is not None:
                entry["iteration"] = row.iteration
            entry["inline"] = row.uri is None
            entries.append(entry)
        return entries

    async def of_run(self, request: Request) -> Response:
        return json_reply(await offload(self._of_run, request.path_params))

    def _of_run(self, names: dict[str, str]) -> object:
        execution_id = names["execution"]
        if self._reads.execution(names["tenant"], execution_id) is None:
            execution_id = self._iteration(execution_id).execution_id
        row = self._reads.output(execution_id, names["run"])
        if row is None:
            found = self._reads.run(names["run"])
            if found is None or found.execution_id != execution_id:
                raise NotFound("Not Found")
            return {}
        return self._services.read_output(names["tenant"], row)

    def _iteration(self, iteration_id: str) -> StoredRun:
        found = self._reads.run(iteration_id)
        if found is None or not is_iteration(found.run):
            raise NotFound("Not Found")
        return found
