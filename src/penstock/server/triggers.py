"""Routes of triggers: rows, switching, backfills, the trigger journal (api.md 9, Triggers)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from penstock.errors import BadRequest, Conflict, NotFound, Unprocessable
from penstock.ids import new_id
from penstock.model.execution import Label
from penstock.ports.reads import Filter
from penstock.ports.trigger_states import FlowKey, TriggerKey, TriggerState
from penstock.server.filters import TRIGGER_LEGACY, filters, flag, paging
from penstock.server.replies import json_reply, nothing, offload
from penstock.server.services import Services
from penstock.server.shapes import Json, instant, page_json, without_nulls

_MOST = 100_000


class TriggerRoutes:
    """Handlers of triggers."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._desk = services.triggers

    def routes(self) -> list[Route]:
        base = "/api/v1/{tenant}/triggers"
        one = f"{base}/{{namespace}}/{{flow}}/{{trigger}}"
        return [
            Route(f"{base}/search", self.search),
            Route(f"{base}/evaluations", self.journal),
            Route(f"{base}/set-disabled", self.set_disabled, methods=["PUT"]),
            Route(f"{base}/set-disabled/by-triggers", self.set_disabled_many, methods=["POST"]),
            Route(f"{base}/set-disabled/by-query", self.set_disabled_matching, methods=["POST"]),
            Route(f"{base}/backfill/create", self.backfill_create, methods=["PUT"]),
            Route(f"{base}/backfill/{{verb}}", self.backfill, methods=["PUT", "POST"]),
            Route(f"{base}/backfill/{{verb}}/by-triggers", self.backfill_many, methods=["POST"]),
            Route(f"{base}/backfill/{{verb}}/by-query", self.backfill_matching, methods=["POST"]),
            Route(f"{base}/unlock/by-triggers", self.unlock_many, methods=["POST"]),
            Route(f"{base}/unlock/by-query", self.unlock_matching, methods=["POST"]),
            Route(f"{base}/delete/by-triggers", self.delete_many, methods=["DELETE"]),
            Route(f"{base}/delete/by-query", self.delete_matching, methods=["DELETE"]),
            Route(base, self.update, methods=["PUT"]),
            Route(f"{base}/{{namespace}}/{{flow}}", self.of_flow),
            Route(one, self.delete, methods=["DELETE"]),
            Route(f"{one}/unlock", self.unlock, methods=["POST"]),
            Route(f"{one}/restart", self.restart, methods=["POST"]),
            Route(f"{one}/evaluations", self.journal_of_one),
            Route(f"{one}/next-dates", self.next_dates),
            Route(f"{one}/test", self.test),
        ]

    # -- questions -----------------------------------------------------------------------------------------------

    async def search(self, request: Request) -> Response:
        wanted = paging(request.query_params)
        asked = filters(request.query_params, legacy=TRIGGER_LEGACY)
        tenant = request.path_params["tenant"]
        found = await offload(self._desk.search, tenant, asked, sort=wanted.sort, page=wanted.page, size=wanted.size)
        shown = await offload(self._with_definitions, tenant, found.results)
        return json_reply(page_json(shown, found.total))

    def _with_definitions(self, tenant: str, states: Sequence[TriggerState]) -> list[Json]:
        locked = self._desk.locked(states)
        return [{"trigger": self._definition(tenant, state), "state": state_of(state, locked)} for state in states]

    def _definition(self, tenant: str, state: TriggerState) -> Json:
        shelved = self._services.shelf.current(tenant, state.namespace, state.flow_id)
        written = shelved.row.document.get("triggers") if shelved is not None else None
        for entry in written if isinstance(written, list) else []:
            if isinstance(entry, Mapping) and entry.get("id") == state.trigger_id:
                return dict(entry)
        return {"id": state.trigger_id, "type": ""}

    async def of_flow(self, request: Request) -> Response:
        names = request.path_params
        key = FlowKey(names["tenant"], names["namespace"], names["flow"])
        states = await offload(self._desk.of_flow, key)
        locked = await offload(self._desk.locked, states)
        wanted = paging(request.query_params)
        start = (wanted.page - 1) * wanted.size
        shown = [state_of(s, locked) for s in states[start : start + wanted.size]]
        return json_reply(page_json(shown, len(states)))

    async def journal(self, request: Request) -> Response:
        wanted = paging(request.query_params, size=50)
        asked = filters(request.query_params, legacy=TRIGGER_LEGACY)
        return await self._journal(request, asked, page=wanted.page, size=wanted.size)

    async def journal_of_one(self, request: Request) -> Response:
        names = request.path_params
        wanted = paging(request.query_params, size=50)
        asked = [
            Filter("namespace", "EQUALS", names["namespace"]),
            Filter("flowId", "EQUALS", names["flow"]),
            Filter("triggerId", "EQUALS", names["trigger"]),
        ]
        return await self._journal(request, asked, page=wanted.page, size=wanted.size)

    async def _journal(self, request: Request, asked: Sequence[object], *, page: int, size: int) -> Response:
        found = await offload(self._desk.evaluations, request.path_params["tenant"], asked, page=page, size=size)
        return json_reply(page_json(found.results, found.total))

    async def next_dates(self, request: Request) -> Response:
        count = int(request.query_params.get("count", "50"))
        return json_reply(await offload(self._desk.next_dates, _key(request), count))

    async def test(self, request: Request) -> Response:
        text = request.query_params.get("date")
        date = _instant(text) if text else self._services.clock.now()
        return json_reply(await offload(self._desk.test_at, _key(request), date))

    # -- one -------------------------------------------------------------------------------------------------------

    async def unlock(self, request: Request) -> Response:
        return await self._shown(self._desk.unlock, _key(request))

    async def restart(self, request: Request) -> Response:
        return await self._shown(self._desk.restart, _key(request))

    async def delete(self, request: Request) -> Response:
        await offload(self._desk.delete, _key(request))
        return nothing(204)

    async def set_disabled(self, request: Request) -> Response:
        body = await _body(request)
        disabled = bool(body.get("disabled", True))
        return await self._shown(self._desk.set_disabled, _key_in(request, body), disabled=disabled)

    async def update(self, request: Request) -> Response:
        """The 1.x form: a whole trigger with `disabled`, or with a backfill."""
        body = await _body(request)
        key = _key_in(request, body)
        if isinstance(body.get("backfill"), Mapping):
            return await self._create_backfill(key, body["backfill"])
        return await self._shown(self._desk.set_disabled, key, disabled=bool(body.get("disabled", False)))

    async def backfill_create(self, request: Request) -> Response:
        body = await _body(request)
        return await self._create_backfill(_key_in(request, body), body.get("backfill") or body)

    async def _create_backfill(self, key: TriggerKey, written: object) -> Response:
        if not isinstance(written, Mapping) or not written.get("start"):
            raise BadRequest("a backfill needs a `start`")
        end = written.get("end")
        inputs, labels = written.get("inputs"), written.get("labels")
        return await self._shown(
            self._desk.backfill_create,
            key,
            start=_instant(str(written["start"])),
            end=_instant(str(end)) if end else None,
            inputs=inputs if isinstance(inputs, Mapping) else {},
            labels=[Label(str(x["key"]), str(x["value"])) for x in labels] if isinstance(labels, list) else [],
        )

    async def backfill(self, request: Request) -> Response:
        body = await _body(request)
        return await self._shown(self._backfill_verb(request.path_params["verb"]), _key_in(request, body))

    def _backfill_verb(self, verb: str) -> Callable[[TriggerKey], TriggerState]:
        verbs = {
            "pause": self._desk.backfill_pause,
            "unpause": self._desk.backfill_unpause,
            "delete": self._desk.backfill_delete,
        }
        if verb not in verbs:
            raise NotFound("Not Found")
        return verbs[verb]

    async def _shown(self, work: Callable[..., TriggerState], key: TriggerKey, **kwargs: object) -> Response:
        state = await offload(work, key, **kwargs)
        return json_reply(state_of(state, await offload(self._desk.locked, [state])))

    # -- many ------------------------------------------------------------------------------------------------------

    async def set_disabled_many(self, request: Request) -> Response:
        body = await _body(request)
        disabled = bool(body.get("disabled", True))
        triggers = body.get("triggers")
        keys = [_key_of(request, t) for t in triggers] if isinstance(triggers, list) else []
        return await self._many(keys, lambda key: self._desk.set_disabled(key, disabled=disabled))

    async def set_disabled_matching(self, request: Request) -> Response:
        disabled = flag(request.query_params, "disabled", default=True)
        keys = await offload(self._matching, request)
        return await self._many(keys, lambda key: self._desk.set_disabled(key, disabled=disabled))

    async def backfill_many(self, request: Request) -> Response:
        return await self._many(await _keys(request), self._backfill_verb(request.path_params["verb"]))

    async def backfill_matching(self, request: Request) -> Response:
        keys = await offload(self._matching, request)
        return await self._many(keys, self._backfill_verb(request.path_params["verb"]))

    async def unlock_many(self, request: Request) -> Response:
        return await self._many(await _keys(request), self._desk.unlock)

    async def unlock_matching(self, request: Request) -> Response:
        return await self._many(await offload(self._matching, request), self._desk.unlock)

    async def delete_many(self, request: Request) -> Response:
        return await self._many(await _keys(request), self._desk.delete)

    async def delete_matching(self, request: Request) -> Response:
        return await self._many(await offload(self._matching, request), self._desk.delete)

    def _matching(self, request: Request) -> list[TriggerKey]:
        asked = filters(request.query_params)
        found = self._desk.search(request.path_params["tenant"], asked, sort=[], page=1, size=_MOST)
        return [state.key for state in found.results]

    async def _many(self, keys: Sequence[TriggerKey], work: Callable[[TriggerKey], object]) -> Response:
        done = await offload(self._each, keys, work)
        return json_reply({"operationId": new_id(), "totalItems": done, "count": done}, 202)

    def _each(self, keys: Sequence[TriggerKey], work: Callable[[TriggerKey], object]) -> int:
        done = 0
        for key in keys:
            try:
                work(key)
            except (Conflict, NotFound):
                continue  # in the wrong state, or gone: a bulk passes it over
            done += 1
        return done


