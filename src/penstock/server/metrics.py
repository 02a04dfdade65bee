"""Routes of metrics (api.md 9, Metrics)."""

from __future__ import annotations

from datetime import timedelta
from typing import cast, get_args

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from penstock.errors import Unprocessable
from penstock.ports.reads import Aggregation, Condition, Filter, Unit
from penstock.server.asked import moment
from penstock.server.filters import paging
from penstock.server.replies import json_reply, offload
from penstock.server.services import Services
from penstock.server.shapes import entry_json, only, page_json

_UNITS: tuple[tuple[timedelta, Unit], ...] = (
    (timedelta(days=365), "month"),
    (timedelta(days=180), "week"),
    (timedelta(days=1), "day"),
    (timedelta(hours=6), "hour"),
)
"""Ranges longer than these are shown by that unit; shorter ones by minutes."""


class MetricRoutes:
    """Handlers of metrics."""

    def __init__(self, services: Services) -> None:
        self._reads = services.reads
        self._clock = services.clock

    def routes(self) -> list[Route]:
        """Their addresses."""
        base, flow = "/api/v1/{tenant}/metrics", "{namespace}/{flow}"
        return [
            Route(f"{base}/names/{flow}", self.names),
            Route(f"{base}/names/{flow}/{{task}}", self.names),
            Route(f"{base}/tasks/{flow}", self.tasks),
            Route(f"{base}/aggregates/{flow}/{{metric}}", self.aggregates),
            Route(f"{base}/aggregates/{flow}/{{task}}/{{metric}}", self.aggregates),
            Route(f"{base}/{{execution}}", self.of_execution),
        ]

    async def of_execution(self, request: Request) -> Response:
        params, names = request.query_params, request.path_params
        wanted = paging(params)
        asked: list[Condition] = [Filter("executionId", "EQUALS", names["execution"])]
        asked += [Filter(name, "EQUALS", params[name]) for name in ("taskRunId", "taskId") if params.get(name)]
        found = await offload(
            self._reads.metrics, names["tenant"], asked, sort=wanted.sort, page=wanted.page, size=wanted.size
        )
        return json_reply(page_json([entry_json(one) for one in found.results], found.total))

    async def names(self, request: Request) -> Response:
        names = request.path_params
        place = (names["tenant"], names["namespace"], names["flow"])
        return json_reply(await offload(self._reads.metric_names, *place, names.get("task")))

    async def tasks(self, request: Request) -> Response:
        names = request.path_params
        return json_reply(await offload(self._reads.metric_tasks, names["tenant"], names["namespace"], names["flow"]))

    async def aggregates(self, request: Request) -> Response:
        """The values of one metric by time, the last thirty days unless dates are given."""
        names, params = request.path_params, request.query_params
        end = moment(params, "endDate") or self._clock.now()
        start = moment(params, "startDate") or end - timedelta(days=30)
        unit = next((unit for longer, unit in _UNITS if end - start > longer), "minute")
        aggregation = params.get("aggregation", "sum").lower()
        if aggregation not in get_args(Aggregation):
            raise Unprocessable(f"Illegal argument: `{aggregation}` is none of {', '.join(get_args(Aggregation))}")
        asked: list[Condition] = [
            *only(names["namespace"], names["flow"]),
            Filter("name", "EQUALS", names["metric"]),
            Filter("timestamp", "GREATER_THAN_OR_EQUAL_TO", start),
            Filter("timestamp", "LESS_THAN_OR_EQUAL_TO", end),
        ]
        if "task" in names:
            asked.append(Filter("taskId", "EQUALS", names["task"]))
        found = await offload(
            self._reads.aggregate_metrics,
            names["tenant"],
            asked,
            aggregation=cast("Aggregation", aggregation),
            unit=unit,
        )
        buckets = [{"name": names["metric"], "value": b.value, "date": b.date} for b in found]
        return json_reply({"groupBy": unit, "aggregations": buckets})
