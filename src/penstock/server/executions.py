"""Routes of executions: start, read, search, children (api.md 9, Executions)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import timedelta

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from penstock.catalog.launch import Prepared, Wish
from penstock.errors import NotFound, Unprocessable
from penstock.model.execution import Execution, ExecutionKind, TaskRun
from penstock.model.state import State
from penstock.ports.reads import Condition, Filter, Page
from penstock.server.asked import flag, json_of, moment, needed, number, optional_number
from penstock.server.filters import Paging, filters, paging, renamed
from penstock.server.forms import form_of
from penstock.server.iterations import Iterations
from penstock.server.replies import encode, json_reply, offload
from penstock.server.searchable import EXECUTIONS, FIELDS
from penstock.server.services import Services
from penstock.server.shapes import (
    Json,
    execution_json,
    flow_json,
    input_json,
    light_json,
    only,
    page_json,
    run_json,
)
from penstock.server.waiting import Closing
from penstock.server.wishes import breakpoints_of, labels_of

WAIT = 3600.0
"""Seconds that `wait=true` waits at the most (engine.md 5.8)."""

WHOLE = 1000
"""Task runs that are answered in one piece; more are read and sent page by page."""


class ExecutionRoutes:
    """Handlers of executions."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._reads = services.reads
        self._iterations = Iterations(services.reads)

    def fixed_routes(self) -> list[Route]:
        """Addresses that are words, to be tried before those that are ids."""
        base = "/api/v1/{tenant}/executions"
        places = f"{base}/namespaces/{{namespace}}/flows"
        return [
            Route(base, self.of_flow),
            Route(f"{base}/search", self.search),
            Route(f"{base}/latest", self.latest, methods=["POST"]),
            Route(f"{base}/distinct-field-values", self.distinct),
            Route(f"{base}/namespaces", self.namespaces),
            Route(places, self.flows_of_namespace),
            Route(f"{places}/{{flow}}/average-duration", self.average_duration),
            Route(f"{base}/flows/{{namespace}}/{{flow}}", self.flow_for_execution),
            Route(f"{base}/trigger/{{namespace}}/{{flow}}", self.create, methods=["POST"]),
        ]

    def routes(self) -> list[Route]:
        """Addresses by id."""
        base = "/api/v1/{tenant}/executions"
        return [
            Route(f"{base}/{{id}}", self.read, methods=["GET"]),
            Route(f"{base}/{{id}}/flow", self.flow_of_execution),
            Route(f"{base}/{{id}}/children", self.children),
            Route(f"{base}/{{namespace}}/{{flow}}", self.create, methods=["POST"]),
            Route(f"{base}/{{namespace}}/{{flow}}/validate", self.validate, methods=["POST"]),
        ]

    # -- start -----------------------------------------------------------------------------------------------------

    async def create(self, request: Request) -> Response:
        """Start a flow; with `wait=true` the answer is the ended execution."""
        names, params = request.path_params, request.query_params
        async with form_of(request) as form:
            prepared = await offload(
                self._services.launcher.prepare,
                names["tenant"],
                names["namespace"],
                names["flow"],
                revision=optional_number(params, "revision"),
                wish=wish_of(request, form.values),
            )
        closing = Closing(self._services.feed, prepared.execution.id) if flag(params, "wait") else None
        await asyncio.wrap_future(self._services.commands.submit(prepared.command))
        if closing is not None:
            await closing.wait(WAIT)
        return await self.answer(names["tenant"], prepared.execution.id, more=self._told(prepared))

    def _told(self, prepared: Prepared) -> Json:
        """What the answer to a start has beside the execution."""
        found: Json = {"url": self.url(prepared.execution)}
        if prepared.checks:
            found["checks"] = [msgspec.to_builtins(check) for check in prepared.checks]
        return found

    def url(self, execution: Execution) -> str:
        """The page of an execution in the web UI."""
        base = self._services.url.rstrip("/")
        place = f"{execution.tenant_id}/executions/{execution.namespace}/{execution.flow_id}/{execution.id}"
        return f"{base}/ui/{place}"

    async def validate(self, request: Request) -> Response:
        """What the inputs would be; nothing is started or stored."""
        names = request.path_params
        async with form_of(request) as form:
            resolved, failures = await offload(
                self._services.launcher.validate,
                names["tenant"],
                names["namespace"],
                names["flow"],
                revision=optional_number(request.query_params, "revision"),
                inputs=form.values,
            )
        return json_reply(
            {
                "id": names["flow"],
                "namespace": names["namespace"],
                "inputs": [input_json(one) for one in resolved.inputs],
                "checks": [msgspec.to_builtins(failure) for failure in failures],
            }
        )

    # -- one -------------------------------------------------------------------------------------------------------

    async def read(self, request: Request) -> Response:
        names = request.path_params
        return await self.answer(names["tenant"], names["id"])

    async def answer(self, tenant: str, execution_id: str, *, more: Json | None = None) -> Response:
        """An execution with its task runs, or an iteration as an execution; a long one is sent in pieces.

        Raises:
            NotFound: there is neither.
        """
        body, runs = await offload(self._head, tenant, execution_id)
        body |= more or {}
        if runs is None:
            return json_reply(body)
        head = encode({k: v for k, v in body.items() if k != "taskRunList"})
        return StreamingResponse(self._pieces(head, execution_id, runs), media_type="application/json")

    def _head(self, tenant: str, execution_id: str) -> tuple[Json, Page[TaskRun] | None]:
        """The body, and the first page of its task runs where there are too many to be sent at once."""
        stored = self._reads.execution(tenant, execution_id)
        if stored is None:
            found = self._iterations.read(tenant, execution_id)
            if found is None:
                raise NotFound("Not Found")
            return found, None
        page = self._reads.runs(execution_id, owner="", size=WHOLE)
        body = execution_json(stored, page.results)
        return body, page if page.total > WHOLE else None

    def full(self, tenant: str, execution_id: str) -> bytes:
        """The JSON of an execution with all its task runs. Raises NotFound."""
        body, runs = self._head(tenant, execution_id)
        if runs is None:
            return encode(body)
        head = encode({k: v for k, v in body.items() if k != "taskRunList"})
        return b"".join(self._pieces(head, execution_id, runs))

    def _pieces(self, head: bytes, execution_id: str, first: Page[TaskRun]) -> Iterator[bytes]:
        """The JSON of an execution, its list of task runs a page at a time."""
        place = msgspec.json.decode(head, type=_Place)
        yield head[:-1] + b',"taskRunList":['
        page, number_of_page, comma = first.results, 1, b""
        while page:
            yield comma + encode([run_json(run, place) for run in page])[1:-1]
            comma = b","
            number_of_page += 1
            page = self._reads.runs(execution_id, owner="", page=number_of_page, size=WHOLE).results
        yield b"]}"

    async def children(self, request: Request) -> Response:
        """Task runs below one place, paged: what the page of an execution with very many of them asks for.

        `path`: the task run or iteration they are below; the top without it. `state`: only those, joined by commas.
        """
        params, names = request.query_params, request.path_params
        wanted = paging(params, size=100)
        stored = await offload(self._reads.execution, names["tenant"], names["id"])
        if stored is None:
            raise NotFound("Not Found")
        found = await offload(
            self._iterations.children,
            names["id"],
            params.get("path") or None,
            states=[s.upper() for s in params.get("state", "").split(",") if s],
            page=wanted.page,
            size=wanted.size,
        )
        return json_reply(page_json([run_json(run, stored.execution) for run in found.results], found.total))

    # -- many ------------------------------------------------------------------------------------------------------

    async def of_flow(self, request: Request) -> Response:
        params = request.query_params
        return await self._page(request, [*only(needed(params, "namespace"), needed(params, "flowId"))])

    async def search(self, request: Request) -> Response:
        """Executions that satisfy the filters: of kind NORMAL unless a kind is asked for (Kestra 2.0)."""
        params = request.query_params
        asked = _dated(filters(params, EXECUTIONS, self._services.clock), params.get("dateFilter"))
        kinds = kinds_of(asked)
        if kinds is not None and "LOOP" in kinds:
            return await self._loop_page(request, [c for c in asked if not _is_kind(c)], kinds)
        return await self._page(request, of_kind(asked))

    async def _page(self, request: Request, asked: Sequence[Condition]) -> Response:
        wanted = paging(request.query_params)
        found = await offload(self._found, request.path_params["tenant"], asked, wanted)
        return json_reply(page_json(found.results, found.total))

    def _found(self, tenant: str, asked: Sequence[Condition], wanted: Paging) -> Page[Json]:
        page = self._reads.search_executions(tenant, asked, sort=wanted.sort, page=wanted.page, size=wanted.size)
        return Page([light_json(one.execution, one.context) for one in page.results], page.total)

    async def _loop_page(self, request: Request, asked: list[Condition], kinds: set[str]) -> Response:
        """Iterations of Loops, and after them executions of other kinds where those are asked for too."""
        wanted = paging(request.query_params)
        tenant = request.path_params["tenant"]
        loops = await offload(
            self._iterations.search, tenant, asked, sort=wanted.sort, page=wanted.page, size=wanted.size
        )
        others = sorted(kinds - {"LOOP"})
        if not others:
            return json_reply(page_json(loops.results, loops.total))
        rest = await offload(self._found, tenant, of_kind([*asked, Filter("kind", "IN", others)]), wanted)
        return json_reply(page_json((rest.results + loops.results)[: wanted.size], rest.total + loops.total))

    async def latest(self, request: Request) -> Response:
        """The newest execution of each flow that is named."""
        wanted = await json_of(request, list[dict[str, object]])
        pairs = [(str(w.get("namespace")), str(w.get("id", w.get("flowId")))) for w in wanted]
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
        """Distinct values of a field, which is named as on the wire (`flowId`) or in Kestra's enum (`FLOW_ID`)."""
        params = request.query_params
        wanted = needed(params, "field")
        name = next((f for f in FIELDS if wanted.replace("_", "").lower() == f.lower()), wanted)
        asked = of_kind(filters(params, EXECUTIONS, self._services.clock))
        size = number(params, "size", 100)
        return json_reply(
            await offload(self._reads.distinct_executions, request.path_params["tenant"], name, asked, size)
        )

    async def average_duration(self, request: Request) -> Response:
        """How long the executions of a flow took in the last thirty days, and how many they were."""
        names = request.path_params
        since = self._services.clock.now() - timedelta(days=30)
        asked = [
            *only(names["namespace"], names["flow"]),
            Filter("state", "IN", [State.SUCCESS, State.WARNING]),
            Filter("startDate", "GREATER_THAN_OR_EQUAL_TO", since),
        ]
        by = ["namespace", "flowId"]
        tallies = await offload(self._reads.count_executions, names["tenant"], asked, by=by)
        ended = sum(t.ended for t in tallies)
        body: Json = {"count": ended}
        if ended:
            body["averageDuration"] = sum(t.duration for t in tallies) / ended
        return json_reply(body)

    # -- flows that can be run -------------------------------------------------------------------------------------

    async def namespaces(self, request: Request) -> Response:
        return json_reply(await offload(self._services.namespaces.with_flows, request.path_params["tenant"]))

    async def flows_of_namespace(self, request: Request) -> Response:
        names = request.path_params
        rows = await offload(self._services.shelf.in_namespace, names["tenant"], names["namespace"])
        return json_reply([flow_json(row) for row in rows if not row.disabled])

    async def flow_for_execution(self, request: Request) -> Response:
        names = request.path_params
        found = await offload(
            self._services.shelf.latest,
            names["tenant"],
            names["namespace"],
            names["flow"],
            revision=optional_number(request.query_params, "revision"),
        )
        return json_reply(flow_json(found.row))

    async def flow_of_execution(self, request: Request) -> Response:
        names = request.path_params
        return json_reply(await offload(self._flow_of, names["tenant"], names["id"]))

    def _flow_of(self, tenant: str, execution_id: str) -> Json:
        stored = self._reads.execution(tenant, execution_id)
        if stored is None:
            raise NotFound("Not Found")
        head = stored.execution
        shelved = self._services.shelf.at(tenant, head.namespace, head.flow_id, revision=head.flow_revision)
        if shelved is None:
            raise NotFound("Not Found")
        return flow_json(shelved.row)


