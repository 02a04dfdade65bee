"""Routes of log lines: search, read, download, follow, delete (api.md 7, 9)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from penstock.errors import NotFound
from penstock.model.entries import LogEntry
from penstock.model.state import TERMINATED
from penstock.model.task import LogLevel
from penstock.ports.reads import Condition, Filter
from penstock.server.asked import needed
from penstock.server.filters import filters, paging
from penstock.server.replies import attachment, encode, event, json_reply, nothing, offload
from penstock.server.searchable import LOGS
from penstock.server.services import Services
from penstock.server.shapes import entry_json, only, page_json

_LEVELS = list(LogLevel)
_PAGE = 1000
_PING = 15.0
"""Seconds of silence after which a comment line keeps the connection open."""
_IDLE = 3600.0
"""Seconds of silence after which a stream ends, as in Kestra."""


class LogRoutes:
    """Handlers of log lines."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._reads = services.reads

    def routes(self) -> list[Route]:
        """Their addresses."""
        base = "/api/v1/{tenant}/logs"
        return [
            Route(f"{base}/search", self.search),
            Route(f"{base}/{{execution}}", self.of_execution, methods=["GET"]),
            Route(f"{base}/{{execution}}", self.delete, methods=["DELETE"]),
            Route(f"{base}/{{execution}}/download", self.download),
            Route(f"{base}/{{execution}}/follow", self.follow),
            Route(f"{base}/{{namespace}}/{{flow}}", self.delete_of_trigger, methods=["DELETE"]),
        ]

    async def search(self, request: Request) -> Response:
        params = request.query_params
        wanted = paging(params)
        asked = filters(params, LOGS, self._services.clock)
        tenant = request.path_params["tenant"]
        found = await offload(self._reads.logs, tenant, asked, sort=wanted.sort, page=wanted.page, size=wanted.size)
        return json_reply({**page_json([entry_json(e) for e in found.results], found.total), "type": "OFFSET"})

    def _asked(self, request: Request) -> list[Condition]:
        asked = filters(request.query_params, LOGS, self._services.clock)
        return [c for c in asked if not (isinstance(c, Filter) and c.field == "executionId")]

    def _place(self, tenant: str, execution_id: str) -> list[Condition]:
        """The filters of an execution's lines, or those of a Loop iteration: its own and of what runs inside it.

        An id that is neither names lines all the same: those of an execution that is gone, or none.
        """
        if self._reads.execution(tenant, execution_id) is None:
            found = self._reads.run(execution_id)
            if found is not None:
                return [
                    Filter("executionId", "EQUALS", found.execution_id),
                    self._inside(found.execution_id, execution_id),
                ]
        return [Filter("executionId", "EQUALS", execution_id)]

    def _inside(self, execution_id: str, run_id: str) -> Filter:
        runs = self._reads.runs(execution_id, owner=run_id).results
        return Filter("taskRunId", "IN", [run_id, *(run.id for run in runs)])

    def _lines(self, tenant: str, execution_id: str, asked: Sequence[Condition]) -> list[LogEntry]:
        return self._reads.logs(tenant, [*self._place(tenant, execution_id), *asked]).results

    async def of_execution(self, request: Request) -> Response:
        names = request.path_params
        lines = await offload(self._lines, names["tenant"], names["execution"], self._asked(request))
        return json_reply([entry_json(e) for e in lines])

    async def download(self, request: Request) -> Response:
        """A text file, `<timestamp> <LEVEL> <message>` for each line."""
        names, asked = request.path_params, self._asked(request)
        place = await offload(self._place, names["tenant"], names["execution"])
        stored = await offload(self._reads.execution, names["tenant"], names["execution"])
        headers = attachment(f"{names['execution']}.log")
        if stored is not None and stored.execution.state not in TERMINATED:
            headers["Cache-Control"] = "no-cache"
        text = self._text(names["tenant"], [*place, *asked])
        return StreamingResponse(text, media_type="text/plain", headers=headers)

    def _text(self, tenant: str, asked: Sequence[Condition]) -> Iterator[bytes]:
        page, shown = 1, _PAGE
        while shown == _PAGE:
            lines = self._reads.logs(tenant, asked, page=page, size=_PAGE).results
            yield "".join(f"{encode(e.timestamp).decode()[1:-1]} {e.level} {e.message}\n" for e in lines).encode()
            page, shown = page + 1, len(lines)

    async def delete(self, request: Request) -> Response:
        """Delete the lines of an execution: all, or those that `minLevel`, `taskRunId`, `taskId`, `attempt` name."""
        names = request.path_params
        asked = [Filter("executionId", "EQUALS", names["execution"]), *self._asked(request)]
        await offload(self._services.purger.logs, names["tenant"], asked)
        return nothing()

    async def delete_of_trigger(self, request: Request) -> Response:
        """Delete the lines of one trigger of a flow."""
        names = request.path_params
        trigger = Filter("triggerId", "EQUALS", needed(request.query_params, "triggerId"))
        asked = [*only(names["namespace"], names["flow"]), trigger]
        await offload(self._services.purger.logs, names["tenant"], asked)
        return nothing()

    async def follow(self, request: Request) -> Response:
        """Server-sent events: `start`, what is stored, then what comes. It ends with the client, or after an idle hour."""
        names = request.path_params
        if await offload(self._reads.execution, names["tenant"], names["execution"]) is None:
            raise NotFound("Not Found")
        asked = self._asked(request)
        lines: asyncio.Queue[LogEntry] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def tell(entry: LogEntry) -> None:
            loop.call_soon_threadsafe(lines.put_nowait, entry)

        stop = self._services.feed.on_log(tell, names["execution"])

        async def events() -> AsyncIterator[bytes]:
            try:
                yield event("start", {})
                stored = await offload(self._lines, names["tenant"], names["execution"], asked)
                for entry in stored:
                    yield event("progress", entry_json(entry))
                async for piece in _coming(lines, asked, {_identity(e) for e in stored[-_PAGE:]}):
                    yield piece
            finally:
                stop()

        return StreamingResponse(events(), media_type="text/event-stream", headers={"Cache-Control": "no-cache"})


