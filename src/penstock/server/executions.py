"""Routes of executions: start, read, search, children (api.md 9, Executions)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from penstock.catalog.launch import Wish
from penstock.errors import BadRequest, NotFound, Unprocessable
from penstock.model.execution import Breakpoint, Execution, ExecutionKind, Label, TaskRun
from penstock.ports.feed import Change, Feed
from penstock.ports.reads import Condition, Filter, StoredExecution
from penstock.server.filters import EXECUTION_LEGACY, filters, flag, paging
from penstock.server.flows import only
from penstock.server.forms import read_form
from penstock.server.iterations import Iterations
from penstock.server.replies import json_reply, offload
from penstock.server.services import Services
from penstock.server.shapes import Json, execution_json, flow_json, instant, light_json, page_json, run_json

_WAIT = 3600.0
"""Seconds that `wait=true` waits at the most (engine.md 5.8)."""


class ExecutionRoutes:
    """Handlers of executions."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._reads = services.reads
        self._iterations = Iterations(services.reads)

    def routes(self) -> list[Route]:
        """Their addresses below the tenant."""
        base = "/api/v1/{tenant}/executions"
        return [
            Route(base, self.of_flow),
            Route(f"{base}/search", self.search),
            Route(f"{base}/latest", self.latest, methods=["POST"]),
            Route(f"{base}/distinct-field-values", self.distinct),
            Route(f"{base}/namespaces", self.namespaces),
            Route(f"{base}/namespaces/{{namespace}}/flows", self.flows_of_namespace),
            Route(f"{base}/flows/{{namespace}}/{{flow}}", self.flow_for_execution),
            Route(f"{base}/{{id}}", self.read, methods=["GET"]),
            Route(f"{base}/{{id}}/flow", self.flow_of_execution),
            Route(f"{base}/{{id}}/children", self.children),
            Route(f"{base}/{{namespace}}/{{flow}}", self.create, methods=["POST"]),
            Route(f"{base}/trigger/{{namespace}}/{{flow}}", self.create, methods=["POST"]),
            Route(f"{base}/{{namespace}}/{{flow}}/validate", self.validate, methods=["POST"]),
        ]

    async def create(self, request: Request) -> Response:
        names, params = request.path_params, request.query_params
        form = await read_form(request)
        wish = wish_of(request, form.values)
        revision = int(params["revision"]) if params.get("revision") else None
        prepared = await offload(
            self._services.launcher.prepare,
            names["tenant"],
            names["namespace"],
            names["flow"],
            revision=revision,
            wish=wish,
        )
        execution_id = prepared.execution.id
        closed = Closing(self._services.feed, execution_id) if flag(params, "wait") else None
        await asyncio.wrap_future(self._services.commands.submit(prepared.command))
        if closed is not None:
            await closed.wait(_WAIT)
        body = await offload(self.full, names["tenant"], execution_id)
        body["url"] = self.url(prepared.execution)
        if prepared.checks:
            body["checks"] = [{"message": c.message, "style": c.style, "behavior": c.behavior} for c in prepared.checks]
        return json_reply(body)

    def url(self, execution: Execution) -> str:
        """The page of an execution in the web UI."""
        base = self._services.url.rstrip("/")
        place = f"{execution.tenant_id}/executions/{execution.namespace}/{execution.flow_id}/{execution.id}"
        return f"{base}/ui/{place}"

    def full(self, tenant: str, execution_id: str) -> Json:
        """An execution with its task runs, or an iteration as an execution. Raises NotFound."""
        stored = self._reads.execution(tenant, execution_id)
        if stored is None:
            found = self._iterations.read(tenant, execution_id)
            if found is None:
                raise NotFound("Not Found")
            return found
        runs = self._reads.runs(execution_id, owner="").results
        return execution_json(stored, runs)

    async def read(self, request: Request) -> Response:
        names = request.path_params
        return json_reply(await offload(self.full, names["tenant"], names["id"]))

    async def of_flow(self, request: Request) -> Response:
        params = request.query_params
        if not params.get("namespace") or not params.get("flowId"):
            raise BadRequest("`namespace` and `flowId` are required")
        return await self._page(request, only(params["namespace"], params["flowId"]))

    async def search(self, request: Request) -> Response:
        asked = filters(request.query_params, legacy=EXECUTION_LEGACY)
        kinds = _kinds(asked)
        if "LOOP" in kinds:
            return await self._loop_page(request, _without_kind(asked), kinds)
        return await self._page(request, asked)

    async def _page(self, request: Request, asked: Sequence[Condition]) -> Response:
        wanted = paging(request.query_params)
        found = await offload(
            self._reads.search_executions,
            request.path_params["tenant"],
            asked,
            sort=wanted.sort,
            page=wanted.page,
            size=wanted.size,
        )
        results = [light_json(one.execution, one.context) for one in found.results]
        return json_reply(page_json(results, found.total))

    async def _loop_page(self, request: Request, asked: list[Condition], kinds: set[str]) -> Response:
        wanted = paging(request.query_params)
        tenant = request.path_params["tenant"]
        page = await offload(
            self._iterations.search, tenant, asked, sort=wanted.sort, page=wanted.page, size=wanted.size
        )
        if kinds == {"LOOP"}:
            return json_reply(page_json(page.results, page.total))
        normal = await offload(
            self._reads.search_executions, tenant, asked, sort=wanted.sort, page=wanted.page, size=wanted.size
        )
        results = [light_json(one.execution, one.context) for one in normal.results] + page.results
        return json_reply(page_json(results[: wanted.size], normal.total + page.total))

    async def latest(self, request: Request) -> Response:
        wanted = msgspec.json.decode(await request.body(), type=list[dict[str, object]])
        pairs = [(str(w["namespace"]), str(w.get("id", w.get("flowId")))) for w in wanted]
        found = await offload(self._reads.latest_executions, request.path_params["tenant"], pairs)
        return json_reply(
            [
                {
                    "id": e.id,
                    "flowId": e.flow_id,
                    "namespace": e.namespace,
                    "startDate": e.histories[0].date,
                    "status": e.state,
                }
                for e in found
            ]
        )

    async def distinct(self, request: Request) -> Response:
        params = request.query_params
        field = params.get("field", "")
        wire = {"NAMESPACE": "namespace", "FLOW_ID": "flowId", "STATE": "state"}.get(field.upper(), field)
        size = int(params.get("size", "100"))
        found = await offload(
            self._reads.distinct_executions, request.path_params["tenant"], wire, filters(params), size
        )
        return json_reply(found)

    async def children(self, request: Request) -> Response:
        """Task runs below one place, paged: what a page of an execution with many task runs asks for."""
        params, names = request.query_params, request.path_params
        wanted = paging(params, size=100)
        stored = await offload(self._reads.execution, names["tenant"], names["id"])
        if stored is None:
            raise NotFound("Not Found")
        path = params.get("path") or None
        states = [s for s in params.get("state", "").split(",") if s]
        found = await offload(
            self._iterations.children, names["id"], path, states=states, page=wanted.page, size=wanted.size
        )
        runs: list[TaskRun] = found.results
        return json_reply(page_json([run_json(run, stored.execution) for run in runs], found.total))

    async def validate(self, request: Request) -> Response:
        names, params = request.path_params, request.query_params
        form = await read_form(request)
        revision = int(params["revision"]) if params.get("revision") else None
        resolved, failures = await offload(
            self._services.launcher.validate,
            names["tenant"],
            names["namespace"],
            names["flow"],
            revision=revision,
            inputs=form.values,
        )
        return json_reply(
            {
                "id": names["flow"],
                "namespace": names["namespace"],
                "inputs": [input_json(one) for one in resolved.inputs],
                "checks": [{"message": f.message, "style": f.style, "behavior": f.behavior} for f in failures],
            }
        )

    async def namespaces(self, request: Request) -> Response:
        return json_reply(await offload(self._services.namespaces.with_flows, request.path_params["tenant"]))

    async def flows_of_namespace(self, request: Request) -> Response:
        names = request.path_params
        rows = await offload(self._services.shelf.in_namespace, names["tenant"], names["namespace"])
        return json_reply([flow_json(row) for row in rows if not row.disabled])

    async def flow_for_execution(self, request: Request) -> Response:
        names, params = request.path_params, request.query_params
        revision = int(params["revision"]) if params.get("revision") else None
        found = await offload(
            self._services.shelf.latest, names["tenant"], names["namespace"], names["flow"], revision=revision
        )
        if found is None:
            raise NotFound("Not Found")
        return json_reply(flow_json(found.row))

    async def flow_of_execution(self, request: Request) -> Response:
        names = request.path_params
        stored = await offload(self._reads.execution, names["tenant"], names["id"])
        if stored is None:
            raise NotFound("Not Found")
        head = stored.execution
        shelved = await offload(
            self._services.shelf.at, names["tenant"], head.namespace, head.flow_id, revision=head.flow_revision
        )
        if shelved is None:
            raise NotFound("Not Found")
        return json_reply(flow_json(shelved.row))


