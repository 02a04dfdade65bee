"""Internal storage in memory, for tests and for runs that leave nothing behind."""

from __future__ import annotations

import io
from collections.abc import Iterator
from threading import Lock
from typing import BinaryIO

from penstock.blobs.checks import doomed_folder, range_bounds
from penstock.clock import Clock, SystemClock
from penstock.ports.blob_paths import path_of, tenant_folder, uri_of
from penstock.ports.blobs import Blob, Content, chunks_of, missing


class MemoryBlobs:
    """Files in a dictionary; each `put` replaces an entry in one step."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._files: dict[tuple[str, str], tuple[bytes, Blob]] = {}
        self._lock = Lock()

    def put(self, tenant: str, path: str, data: Content) -> str:
        key = tenant_folder(tenant), path_of(path)
        content = b"".join(chunks_of(data))
        blob = Blob(path=key[1], size=len(content), modified=self._clock.now())
        with self._lock:
            self._files[key] = content, blob
        return blob.uri

    def open(self, tenant: str, uri: str) -> BinaryIO:
        return io.BytesIO(self.get(tenant, uri))

    def get(self, tenant: str, uri: str) -> bytes:
        return self._file(tenant, uri)[0]

    def get_range(self, tenant: str, uri: str, *, start: int, length: int) -> bytes:
        first, end = range_bounds(start, length)
        return self.get(tenant, uri)[first:end]

    def stat(self, tenant: str, uri: str) -> Blob:
        return self._file(tenant, uri)[1]

    def size(self, tenant: str, uri: str) -> int:
        return self.stat(tenant, uri).size

    def exists(self, tenant: str, uri: str) -> bool:
        return (tenant_folder(tenant), path_of(uri)) in self._files

    def list(self, tenant: str, prefix: str) -> Iterator[Blob]:
        owner = tenant_folder(tenant)
        folder = path_of(prefix, folder=True).rstrip("/") + "/"
        with self._lock:
            found = [blob for (of, path), (_, blob) in self._files.items() if of == owner and path.startswith(folder)]
        return iter(sorted(found, key=lambda blob: blob.path))

    def delete(self, tenant: str, uri: str) -> bool:
        key = tenant_folder(tenant), path_of(uri)
        with self._lock:
            return self._files.pop(key, None) is not None

    def delete_prefix(self, tenant: str, prefix: str) -> int:
        doomed = doomed_folder(prefix)
        return sum(self.delete(tenant, blob.path) for blob in self.list(tenant, doomed))

    def copy(self, tenant: str, source: str, target: str) -> str:
        return self.put(tenant, target, self.get(tenant, source))

    def _file(self, tenant: str, uri: str) -> tuple[bytes, Blob]:
        path = path_of(uri)
        try:
            return self._files[tenant_folder(tenant), path]
        except KeyError:
            raise missing(uri_of(path)) from None
