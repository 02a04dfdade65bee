"""Internal storage on a local disk: `<root>/<tenant>/<path>`, plain files that other tools can read.

A file is written under `<root>/.unfinished/` and renamed into place, so readers see the old one or the new one. What a
crash leaves there is removed by `sweep_unfinished`. Folders exist only while they hold files.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from penstock.blobs.checks import doomed_folder, range_bounds
from penstock.errors import BadRequest, Conflict, PenstockError, StoreUnavailable
from penstock.ids import new_id
from penstock.ports.blob_paths import path_of, tenant_folder, uri_of
from penstock.ports.blobs import CHUNK, Blob, Content, chunks_of, missing

_UNFINISHED = ".unfinished"  # a tenant's name cannot start with a dot
_ABSENT = (FileNotFoundError, NotADirectoryError)
_BUFFER = 64 * 1024
_TRIES = 100  # of creating a folder that a concurrent delete prunes again


class LocalBlobs:
    """Files below a root folder.

    With `fsync=True` a file and its name reach the disk before `put` returns, which a power cut survives; without,
    they survive the end of the process only. Costs a disk flush per file.
    """

    def __init__(self, root: Path, *, fsync: bool = False) -> None:
        self._root = os.path.abspath(root)
        self._fsync = fsync
        self._unfinished = os.path.join(self._root, _UNFINISHED)
        os.makedirs(self._unfinished, exist_ok=True)

    def put(self, tenant: str, path: str, data: Content) -> str:
        where = path_of(path)
        target = self._place(tenant, where)
        with self._draft() as draft:
            self._write(draft, where, data)
            self._publish(draft, target, path=where)
        return uri_of(where)

    def open(self, tenant: str, uri: str) -> BinaryIO:
        path = path_of(uri)
        with _reading(path):
            return open(self._place(tenant, path), "rb", buffering=CHUNK)

    def get(self, tenant: str, uri: str) -> bytes:
        path = path_of(uri)
        with _reading(path), open(self._place(tenant, path), "rb", buffering=0) as file:
            return file.readall()

    def get_range(self, tenant: str, uri: str, *, start: int, length: int) -> bytes:
        range_bounds(start, length)
        with self.open(tenant, uri) as file:
            file.seek(start)
            return file.read(length)

    def stat(self, tenant: str, uri: str) -> Blob:
        path = path_of(uri)
        place = self._place(tenant, path)
        with _reading(path):
            if not os.path.isfile(place):
                raise missing(uri_of(path))
            return _blob(path, os.stat(place))

    def size(self, tenant: str, uri: str) -> int:
        return self.stat(tenant, uri).size

    def exists(self, tenant: str, uri: str) -> bool:
        return os.path.isfile(self._place(tenant, path_of(uri)))

    def list(self, tenant: str, prefix: str) -> Iterator[Blob]:
        path = path_of(prefix, folder=True)
        return _walk(self._place(tenant, path), path.rstrip("/"))

    def delete(self, tenant: str, uri: str) -> bool:
        path = path_of(uri)
        place = self._place(tenant, path)
        if not os.path.isfile(place):
            return False
        with _reading(path):
            try:
                os.unlink(place)
            except _ABSENT:
                return False
        self._prune(tenant, os.path.dirname(place))
        return True

    def delete_prefix(self, tenant: str, prefix: str) -> int:
        path = doomed_folder(prefix)
        folder = self._place(tenant, path)
        count = sum(self._unlink(tenant, blob.path) for blob in _walk(folder, path))
        for place, _, _ in os.walk(folder, topdown=False):
            _remove_if_empty(place)
        self._prune(tenant, os.path.dirname(folder))
        return count

    def copy(self, tenant: str, source: str, target: str) -> str:
        with self.open(tenant, source) as file:
            return self.put(tenant, target, file)

    def sweep_unfinished(self, before: datetime) -> int:
        """Removes drafts that a crash left behind, last written before `before`; returns how many."""
        swept = 0
        for entry in os.scandir(self._unfinished):
            with suppress(FileNotFoundError):
                if entry.stat().st_mtime < before.timestamp():
                    os.unlink(entry.path)
                    swept += 1
        return swept

    def _place(self, tenant: str, path: str) -> str:
        return os.path.join(self._root, tenant_folder(tenant), path[1:])

    @contextmanager
    def _draft(self) -> Iterator[str]:
        draft = os.path.join(self._unfinished, new_id())
        try:
            yield draft
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(draft)
            raise

    def _write(self, draft: str, path: str, data: Content) -> None:
        with _writing(path):
            file = open(draft, "xb", buffering=_BUFFER)  # noqa: SIM115 - closed two lines below
        with file:
            for chunk in chunks_of(data):  # a fault of `data` is its own, not the storage's
                with _writing(path):
                    file.write(chunk)
            with _writing(path):
                file.flush()
                if self._fsync:
                    os.fsync(file.fileno())

    def _publish(self, draft: str, target: str, *, path: str) -> None:
        folder = os.path.dirname(target)
        with _writing(path):
            _rename(draft, target, folder=folder)
            if self._fsync:
                _flush_folder(folder)

    def _unlink(self, tenant: str, path: str) -> bool:
        try:
            os.unlink(self._place(tenant, path))
        except _ABSENT:
            return False
        return True

    def _prune(self, tenant: str, folder: str) -> None:
        top = self._place(tenant, "/").rstrip("/")
        while folder != top and folder.startswith(top) and _remove_if_empty(folder):
            folder = os.path.dirname(folder)


def _walk(folder: str, path: str) -> Iterator[Blob]:
    """The files below `folder`, whose raw path is `path`. Holds one folder's names per level at a time."""
    try:
        with os.scandir(folder) as entries:
            found = [
                (f"{entry.name}/" if entry.is_dir(follow_symlinks=False) else entry.name, entry) for entry in entries
            ]
    except _ABSENT:
        return
    found.sort(key=lambda named: named[0])  # a folder sorts by its name and slash, as its files' paths do
    for name, entry in found:
        if name.endswith("/"):
            yield from _walk(entry.path, f"{path}/{entry.name}")
            continue
        with suppress(*_ABSENT):
            yield _blob(f"{path}/{entry.name}", entry.stat(follow_symlinks=False))