def state_of(state: TriggerState, locked: set[TriggerKey]) -> Json:
    """A trigger's row as clients know it; the 1.x names of the dates beside those of 2.0."""
    return without_nulls(
        {
            "tenantId": state.tenant_id,
            "namespace": state.namespace,
            "flowId": state.flow_id,
            "triggerId": state.trigger_id,
            "updatedAt": state.updated,
            "evaluatedAt": state.evaluated,
            "nextEvaluationDate": state.next_date,
            "nextExecutionDate": state.next_date,
            "lastTriggeredDate": state.last_triggered,
            "date": state.last_triggered,
            "backfill": state.backfill,
            "stopAfter": state.stop_after or None,
            "executionId": state.execution_id,
            "workerId": state.worker_id,
            "disabled": state.disabled,
            "locked": state.key in locked,
            "kind": state.kind,
        }
    )


def _key(request: Request) -> TriggerKey:
    names = request.path_params
    return TriggerKey(names["tenant"], names["namespace"], names["flow"], names["trigger"])


async def _body(request: Request) -> dict[str, object]:
    try:
        return msgspec.json.decode(await request.body(), type=dict[str, object])
    except msgspec.DecodeError as error:
        raise Unprocessable(f"Invalid JSON: {error}") from error


def _key_in(request: Request, body: Mapping[str, object]) -> TriggerKey:
    return _key_of(request, body)


def _key_of(request: Request, named: object) -> TriggerKey:
    if not isinstance(named, Mapping) or not all(named.get(k) for k in ("namespace", "flowId", "triggerId")):
        raise BadRequest("`namespace`, `flowId` and `triggerId` are required")
    return TriggerKey(
        request.path_params["tenant"], str(named["namespace"]), str(named["flowId"]), str(named["triggerId"])
    )


async def _keys(request: Request) -> list[TriggerKey]:
    wanted = msgspec.json.decode(await request.body(), type=list[dict[str, object]])
    return [_key_of(request, one) for one in wanted]


def _instant(text: str) -> datetime:
    try:
        return instant(text)
    except ValueError as error:
        raise Unprocessable(f"Illegal argument: `{text}` is no date-time: {error}") from error
