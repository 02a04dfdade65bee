"""Routes of log lines and metrics (api.md 7, 9)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from penstock.errors import NotFound
from penstock.model.entries import LogEntry
from penstock.model.task import LogLevel
from penstock.ports.reads import Condition, Filter
from penstock.server.filters import LOG_LEGACY, filters, paging
from penstock.server.replies import encode, json_reply, offload
from penstock.server.services import Services
from penstock.server.shapes import page_json

_LEVELS = list(LogLevel)


class LogRoutes:
    """Handlers of log lines and metrics."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._reads = services.reads

    def routes(self) -> list[Route]:
        base = "/api/v1/{tenant}"
        return [
            Route(f"{base}/logs/search", self.search),
            Route(f"{base}/logs/{{execution}}", self.of_execution, methods=["GET"]),
            Route(f"{base}/logs/{{execution}}", self.delete, methods=["DELETE"]),
            Route(f"{base}/logs/{{execution}}/download", self.download),
            Route(f"{base}/logs/{{execution}}/follow", self.follow),
            Route(f"{base}/metrics/names/{{namespace}}/{{flow}}", self.metric_names),
            Route(f"{base}/metrics/names/{{namespace}}/{{flow}}/{{task}}", self.metric_names),
            Route(f"{base}/metrics/{{execution}}", self.metrics),
        ]

    async def search(self, request: Request) -> Response:
        wanted = paging(request.query_params)
        asked = filters(request.query_params, legacy=LOG_LEGACY)
        found = await offload(
            self._reads.logs,
            request.path_params["tenant"],
            asked,
            sort=wanted.sort,
            page=wanted.page,
            size=wanted.size,
        )
        return json_reply({**page_json(found.results, found.total), "type": "OFFSET"})

    def _asked(self, request: Request) -> list[Condition]:
        execution_id = request.path_params["execution"]
        asked = filters(request.query_params, legacy=LOG_LEGACY)
        return [Filter("executionId", "EQUALS", execution_id), *asked]

    def _of_execution(self, tenant: str, asked: list[Condition]) -> list[LogEntry]:
        """Lines of an execution, or of a Loop iteration: those of the task runs inside it."""
        found = self._reads.logs(tenant, asked).results
        first = asked[0]
        if found or not isinstance(first, Filter):
            return found
        iteration = self._reads.run(str(first.value))
        if iteration is None:
            return found
        runs = self._reads.runs(iteration.execution_id, owner=iteration.run.id).results
        inside = Filter("taskRunId", "IN", [run.id for run in runs] + [iteration.run.id])
        whole: list[Condition] = [Filter("executionId", "EQUALS", iteration.execution_id), inside, *asked[1:]]
        return self._reads.logs(tenant, whole).results

    async def of_execution(self, request: Request) -> Response:
        lines = await offload(self._of_execution, request.path_params["tenant"], self._asked(request))
        return json_reply(lines)

    async def download(self, request: Request) -> Response:
        lines = await offload(self._of_execution, request.path_params["tenant"], self._asked(request))
        text = "".join(f"{encode(e.timestamp).decode()[1:-1]} {e.level} {e.message}\n" for e in lines)
        name = request.path_params["execution"]
        return Response(
            text, media_type="text/plain", headers={"Content-Disposition": f'attachment; filename="{name}.log"'}
        )

    async def delete(self, request: Request) -> Response:
        names = request.path_params
        count = await offload(
            self._services.purger.executions,
            names["tenant"],
            [names["execution"]],
            executions=False,
            metrics=False,
            files=False,
        )
        return json_reply({"count": getattr(count, "logs", 0)})

    async def follow(self, request: Request) -> Response:
        """Server-sent events: what is stored, then what comes."""
        names = request.path_params
        stored = await offload(self._reads.execution, names["tenant"], names["execution"])
        if stored is None:
            raise NotFound("Not Found")
        asked = self._asked(request)
        least = _least(request)
        lines: asyncio.Queue[LogEntry] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def tell(entry: LogEntry) -> None:
            loop.call_soon_threadsafe(lines.put_nowait, entry)

        stop = self._services.feed.on_log(tell, names["execution"])

        async def events() -> AsyncIterator[bytes]:
            try:
                yield b"id: start\ndata: {}\n\n"
                for entry in await offload(self._of_execution, names["tenant"], asked):
                    yield _event(entry)
                while True:
                    try:
                        entry = await asyncio.wait_for(lines.get(), 15)
                    except TimeoutError:
                        yield b": ping\n\n"
                        continue
                    if _LEVELS.index(entry.level) >= least:
                        yield _event(entry)
            finally:
                stop()

        return StreamingResponse(events(), media_type="text/event-stream")

    async def metrics(self, request: Request) -> Response:
        params = request.query_params
        wanted = paging(params)
        asked: list[Condition] = [Filter("executionId", "EQUALS", request.path_params["execution"])]
        asked += [Filter(name, "EQUALS", params[name]) for name in ("taskRunId", "taskId") if params.get(name)]
        found = await offload(
            self._reads.metrics,
            request.path_params["tenant"],
            asked,
            sort=wanted.sort,
            page=wanted.page,
            size=wanted.size,
        )
        return json_reply(page_json(found.results, found.total))

    async def metric_names(self, request: Request) -> Response:
        names = request.path_params
        found = await offload(
            self._reads.metric_names, names["tenant"], names["namespace"], names["flow"], names.get("task")
        )
        return json_reply(found)


def _least(request: Request) -> int:
    text = request.query_params.get("minLevel", "TRACE").upper()
    return _LEVELS.index(LogLevel(text)) if text in LogLevel.__members__ else 0


def _event(entry: LogEntry) -> bytes:
    return b"id: progress\ndata: " + encode(entry) + b"\n\n"
