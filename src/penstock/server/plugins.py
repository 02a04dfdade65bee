"""Routes of plugin types: lists, documentation and JSON schema of each (api.md 9, Plugins)."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import get_args

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from penstock.definition.schema import ROOTS, schema_of_type
from penstock.errors import MissingExtra, NotFound
from penstock.model.inputs import InputBase
from penstock.server.asked import flag
from penstock.server.filters import paging
from penstock.server.replies import encode, json_of_bytes, json_reply, offload
from penstock.server.services import Services
from penstock.server.shapes import Json, page_json

_KINDS = (("trigger", "triggers"), ("condition", "conditions"), ("runner", "taskRunners"))


class PluginRoutes:
    """Handlers of plugin types."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._schemas: dict[tuple[str, bool], bytes] = {}

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
            Route(f"{base}/properties/{{type}}", self.schema),
            Route(f"{base}/inputs", self.inputs),
            Route(f"{base}/inputs/{{type}}", self.input),
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
        """The JSON schema of a part of the language (`flow`, `task`, `trigger` …), made once."""
        asked = (request.path_params["type"].lower(), flag(request.query_params, "arrayOf"))
        if asked not in self._schemas:
            self._schemas[asked] = await offload(self._schema, *asked)
        return json_of_bytes(self._schemas[asked])

    def _schema(self, root: str, many: bool) -> bytes:
        found = self._services.schema(root)
        if found is None:
            raise NotFound(f"there is no schema of `{root}`, expected one of: {', '.join(ROOTS)}")
        if not many:
            return encode(found)
        # References start at the top of the document, so the definitions stay there.
        item = {key: value for key, value in found.items() if key not in ("$defs", "definitions", "$schema")}
        top = {key: value for key, value in found.items() if key not in item}
        return encode({**top, "type": "array", "items": item})

    async def inputs(self, request: Request) -> Response:
        """Every type of input."""
        return json_reply([{"type": name, "cls": cls.__name__} for name, cls in _inputs()])

    async def input(self, request: Request) -> Response:
        """Documentation and schema of one type of input."""
        wanted = request.path_params["type"].upper()
        found = next((cls for name, cls in _inputs() if name == wanted), None)
        if found is None:
            raise NotFound("Not Found")
        return json_reply(described(wanted, found))

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
    return schema_of_type(cls) if issubclass(cls, BaseModel) else {"type": "object", "properties": {}}


def _inputs() -> Iterator[tuple[str, type[BaseModel]]]:
    """The name and the class of every type of input."""
    for cls in InputBase.__subclasses__():
        for name in get_args(cls.model_fields["type"].annotation) if "type" in cls.model_fields else ():
            yield str(name), cls


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
