"""Routes of namespace files (api.md 9, Files)."""

from __future__ import annotations

from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from penstock.catalog.namespace_files import FileAttributes
from penstock.errors import BadRequest
from penstock.server.asked import needed, optional_number
from penstock.server.files import chunks
from penstock.server.forms import form_of
from penstock.server.replies import attachment, json_reply, nothing, offload
from penstock.server.services import Services
from penstock.server.shapes import Json


class NamespaceFileRoutes:
    """Handlers of namespace files."""

    def __init__(self, services: Services) -> None:
        self._files = services.files

    def routes(self) -> list[Route]:
        """Addresses below a namespace."""
        base = "/api/v1/{tenant}/namespaces/{namespace}/files"
        return [
            Route(base, self.download, methods=["GET"]),
            Route(base, self.upload, methods=["POST"]),
            Route(base, self.move, methods=["PUT"]),
            Route(base, self.delete, methods=["DELETE"]),
            Route(f"{base}/directory", self.directory, methods=["GET"]),
            Route(f"{base}/directory", self.make_directory, methods=["POST"]),
            Route(f"{base}/search", self.search),
            Route(f"{base}/stats", self.stats),
            Route(f"{base}/revisions", self.revisions),
            Route(f"{base}/export", self.export),
        ]

    async def download(self, request: Request) -> Response:
        names, params = request.path_params, request.query_params
        path, revision = needed(params, "path"), optional_number(params, "revision")
        source = await offload(self._files.open, names["tenant"], names["namespace"], path, revision=revision)
        headers = attachment(path.rpartition("/")[2])
        return StreamingResponse(chunks(source), media_type="application/octet-stream", headers=headers)

    async def upload(self, request: Request) -> Response:
        """Part `fileContent`; an archive `*.zip` is unpacked."""
        names, path = request.path_params, needed(request.query_params, "path")
        async with form_of(request) as form:
            if not form.files:
                raise BadRequest("a part `fileContent` with the file is required")
            part = form.files[0]
            await offload(
                self._files.upload, names["tenant"], names["namespace"], path, name=part.name, data=part.content
            )
        return nothing()

    async def move(self, request: Request) -> Response:
        names, params = request.path_params, request.query_params
        source, target = needed(params, "from"), needed(params, "to")
        await offload(self._files.move, names["tenant"], names["namespace"], source, to=target)
        return nothing()

    async def delete(self, request: Request) -> Response:
        names, path = request.path_params, needed(request.query_params, "path")
        await offload(self._files.delete, names["tenant"], names["namespace"], path)
        return nothing()

    async def directory(self, request: Request) -> Response:
        names, path = request.path_params, request.query_params.get("path") or "/"
        found = await offload(self._files.directory, names["tenant"], names["namespace"], path)
        return json_reply([attributes_json(one) for one in found])

    async def make_directory(self, request: Request) -> Response:
        names, path = request.path_params, needed(request.query_params, "path")
        await offload(self._files.make_folder, names["tenant"], names["namespace"], path)
        return nothing()

    async def search(self, request: Request) -> Response:
        names, query = request.path_params, request.query_params.get("q", "")
        return json_reply(await offload(self._files.paths_holding, names["tenant"], names["namespace"], query))

    async def stats(self, request: Request) -> Response:
        names, path = request.path_params, request.query_params.get("path") or "/"
        return json_reply(attributes_json(await offload(self._files.stats, names["tenant"], names["namespace"], path)))

    async def revisions(self, request: Request) -> Response:
        names, path = request.path_params, needed(request.query_params, "path")
        rows = await offload(self._files.revisions, names["tenant"], names["namespace"], path)
        return json_reply([{"revision": row.revision} for row in rows])

    async def export(self, request: Request) -> Response:
        names = request.path_params
        archive = self._files.export(names["tenant"], names["namespace"])
        headers = attachment(f"{names['namespace']}_files.zip")
        return StreamingResponse(archive, media_type="application/octet-stream", headers=headers)


def attributes_json(found: FileAttributes) -> Json:
    """A file or folder as clients know it: times in milliseconds since 1970."""
    return {
        "fileName": found.file_name,
        "type": "Directory" if found.directory else "File",
        "size": found.size,
        "lastModifiedTime": _millis(found.modified),
        "creationTime": _millis(found.created),
    }


def _millis(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