class Closing:
    """The full end of an execution, awaited; it listens from the moment it is made."""

    def __init__(self, feed: Feed, execution_id: str) -> None:
        loop = asyncio.get_running_loop()
        self._done = asyncio.Event()

        def news(change: Change) -> None:
            if change.closed:
                loop.call_soon_threadsafe(self._done.set)

        self._stop = feed.on_change(news, execution_id)

    async def wait(self, seconds: float) -> bool:
        """Whether the end came in time."""
        try:
            await asyncio.wait_for(self._done.wait(), seconds)
        except TimeoutError:
            return False
        finally:
            self._stop()
        return True


def wish_of(request: Request, inputs: dict[str, object]) -> Wish:
    """What the query of an execution's creation asks for. Raises Unprocessable."""
    params = request.query_params
    try:
        schedule = instant(params["scheduleDate"]) if params.get("scheduleDate") else None
        kind = ExecutionKind(params["kind"].upper()) if params.get("kind") else ExecutionKind.NORMAL
    except ValueError as error:
        raise Unprocessable(f"Illegal argument: {error}") from error
    labels = labels_of(params.getlist("labels"))
    correlation = next((x.value for x in labels if x.key == "system.correlationId"), None)
    source = next((x.value for x in labels if x.key == "system.from"), "api")
    return Wish(
        inputs=inputs,
        labels=[x for x in labels if x.key not in ("system.correlationId", "system.from")],
        kind=kind,
        schedule_date=schedule,
        breakpoints=breakpoints_of(params.get("breakpoints")) or (),
        system_from=source,
        correlation_id=correlation,
        checks=True,
    )


