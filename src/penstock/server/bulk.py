"""Routes that act on many executions: by their ids, or on all that match a query (api.md 6)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from penstock.engine import commands as c
from penstock.errors import CallerError, NotFound
from penstock.ids import new_id
from penstock.model.execution import Execution
from penstock.model.state import TERMINATED, State
from penstock.server.actions import SIMPLE
from penstock.server.asked import flag, json_of
from penstock.server.executions import of_kind
from penstock.server.filters import filters, refuse_flat
from penstock.server.replies import json_reply, offload
from penstock.server.searchable import EXECUTIONS
from penstock.server.services import Services
from penstock.server.shapes import Json
from penstock.server.wishes import labels_in

_MOST = 100_000
_AT_ONCE = 500
"""Commands on their way at the same time; the next ones wait for their commit."""

_FIT: dict[str, tuple[frozenset[State], str]] = {
    "restart": (frozenset({State.FAILED, State.PAUSED}), "execution not in state FAILED or PAUSED"),
    "resume": (frozenset({State.PAUSED}), "execution not in state PAUSED"),
    "pause": (frozenset({State.RUNNING}), "execution is not in state RUNNING"),
    "unqueue": (frozenset({State.QUEUED}), "execution not in state QUEUED"),
    "change-status": (TERMINATED - {State.KILLED}, "execution is not terminated"),
    "labels": (TERMINATED, "execution is not terminated"),
    "kill": (frozenset(State) - TERMINATED, "execution already finished"),
    "force-run": (frozenset(State) - TERMINATED, "execution already finished"),
}
"""The states each verb needs, and what is said of an execution in another one."""

_VERBS = ("resume", "labels", *SIMPLE)


class BulkRoutes:
    """Handlers of bulk actions."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def routes(self) -> list[Route]:
        """Their addresses."""
        base = "/api/v1/{tenant}/executions"
        routes = [
            Route(f"{base}/by-ids", self.delete_by_ids, methods=["DELETE"]),
            Route(f"{base}/by-query", self.delete_by_query, methods=["DELETE"]),
        ]
        for verb in _VERBS:
            method = "DELETE" if verb == "kill" else "POST"
            routes.append(Route(f"{base}/{verb}/by-ids", self.by_ids, methods=[method]))
            routes.append(Route(f"{base}/{verb}/by-query", self.by_query, methods=[method]))
        return routes

    # -- deletion --------------------------------------------------------------------------------------------------

    async def delete_by_ids(self, request: Request) -> Response:
        """`{"count": n}`; 400 and nothing done where one is unknown, or runs without `includeNonTerminated`."""
        ids = await json_of(request, list[str])
        tenant, params = request.path_params["tenant"], request.query_params
        running = flag(params, "includeNonTerminated")
        invalid = await offload(self._invalid, tenant, ids, None if running else "labels")
        if invalid:
            return _refused("delete", invalid)
        return json_reply({"count": await offload(self._delete, tenant, ids, params)})

    async def delete_by_query(self, request: Request) -> Response:
        """`{"count": n}`; executions that run stay, unless `includeNonTerminated` says otherwise."""
        tenant, params = request.path_params["tenant"], request.query_params
        found = await offload(self._matching, tenant, params)
        running = flag(params, "includeNonTerminated")
        ids = [e.id for e in found if running or e.state in TERMINATED]
        return json_reply({"count": await offload(self._delete, tenant, ids, params)})

    def _delete(self, tenant: str, ids: Sequence[str], params: QueryParams) -> int:
        purged = self._services.purger.executions(
            tenant,
            ids,
            logs=flag(params, "deleteLogs", default=True),
            metrics=flag(params, "deleteMetrics", default=True),
            files=flag(params, "deleteStorage", default=True),
        )
        return purged.executions

    # -- verbs -----------------------------------------------------------------------------------------------------

    async def by_ids(self, request: Request) -> Response:
        """202 with how many were taken on; 400 and nothing done where one is unknown or in the wrong state."""
        verb = _verb(request)
        if verb == "labels":
            body = await json_of(request, dict[str, object])
            wanted = body.get("executionsId")
            ids = [str(i) for i in wanted] if isinstance(wanted, list) else []
        else:
            body = {}
            ids = await json_of(request, list[str])
        tenant = request.path_params["tenant"]
        invalid = await offload(self._invalid, tenant, ids, verb)
        if invalid:
            return _refused(verb, invalid)
        if verb == "labels":
            labels = labels_in(body.get("executionLabels"))
            return await self._give([c.SetLabels(execution_id=i, labels=labels) for i in ids])
        heads = await offload(self._heads, tenant, ids)
        return await self._give(self._commands(request, verb, heads))

    async def by_query(self, request: Request) -> Response:
        """202 with how many were taken on: those that match and are in a fitting state."""
        verb = _verb(request)
        found = await offload(self._matching, request.path_params["tenant"], request.query_params)
        heads = [e for e in found if _misfit(verb, e.state) is None]
        if verb == "labels":
            labels = labels_in(await json_of(request, list[object]))
            return await self._give([c.SetLabels(execution_id=e.id, labels=labels) for e in heads])
        return await self._give(self._commands(request, verb, heads))

    def _commands(self, request: Request, verb: str, heads: Sequence[Execution]) -> list[c.Command]:
        params = request.query_params
        if verb == "resume":
            return [c.ResumeExecution(execution_id=e.id, by=self._services.login.user or None) for e in heads]
        if verb == "replay" and flag(params, "latestRevision"):
            return [
                c.ReplayExecution(execution_id=e.id, new_id=new_id(), revision=self._latest_revision(e)) for e in heads
            ]
        return [SIMPLE[verb](e.id, params) for e in heads]

    def _latest_revision(self, execution: Execution) -> int:
        current = self._services.shelf.current(execution.tenant_id, execution.namespace, execution.flow_id)
        return current.row.revision if current is not None else execution.flow_revision

    async def _give(self, commands: Sequence[c.Command]) -> Response:
        """Hand the commands over, some hundred at a time; one that no longer fits its execution is passed over."""
        done = 0
        for start in range(0, len(commands), _AT_ONCE):
            given = [self._services.commands.submit(one) for one in commands[start : start + _AT_ONCE]]
            answers = await asyncio.gather(*(asyncio.wrap_future(f) for f in given), return_exceptions=True)
            for answer in answers:
                if isinstance(answer, BaseException) and not isinstance(answer, CallerError):
                    raise answer
                done += not isinstance(answer, BaseException)
        return json_reply({"operationId": new_id(), "totalItems": len(commands), "count": done}, 202)

    # -- which -----------------------------------------------------------------------------------------------------

    def _matching(self, tenant: str, params: QueryParams) -> list[Execution]:
        """The executions a query names. Flat parameters of older clients are refused: ignored, they would hit all."""
        refuse_flat(params, EXECUTIONS)
        asked = of_kind(filters(params, EXECUTIONS, self._services.clock))
        found = self._services.reads.search_executions(tenant, asked, sort=[], page=1, size=_MOST)
        return [one.execution for one in found.results]

    def _heads(self, tenant: str, ids: Sequence[str]) -> list[Execution]:
        found = (self._services.reads.execution(tenant, i) for i in ids)
        return [one.execution for one in found if one is not None]

    def _invalid(self, tenant: str, ids: Sequence[str], verb: str | None) -> list[Json]:
        """What is wrong with the ids: unknown, or in a state that the verb does not fit."""
        found: list[Json] = []
        for execution_id in ids:
            stored = self._services.reads.execution(tenant, execution_id)
            message = "execution not found" if stored is None else _misfit(verb, stored.execution.state)
            if message:
                found.append(_invalid_item(message, execution_id))
        return found


def _verb(request: Request) -> str:
    verb = request.url.path.split("/")[-2]
    if verb not in _VERBS:
        raise NotFound("Not Found")
    return verb


def _misfit(verb: str | None, state: State) -> str | None:
    if verb is None or verb not in _FIT:
        return None
    states, message = _FIT[verb]
    return None if state in states else message


def _invalid_item(message: str, execution_id: str) -> Json:
    return {
        "message": message,
        "path": "execution",
        "propertyPath": [{"name": "execution", "kind": "PROPERTY", "inIterable": False}],
        "rootBean": execution_id,
        "rootBeanClass": "java.lang.String",
        "leafBean": execution_id,
        "executableParameters": [],
        "messageTemplate": "{messageTemplate}",
        "invalidValue": execution_id,
    }


def _refused(verb: str, invalid: list[Json]) -> Response:
    return json_reply({"message": f"invalid bulk {verb}", "invalids": invalid}, 400)
