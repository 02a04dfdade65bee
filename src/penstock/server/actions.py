"""Routes that act on executions: one, several by id, all that match a query (engine.md 5, api.md 6)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from penstock.engine import commands as c
from penstock.errors import BadRequest, CallerError, NotFound, Unprocessable
from penstock.ids import new_id
from penstock.model.execution import Label
from penstock.model.state import TERMINATED, State
from penstock.ports.reads import Filter
from penstock.server.executions import ExecutionRoutes, breakpoints_of, input_json
from penstock.server.filters import filters, flag
from penstock.server.forms import read_form
from penstock.server.replies import json_reply, nothing, offload
from penstock.server.services import Services
from penstock.server.shapes import Json

Make = Callable[[str, QueryParams], c.Command]
_MOST = 100_000


def _state(text: str | None, *, default: str | None = None) -> State:
    wanted = text or default
    if wanted is None:
        raise BadRequest("a state is required")
    try:
        return State.read(wanted)
    except ValueError as error:
        raise Unprocessable(f"Illegal argument: `{wanted}` is no state") from error


_SIMPLE: dict[str, Make] = {
    "kill": lambda i, q: c.KillExecution(execution_id=i, cascade=flag(q, "isOnKillCascade", default=True)),
    "pause": lambda i, q: c.PauseExecution(execution_id=i),
    "resume": lambda i, q: c.ResumeExecution(execution_id=i),
    "restart": lambda i, q: c.RestartExecution(execution_id=i),
    "force-run": lambda i, q: c.ForceRun(execution_id=i),
    "unqueue": lambda i, q: c.Unqueue(
        execution_id=i, state=_state(q.get("state") or q.get("newState"), default="RUNNING")
    ),
    "change-status": lambda i, q: c.ChangeStatus(execution_id=i, state=_state(q.get("status") or q.get("newStatus"))),
    "resume-from-breakpoint": lambda i, q: c.ResumeFromBreakpoint(
        execution_id=i, breakpoints=breakpoints_of(q.get("breakpoints")) or []
    ),
    "replay": lambda i, q: c.ReplayExecution(
        execution_id=i,
        new_id=new_id(),
        task_run_id=q.get("taskRunId"),
        revision=int(q["revision"]) if q.get("revision") else None,
        breakpoints=breakpoints_of(q.get("breakpoints")),
    ),
}


class ActionRoutes:
    """Handlers of actions."""

    def __init__(self, services: Services, executions: ExecutionRoutes) -> None:
        self._services = services
        self._executions = executions

    def routes(self) -> list[Route]:
        """Their addresses; each verb also without `actions/`, as in 1.x."""
        base = "/api/v1/{tenant}/executions"
        special: dict[str, tuple[Callable[[Request], Awaitable[Response]], list[str]]] = {
            "resume": (self.resume, ["POST"]),
            "resume/validate": (self.resume_validate, ["POST"]),
            "restart": (self.restart, ["POST"]),
            "replay-with-inputs": (self.replay_with_inputs, ["POST"]),
            "state": (self.state, ["POST"]),
            "labels": (self.labels, ["POST"]),
            "review": (self.review, ["POST"]),
            "eval": (self.evaluate, ["POST"]),
            "eval/{run}": (self.evaluate, ["POST"]),
        }
        routes = [
            Route(f"{base}/labels/by-ids", self.labels_by_ids, methods=["POST"]),
            Route(f"{base}/{{verb}}/by-ids", self.by_ids, methods=["POST", "DELETE"]),
            Route(f"{base}/{{verb}}/by-query", self.by_query, methods=["POST", "DELETE"]),
            Route(f"{base}/by-ids", self.delete_by_ids, methods=["DELETE"]),
            Route(f"{base}/by-query", self.delete_by_query, methods=["DELETE"]),
            Route(f"{base}/{{id}}", self.delete, methods=["DELETE"]),
        ]
        for verb, (handler, methods) in special.items():
            routes.append(Route(f"{base}/{{id}}/actions/{verb}", handler, methods=methods))
            routes.append(Route(f"{base}/{{id}}/{verb}", self._or_create(verb, handler), methods=methods))
        for verb in _SIMPLE:
            if verb not in special:
                methods = ["DELETE"] if verb == "kill" else ["POST"]
                routes.append(Route(f"{base}/{{id}}/actions/{verb}", self._acting(verb), methods=methods))
                handler = self._or_create(verb, self._acting(verb))
                routes.append(Route(f"{base}/{{id}}/{verb}", handler, methods=methods))
        return routes

    def _or_create(
        self, verb: str, act: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """`executions/{id}/{verb}` of 1.x, unless no execution has that id: then it starts the flow named like the verb."""

        async def handle(request: Request) -> Response:
            names = request.path_params
            known = await offload(self._services.reads.execution, names["tenant"], names["id"])
            if known is not None or request.method != "POST":
                return await act(request)
            names["namespace"], names["flow"] = names["id"], verb
            return await self._executions.create(request)

        return handle

    def _acting(self, verb: str) -> Callable[[Request], Awaitable[Response]]:
        make = _SIMPLE[verb]

        async def act(request: Request) -> Response:
            return await self._do(request, make(request.path_params["id"], request.query_params))

        return act

    async def _do(self, request: Request, command: c.Command) -> Response:
        """Give the command and answer the execution as it is after its commit."""
        tenant = request.path_params["tenant"]
        await offload(self._require, tenant, command.execution_id)
        await asyncio.wrap_future(self._services.commands.submit(command))
        shown = command.new_id if isinstance(command, c.ReplayExecution) else command.execution_id
        return json_reply(await offload(self._executions.full, tenant, shown))

    def _require(self, tenant: str, execution_id: str) -> None:
        if self._services.reads.execution(tenant, execution_id) is None:
            raise NotFound("Not Found")

    async def resume(self, request: Request) -> Response:
        names = request.path_params
        form = await read_form(request)
        await offload(self._services.desk.resume, names["tenant"], names["id"], inputs=form.values)
        return json_reply(await offload(self._executions.full, names["tenant"], names["id"]))

    async def resume_validate(self, request: Request) -> Response:
        names = request.path_params
        form = await read_form(request)
        _, resolved = await offload(
            self._services.desk.resume_inputs, names["tenant"], names["id"], inputs=form.values, store_files=False
        )
        stored = await offload(self._services.reads.execution, names["tenant"], names["id"])
        assert stored is not None
        return json_reply(
            {
                "id": stored.execution.flow_id,
                "namespace": stored.execution.namespace,
                "inputs": [input_json(one) for one in resolved.inputs],
                "checks": [],
            }
        )

    async def restart(self, request: Request) -> Response:
        execution_id, revision = request.path_params["id"], request.query_params.get("revision")
        if not revision:
            return await self._do(request, c.RestartExecution(execution_id=execution_id))
        command = c.ReplayExecution(execution_id=execution_id, new_id=new_id(), revision=int(revision), restart=True)
        return await self._do(request, command)

    async def replay_with_inputs(self, request: Request) -> Response:
        names, params = request.path_params, request.query_params
        form = await read_form(request)
        replay_id = new_id()
        stored = await offload(self._services.reads.execution, names["tenant"], names["id"])
        if stored is None:
            raise NotFound("Not Found")
        head = stored.execution
        revision = int(params["revision"]) if params.get("revision") else head.flow_revision
        resolved, _ = await offload(
            self._services.launcher.validate,
            names["tenant"],
            head.namespace,
            head.flow_id,
            revision=revision,
            inputs=form.values,
        )
        command = c.ReplayExecution(
            execution_id=names["id"],
            new_id=replay_id,
            task_run_id=params.get("taskRunId"),
            revision=revision,
            inputs=resolved.require(),
            breakpoints=breakpoints_of(params.get("breakpoints")),
        )
        return await self._do(request, command)

    async def state(self, request: Request) -> Response:
        body = msgspec.json.decode(await request.body(), type=dict[str, object])
        run_id = body.get("taskRunId")
        if not isinstance(run_id, str):
            raise BadRequest("`taskRunId` is required")
        command = c.ChangeTaskRunState(
            execution_id=request.path_params["id"], task_run_id=run_id, state=_state(str(body.get("state")))
        )
        return await self._do(request, command)

    async def labels(self, request: Request) -> Response:
        labels = _labels(await request.body())
        return await self._do(request, c.SetLabels(execution_id=request.path_params["id"], labels=labels))

    async def review(self, request: Request) -> Response:
        body = msgspec.json.decode(await request.body(), type=dict[str, object])
        decision = str(body.get("decision", "")).upper()
        decision = {"APPROVE": "APPROVED", "DENY": "DENIED"}.get(decision, decision)
        if decision not in ("APPROVED", "DENIED"):
            raise Unprocessable("Illegal argument: `decision` must be approve or deny")
        inputs = body.get("inputs")
        command = c.ReviewApproval(
            execution_id=request.path_params["id"],
            decision=decision,
            comment=str(body["comment"]) if body.get("comment") else None,
            inputs=inputs if isinstance(inputs, dict) else {},
            by=self._services.login.user or None,
            task_run_id=str(body["taskRunId"]) if body.get("taskRunId") else None,
        )
        return await self._do(request, command)

    async def evaluate(self, request: Request) -> Response:
        names = request.path_params
        text = (await request.body()).decode()
        try:
            result = await offload(self._services.evaluate, names["tenant"], names["id"], names.get("run"), text)
        except CallerError:
            raise
        except Exception as error:  # whatever a template may do wrong is an answer here, not a failure
            return json_reply({"error": str(error), "stackTrace": str(error)})
        return json_reply({"result": result})

    async def delete(self, request: Request) -> Response:
        names = request.path_params
        await offload(self._require, names["tenant"], names["id"])
        await offload(self._delete, names["tenant"], [names["id"]], request.query_params)
        return nothing(204)

    def _delete(self, tenant: str, ids: Sequence[str], params: QueryParams) -> int:
        purged = self._services.purger.executions(
            tenant,
            ids,
            logs=flag(params, "deleteLogs", default=True),
            metrics=flag(params, "deleteMetrics", default=True),
            files=flag(params, "deleteStorage", default=True),
        )
        return getattr(purged, "executions", len(ids))

    async def delete_by_ids(self, request: Request) -> Response:
        ids = msgspec.json.decode(await request.body(), type=list[str])
        tenant = request.path_params["tenant"]
        problems = await offload(self._invalid, tenant, ids, None)
        if problems:
            return _invalid_bulk("deletion", problems)
        count = await offload(self._delete, tenant, ids, request.query_params)
        return json_reply({"count": count})

    async def delete_by_query(self, request: Request) -> Response:
        tenant = request.path_params["tenant"]
        ids = await offload(self._matching, tenant, request.query_params)
        running = flag(request.query_params, "includeNonTerminated")
        if not running:
            ids = [i for i in ids if self._ended(tenant, i)]
        return json_reply({"count": await offload(self._delete, tenant, ids, request.query_params)})

    def _ended(self, tenant: str, execution_id: str) -> bool:
        stored = self._services.reads.execution(tenant, execution_id)
        return stored is not None and stored.execution.state in TERMINATED

    def _matching(self, tenant: str, params: QueryParams) -> list[str]:
        for name in params:
            if name in ("namespace", "flowId", "state"):
                raise BadRequest(f"`{name}` is not read here, use filters[{name}][EQUALS]")
        found = self._services.reads.search_executions(tenant, filters(params), sort=[], page=1, size=_MOST)
        return [one.execution.id for one in found.results]

    def _invalid(self, tenant: str, ids: Sequence[str], verb: str | None) -> list[Json]:
        found: list[Json] = []
        for execution_id in ids:
            stored = self._services.reads.execution(tenant, execution_id)
            message = "execution not found" if stored is None else _unfit(verb, stored.execution.state)
            if message:
                found.append(
                    {
                        "message": message,
                        "path": "execution",
                        "propertyPath": [{"name": "execution", "kind": "PROPERTY", "inIterable": False}],
                        "invalidValue": execution_id,
                    }
                )
        return found

    async def by_ids(self, request: Request) -> Response:
        verb = request.path_params["verb"]
        ids = msgspec.json.decode(await request.body(), type=list[str])
        problems = await offload(self._invalid, request.path_params["tenant"], ids, verb)
        if problems:
            return _invalid_bulk(verb, problems)
        return await self._many(request, verb, ids)

    async def by_query(self, request: Request) -> Response:
        verb = request.path_params["verb"]
        ids = await offload(self._matching, request.path_params["tenant"], request.query_params)
        if verb == "labels":
            labels = _labels(await request.body())
            return await self._give(request, [c.SetLabels(execution_id=i, labels=labels) for i in ids])
        fit = [i for i in ids if not await offload(self._invalid, request.path_params["tenant"], [i], verb)]
        return await self._many(request, verb, fit)

    async def labels_by_ids(self, request: Request) -> Response:
        body = msgspec.json.decode(await request.body(), type=dict[str, object])
        ids, wanted = body.get("executionsId"), body.get("executionLabels")
        labels = _labels(msgspec.json.encode(wanted))
        chosen = [str(i) for i in ids] if isinstance(ids, list) else []
        problems = await offload(self._invalid, request.path_params["tenant"], chosen, "labels")
        if problems:
            return _invalid_bulk("labels", problems)
        return await self._give(request, [c.SetLabels(execution_id=i, labels=labels) for i in chosen])

    async def _many(self, request: Request, verb: str, ids: Sequence[str]) -> Response:
        make = _SIMPLE.get(verb)
        if make is None:
            raise NotFound("Not Found")
        params = request.query_params
        if verb == "replay" and flag(params, "latestRevision"):
            return await self._give(request, await offload(self._replays, request.path_params["tenant"], ids))
        return await self._give(request, [make(i, params) for i in ids])

    def _replays(self, tenant: str, ids: Sequence[str]) -> list[c.Command]:
        """Replays on the latest revision of each flow."""
        found: list[c.Command] = []
        for execution_id in ids:
            stored = self._services.reads.execution(tenant, execution_id)
            if stored is None:
                continue
            head = stored.execution
            current = self._services.shelf.current(tenant, head.namespace, head.flow_id)
            revision = current.row.revision if current is not None else head.flow_revision
            found.append(c.ReplayExecution(execution_id=execution_id, new_id=new_id(), revision=revision))
        return found

    async def _give(self, request: Request, commands: Sequence[c.Command]) -> Response:
        for command in commands:
            try:
                await asyncio.wrap_future(self._services.commands.submit(command))
            except CallerError:
                continue  # it changed meanwhile: a bulk goes on
        body: Mapping[str, object] = {
            "operationId": new_id(),
            "totalItems": len(commands),
            "count": len(commands),
        }
        return json_reply(body, 202)


def _unfit(verb: str | None, state: State) -> str | None:
    ended = state in TERMINATED
    rules: dict[str, tuple[bool, str]] = {
        "kill": (not ended, "execution already finished"),
        "restart": (state in (State.FAILED, State.PAUSED), "execution not in state FAILED or PAUSED"),
        "resume": (state is State.PAUSED, "execution is not paused"),
        "pause": (state is State.RUNNING, "execution is not running"),
        "change-status": (ended and state is not State.KILLED, "execution is not terminated"),
        "unqueue": (state is State.QUEUED, "execution is not queued"),
        "labels": (ended, "execution is not terminated"),
        "force-run": (not ended, "execution already finished"),
    }
    if verb is None or verb not in rules:
        return None
    fits, message = rules[verb]
    return None if fits else message


def _invalid_bulk(verb: str, problems: list[Json]) -> Response:
    return json_reply({"message": f"invalid bulk {verb}", "invalids": problems}, 400)


def _labels(body: bytes) -> list[Label]:
    entries = msgspec.json.decode(body, type=list[dict[str, object]])
    return [Label(str(entry["key"]), str(entry.get("value", ""))) for entry in entries]


def only_id(execution_id: str) -> Filter:
    """The filter that names one execution."""
    return Filter("executionId", "EQUALS", execution_id)
