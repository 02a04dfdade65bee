"""Internal storage: files of executions and namespaces, by tenant and path.

Every method takes a tenant and a *reference*: a `kestra:///…` URI or a raw absolute path; `penstock.ports.blob_paths`
says how they are checked and where Kestra puts what. All implementations are plain synchronous and safe to call from
several threads at once. A file is whole or absent: nobody ever reads half of one that is being written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol

from penstock.errors import NotFound
from penstock.ports.blob_paths import uri_of

CHUNK = 1024 * 1024
"""Bytes that are held at a time when a file streams through."""

Content = bytes | Iterable[bytes] | BinaryIO
"""What can be stored: the bytes themselves, an iterable of chunks, or an open binary file (read to its end)."""


@dataclass(frozen=True, slots=True)
class Blob:
    """One stored file: its raw path inside the tenant, its size in bytes, and when it was last written (UTC)."""

    path: str
    size: int
    modified: datetime

    @property
    def uri(self) -> str:
        """The `kestra:///` URI of the file."""
        return uri_of(self.path)


class Blobs(Protocol):
    """The port of internal storage.

    Raises, in every method:
        BadRequest: the reference or the tenant is not acceptable (`path_of`, `tenant_folder`).
        StoreUnavailable: the storage cannot be reached or is full.
    """

    def put(self, tenant: str, path: str, data: Content) -> str:
        """Stores `data` at `path`, replacing what was there in one step, and returns the file's URI.

        Streams: holds a few chunks at a time. When `data` fails midway nothing changes.

        Raises:
            Conflict: a folder is in the way (only where the backend has folders).
        """
        ...

    def open(self, tenant: str, uri: str) -> BinaryIO:
        """The file, opened for reading at its start; seekable. The caller closes it.

        Raises:
            NotFound: there is no such file.
        """
        ...

    def get(self, tenant: str, uri: str) -> bytes:
        """The whole content; for files known to be small. Raises NotFound."""
        ...

    def get_range(self, tenant: str, uri: str, *, start: int, length: int) -> bytes:
        """Up to `length` bytes from byte `start`; fewer (or none) where the file ends earlier.

        Raises:
            NotFound: there is no such file.
            BadRequest: `start` or `length` is negative.
        """
        ...

    def stat(self, tenant: str, uri: str) -> Blob:
        """Size and time of the file. Raises NotFound."""
        ...

    def size(self, tenant: str, uri: str) -> int:
        """Bytes in the file. Raises NotFound."""
        ...

    def exists(self, tenant: str, uri: str) -> bool:
        """Whether there is such a file; a folder is none."""
        ...

    def list(self, tenant: str, prefix: str) -> Iterator[Blob]:
        """Every file below the folder `prefix`, at any depth, by path in code-point order; `/` lists the tenant.

        Lazy. A file named exactly as `prefix` is not below it. A missing folder is empty.
        """
        ...

    def delete(self, tenant: str, uri: str) -> bool:
        """Removes the file; False when there was none."""
        ...

    def delete_prefix(self, tenant: str, prefix: str) -> int:
        """Removes every file below the folder `prefix` and returns how many there were.

        Raises:
            BadRequest: also for `/`, lest a tenant be emptied by an empty variable.
        """
        ...

    def copy(self, tenant: str, source: str, target: str) -> str:
        """Copies a file inside the tenant, replacing `target` in one step; returns its new URI. Raises NotFound."""
        ...


def missing(uri: str) -> NotFound:
    """The error for a file that is not there, in Kestra's words."""
    return NotFound(f"{uri} (File not found)")


def chunks_of(data: Content) -> Iterator[bytes]:
    """`data` as chunks of at most `CHUNK` bytes where it is a file or a block; an iterable keeps its own chunks."""
    if isinstance(data, bytes):
        yield data
        return
    read = getattr(data, "read", None)
    if read is None:
        yield from data
        return
    while chunk := read(CHUNK):
        yield chunk
