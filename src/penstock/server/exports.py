"""Routes that export: sources as a ZIP, searches as CSV (api.md 9, notes to the table)."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from penstock.errors import NotFound
from penstock.ports.flows import FlowRow
from penstock.ports.reads import Condition
from penstock.server.asked import json_of
from penstock.server.executions import of_kind
from penstock.server.filters import filters
from penstock.server.flows import rows_matching
from penstock.server.replies import attachment, encode, offload
from penstock.server.searchable import EXECUTIONS
from penstock.server.services import Services
from penstock.server.shapes import Json, label_texts, state_json, trigger_json
from penstock.server.triggers import MOST, matching

_PAGE = 1000


class ExportRoutes:
    """Handlers of exports."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def of_flows(self) -> list[Route]:
        """Addresses below flows."""
        base = "/api/v1/{tenant}/flows/export"
        return [
            Route(f"{base}/by-ids", self.flows_named, methods=["POST"]),
            Route(f"{base}/by-query", self.flows_matching),
            Route(f"{base}/by-query/csv", self.flows_csv),
        ]

    def of_executions(self) -> list[Route]:
        """Addresses below executions."""
        return [Route("/api/v1/{tenant}/executions/export/by-query/csv", self.executions_csv)]

    def of_triggers(self) -> list[Route]:
        """Addresses below triggers."""
        return [Route("/api/v1/{tenant}/triggers/export/by-query/csv", self.triggers_csv)]

    async def flows_named(self, request: Request) -> Response:
        wanted = await json_of(request, list[dict[str, object]])
        pairs = [(str(w.get("namespace")), str(w.get("id"))) for w in wanted]
        return _archive(await offload(self._rows, request.path_params["tenant"], pairs))

    def _rows(self, tenant: str, pairs: Sequence[tuple[str, str]]) -> list[FlowRow]:
        found: list[FlowRow] = []
        for namespace, flow_id in pairs:
            row = self._services.shelf.rows.latest(tenant, namespace, flow_id)
            if row is None:
                raise NotFound(f"Flow '{flow_id}' not found in namespace '{namespace}'")
            found.append(row)
        return found

    async def flows_matching(self, request: Request) -> Response:
        return _archive(await offload(rows_matching, self._services, request, flat=True))

    async def flows_csv(self, request: Request) -> Response:
        rows = await offload(rows_matching, self._services, request, flat=True)
        return _table("flows", (_flow_cells(row) for row in rows))

    async def executions_csv(self, request: Request) -> Response:
        asked = of_kind(filters(request.query_params, EXECUTIONS, self._services.clock))
        return _table("executions", self._executions(request.path_params["tenant"], asked))

    def _executions(self, tenant: str, asked: Sequence[Condition]) -> Iterator[Json]:
        page, shown = 1, _PAGE
        while shown == _PAGE:
            found = self._services.reads.search_executions(tenant, asked, sort=[], page=page, size=_PAGE).results
            for one in found:
                execution = one.execution
                state = state_json(execution.state, execution.histories)
                yield {
                    "id": execution.id,
                    "namespace": execution.namespace,
                    "flowId": execution.flow_id,
                    "flowRevision": execution.flow_revision,
                    "state": execution.state,
                    "startDate": state["startDate"],
                    "endDate": state.get("endDate"),
                    "duration": state.get("duration"),
                    "labels": label_texts(one.context.labels),
                    "triggerId": one.context.trigger.id if one.context.trigger is not None else None,
                    "originalId": execution.original_id,
                    "parentId": execution.parent_id,
                }
            page, shown = page + 1, len(found)

    async def triggers_csv(self, request: Request) -> Response:
        found = await offload(matching, self._services, request, page=1, size=MOST)
        locked = await offload(self._services.triggers.locked, found.results)
        columns = (
            "namespace",
            "flowId",
            "triggerId",
            "kind",
            "disabled",
            "locked",
            "nextEvaluationDate",
            "lastTriggeredDate",
        )
        rows = (trigger_json(state, locked=state.key in locked) for state in found.results)
        return _table("triggers", ({name: row.get(name) for name in columns} for row in rows))


def _flow_cells(row: FlowRow) -> Json:
    return {
        "id": row.id,
        "namespace": row.namespace,
        "revision": row.revision,
        "description": row.document.get("description"),
        "disabled": row.disabled,
        "labels": ",".join(f"{key}:{value}" for key, value in row.labels.items()),
        "updated": row.updated,
    }


def _archive(rows: Iterable[FlowRow]) -> Response:
    """One YAML file for each flow, named by namespace and id."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for row in rows:
            archive.writestr(f"{row.namespace}-{row.id}.yml", row.source)
    return Response(made.getvalue(), media_type="application/octet-stream", headers=attachment("flows.zip"))


def _table(name: str, rows: Iterable[Mapping[str, object]]) -> Response:
    """CSV as RFC 4180 has it, its header from the keys of the first row; empty where there is none."""
    return StreamingResponse(_lines(rows), media_type="text/csv", headers=attachment(f"{name}.csv"))


def _lines(rows: Iterable[Mapping[str, object]]) -> Iterator[str]:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    first = True
    for row in rows:
        if first:
            writer.writerow(row)
            first = False
        writer.writerow([_cell(value) for value in row.values()])
        if text.tell() > 65_536:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else encode(value).decode().strip('"')
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text  # a spreadsheet would run it as a formula
