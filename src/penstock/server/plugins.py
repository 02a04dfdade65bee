"""Routes of plugin types: lists, documentation and JSON schema of each (api.md 9, Plugins)."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from pydantic import BaseModel, PydanticUserError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from penstock.errors import MissingExtra, NotFound
from penstock.server.asked import flag
from penstock.server.filters import paging
from penstock.server.replies import json_reply, offload
from penstock.server.services import Services
from penstock.server.shapes import Json, page_json

_KINDS = (("trigger", "triggers"), ("condition", "conditions"), ("runner", "taskRunners"))


class PluginRoutes:
    """Handlers of plugin types."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def routes(self) -> list[Route]:
        """Their addresses; fixed words come before type names."""
        base = "/api/v1/plugins"
        return [
            Route(base, self.list),
            Route(f"{base}/groups/subgroups", self.subgroups),
            Route(f"{base}/triggers", self.triggers),
            Route(f"{base}/icons", self.icons),
            Route(f"{base}/icons/groups", self.icons),
            Route(f"{base}/schemas/{{type}}", self.schema),
            Route(f"{base}/{{cls}}", self.describe),
            Route(f"{base}/{{cls}}/versions", self.versions),
            Route(f"{base}/{{cls}}/versions/{{version}}", self.describe),
        ]

    async def list(self, request: Request) -> Response:
        """All types by group; the list is not cut unless a size is asked for."""
        return await self._groups(request, depth=4)

    async def subgroups(self, request: Request) -> Response:
        found = await offload(self._grouped, 5)
        return json_reply(found)

    async def _groups(self, request: Request, *, depth: int) -> Response:
        wanted = paging(request.query_params, size=10_000)
        found = await offload(self._grouped, depth)
        start = (wanted.page - 1) * wanted.size
        return json_reply(page_json(found[start : start + wanted.size], len(found)))

    def _grouped(self, depth: int) -> list[Json]:
        groups: dict[str, dict[str, list[Json]]] = {}
        for name in self._services.plugin_names():
            group = ".".join(name.split(".")[:-1][:depth])
            kinds = groups.setdefault(group, {"tasks": [], "triggers": [], "conditions": [], "taskRunners": []})
            kinds[_kind(name)].append({"cls": name, "deprecated": False})
        return [
            {
                "name": group.rpartition(".")[2],
                "title": group.rpartition(".")[2].capitalize(),
                "group": ".".join(group.split(".")[:4]),
                "subGroup": group,
                "version": self._services.version,
                "charts": [],
                **kinds,
            }
            for group, kinds in sorted(groups.items())
        ]

    async def triggers(self, request: Request) -> Response:
        names = [n for n in await offload(self._services.plugin_names) if _kind(n) == "triggers"]
        return json_reply(page_json([{"cls": name} for name in names], len(names)))

    async def icons(self, request: Request) -> Response:
        """No type has an icon of its own: clients draw theirs."""
        return json_reply({})

    async def schema(self, request: Request) -> Response:
        """The JSON schema of a root of the language (`flow`, `task`, `trigger` …)."""
        found = await offload(self._services.schema, request.path_params["type"])
        if found is None:
            raise NotFound("Not Found")
        return json_reply({"type": "array", "items": found} if flag(request.query_params, "arrayOf") else found)

    async def describe(self, request: Request) -> Response:
        """Documentation and schema of one type."""
        return json_reply(await offload(self._described, request.path_params["cls"]))

    def _described(self, name: str) -> Json:
        try:
            cls = self._services.plugin_class(name)
        except MissingExtra as missing:
            return {
                "markdown": f"# {name.rpartition('.')[2]}\n\n{missing}",
                "schema": {"properties": {}, "outputs": {}},
            }
        if cls is None:
            raise NotFound("Not Found")
        return described(name, cls)

    async def versions(self, request: Request) -> Response:
        name = request.path_params["cls"]
        if name not in await offload(self._services.plugin_names):
            raise NotFound("Not Found")
        return json_reply({"type": name, "versions": [self._services.version]})


def described(name: str, cls: type) -> Json:
    """The page of a type, made from its docstring and its properties."""
    text = inspect.getdoc(cls) or ""
    title, _, rest = text.partition("\n")
    schema = _schema(cls)
    outputs = _outputs(cls)
    return {
        "markdown": f"# {name.rpartition('.')[2]}\n\n{text}",
        "schema": {
            "properties": {"title": title, "description": rest.strip(), **schema},
            "outputs": outputs,
            "definitions": schema.pop("$defs", {}),
        },
    }


def _schema(cls: type) -> Json:
    if not issubclass(cls, BaseModel):
        return {"type": "object", "properties": {}}
    try:
        return cls.model_json_schema(by_alias=True)
    except PydanticUserError:
        return {"type": "object", "properties": {}}


def _outputs(cls: type) -> Json:
    """The schema of what a task gives, where its `run` says it."""
    run: Callable[..., object] | None = getattr(cls, "run", None)
    try:
        found = inspect.get_annotations(run, eval_str=True).get("return") if run is not None else None
    except NameError:
        return {}
    return _schema(found) if isinstance(found, type) and issubclass(found, BaseModel) else {}


def _kind(name: str) -> str:
    """What a type is, by the place of its name."""
    parts = name.lower().split(".")
    for word, kind in _KINDS:
        if word in parts or parts[-1].endswith(word):
            return kind
    return "tasks"