def labels_of(texts: Sequence[str]) -> list[Label]:
    """Labels written as `key:value`. Raises Unprocessable for one without a colon."""
    found: list[Label] = []
    for text in texts:
        key, colon, value = text.partition(":")
        if not colon:
            raise Unprocessable(f"Illegal argument: expected a label as key:value, found `{text}`")
        found.append(Label(key, value))
    return found


def breakpoints_of(text: str | None) -> list[Breakpoint] | None:
    """Breakpoints written as `task.value,task`; None when the parameter is absent."""
    if text is None:
        return None
    found: list[Breakpoint] = []
    for part in text.split(","):
        if part.strip():
            task, dot, value = part.strip().partition(".")
            found.append(Breakpoint(task, value if dot else None))
    return found


def input_json(resolved: object) -> Json:
    """One input of a validation answer."""
    from penstock.catalog.inputs import ResolvedInput

    assert isinstance(resolved, ResolvedInput)
    found: Json = {
        "input": resolved.declared.model_dump(by_alias=True, exclude_none=True, mode="json"),
        "enabled": resolved.enabled,
        "isDefault": resolved.is_default,
        "errors": [{"message": e.message, "renderError": e.render_error} for e in resolved.errors],
    }
    if resolved.value is not None:
        found["value"] = resolved.value if not hasattr(resolved.value, "content") else str(resolved.value)
    return found


def _kinds(asked: Sequence[Condition]) -> set[str]:
    for condition in asked:
        if isinstance(condition, Filter) and condition.field == "kind" and condition.operation in ("EQUALS", "IN"):
            value = condition.value
            return {str(v).upper() for v in value} if isinstance(value, list) else {str(value).upper()}
    return set()


def _without_kind(asked: Sequence[Condition]) -> list[Condition]:
    return [c for c in asked if not (isinstance(c, Filter) and c.field == "kind")]


def stored_or_404(stored: StoredExecution | None) -> StoredExecution:
    """The execution, or the answer that there is none."""
    if stored is None:
        raise NotFound("Not Found")
    return stored
