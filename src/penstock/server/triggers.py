"""Routes of triggers: rows, switching, backfills, the trigger journal (api.md 9, Triggers)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from penstock.errors import BadRequest, NotFound, Unprocessable
from penstock.model.execution import Label
from penstock.ports.reads import Condition, Filter, Page, Sort
from penstock.ports.trigger_states import FlowKey, TriggerKey, TriggerState
from penstock.server.asked import json_of, moment, number
from penstock.server.filters import Paging, filters, paging, refuse_flat, renamed
from penstock.server.replies import json_reply, nothing, offload
from penstock.server.searchable import EVALUATIONS, TRIGGERS
from penstock.server.services import Services
from penstock.server.shapes import Json, instant, only, page_json, trigger_json
from penstock.server.wishes import labels_in

MOST = 100_000
"""Triggers that one bulk or one search by `locked` looks at."""

_DATES = {"NEXT_EXECUTION_DATE": "nextExecutionDate", "LAST_TRIGGERED_DATE": "lastTriggeredDate"}


class TriggerRoutes:
    """Handlers of triggers."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._desk = services.triggers

    def routes(self) -> list[Route]:
        """Their addresses."""
        base = "/api/v1/{tenant}/triggers"
        one = f"{base}/{{namespace}}/{{flow}}/{{trigger}}"
        return [
            Route(f"{base}/search", self.search),
            Route(f"{base}/evaluations", self.journal),
            Route(f"{base}/set-disabled", self.set_disabled, methods=["PUT"]),
            Route(f"{base}/backfill/create", self.backfill_create, methods=["PUT"]),
            Route(f"{base}/backfill/{{verb}}", self.backfill, methods=["PUT", "POST"]),
            Route(base, self.update, methods=["PUT"]),
            Route(f"{base}/{{namespace}}/{{flow}}", self.of_flow),
            Route(one, self.read, methods=["GET"]),
            Route(one, self.delete, methods=["DELETE"]),
            Route(f"{one}/unlock", self.unlock, methods=["POST"]),
            Route(f"{one}/restart", self.restart, methods=["POST"]),
            Route(f"{one}/evaluations", self.journal_of_one),
            Route(f"{one}/next-dates", self.next_dates),
            Route(f"{one}/test", self.test),
        ]

    # -- questions -------------------------------------------------------------------------------------------------

    async def search(self, request: Request) -> Response:
        """Definition and state of each trigger; 1.x names of both beside those of 2.0."""
        wanted = paging(request.query_params)
        found = await offload(matching, self._services, request, page=wanted.page, size=wanted.size, sort=wanted.sort)
        tenant = request.path_params["tenant"]
        return json_reply(page_json(await offload(self._with_definitions, tenant, found.results), found.total))

    def _with_definitions(self, tenant: str, states: Sequence[TriggerState]) -> list[Json]:
        locked = self._desk.locked(states)
        found: list[Json] = []
        for state in states:
            definition, row = self._definition(tenant, state), trigger_json(state, locked=state.key in locked)
            found.append({"trigger": definition, "state": row, "abstractTrigger": definition, "triggerContext": row})
        return found

    def _definition(self, tenant: str, state: TriggerState) -> Json:
        """The trigger as its flow declares it; of an orphan only its id is known."""
        shelved = self._services.shelf.current(tenant, state.namespace, state.flow_id)
        written = shelved.row.document.get("triggers") if shelved is not None else None
        for entry in written if isinstance(written, list) else []:
            if isinstance(entry, Mapping) and entry.get("id") == state.trigger_id:
                return dict(entry)
        return {"id": state.trigger_id, "type": ""}

    async def of_flow(self, request: Request) -> Response:
        names, wanted = request.path_params, paging(request.query_params)
        key = FlowKey(names["tenant"], names["namespace"], names["flow"])
        query = request.query_params.get("q", "").lower()
        return json_reply(await offload(self._page_of_flow, key, wanted, query))

    def _page_of_flow(self, key: FlowKey, wanted: Paging, query: str) -> Json:
        states = [s for s in self._desk.of_flow(key) if query in s.trigger_id.lower()]
        start = (wanted.page - 1) * wanted.size
        locked = self._desk.locked(states)
        shown = [trigger_json(s, locked=s.key in locked) for s in states[start : start + wanted.size]]
        return page_json(shown, len(states))

    async def read(self, request: Request) -> Response:
        return await self._shown(self._desk.get, _key(request))

    async def journal(self, request: Request) -> Response:
        """What evaluations came to, newest first (ours: Kestra keeps no such record)."""
        asked = filters(request.query_params, EVALUATIONS, self._services.clock)
        return await self._journal(request, asked)

    async def journal_of_one(self, request: Request) -> Response:
        names = request.path_params
        trigger = Filter("triggerId", "EQUALS", names["trigger"])
        return await self._journal(request, [*only(names["namespace"], names["flow"]), trigger])

    async def _journal(self, request: Request, asked: Sequence[Condition]) -> Response:
        wanted = paging(request.query_params, size=50)
        found = await offload(
            self._desk.evaluations, request.path_params["tenant"], asked, page=wanted.page, size=wanted.size
        )
        return json_reply(page_json(found.results, found.total))

    async def next_dates(self, request: Request) -> Response:
        count = number(request.query_params, "count", 50, most=1000)
        return json_reply(await offload(self._desk.next_dates, _key(request), count))

    async def test(self, request: Request) -> Response:
        """What the schedule would do at `date`, or now."""
        date = moment(request.query_params, "date") or self._services.clock.now()
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
        body = await json_of(request, dict[str, object])
        disabled = bool(body.get("disabled", True))
        return await self._shown(self._desk.set_disabled, key_in(request, body), disabled=disabled)

    async def update(self, request: Request) -> Response:
        """The 1.x form: a whole trigger with `disabled`, or with a backfill."""
        body = await json_of(request, dict[str, object])
        key, backfill = key_in(request, body), body.get("backfill")
        if isinstance(backfill, Mapping):
            return await self._create_backfill(key, backfill)
        return await self._shown(self._desk.set_disabled, key, disabled=bool(body.get("disabled", False)))

    async def backfill_create(self, request: Request) -> Response:
        body = await json_of(request, dict[str, object])
        return await self._create_backfill(key_in(request, body), body.get("backfill") or body)

    async def _create_backfill(self, key: TriggerKey, written: object) -> Response:
        if not isinstance(written, Mapping) or not written.get("start"):
            raise BadRequest("a backfill needs a `start`")
        end, inputs, labels = written.get("end"), written.get("inputs"), written.get("labels")
        return await self._shown(
            self._desk.backfill_create,
            key,
            start=_instant(str(written["start"])),
            end=_instant(str(end)) if end else None,
            inputs=inputs if isinstance(inputs, Mapping) else {},
            labels=_labels(labels),
        )

    async def backfill(self, request: Request) -> Response:
        """`pause`, `unpause` or `delete` the backfill of the trigger that the body names."""
        verbs: dict[str, Callable[[TriggerKey], TriggerState]] = {
            "pause": self._desk.backfill_pause,
            "unpause": self._desk.backfill_unpause,
            "delete": self._desk.backfill_delete,
        }
        work = verbs.get(request.path_params["verb"])
        if work is None:
            raise NotFound("Not Found")
        return await self._shown(work, key_in(request, await json_of(request, dict[str, object])))

    async def _shown(self, work: Callable[..., TriggerState], key: TriggerKey, **kwargs: object) -> Response:
        def done() -> Json:
            state = work(key, **kwargs)
            return trigger_json(state, locked=bool(self._desk.locked([state])))

        return json_reply(await offload(done))


