"""What retention would remove now, and what goes on the coming days. An address of our own: Kestra has none."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from penstock.catalog.retention import Policy
from penstock.server.asked import number
from penstock.server.replies import json_reply, offload
from penstock.server.services import Services


class RetentionRoutes:
    """Handlers of retention; they remove nothing."""

    def __init__(self, services: Services) -> None:
        self._retention = services.retention

    def routes(self) -> list[Route]:
        """Their addresses."""
        return [Route("/api/v1/{tenant}/retention", self.show)]

    async def show(self, request: Request) -> Response:
        """`due`: how many executions each policy would touch now; `forecast`: how many go on each day (`?days=30`)."""
        days = number(request.query_params, "days", 30, most=3650)
        return json_reply(await offload(self._look, request.path_params["tenant"], days))

    def _look(self, tenant: str, days: int) -> dict[str, Any]:
        if self._retention is None:
            return {"due": [], "forecast": {}}
        due = [
            {**_policy(one.policy), "kind": str(one.kind), "executions": one.executions}
            for one in self._retention.dry_run(tenant)
        ]
        forecast = self._retention.forecast(tenant, days=days)
        return {"due": due, "forecast": {day.isoformat(): count for day, count in forecast.items()}}


def _policy(policy: Policy) -> dict[str, Any]:
    return {
        "keepDays": policy.keep.total_seconds() / 86_400 if policy.keep is not None else None,
        "namespace": policy.namespace,
        "labels": dict(policy.labels),
        "states": sorted(str(state) for state in policy.states),
    }