async def _coming(
    lines: asyncio.Queue[LogEntry], asked: Sequence[Condition], shown: set[object]
) -> AsyncIterator[bytes]:
    """Lines as they come; those told while the stored ones were read are among `shown` and come once."""
    silence = 0.0
    while silence < _IDLE:
        try:
            entry = await asyncio.wait_for(lines.get(), _PING)
        except TimeoutError:
            silence += _PING
            yield b": ping\n\n"
            continue
        silence = 0.0
        if _identity(entry) not in shown and all(_fits(entry, c) for c in asked):
            yield event("progress", entry_json(entry))


def _identity(entry: LogEntry) -> object:
    return entry.timestamp, entry.task_run_id, entry.level, entry.message


def _fits(entry: LogEntry, condition: Condition) -> bool:
    """Whether a live line satisfies a condition: levels, tasks and attempts, what people follow by."""
    if not isinstance(condition, Filter):
        return True
    if condition.field == "level":
        return _fits_level(entry.level, condition)
    names = {"taskRunId": "task_run_id", "taskId": "task_id", "attemptNumber": "attempt_number"}
    name = names.get(condition.field)
    if name is None or condition.operation != "EQUALS":
        return True
    return str(getattr(entry, name)) == str(condition.value)


def _fits_level(level: LogLevel, condition: Filter) -> bool:
    if condition.operation in ("IN", "NOT_IN"):
        values = condition.value if isinstance(condition.value, list) else [condition.value]
        return (level in [str(v).upper() for v in values]) is (condition.operation == "IN")
    wanted = str(condition.value).upper()
    if wanted not in LogLevel.__members__:
        return True
    rank, bound = _LEVELS.index(level), _LEVELS.index(LogLevel(wanted))
    return rank <= bound if condition.operation == "LESS_THAN_OR_EQUAL_TO" else rank >= bound
