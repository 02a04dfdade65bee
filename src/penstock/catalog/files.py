"""Files that templates and tasks name: internal storage, namespace files, and allow-listed files of this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from penstock.catalog.namespace_files import NamespaceFileStore
from penstock.errors import BadRequest, Forbidden, NotFound
from penstock.ports.blob_paths import SCHEME, namespace_file, uri_of
from penstock.ports.blobs import Blobs


class FileResolver:
    """Opens what a text names: `kestra:///…`, `nsfile:///…`, `nsfile://<namespace>/…`, `file:///…`, or a plain path of
    the namespace. Files of other executions of the tenant may be read, as in open-source Kestra.
    """

    def __init__(self, blobs: Blobs, files: NamespaceFileStore, *, local_roots: Sequence[Path] = ()) -> None:
        """`local_roots` are the folders whose files `file:///` may name; none by default."""
        self._blobs = blobs
        self._files = files
        self._roots = [root.resolve() for root in local_roots]

    def open(self, tenant: str, namespace: str, reference: str) -> BinaryIO:
        """The file, opened for reading.

        Raises:
            NotFound: there is no such file.
            Forbidden: a `file:///` outside of the allowed folders.
            BadRequest: another scheme, or a path that leads out of its root.
        """
        if reference.startswith("file:"):
            return self._local(reference).open("rb")
        return self._blobs.open(tenant, self.uri(tenant, namespace, reference, must_exist=True))

    def size(self, tenant: str, namespace: str, reference: str) -> int:
        """Bytes in the file. Raises as `open`."""
        if reference.startswith("file:"):
            return self._local(reference).stat().st_size
        return self._blobs.size(tenant, self.uri(tenant, namespace, reference, must_exist=True))

    def exists(self, tenant: str, namespace: str, reference: str) -> bool:
        """Whether there is such a file. Raises Forbidden and BadRequest as `open`."""
        try:
            if reference.startswith("file:"):
                return self._local(reference).is_file()
            return self._blobs.exists(tenant, self.uri(tenant, namespace, reference, must_exist=True))
        except NotFound:
            return False

    def uri(self, tenant: str, namespace: str, reference: str, *, must_exist: bool = False) -> str:
        """The `kestra:///` URI of a file.

        A namespace file that does not exist has the URI it would be written to, unless `must_exist`.

        Raises:
            NotFound: with `must_exist`, there is no such namespace file.
            BadRequest: another scheme, or a path that leads out of its root.
        """
        if reference.startswith(SCHEME):
            return reference
        namespace, path = _place(namespace, reference)
        if must_exist:
            return self._files.require(tenant, namespace, path).uri
        row = self._files.find(tenant, namespace, path)
        return row.uri if row is not None and not row.directory else uri_of(namespace_file(namespace, path))

    def _local(self, reference: str) -> Path:
        path = Path(unquote(urlsplit(reference).path)).resolve()
        if not any(path.is_relative_to(root) for root in self._roots):
            raise Forbidden(
                f"The path {path} is not in an allowed folder: add it to the setting `local-files.allowed-paths`"
            )
        if not path.is_file():
            raise NotFound(f"{reference} (File not found)")
        return path


def _place(namespace: str, reference: str) -> tuple[str, str]:
    """The namespace and path that a reference to a namespace file names."""
    if not reference.startswith("nsfile:"):
        if "://" in reference:
            raise BadRequest(
                f"Cannot read `{reference}`: expected kestra://, nsfile:// or file://, or the path of a namespace file"
            )
        return namespace, reference
    address = urlsplit(reference)
    return address.netloc or namespace, unquote(address.path)
