"""Routes of flow sources: validated, searched, imported, completed (api.md 9, Flows)."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from penstock.catalog.bulk import import_flows
from penstock.catalog.namespace_files import read_sources
from penstock.catalog.validation import validate
from penstock.definition.yaml_source import load_yaml
from penstock.errors import BadRequest, FlowInvalid, Unprocessable
from penstock.expr import vocabulary
from penstock.server.asked import flag, needed, text_of
from penstock.server.filters import paging
from penstock.server.forms import form_of, whole
from penstock.server.replies import json_reply, offload
from penstock.server.services import Services
from penstock.server.shapes import Json, flow_json, page_json

_SECTIONS: Mapping[str, str] = {
    "TASKS": "tasks",
    "TRIGGERS": "triggers",
    "ERRORS": "errors",
    "FINALLY": "finally",
    "AFTER_EXECUTION": "afterExecution",
}
_EXECUTION_WORDS = ("id", "startDate", "state", "originalId", "outputs")


class FlowSourceRoutes:
    """Handlers of sources."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._shelf = services.shelf

    def routes(self) -> list[Route]:
        """Their addresses."""
        base = "/api/v1/{tenant}/flows"
        return [
            Route(f"{base}/validate", self.validate, methods=["POST"]),
            Route(f"{base}/validate/task", self.validate_task, methods=["POST"]),
            Route(f"{base}/validate/trigger", self.validate_trigger, methods=["POST"]),
            Route(f"{base}/source", self.search),
            Route(f"{base}/import", self.bring, methods=["POST"]),
            Route(f"{base}/deprecated", self.deprecated),
            Route(f"{base}/expressions", self.expressions, methods=["POST"]),
        ]

    async def validate(self, request: Request) -> Response:
        """A result for each document of the body, or of each file of a form: 200 also where one is not valid."""
        tenant = request.path_params["tenant"]
        if not request.headers.get("content-type", "").startswith("multipart/"):
            return json_reply(await offload(validate, self._shelf, tenant, await text_of(request)))
        results: list[object] = []
        async with form_of(request) as form:
            for part in form.files:
                text = (await offload(whole, part)).decode()
                results += await offload(validate, self._shelf, tenant, text, filename=part.name)
        return json_reply(results)

    async def validate_task(self, request: Request) -> Response:
        """One task, written as YAML or JSON, as if it stood in the `section` of a flow."""
        section = _SECTIONS.get(needed(request.query_params, "section").upper())
        if section is None:
            raise Unprocessable(f"Illegal argument: `section` must be one of {', '.join(_SECTIONS)}")
        return json_reply(await offload(self._validated, section, await text_of(request)))

    async def validate_trigger(self, request: Request) -> Response:
        """One trigger, written as YAML or JSON."""
        return json_reply(await offload(self._validated, "triggers", await text_of(request)))

    def _validated(self, section: str, text: str) -> Json:
        log = {"id": "a-task", "type": "io.kestra.plugin.core.log.Log", "message": ""}
        try:
            part = load_yaml(text)
            flow = {"id": "a-flow", "namespace": "a.namespace", "tasks": [log], section: [part]}
            self._shelf.parse(msgspec.json.encode(flow).decode())
        except FlowInvalid as fault:
            own = f"{section}[0]."
            texts = (f"{p.path.removeprefix(own)}: {p.message}" if p.path else p.message for p in fault.problems)
            return {"index": 0, "constraints": "\n".join(texts), "outdated": False}
        return {"index": 0, "outdated": False}

    async def search(self, request: Request) -> Response:
        """Flows whose source holds a text, with the lines that do; `model` and `fragments` as the older form has them."""
        params = request.query_params
        wanted = paging(params)
        found = await offload(
            self._shelf.search_source,
            request.path_params["tenant"],
            params.get("q", ""),
            namespace=params.get("namespace"),
            page=wanted.page,
            size=wanted.size,
        )
        results = [
            {
                "namespace": m.flow.namespace,
                "id": m.flow.id,
                "revision": m.flow.revision,
                "fragments": m.fragments,
                "model": flow_json(m.flow),
            }
            for m in found.results
        ]
        return json_reply(page_json(results, found.total))

    async def bring(self, request: Request) -> Response:
        """Import part `fileUpload`, a ZIP or a YAML of several documents; answers what failed."""
        async with form_of(request) as form:
            if not form.files:
                raise BadRequest("a part `fileUpload` with the file is required")
            failed = await offload(
                self._bring,
                request.path_params["tenant"],
                form.files[0].name,
                whole(form.files[0]),
                fail=flag(request.query_params, "failOnError"),
            )
        return json_reply(failed)

    def _bring(self, tenant: str, name: str, content: bytes, *, fail: bool) -> list[str]:
        return import_flows(self._shelf, tenant, read_sources(content, name=name), fail_on_error=fail)

    async def deprecated(self, request: Request) -> Response:
        """Flows that use deprecated types, and where."""
        namespace = request.query_params.get("namespace")
        return json_reply(await offload(self._deprecated, request.path_params["tenant"], namespace))

    def _deprecated(self, tenant: str, namespace: str | None) -> list[Json]:
        found: list[Json] = []
        for row in self._shelf.rows.all_latest(tenant):
            if namespace is not None and row.namespace != namespace:
                continue
            parsed = self._shelf.read(row).parsed
            if parsed is None or not parsed.deprecations:
                continue
            tasks = [{"path": path} for path in parsed.deprecations]
            found.append(
                {"namespace": row.namespace, "flowId": row.id, "revision": row.revision, "deprecatedTasks": tasks}
            )
        return found

    async def expressions(self, request: Request) -> Response:
        """What templates of the flow can refer to, for the editor's completion."""
        text = await text_of(request)
        return json_reply({"categories": await offload(self._categories, request.path_params["tenant"], text)})

    def _categories(self, tenant: str, text: str) -> Json:
        """Names by category. A source that does not parse yet still gives what can be read of it."""
        try:
            document = load_yaml(text)
        except FlowInvalid:
            document = {}
        flow: Mapping[str, object] = document if isinstance(document, Mapping) else {}
        namespace = str(flow.get("namespace") or "")
        variables = flow.get("variables")
        words = vocabulary()
        return {
            "taskOutputs": [f"outputs.{name}" for name in _task_ids(text)],
            "executionContext": [f"execution.{word}" for word in _EXECUTION_WORDS],
            "inputs": [f"inputs.{entry['id']}" for entry in _maps(flow.get("inputs")) if "id" in entry],
            "variables": [f"vars.{name}" for name in variables] if isinstance(variables, Mapping) else [],
            "secrets": self._services.secrets.keys(tenant, namespace) if namespace else [],
            "kvPairs": self._services.key_values.keys(tenant, namespace) if namespace else [],
            "namespaceFiles": [row.path for row in self._services.files.files(tenant, namespace)] if namespace else [],
            "filters": [word.name for word in words if word.kind == "filter"],
            "functions": [word.name for word in words if word.kind == "function"],
        }


def _task_ids(text: str) -> list[str]:
    """Ids in a source that is perhaps not valid yet: those of list entries with a `type` near them."""
    return re.findall(r"^\s*-\s+id:\s*([A-Za-z0-9][\w-]*)\s*\n\s+type:", text, re.MULTILINE)


def _maps(value: object) -> list[Mapping[str, object]]:
    return [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, list) else []
