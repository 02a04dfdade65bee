"""Files of namespaces: a table of paths and revisions, with the bytes in internal storage below `_files`.

Paths are absolute within their namespace (`/scripts/main.py`). The first revision lies at the very path that users
expect (`kestra:///company/team/_files/scripts/main.py`); later ones below `_files/.versions`, so that no writer ever
replaces bytes that a revision, a moved file or a running task still names.
"""

from __future__ import annotations

import io
import threading
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import IO, BinaryIO, Final, cast

from penstock.catalog.globs import selector
from penstock.clock import Clock
from penstock.errors import BadRequest, LimitExceeded, NotFound, Unprocessable
from penstock.ids import new_id
from penstock.ports.blob_paths import namespace_file
from penstock.ports.blobs import CHUNK, Blobs, Content
from penstock.ports.namespace_files import NamespaceFileRow, NamespaceFiles
from penstock.ports.reads import Condition, Page, Sort

VERSIONS: Final = ".versions"
ZIP_LIMIT: Final = 1024 * 1024 * 1024
"""Bytes that one uploaded archive may unpack to."""
ZIP_ENTRIES: Final = 20_000


@dataclass(frozen=True, slots=True)
class FileAttributes:
    """A file or folder as the API shows it; times are aware moments."""

    file_name: str
    directory: bool
    size: int
    modified: datetime
    created: datetime


