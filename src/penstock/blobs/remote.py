"""Internal storage in an object store: S3, Google Cloud Storage, Azure Blob Storage, through obstore.

The object's key is `<tenant><path>`. Small files go up in one request; larger ones in parts of `PART` bytes, which the
store puts together in one step at the end and throws away when the source fails midway.
"""

from __future__ import annotations

import io
import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, BinaryIO, cast

from penstock.blobs.checks import doomed_folder, range_bounds
from penstock.errors import StoreUnavailable
from penstock.ports.blob_paths import path_of, tenant_folder, uri_of
from penstock.ports.blobs import CHUNK, Blob, Content, chunks_of, missing

if TYPE_CHECKING:
    from obstore import GetOptions, ObjectMeta
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

PART = 8 * CHUNK
"""Bytes per part of a large upload; 10,000 parts at most, so a file may have 78 GiB."""

RETRY: RetryConfig = {"max_retries": 5, "retry_timeout": timedelta(seconds=30)}
"""How long a failing request is tried again; every store of this room is built with it."""

_UPLOADS_AT_ONCE = 2
_KEYS_PER_DELETE = 1000


class RemoteBlobs:
    """Files in one bucket or container, which must exist.

    A request that fails for a reason worth a retry is tried again by obstore before `StoreUnavailable` is raised.
    """

    def __init__(self, store: ObjectStore) -> None:
        """`store` is an obstore store; `s3`, `gcs` and `azure` in this room build them."""
        import obstore

        self._obstore = obstore
        self._store = store

    def put(self, tenant: str, path: str, data: Content) -> str:
        where = path_of(path)
        key = _key(tenant, where)
        source = _Source(chunks_of(data))
        head = source.take(PART)
        try:
            with _explained(where):
                self._upload(key, head, source)
        except StoreUnavailable:
            if source.fault is not None:
                raise source.fault from None  # a fault of `data` is its own, not the storage's
            raise
        return uri_of(where)

    def open(self, tenant: str, uri: str) -> BinaryIO:
        path = path_of(uri)
        with _explained(path):
            found = self._obstore.head(self._store, _key(tenant, path))
        return cast("BinaryIO", io.BufferedReader(_RemoteFile(self, found, path=path), CHUNK))

    def get(self, tenant: str, uri: str) -> bytes:
        path = path_of(uri)
        with _explained(path):
            return bytes(self._obstore.get(self._store, _key(tenant, path)).bytes())

    def get_range(self, tenant: str, uri: str, *, start: int, length: int) -> bytes:
        first, end = range_bounds(start, length)
        blob = self.stat(tenant, uri)  # a range beyond the end is an error to a store, and is nothing to us
        end = min(end, blob.size)
        if first >= end:
            return b""
        with _explained(blob.path):
            return bytes(self._obstore.get_range(self._store, _key(tenant, blob.path), start=first, end=end))

    def stat(self, tenant: str, uri: str) -> Blob:
        path = path_of(uri)
        with _explained(path):
            found = self._obstore.head(self._store, _key(tenant, path))
        return Blob(path=path, size=found["size"], modified=found["last_modified"])

    def size(self, tenant: str, uri: str) -> int:
        return self.stat(tenant, uri).size

    def exists(self, tenant: str, uri: str) -> bool:
        path = path_of(uri)
        with _explained(path):
            try:
                self._obstore.head(self._store, _key(tenant, path))
            except FileNotFoundError:
                return False
        return True

    def list(self, tenant: str, prefix: str) -> Iterator[Blob]:
        path = path_of(prefix, folder=True)
        return self._listed(tenant_folder(tenant), path)

    def delete(self, tenant: str, uri: str) -> bool:
        if not self.exists(tenant, uri):  # stores do not say whether there was something to delete
            return False
        path = path_of(uri)
        with _explained(path):
            self._obstore.delete(self._store, _key(tenant, path))
        return True

    def delete_prefix(self, tenant: str, prefix: str) -> int:
        path = doomed_folder(prefix)
        doomed = self._listed(tenant_folder(tenant), path)
        count = 0
        while keys := [_key(tenant, blob.path) for blob in itertools.islice(doomed, _KEYS_PER_DELETE)]:
            with _explained(path):
                self._obstore.delete(self._store, keys)
            count += len(keys)
        return count

    def copy(self, tenant: str, source: str, target: str) -> str:
        where = path_of(target)
        origin = path_of(source)
        with _explained(origin):
            self._obstore.copy(self._store, _key(tenant, origin), _key(tenant, where))
        return uri_of(where)

    def stream(self, version: ObjectMeta, *, path: str, start: int) -> Iterator[memoryview]:
        """The content of that version of an object from byte `start` on, in chunks, by one request.

        Raises:
            StoreUnavailable: also when the object has been replaced since.
        """
        options: GetOptions = {"range": {"offset": start}, "if_match": version["e_tag"]}
        with _explained(path):
            found = self._obstore.get(self._store, version["path"], options=options)
            for chunk in found.stream(min_chunk_size=CHUNK):
                yield memoryview(chunk)

    def _upload(self, key: str, head: bytes, rest: _Source) -> None:
        if len(head) < PART:
            self._obstore.put(self._store, key, head, use_multipart=False)
            return
        parts = rest.parts(head)
        self._obstore.put(
            self._store, key, parts, use_multipart=True, chunk_size=PART, max_concurrency=_UPLOADS_AT_ONCE
        )

    def _listed(self, tenant: str, path: str) -> Iterator[Blob]:
        folder = tenant + path.rstrip("/")
        with _explained(path):
            for batch in self._obstore.list(self._store, prefix=folder, chunk_size=1000):
                for found in batch:
                    yield _blob(found, tenant)


