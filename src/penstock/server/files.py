"""Routes of the files of executions in internal storage: download with ranges, size, preview (api.md 9)."""

from __future__ import annotations

import base64
import codecs
import re
from collections.abc import Iterator
from typing import BinaryIO

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from penstock.errors import NotFound, Unprocessable
from penstock.model.execution import Execution
from penstock.ports.blob_paths import (
    SCHEME,
    execution_folders,
    execution_prefix,
    flow_states_prefix,
    namespace_states_prefix,
    path_of,
)
from penstock.ports.blobs import CHUNK
from penstock.server.asked import needed, number
from penstock.server.replies import attachment, encode, json_reply, offload
from penstock.server.services import Services

_RANGE = re.compile(r"bytes=(?=\d+-|-\d)(\d*)-(\d*)$")
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
        """The file's URI; a file of another execution is answered by a redirect to that one's route.

        Raises:
            Unprocessable: it is neither of an execution nor of the flow's state store.
            NotFound: there is no such execution.
        """
        uri, names = needed(request.query_params, "path"), request.path_params
        if not uri.startswith(SCHEME):
            raise Unprocessable(f"Illegal argument: Invalid path prefix, expected {SCHEME}, found `{uri}`")
        own = self._owner(names["tenant"], names["id"])
        if own is None:
            raise NotFound("Not Found")
        path = path_of(uri)
        if path.startswith(tuple(f"{folder}/" for folder in _folders(own))):
            return uri
        other = self._other(names["tenant"], path)
        if other is None:
            raise Unprocessable(f"Illegal argument: Invalid path, it is not of execution `{own.id}`: `{uri}`")
        place = request.url.path.replace(f"/executions/{names['id']}/", f"/executions/{other.id}/")
        return RedirectResponse(f"{place}?{request.url.query}", 307)

    def _other(self, tenant: str, path: str) -> Execution | None:
        """The execution that a file belongs to. A namespace may have a part `executions` too, so all are tried."""
        for folder in execution_folders(path):
            found = self._owner(tenant, folder.execution_id)
            if found is not None and path.startswith(f"{_folders(found)[0]}/"):
                return found
        return None

    def _owner(self, tenant: str, execution_id: str) -> Execution | None:
        """The execution of an id, which may also be that of a Loop iteration."""
        stored = self._services.reads.execution(tenant, execution_id)
        if stored is None:
            inside = self._services.reads.run(execution_id)
            stored = self._services.reads.execution(tenant, inside.execution_id) if inside is not None else None
        return stored.execution if stored is not None else None

    async def download(self, request: Request) -> Response:
        uri = await offload(self._uri, request)
        if isinstance(uri, Response):
            return uri
        tenant = request.path_params["tenant"]
        size = await offload(self._size, tenant, uri)
        headers = {**attachment(uri.rpartition("/")[2]), "Accept-Ranges": "bytes"}
        wanted = _RANGE.match(request.headers.get("range", ""))
        if wanted is not None:
            return await self._part(tenant, uri, wanted, size=size, headers=headers)
        source = await offload(self._blobs.open, tenant, uri)
        if request.query_params.get("format", "").upper() == "JSONL":
            return StreamingResponse(_json_lines(source, uri), media_type="application/x-ndjson", headers=headers)
        headers["Content-Length"] = str(size)
        return StreamingResponse(chunks(source), media_type="application/octet-stream", headers=headers)

    async def _part(
        self, tenant: str, uri: str, wanted: re.Match[str], *, size: int, headers: dict[str, str]
    ) -> Response:
        """One range of a file, `first-last`, `first-` or `-length`; a long one is sent a block at a time."""
        if not wanted[1]:
            first, last = max(size - int(wanted[2]), 0), size - 1
        else:
            first, last = int(wanted[1]), min(int(wanted[2]) if wanted[2] else size - 1, size - 1)
        if first >= size or last < first:
            return Response(status_code=416, headers={"Content-Range": f"bytes */{size}"})
        headers |= {"Content-Range": f"bytes {first}-{last}/{size}", "Content-Length": str(last - first + 1)}
        body = self._blocks(tenant, uri, first, last + 1)
        return StreamingResponse(body, 206, media_type="application/octet-stream", headers=headers)

    def _blocks(self, tenant: str, uri: str, start: int, end: int) -> Iterator[bytes]:
        while start < end:
            block = self._blobs.get_range(tenant, uri, start=start, length=min(CHUNK, end - start))
            if not block:
                return
            yield block
            start += len(block)

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
        most = min(number(params, "maxRows", 100), 5000)
        encoding = _encoding(params.get("encoding", "utf-8"))
        return json_reply(await offload(self._preview, request.path_params["tenant"], uri, most, encoding=encoding))

    def _preview(self, tenant: str, uri: str, most: int, *, encoding: str) -> dict[str, object]:
        self._size(tenant, uri)
        extension = uri.rpartition(".")[2].lower()
        with self._blobs.open(tenant, uri) as source:
            if extension in _ROWS:
                rows, more = _first_rows(source, uri, most)
                return {"extension": extension, "type": "LIST", "content": rows, "maxLine": most, "truncated": more}
            raw = source.read(1024 * 1024)
        if extension in _IMAGES or extension == "pdf":
            kind, content = "PDF" if extension == "pdf" else "IMAGE", base64.b64encode(raw).decode()
            return {"extension": extension, "type": kind, "content": content, "truncated": False}
        lines = raw.decode(encoding, errors="replace").splitlines()
        kind = "MARKDOWN" if extension == "md" else "TEXT"
        return {
            "extension": extension,
            "type": kind,
            "content": "\n".join(lines[:most]),
            "maxLine": most,
            "truncated": len(lines) > most,
        }


def _folders(execution: Execution) -> tuple[str, ...]:
    """The folders whose files may be read through an execution, its own first."""
    place = (execution.namespace, execution.flow_id)
    return execution_prefix(*place, execution.id), flow_states_prefix(*place), namespace_states_prefix(place[0])


def _encoding(name: str) -> str:
    """The name of an encoding that there is. Raises Unprocessable."""
    try:
        return codecs.lookup(name).name
    except LookupError as error:
        raise Unprocessable(f"Illegal argument: unsupported encoding `{name}`") from error


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


def chunks(source: BinaryIO) -> Iterator[bytes]:
    """The content of an open file, a block at a time; the file is closed at the end."""
    with source:
        while chunk := source.read(CHUNK):
            yield chunk
