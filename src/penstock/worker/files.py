"""Internal storage as one task run sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote

from penstock.errors import BadRequest, Forbidden, NotFound
from penstock.model.job import Job
from penstock.plugin.platform import RunPlatform
from penstock.ports import blob_paths
from penstock.ports.blobs import Blob, Blobs, missing

_NAMESPACE_FILE = "nsfile://"
_LOCAL_FILE = "file://"


class RunFiles:
    """Reads `kestra://`, `nsfile://` and allowed `file://` URIs; writes below the folder of the task run."""

    def __init__(
        self, job: Job, blobs: Blobs, *, platform: Callable[[], RunPlatform], allowed: Sequence[Path] = ()
    ) -> None:
        self._job = job
        self._blobs = blobs
        self._platform = platform
        self._allowed = allowed

    @property
    def _execution(self) -> str:
        job = self._job
        return blob_paths.execution_prefix(job.namespace, job.flow_id, job.execution_id)

    def put(self, name: str, data: bytes | Iterable[bytes] | BinaryIO) -> str:
        """Stores `data` as the task run's file `name` and returns its URI."""
        job = self._job
        path = blob_paths.task_file(
            self._execution, task_id=job.task.id, task_run_id=job.task_run_id, file=name.removeprefix("/")
        )
        return self._blobs.put(job.tenant_id, path, data)

    def store_stream(self, name: str, chunks: Iterable[bytes]) -> str:
        """As `put`."""
        return self.put(name, chunks)

    def put_file(self, path: Path, name: str | None = None) -> str:
        """Stores a local file."""
        with path.open("rb") as file:
            return self.put(name or path.name, file)

    def open(self, uri: str) -> BinaryIO:
        """The file, opened for reading; the caller closes it."""
        if uri.startswith(_NAMESPACE_FILE):
            namespace, path = self._namespace_file(uri)
            return self._platform().namespace_files.open(path, namespace)
        if uri.startswith(_LOCAL_FILE):
            return self._local(uri).open("rb")
        return self._blobs.open(self._job.tenant_id, self._own(uri))

    def get(self, uri: str) -> bytes:
        """The whole content."""
        with self.open(uri) as file:
            return file.read()

    def size(self, uri: str) -> int:
        """Bytes in the file."""
        if uri.startswith(_NAMESPACE_FILE):
            namespace, path = self._namespace_file(uri)
            found = self._platform().namespace_files.stat(path, namespace)
            if found is None:
                raise missing(uri)
            return found.size
        if uri.startswith(_LOCAL_FILE):
            return self._local(uri).stat().st_size
        return self._blobs.size(self._job.tenant_id, self._own(uri))

    def exists(self, uri: str) -> bool:
        """Whether there is such a file."""
        try:
            self.size(uri)
        except NotFound:
            return False
        return True

    def delete(self, uri: str) -> bool:
        """Removes a file of internal storage; False when there was none."""
        if not uri.startswith(blob_paths.SCHEME):
            raise BadRequest(f"Invalid URI {uri!r}: only `kestra://` files can be deleted")
        return self._blobs.delete(self._job.tenant_id, self._own(uri))

    def files_of_execution(self) -> Iterator[Blob]:
        """Every file of the running execution."""
        return self._blobs.list(self._job.tenant_id, self._execution)

    def files_of_namespace(self, namespace: str, flow_id: str | None = None) -> Iterator[Blob]:
        """Every file of executions below a namespace, or of one flow."""
        root = blob_paths.flow_prefix(namespace, flow_id) if flow_id else blob_paths.namespace_folder(namespace)
        found = self._blobs.list(self._job.tenant_id, root)
        return (blob for blob in found if blob_paths.execution_folders(blob.path))

    def read_cache(self, cache_id: str, key: str | None = None) -> tuple[bytes, datetime] | None:
        """A zipped cache of the flow and when it was written."""
        path, tenant = self._cache(cache_id, key), self._job.tenant_id
        try:
            modified = self._blobs.stat(tenant, path).modified
            return self._blobs.get(tenant, path), modified
        except NotFound:
            return None

    def write_cache(self, cache_id: str, data: bytes, *, key: str | None = None) -> None:
        """Replaces a zipped cache of the flow."""
        self._blobs.put(self._job.tenant_id, self._cache(cache_id, key), data)

    def _cache(self, cache_id: str, key: str | None) -> str:
        return blob_paths.cache_file(self._job.namespace, self._job.flow_id, cache_id=cache_id, key=key)

    def _own(self, uri: str) -> str:
        if not uri.startswith(blob_paths.SCHEME):
            raise BadRequest(
                f"Cannot read {uri[:200]!r}: expected a URI of internal storage (`kestra:///…`), of a namespace file"
                " (`nsfile:///…`) or of an allowed local file (`file:///…`)"
            )
        return uri

    def _namespace_file(self, uri: str) -> tuple[str, str]:
        """Namespace and path of `nsfile:///path` (the flow's namespace) or `nsfile://namespace/path`."""
        namespace, _, path = uri.removeprefix(_NAMESPACE_FILE).partition("/")
        return namespace or self._job.namespace, unquote(path)

    def _local(self, uri: str) -> Path:
        path = Path(unquote(uri.removeprefix(_LOCAL_FILE))).resolve()
        if not any(path.is_relative_to(folder.resolve()) for folder in self._allowed):
            raise Forbidden(f"The file {uri} cannot be read: no allowed folder (`local-files.allowed-paths`) holds it")
        if not path.is_file():
            raise missing(uri)
        return path