def _blob(path: str, status: os.stat_result) -> Blob:
    return Blob(path=path, size=status.st_size, modified=datetime.fromtimestamp(status.st_mtime, UTC))


def _rename(draft: str, target: str, *, folder: str) -> None:
    """Puts the draft in its place, again while concurrent deletes remove the folder just made."""
    for _ in range(_TRIES):
        try:
            os.makedirs(folder, exist_ok=True)
            os.replace(draft, target)
        except FileNotFoundError:
            continue
        except FileExistsError:
            if _lies_in_a_file(folder):
                raise
        else:
            return
    os.replace(draft, target)


def _lies_in_a_file(folder: str) -> bool:
    while not os.path.lexists(folder):
        folder = os.path.dirname(folder)
    return not os.path.isdir(folder) and os.path.lexists(folder)


def _flush_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_if_empty(folder: str) -> bool:
    try:
        os.rmdir(folder)
    except OSError:
        return False
    return True


@contextmanager
def _reading(path: str) -> Iterator[None]:
    """Turns the system's errors while reading or removing `path` into ours."""
    try:
        yield
    except (*_ABSENT, IsADirectoryError) as fault:
        raise missing(uri_of(path)) from fault
    except OSError as fault:
        raise _system_error(path, fault) from fault


@contextmanager
def _writing(path: str) -> Iterator[None]:
    """Turns the system's errors while writing `path` into ours."""
    try:
        yield
    except (FileExistsError, NotADirectoryError) as fault:
        raise Conflict(f"Cannot write {uri_of(path)}: one of its folders is a file") from fault
    except IsADirectoryError as fault:
        raise Conflict(f"Cannot write {uri_of(path)}: it is a folder that holds files") from fault
    except OSError as fault:
        raise _system_error(path, fault) from fault


def _system_error(path: str, fault: OSError) -> PenstockError:
    if fault.errno == errno.ENAMETOOLONG:
        return BadRequest(f"Invalid path {uri_of(path)}: a name is longer than the disk allows (255 bytes as a rule)")
    if fault.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreUnavailable(f"Cannot write {uri_of(path)}: the disk of the internal storage is full")
    return StoreUnavailable(f"Internal storage failed at {uri_of(path)}: {fault.strerror or fault}")