class _Source:
    """Chunks on their way up, which remembers how they failed: obstore would only say that they did."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self.fault: BaseException | None = None

    def take(self, size: int) -> bytes:
        """The first chunks, until they have `size` bytes together."""
        held = bytearray()
        for chunk in self._chunks:
            held += chunk
            if len(held) >= size:
                break
        return bytes(held)

    def parts(self, head: bytes) -> Iterator[bytes]:
        """`head` and the chunks that follow."""
        try:
            yield head
            yield from (bytes(chunk) for chunk in self._chunks)
        except BaseException as fault:
            self.fault = fault
            raise


class _RemoteFile(io.RawIOBase):
    """One object, read by a request that goes on as long as reading does; seeking begins another.

    A slow reader may find its connection closed: the request is then made again from where it was.
    """

    def __init__(self, blobs: RemoteBlobs, version: ObjectMeta, *, path: str) -> None:
        self._blobs = blobs
        self._version = version
        self._path = path
        self._size = version["size"]
        self._at = 0
        self._stream: Iterator[memoryview] | None = None
        self._held = memoryview(b"")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        target = base + offset
        if target < 0:
            raise ValueError(f"negative seek position {target}")
        if target != self._at:
            self._at = target
            self._stream, self._held = None, memoryview(b"")
        return self._at

    def readinto(self, buffer: object, /) -> int:
        room = memoryview(cast("bytearray", buffer)).cast("B")
        if not self._held:
            self._held = self._next()
        count = min(len(room), len(self._held))
        room[:count] = self._held[:count]
        self._held = self._held[count:]
        self._at += count
        return count

    def _next(self) -> memoryview:
        if self._at >= self._size:
            return memoryview(b"")
        if self._stream is None:
            return next(self._from_here())
        try:
            return next(self._stream)
        except StoreUnavailable:
            return next(self._from_here())

    def _from_here(self) -> Iterator[memoryview]:
        self._stream = self._blobs.stream(self._version, path=self._path, start=self._at)
        return self._stream


def client_options(endpoint: str | None) -> ClientConfig:
    """Time limits of requests; the total leaves time to read a large file, and plain HTTP only where asked for."""
    return {
        "allow_http": (endpoint or "").startswith("http://"),
        "connect_timeout": timedelta(seconds=5),
        "read_timeout": timedelta(seconds=60),
        "timeout": timedelta(hours=1),
    }


def _key(tenant: str, path: str) -> str:
    return tenant_folder(tenant) + path


def _blob(found: ObjectMeta, tenant: str) -> Blob:
    path = found["path"].removeprefix(tenant)
    return Blob(path=path, size=found["size"], modified=found["last_modified"])


@contextmanager
def _explained(path: str) -> Iterator[None]:
    """Turns the store's errors about `path` into ours."""
    from obstore.exceptions import BaseError

    try:
        yield
    except FileNotFoundError as fault:
        raise missing(uri_of(path)) from fault
    except (BaseError, OSError, ValueError) as fault:
        raise StoreUnavailable(f"Internal storage failed at {uri_of(path)}: {_first_line(fault)}") from fault


def _first_line(fault: BaseException) -> str:
    return next(iter(str(fault).strip().splitlines()), type(fault).__name__)
