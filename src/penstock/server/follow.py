"""Server-sent events of executions (api.md 7)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from penstock.errors import NotFound
from penstock.ports.feed import Change
from penstock.server.executions import ExecutionRoutes
from penstock.server.replies import encode, offload
from penstock.server.services import Services


class FollowRoutes:
    """Handlers of live streams."""

    def __init__(self, services: Services, executions: ExecutionRoutes) -> None:
        self._services = services
        self._executions = executions

    def routes(self) -> list[Route]:
        return [Route("/api/v1/{tenant}/executions/{id}/follow", self.follow)]

    async def follow(self, request: Request) -> Response:
        """`start`, `progress` at each change, `end` once it is fully terminated."""
        names = request.path_params
        tenant, execution_id = names["tenant"], names["id"]
        news: asyncio.Queue[Change] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def tell(change: Change) -> None:
            loop.call_soon_threadsafe(news.put_nowait, change)

        stop = self._services.feed.on_change(tell, execution_id)
        stored = await offload(self._services.reads.execution, tenant, execution_id)
        if stored is None:
            stop()
            raise NotFound("Not Found")
        over = stored.execution.closed

        async def events() -> AsyncIterator[bytes]:
            try:
                yield b"id: start\ndata: " + encode({"id": execution_id}) + b"\n\n"
                ended = over
                while True:
                    body = await offload(self._executions.full, tenant, execution_id)
                    mark = b"end" if ended else b"progress"
                    yield b"id: " + mark + b"\ndata: " + encode(body) + b"\n\n"
                    if ended:
                        return
                    ended = await _next(news)
            finally:
                stop()

        return StreamingResponse(events(), media_type="text/event-stream")


async def _next(news: asyncio.Queue[Change]) -> bool:
    """Wait for a change; several at once count as one. Whether the execution is over."""
    change = await news.get()
    while not news.empty():
        change = news.get_nowait()
    return change.closed
