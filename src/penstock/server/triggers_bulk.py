"""Routes that change many triggers: those that are named, or all that match a query (api.md 6)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from penstock.errors import Conflict, NotFound
from penstock.ids import new_id
from penstock.ports.trigger_states import TriggerKey
from penstock.server.asked import flag, json_of
from penstock.server.replies import json_reply, offload
from penstock.server.services import Services
from penstock.server.triggers import MOST, key_in, matching

Work = Callable[[TriggerKey], object]


class TriggerBulkRoutes:
    """Handlers of bulk changes of triggers."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._desk = services.triggers

    def routes(self) -> list[Route]:
        """Their addresses."""
        base = "/api/v1/{tenant}/triggers"
        desk = self._desk
        verbs: dict[str, tuple[str, Work]] = {
            "unlock": ("POST", desk.unlock),
            "delete": ("DELETE", desk.delete),
            "backfill/pause": ("POST", desk.backfill_pause),
            "backfill/unpause": ("POST", desk.backfill_unpause),
            "backfill/delete": ("POST", desk.backfill_delete),
        }
        routes = [
            Route(f"{base}/set-disabled/by-triggers", self.set_disabled_many, methods=["POST"]),
            Route(f"{base}/set-disabled/by-query", self.set_disabled_matching, methods=["POST"]),
        ]
        for verb, (method, work) in verbs.items():
            routes.append(Route(f"{base}/{verb}/by-triggers", self._named(work), methods=[method]))
            routes.append(Route(f"{base}/{verb}/by-query", self._matching(work), methods=[method]))
        return routes

    def _named(self, work: Work) -> Callable:
        async def handle(request: Request) -> Response:
            wanted = await json_of(request, list[object])
            return await self._many([key_in(request, one) for one in wanted], work)

        return handle

    def _matching(self, work: Work) -> Callable:
        async def handle(request: Request) -> Response:
            return await self._many(await offload(self._keys, request), work)

        return handle

    def _keys(self, request: Request) -> list[TriggerKey]:
        found = matching(self._services, request, page=1, size=MOST, legacy=False)
        return [state.key for state in found.results]

    async def set_disabled_many(self, request: Request) -> Response:
        """Body `{"triggers": [{namespace, flowId, triggerId}], "disabled"}`."""
        body = await json_of(request, dict[str, object])
        disabled, triggers = bool(body.get("disabled", True)), body.get("triggers")
        keys = [key_in(request, t) for t in triggers] if isinstance(triggers, list) else []
        return await self._many(keys, lambda key: self._desk.set_disabled(key, disabled=disabled))

    async def set_disabled_matching(self, request: Request) -> Response:
        disabled = flag(request.query_params, "disabled", default=True)
        keys = await offload(self._keys, request)
        return await self._many(keys, lambda key: self._desk.set_disabled(key, disabled=disabled))

    async def _many(self, keys: Sequence[TriggerKey], work: Work) -> Response:
        done = await offload(_each, keys, work)
        return json_reply({"operationId": new_id(), "totalItems": done, "count": done}, 202)


def _each(keys: Sequence[TriggerKey], work: Work) -> int:
    done = 0
    for key in keys:
        try:
            work(key)
        except (Conflict, NotFound):
            continue  # in the wrong state, or gone: a bulk passes it over
        done += 1
    return done
