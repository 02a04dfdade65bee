"""Server-sent events of executions (api.md 7)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from penstock.clock import monotonic
from penstock.errors import NotFound
from penstock.model.execution import Execution
from penstock.model.state import TERMINATED
from penstock.ports.feed import Change
from penstock.ports.reads import Filter
from penstock.server.asked import flag
from penstock.server.executions import ExecutionRoutes
from penstock.server.replies import event, offload
from penstock.server.services import Services
from penstock.server.shapes import Json, state_json

_PING = 15.0
"""Seconds of silence after which a comment line keeps the connection open."""
_PATIENCE = 10.0
"""Seconds that an unknown execution may take to appear, as in Kestra."""
_PACE = 0.2
"""Seconds between two whole executions on one stream: changes in between are told by the next one."""
_SHARE = 10
"""A long execution is told so seldom that making it takes a tenth of the time."""
_RELATED = 1000


class News:
    """Changes of executions on their way from the publisher's thread to one stream. `stop` ends it."""

    def __init__(self, services: Services, execution_id: str | None) -> None:
        self._queue: asyncio.Queue[Change] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def tell(change: Change) -> None:
            loop.call_soon_threadsafe(self._queue.put_nowait, change)

        self.stop: Callable[[], None] = services.feed.on_change(tell, execution_id)

    async def next(self, seconds: float) -> Change | None:
        """The next change, or None when nothing came in time."""
        try:
            return await asyncio.wait_for(self._queue.get(), seconds)
        except TimeoutError:
            return None

    def latest(self, change: Change) -> Change:
        """The last of the changes that are there already: several count as one."""
        while not self._queue.empty():
            change = self._queue.get_nowait()
        return change


class FollowRoutes:
    """Handlers of live streams."""

    def __init__(self, services: Services, executions: ExecutionRoutes) -> None:
        self._services = services
        self._executions = executions

    def routes(self) -> list[Route]:
        """Their addresses."""
        base = "/api/v1/{tenant}/executions/{id}"
        return [
            Route(f"{base}/follow", self.follow),
            Route(f"{base}/follow-dependencies", self.follow_dependencies),
        ]

    def _head(self, tenant: str, execution_id: str) -> Execution | None:
        stored = self._services.reads.execution(tenant, execution_id)
        return stored.execution if stored is not None else None

    async def follow(self, request: Request) -> Response:
        """`start`, `progress` at each change, `end` once it is fully terminated.

        Raises:
            NotFound: there is no such execution, nor was one made within some seconds.
        """
        names = request.path_params
        tenant, execution_id = names["tenant"], names["id"]
        news = News(self._services, execution_id)
        try:
            head = await offload(self._head, tenant, execution_id)
            if head is None and await news.next(_PATIENCE) is not None:
                head = await offload(self._head, tenant, execution_id)
            if head is None:
                raise NotFound("Not Found")
        except BaseException:
            news.stop()
            raise
        return _stream(self._follow(tenant, head, news))

    async def _follow(self, tenant: str, head: Execution, news: News) -> AsyncIterator[bytes]:
        try:
            yield event("start", {"id": head.id, "originalId": head.original_id})
            ended = head.closed
            while True:
                began = monotonic()
                body = await offload(self._executions.full, tenant, head.id)
                pause = max(_PACE, _SHARE * (monotonic() - began))
                yield b"id: " + (b"end" if ended else b"progress") + b"\ndata: " + body + b"\n\n"
                if ended:
                    return
                while (change := await news.next(_PING)) is None:
                    yield b": ping\n\n"
                if not change.closed:
                    await asyncio.sleep(pause)
                ended = news.latest(change).closed
        finally:
            news.stop()

    async def follow_dependencies(self, request: Request) -> Response:
        """`start`, then `progress` or `end` for each related execution, `end-all` when all of them have ended.

        Related are those this one has started, with `expandAll` at any depth, and unless `destinationOnly` the one that
        started it.
        """
        names, params = request.path_params, request.query_params
        news = News(self._services, None)
        try:
            related = await offload(
                self._related,
                names["tenant"],
                names["id"],
                upwards=not flag(params, "destinationOnly"),
                deep=flag(params, "expandAll"),
            )
        except BaseException:
            news.stop()
            raise
        return _stream(_progress(related, news))

    def _related(self, tenant: str, execution_id: str, *, upwards: bool, deep: bool) -> dict[str, Json]:
        """The statuses of related executions by id. Raises NotFound for an unknown execution."""
        stored = self._services.reads.execution(tenant, execution_id)
        if stored is None:
            raise NotFound("Not Found")
        found = {execution_id: _status(stored.execution)}
        trigger = stored.context.trigger
        parent_id = trigger.variables.get("executionId") if trigger is not None and upwards else None
        parent = self._head(tenant, str(parent_id)) if parent_id else None
        if parent is not None:
            found[parent.id] = _status(parent)
        front = [execution_id]
        while front and len(found) < _RELATED:
            children = [c for c in self._children(tenant, front) if c.id not in found]
            found |= {c.id: _status(c) for c in children}
            front = [c.id for c in children] if deep else []
        return found

    def _children(self, tenant: str, parents: list[str]) -> list[Execution]:
        asked = [Filter("triggerExecutionId", "IN", parents)]
        page = self._services.reads.search_executions(tenant, asked, sort=[], page=1, size=_RELATED)
        return [one.execution for one in page.results]


async def _progress(related: dict[str, Json], news: News) -> AsyncIterator[bytes]:
    try:
        yield event("start", {})
        waiting: set[str] = set()
        for execution_id, status in related.items():
            ended = _has_ended(status)
            yield event("end" if ended else "progress", status)
            if not ended:
                waiting.add(execution_id)
        while waiting:
            change = await news.next(_PING)
            if change is None:
                yield b": ping\n\n"
                continue
            if change.execution_id not in waiting:
                continue
            status = {**related[change.execution_id], "state": {"current": change.state}}
            yield event("end" if change.closed else "progress", status)
            if change.closed:
                waiting.discard(change.execution_id)
        yield event("end-all", {})
    finally:
        news.stop()


def _status(execution: Execution) -> Json:
    return {
        "tenantId": execution.tenant_id,
        "namespace": execution.namespace,
        "flowId": execution.flow_id,
        "executionId": execution.id,
        "state": state_json(execution.state, execution.histories),
    }


def _has_ended(status: Json) -> bool:
    state = status["state"]
    return isinstance(state, dict) and state["current"] in TERMINATED


def _stream(events: AsyncIterator[bytes]) -> Response:
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)