class _Place(msgspec.Struct, rename="camel"):
    """Where task runs belong to."""

    id: str
    namespace: str
    flow_id: str


def wish_of(request: Request, inputs: dict[str, object]) -> Wish:
    """What the query of an execution's creation asks for. Raises Unprocessable, InvalidParameter."""
    params = request.query_params
    kind = params.get("kind", ExecutionKind.NORMAL).upper()
    if kind not in ExecutionKind.__members__:
        raise Unprocessable(f"Illegal argument: `{kind}` is no kind of execution")
    labels = labels_of(params.getlist("labels"))
    special = {x.key: x.value for x in labels if x.key in ("system.correlationId", "system.from")}
    return Wish(
        inputs=inputs,
        labels=[x for x in labels if x.key not in special],
        kind=ExecutionKind(kind),
        schedule_date=moment(params, "scheduleDate"),
        breakpoints=breakpoints_of(params.get("breakpoints")) or (),
        system_from=special.get("system.from", "api"),
        correlation_id=special.get("system.correlationId"),
        trace_parent=request.headers.get("traceparent"),
        checks=True,
    )


def _is_kind(condition: Condition) -> bool:
    return isinstance(condition, Filter) and condition.field == "kind"


def kinds_of(asked: Sequence[Condition]) -> set[str] | None:
    """The kinds that a search names, None where it names none."""
    for condition in asked:
        if isinstance(condition, Filter) and condition.field == "kind" and condition.operation in ("EQUALS", "IN"):
            value = condition.value
            return {str(v).upper() for v in value} if isinstance(value, list) else {str(value).upper()}
    return None


def of_kind(asked: Sequence[Condition]) -> list[Condition]:
    """The conditions for executions proper: NORMAL ones unless a kind is named; none is a Loop's `taskId`."""
    found = [Filter("id", "IN", []) if isinstance(c, Filter) and c.field == "taskId" else c for c in asked]
    return found if any(_is_kind(c) for c in asked) else [*found, Filter("kind", "EQUALS", "NORMAL")]


def _dated(asked: list[Condition], which: str | None) -> list[Condition]:
    """`dateFilter`: both dates of a search are about the start, or both about the end."""
    if which == "START_DATE":
        return renamed(asked, {"endDate": "startDate"})
    if which == "END_DATE":
        return renamed(asked, {"startDate": "endDate"})
    return asked
