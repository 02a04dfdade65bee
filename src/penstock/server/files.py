"""Routes of the files of executions in internal storage: download with ranges, size, preview (api.md 9)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from penstock.errors import BadRequest, NotFound, Unprocessable
from penstock.ports.blob_paths import execution_of
from penstock.ports.blobs import CHUNK
from penstock.server.replies import encode, json_reply, offload
from penstock.server.services import Services

_RANGE = re.compile(r"bytes=(\d+)-(\d*)$")
_IMAGES = frozenset({"png", "jpg", "jpeg", "gif", "svg", "webp"})
_ROWS = frozenset({"ion", "csv", "jsonl", "ndjson", "parquet"})


class ExecutionFileRoutes:
    """Handlers of files."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._blobs = services.blobs

    def routes(self) -> list[Route]:
        base = "/api/v1/{tenant}/executions/{id}/file"
        return [
            Route(base, self.download),
            Route(f"{base}/metas", self.metas),
            Route(f"{base}/preview", self.preview),
        ]

    def _uri(self, request: Request) -> str | Response:
        """The file's URI; a file of another execution is answered by a redirect to that one's route."""
        uri = request.query_params.get("path")
        if not uri:
            raise BadRequest("`path` is required")
        if not uri.startswith("kestra://"):
            raise Unprocessable(f"Illegal argument: Invalid path prefix, expected kestra://, found `{uri}`")
        folder = execution_of(uri)
        asked = request.path_params["id"]
        if folder is not None and folder.execution_id.lower() != asked.lower():
            found = self._services.reads.execution(request.path_params["tenant"], folder.execution_id)
            if found is not None:
                place = request.url.path.replace(f"/executions/{asked}/", f"/executions/{folder.execution_id}/")
                return RedirectResponse(f"{place}?{request.url.query}", 307)
        return uri

    async def download(self, request: Request) -> Response:
        uri = await offload(self._uri, request)
        if isinstance(uri, Response):
            return uri
        tenant = request.path_params["tenant"]
        size = await offload(self._size, tenant, uri)
        headers = {"Content-Disposition": f'attachment; filename="{uri.rpartition("/")[2]}"', "Accept-Ranges": "bytes"}
        wanted = _RANGE.match(request.headers.get("range", ""))
        if wanted is not None:
            start = int(wanted[1])
            end = min(int(wanted[2]) if wanted[2] else size - 1, size - 1)
            if start >= size:
                return Response(status_code=416, headers={"Content-Range": f"bytes */{size}"})
            body = await offload(self._blobs.get_range, tenant, uri, start=start, length=end - start + 1)
            headers["Content-Range"] = f"bytes {start}-{end}/{size}"
            return Response(body, 206, media_type="application/octet-stream", headers=headers)
        source = await offload(self._blobs.open, tenant, uri)
        if request.query_params.get("format", "").upper() == "JSONL":
            return StreamingResponse(_json_lines(source, uri), media_type="application/x-ndjson", headers=headers)
        headers["Content-Length"] = str(size)
        return StreamingResponse(_chunks(source), media_type="application/octet-stream", headers=headers)

    def _size(self, tenant: str, uri: str) -> int:
        if not self._blobs.exists(tenant, uri):
            raise NotFound(f"File not found: {uri}")
        return self._blobs.size(tenant, uri)

    async def metas(self, request: Request) -> Response:
        uri = await offload(self._uri, request)
        if isinstance(uri, Response):
            return uri
        return json_reply({"size": await offload(self._size, request.path_params["tenant"], uri)})

    async def preview(self, request: Request) -> Response:
        uri = await offload(self._uri, request)
        if isinstance(uri, Response):
            return uri
        params = request.query_params
        most = min(int(params.get("maxRows", "100")), 5000)
        return json_reply(await offload(self._preview, request.path_params["tenant"], uri, most))

    def _preview(self, tenant: str, uri: str, most: int) -> dict[str, object]:
        self._size(tenant, uri)
        extension = uri.rpartition(".")[2].lower()
        with self._blobs.open(tenant, uri) as source:
            if extension in _ROWS:
                rows, more = _first_rows(source, uri, most)
                return {"extension": extension, "type": "LIST", "content": rows, "maxLine": most, "truncated": more}
            raw = source.read(1024 * 1024)
        if extension in _IMAGES:
            import base64

            content = base64.b64encode(raw).decode()
            return {"extension": extension, "type": "IMAGE", "content": content, "truncated": False}
        lines = raw.decode("utf-8", errors="replace").splitlines()
        kind = "MARKDOWN" if extension == "md" else "TEXT"
        return {
            "extension": extension,
            "type": kind,
            "content": "\n".join(lines[:most]),
            "maxLine": most,
            "truncated": len(lines) > most,
        }


def _first_rows(source: BinaryIO, uri: str, most: int) -> tuple[list[object], bool]:
    from itertools import islice

    from penstock.plugin.rows import read_rows

    rows = list(islice(read_rows(source, name=uri.rpartition("/")[2]), most + 1))
    return rows[:most], len(rows) > most


def _json_lines(source: BinaryIO, uri: str) -> Iterator[bytes]:
    from penstock.plugin.rows import read_rows

    with source:
        for row in read_rows(source, name=uri.rpartition("/")[2]):
            yield encode(row) + b"\n"


def _chunks(source: BinaryIO) -> Iterator[bytes]:
    with source:
        while chunk := source.read(CHUNK):
            yield chunk