class NamespaceFileStore:
    """The files of all namespaces. Safe to use from several threads."""

    def __init__(self, rows: NamespaceFiles, blobs: Blobs, *, clock: Clock) -> None:
        self._rows = rows
        self._blobs = blobs
        self._clock = clock
        self._writing = threading.Lock()

    def put(self, tenant: str, namespace: str, path: str, data: Content) -> NamespaceFileRow:
        """Writes a file, as its next revision where it exists.

        Raises:
            BadRequest: the path is not acceptable.
            Conflict: a folder is in the way.
        """
        path = clean(path)
        size, content = _measured(data)
        with self._writing:
            place = self._new_place(tenant, namespace, path)
            uri = self._blobs.put(tenant, place, content)
            if size is None:
                size = self._blobs.size(tenant, uri)
            now = self._clock.now()
            row = NamespaceFileRow(
                tenant_id=tenant, namespace=namespace, path=path, size=size, uri=uri, created=now, updated=now
            )
            return self._rows.save(row)

    def make_folder(self, tenant: str, namespace: str, path: str) -> NamespaceFileRow:
        """Makes an empty folder. Raises BadRequest, and Conflict where a file is in the way."""
        path = clean(path)
        now = self._clock.now()
        row = NamespaceFileRow(
            tenant_id=tenant, namespace=namespace, path=path, directory=True, created=now, updated=now
        )
        return self._rows.save(row)

    def upload(self, tenant: str, namespace: str, path: str, *, name: str, data: Content) -> list[NamespaceFileRow]:
        """Writes an uploaded file to `path`; a file named `*.zip` is unpacked into the folder of `path` instead.

        Raises:
            BadRequest: the path, or one in the archive, is not acceptable; the archive cannot be read.
            LimitExceeded: the archive unpacks to more than `ZIP_LIMIT` bytes or `ZIP_ENTRIES` files.
        """
        if not name.lower().endswith(".zip"):
            return [self.put(tenant, namespace, path, data)]
        folder = str(PurePosixPath(clean(path)).parent)
        return [self.put(tenant, namespace, f"{folder}/{entry}", content) for entry, content in unpack(data)]

    def find(self, tenant: str, namespace: str, path: str, *, revision: int | None = None) -> NamespaceFileRow | None:
        """The row of a file at its newest revision (or a named one), or of a folder; None when there is none."""
        path = clean(path)
        if revision is not None:
            return self._rows.revision(tenant, namespace, path, number=revision)
        row = self._rows.latest(tenant, namespace, path)
        return row if row is not None else self._implied_folder(tenant, namespace, path)

    def require(self, tenant: str, namespace: str, path: str, *, revision: int | None = None) -> NamespaceFileRow:
        """The row of a file. Raises NotFound where there is none, and for a folder."""
        row = self.find(tenant, namespace, path, revision=revision)
        if row is None or row.directory or row.deleted:
            raise NotFound(f"{namespace_file(namespace, path)} (No such file in namespace '{namespace}')")
        return row

    def open(self, tenant: str, namespace: str, path: str, *, revision: int | None = None) -> BinaryIO:
        """The bytes of a file, opened for reading. Raises NotFound."""
        return self._blobs.open(tenant, self.require(tenant, namespace, path, revision=revision).uri)

    def stats(self, tenant: str, namespace: str, path: str) -> FileAttributes:
        """What is known of a file or folder. Raises NotFound."""
        if _is_root(path):
            return self._root(tenant, namespace)
        row = self.find(tenant, namespace, path)
        if row is None:
            raise NotFound(f"{namespace_file(namespace, path)} (No such file or directory)")
        return attributes_of(row)

    def directory(self, tenant: str, namespace: str, path: str = "/") -> list[FileAttributes]:
        """The files and folders directly inside a folder, by name. An unknown folder is empty, as in Kestra."""
        prefix = "/" if _is_root(path) else clean(path) + "/"
        found: dict[str, FileAttributes] = {}
        for row in self._rows.list(tenant, namespace, prefix.rstrip("/") or "/"):
            name, slash, _ = row.path.removeprefix(prefix).partition("/")
            if slash or row.directory:
                known = found.get(name)
                modified = row.updated if known is None else max(known.modified, row.updated)
                created = row.created if known is None else min(known.created, row.created)
                found[name] = FileAttributes(name, True, 0, modified, created)
            else:
                found[name] = attributes_of(row)
        return [found[name] for name in sorted(found)]

    def files(self, tenant: str, namespace: str, prefix: str = "/") -> list[NamespaceFileRow]:
        """Every file below a folder at its newest revision, by path; folders are left out."""
        folder = "/" if _is_root(prefix) else clean(prefix)
        return [row for row in self._rows.list(tenant, namespace, folder) if not row.directory]

    def matching(
        self, tenant: str, namespace: str, *, include: Sequence[str] = (), exclude: Sequence[str] = ()
    ) -> list[NamespaceFileRow]:
        """The files whose path the patterns select (`globs.selector`). Raises BadRequest for a bad pattern."""
        selects = selector(include, exclude)
        return [row for row in self.files(tenant, namespace) if selects(row.path)]

    def paths_holding(self, tenant: str, namespace: str, query: str) -> list[str]:
        """Paths of files that hold `query`, whatever the case of its letters."""
        return [row.path for row in self.files(tenant, namespace) if query.lower() in row.path.lower()]

    def search(
        self,
        tenant: str,
        filters: Sequence[Condition] = (),
        *,
        sort: Sequence[Sort] = (),
        page: int = 1,
        size: int | None = None,
    ) -> Page[NamespaceFileRow]:
        """Newest rows over all namespaces that satisfy the filters (`ports.namespace_files`)."""
        return self._rows.search(tenant, filters, sort=sort, page=page, size=size)

    def revisions(self, tenant: str, namespace: str, path: str) -> list[NamespaceFileRow]:
        """The revisions of a file, oldest first. Raises NotFound."""
        rows = [row for row in self._rows.revisions(tenant, namespace, clean(path)) if not row.deleted]
        if not rows:
            raise NotFound(f"{namespace_file(namespace, path)} (No such file in namespace '{namespace}')")
        return rows

    def move(self, tenant: str, namespace: str, path: str, *, to: str) -> None:
        """Moves or renames a file or folder.

        Raises:
            NotFound: there is nothing at `path`.
            Conflict: something is at `to`, or `to` lies below `path`.
        """
        self._rows.move(tenant, namespace, clean(path), to=clean(to), now=self._clock.now())

    def delete(self, tenant: str, namespace: str, path: str) -> list[NamespaceFileRow]:
        """Marks a file, or a folder and all below it, as deleted; the bytes stay for their revisions."""
        target = "/" if _is_root(path) else clean(path)
        return self._rows.delete(tenant, namespace, target, now=self._clock.now())

    def purge(
        self,
        tenant: str,
        namespaces: Sequence[str],
        *,
        pattern: str | None = None,
        before: datetime | None = None,
        keep: int | None = None,
    ) -> int:
        """Removes old revisions for good: all but the newest `keep`, or those written before a moment.

        The newest revision of a file always stays. Returns how many went.
        """
        selects = selector([pattern] if pattern else ())
        removed = 0
        for namespace in namespaces:
            for row in self.files(tenant, namespace):
                if selects(row.path):
                    removed += self._purge_file(row, before, keep)
        return removed

    def export(self, tenant: str, namespace: str) -> Iterator[bytes]:
        """A ZIP of all files, in chunks."""
        buffer = _Drain()
        with zipfile.ZipFile(cast("IO[bytes]", buffer), "w", zipfile.ZIP_DEFLATED) as archive:
            for row in self.files(tenant, namespace):
                with self._blobs.open(tenant, row.uri) as source, archive.open(row.path[1:], "w") as target:
                    while chunk := source.read(CHUNK):
                        target.write(chunk)
                        yield from buffer.drain()
        yield from buffer.drain()

    def _purge_file(self, row: NamespaceFileRow, before: datetime | None, keep: int | None) -> int:
        kept = keep if keep is not None else self._newer(row, before)
        gone = self._rows.purge(row.tenant_id, row.namespace, row.path, keep=max(kept, 1))
        in_use = self._uris_in_use(row.tenant_id, row.namespace) if gone else set()
        for old in gone:
            if old.uri and old.uri not in in_use:
                self._blobs.delete(row.tenant_id, old.uri)
        return len(gone)

    def _newer(self, row: NamespaceFileRow, before: datetime | None) -> int:
        rows = self._rows.revisions(row.tenant_id, row.namespace, row.path)
        return sum(1 for one in rows if before is None or one.updated >= before)

    def _uris_in_use(self, tenant: str, namespace: str) -> set[str]:
        """URIs of all revisions: a moved file still names the bytes where they were first written."""
        found: set[str] = set()
        for row in self.files(tenant, namespace):
            found.update(one.uri for one in self._rows.revisions(tenant, namespace, row.path))
        return found

    def _new_place(self, tenant: str, namespace: str, path: str) -> str:
        plain = namespace_file(namespace, path)
        if not self._blobs.exists(tenant, plain):
            return plain
        return namespace_file(namespace, f"{VERSIONS}/{new_id()}{path}")

    def _implied_folder(self, tenant: str, namespace: str, path: str) -> NamespaceFileRow | None:
        """A folder that exists only by the files below it."""
        below = self._rows.list(tenant, namespace, path)
        if not below:
            return None
        return NamespaceFileRow(
            tenant_id=tenant,
            namespace=namespace,
            path=path,
            directory=True,
            created=min(row.created for row in below),
            updated=max(row.updated for row in below),
        )

    def _root(self, tenant: str, namespace: str) -> FileAttributes:
        rows = self._rows.list(tenant, namespace)
        now = self._clock.now()
        modified = max((row.updated for row in rows), default=now)
        return FileAttributes("", True, 0, modified, min((row.created for row in rows), default=now))