def matching(
    services: Services, request: Request, *, page: int, size: int, sort: Sequence[Sort] = (), legacy: bool = True
) -> Page[TriggerState]:
    """The triggers that a request's filters name. Whether one is locked is asked of live executions, not of its row."""
    params = request.query_params
    if not legacy:
        refuse_flat(params, TRIGGERS)
    asked = filters(params, TRIGGERS, services.clock)
    date = _DATES.get(params.get("dateFilter", ""), "nextExecutionDate")
    asked = renamed(asked, {"startDate": date, "endDate": date})
    tenant, locks = request.path_params["tenant"], [c for c in asked if isinstance(c, Filter) and c.field == "locked"]
    if not locks:
        return services.triggers.search(tenant, asked, sort=sort, page=page, size=size)
    wanted = (str(locks[0].value).lower() == "true") is (locks[0].operation == "EQUALS")
    rest = [c for c in asked if c not in locks]
    states = services.triggers.search(tenant, rest, sort=sort, page=1, size=MOST).results
    locked = services.triggers.locked(states)
    kept = [s for s in states if (s.key in locked) is wanted]
    return Page(kept[(page - 1) * size : page * size], len(kept))


def key_in(request: Request, named: object) -> TriggerKey:
    """The trigger that a body's `{namespace, flowId, triggerId}` names. Raises BadRequest."""
    if not isinstance(named, Mapping) or not all(named.get(k) for k in ("namespace", "flowId", "triggerId")):
        raise BadRequest("`namespace`, `flowId` and `triggerId` are required")
    place = (str(named[k]) for k in ("namespace", "flowId", "triggerId"))
    return TriggerKey(request.path_params["tenant"], *place)


def _key(request: Request) -> TriggerKey:
    names = request.path_params
    return TriggerKey(names["tenant"], names["namespace"], names["flow"], names["trigger"])


def _labels(written: object) -> list[Label]:
    return labels_in(written) if written else []


def _instant(text: str) -> datetime:
    try:
        return instant(text)
    except ValueError as error:
        raise Unprocessable(f"Illegal argument: `{text}` is no date-time: {error}") from error
