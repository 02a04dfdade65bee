"""Routes of dependencies: which flows start which, by Subflow tasks and Flow triggers (api.md 12)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from penstock.errors import NotFound
from penstock.model.mappings import maps_within
from penstock.ports.flows import FlowRow
from penstock.server.asked import flag
from penstock.server.replies import json_reply, offload
from penstock.server.services import Services
from penstock.server.shapes import Json

Flow = tuple[str, str]
"""Namespace and id."""

_CALLS = (".Subflow", ".ForEachItem", "core.tasks.flows.Flow")
_FLOW_TRIGGERS = ("core.trigger.Flow", "models.triggers.types.Flow")


class DependencyRoutes:
    """Handlers of dependencies."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def of_flows(self) -> list[Route]:
        """Addresses below flows."""
        return [Route("/api/v1/{tenant}/flows/{namespace}/{id}/dependencies", self.of_flow)]

    def of_namespaces(self) -> list[Route]:
        """Addresses below namespaces."""
        return [Route("/api/v1/{tenant}/namespaces/{namespace}/dependencies", self.of_namespace)]

    async def of_flow(self, request: Request) -> Response:
        """Flows that this one starts and, unless `destinationOnly`, that start it; `expandAll` goes to any depth."""
        names, params = request.path_params, request.query_params
        found = await offload(
            self._of_flow,
            names["tenant"],
            (names["namespace"], names["id"]),
            upwards=not flag(params, "destinationOnly"),
            deep=flag(params, "expandAll"),
        )
        return json_reply(found)

    def _of_flow(self, tenant: str, flow: Flow, *, upwards: bool, deep: bool) -> Json:
        if self._services.shelf.rows.latest(tenant, *flow) is None:
            raise NotFound("Not Found")
        edges = list(edges_of(self._services.shelf.rows.all_latest(tenant)))
        reached, front = {flow}, {flow}
        while front:
            step = {target for source, target, _ in edges if source in front}
            if upwards:
                step |= {source for source, target, _ in edges if target in front}
            front = (step - reached) if deep or reached == {flow} else set()
            reached |= front
        return _topology(tenant, reached, [e for e in edges if e[0] in reached and e[1] in reached], first=flow)

    async def of_namespace(self, request: Request) -> Response:
        """The dependencies among the flows of a namespace, and from it to others."""
        names = request.path_params
        outwards = flag(request.query_params, "destinationOnly")
        return json_reply(await offload(self._of_namespace, names["tenant"], names["namespace"], outwards=outwards))

    def _of_namespace(self, tenant: str, namespace: str, *, outwards: bool) -> Json:
        own = {(row.namespace, row.id) for row in self._services.shelf.in_namespace(tenant, namespace)}
        edges = [
            edge
            for edge in edges_of(self._services.shelf.rows.all_latest(tenant))
            if edge[0] in own or (edge[1] in own and not outwards)
        ]
        reached = own | {flow for edge in edges for flow in edge[:2]}
        return _topology(tenant, reached, edges)


def edges_of(rows: Iterable[FlowRow]) -> Iterator[tuple[Flow, Flow, str]]:
    """Which flow starts which other one, and by what: `FLOW_TASK` or `FLOW_TRIGGER`. Each once."""
    known = list(rows)
    flows = {(row.namespace, row.id) for row in known}
    seen: set[tuple[Flow, Flow, str]] = set()
    for row in known:
        own = (row.namespace, row.id)
        calls = ((own, called, "FLOW_TASK") for called in _called(row.document))
        heard = ((other, own, "FLOW_TRIGGER") for other in _heard(row.document, flows) if other != own)
        for edge in (*calls, *heard):
            if edge not in seen and edge[0] in flows and edge[1] in flows:
                seen.add(edge)
                yield edge


def _called(document: Mapping[str, object]) -> Iterator[Flow]:
    """Flows that tasks of a flow start, where they are named outright."""
    for task in maps_within(document):
        if str(task.get("type", "")).endswith(_CALLS) and "flowId" in task:
            namespace, flow_id = str(task.get("namespace", document.get("namespace"))), str(task["flowId"])
            if "{" not in namespace + flow_id:
                yield namespace, flow_id


def _heard(document: Mapping[str, object], flows: set[Flow]) -> Iterator[Flow]:
    """Flows that Flow triggers of a flow name: as `preconditions.flows`, `dependsOn`, or in conditions of 1.x."""
    triggers = document.get("triggers")
    for trigger in triggers if isinstance(triggers, list) else []:
        if not isinstance(trigger, Mapping) or not str(trigger.get("type", "")).endswith(_FLOW_TRIGGERS):
            continue
        for part in maps_within(trigger):
            namespace, flow_id = part.get("namespace"), part.get("flowId")
            if isinstance(namespace, str) and isinstance(flow_id, str) and part is not trigger:
                yield namespace, flow_id
            elif isinstance(namespace, str) and str(part.get("type", "")).endswith(
                ("ExecutionNamespace", "ExecutionNamespaceCondition")
            ):
                yield from (flow for flow in flows if _inside(flow[0], namespace, part))


def _inside(namespace: str, wanted: str, condition: Mapping[str, object]) -> bool:
    if condition.get("prefix") is True or condition.get("comparison") == "PREFIX":
        return namespace == wanted or namespace.startswith(wanted + ".")
    return namespace == wanted


def _topology(
    tenant: str, flows: Iterable[Flow], edges: Iterable[tuple[Flow, Flow, str]], *, first: Flow | None = None
) -> Json:
    ordered = sorted(flows, key=lambda flow: (flow != first, flow))
    return {
        "nodes": [{"uid": _uid(tenant, flow), "namespace": flow[0], "id": flow[1]} for flow in ordered],
        "edges": [
            {"source": _uid(tenant, source), "target": _uid(tenant, target), "relation": relation}
            for source, target, relation in edges
        ],
    }


def _uid(tenant: str, flow: Flow) -> str:
    return f"{tenant}_{flow[0]}_{flow[1]}"