def clean(path: str) -> str:
    """`path` as rows hold it: absolute, without a trailing slash.

    Raises:
        BadRequest: it is empty, leads out of its namespace, or lies in the folder that holds old revisions.
    """
    cleaned = "/" + path.strip("/")
    if cleaned == "/":
        raise BadRequest("Invalid path: expected the path of a file or folder, found the root")
    if cleaned == f"/{VERSIONS}" or cleaned.startswith(f"/{VERSIONS}/"):
        raise BadRequest(f"Invalid path {path!r}: the folder `{VERSIONS}` holds old revisions and is not for use")
    namespace_file("n", cleaned)  # refuses `..` and the like
    return cleaned


def attributes_of(row: NamespaceFileRow) -> FileAttributes:
    """A row as the API shows it."""
    return FileAttributes(PurePosixPath(row.path).name, row.directory, row.size, row.updated, row.created)


def unpack(data: Content) -> Iterator[tuple[str, bytes]]:
    """The files of a ZIP, one at a time: path and bytes.

    Raises:
        BadRequest: it is no ZIP.
        LimitExceeded: it is larger inside than `ZIP_LIMIT`, or holds more than `ZIP_ENTRIES` files.
    """
    source = data if hasattr(data, "seek") else io.BytesIO(data if isinstance(data, bytes) else b"".join(data))
    try:
        with zipfile.ZipFile(cast("IO[bytes]", source)) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            total = sum(entry.file_size for entry in entries)
            if total > ZIP_LIMIT or len(entries) > ZIP_ENTRIES:
                raise LimitExceeded(
                    f"The archive holds {len(entries)} files of {total} bytes; "
                    f"{ZIP_ENTRIES} files and {ZIP_LIMIT} bytes are allowed"
                )
            for entry in entries:
                yield entry.filename, archive.read(entry)
    except zipfile.BadZipFile as fault:
        raise BadRequest(f"The uploaded file is no ZIP archive: {fault}") from fault


def read_sources(data: Content, *, name: str) -> dict[str, str]:
    """The YAML texts of an uploaded ZIP, or of a YAML file of several documents, by file name or index.

    Raises:
        Unprocessable: the name ends in neither `.zip` nor `.yml` nor `.yaml`.
        BadRequest, LimitExceeded: as `unpack`.
    """
    from penstock.catalog.sources import split_documents

    suffix = PurePosixPath(name).suffix.lower()
    if suffix == ".zip":
        return {path: text.decode("utf-8", "replace") for path, text in unpack(data)}
    if suffix not in (".yml", ".yaml"):
        raise Unprocessable(f"Illegal argument: Cannot import file of type {suffix or name!r}: expected ZIP or YAML")
    content = data if isinstance(data, bytes) else b"".join(_blocks(data))
    return {str(i): source for i, source in enumerate(split_documents(content.decode("utf-8", "replace")))}


def _blocks(data: Content) -> Iterator[bytes]:
    from penstock.ports.blobs import chunks_of

    yield from chunks_of(data)


def _measured(data: Content) -> tuple[int | None, Content]:
    return (len(data), data) if isinstance(data, bytes) else (None, data)


def _is_root(path: str) -> bool:
    return not path.strip("/")


class _Drain(io.RawIOBase):
    """A file that only grows, whose content is taken away as it comes."""

    def __init__(self) -> None:
        super().__init__()
        self._chunks: list[bytes] = []
        self._at = 0

    def writable(self) -> bool:
        return True

    def write(self, data: object, /) -> int:
        block = bytes(data)  # pyright: ignore[reportArgumentType]
        self._chunks.append(block)
        self._at += len(block)
        return len(block)

    def tell(self) -> int:
        return self._at

    def drain(self) -> Iterator[bytes]:
        """What was written since the last call."""
        chunks, self._chunks = self._chunks, []
        yield from (chunk for chunk in chunks if chunk)
