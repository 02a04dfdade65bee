"""Files of namespaces on SQLite: their table; the bytes lie elsewhere."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime

import msgspec

from penstock.errors import Conflict, NotFound
from penstock.ports.namespace_files import NamespaceFileRow
from penstock.ports.reads import Condition, Page, Sort
from penstock.store.filters import Kind
from penstock.store.folders import ancestors_of, folder_prefix, moved, parent_of
from penstock.store.sqlite.codec import micros, moment
from penstock.store.sqlite.conditions import Column
from penstock.store.sqlite.readers import Readers
from penstock.store.sqlite.searching import Asked, Searched, search
from penstock.store.sqlite.statements import Statements
from penstock.store.sqlite.writer import Writer

_SQL = Statements(
    "namespace_files.sql",
    row="n.tenant_id, n.namespace, n.path, n.revision, n.size, n.uri, n.created, n.updated, n.deleted, n.directory",
)
_SEARCHED = Searched(
    rows=_SQL.search,
    count=_SQL.count,
    columns={
        "q": Column(Kind.QUERY, "n.path"),
        "namespace": Column(Kind.TEXT, "n.namespace"),
        "path": Column(Kind.TEXT, "n.path"),
        "parentPath": Column(Kind.TEXT, "n.parent_path"),
        "version": Column(Kind.NUMBER, "n.revision"),
        "directory": Column(Kind.FLAG, "n.directory"),
        "size": Column(Kind.NUMBER, "n.size"),
        "created": Column(Kind.MOMENT, "n.created"),
        "updated": Column(Kind.MOMENT, "n.updated"),
    },
    sorts={
        "path": "n.path",
        "namespace": "n.namespace",
        "version": "n.revision",
        "size": "n.size",
        "created": "n.created",
        "updated": "n.updated",
    },
    default="n.namespace, n.path",
    last="n.namespace, n.path",
)


class SqliteNamespaceFiles:
    """`penstock.ports.namespace_files.NamespaceFiles` on SQLite."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    def save(self, row: NamespaceFileRow) -> NamespaceFileRow:
        with self._writer.transaction() as connection:
            return _save(connection, row)

    def latest(self, tenant_id: str, namespace: str, path: str) -> NamespaceFileRow | None:
        with self._readers.connection() as connection:
            return _latest(connection, (tenant_id, namespace, path))

    def revision(self, tenant_id: str, namespace: str, path: str, *, number: int) -> NamespaceFileRow | None:
        with self._readers.connection() as connection:
            row = connection.execute(_SQL.revision, (tenant_id, namespace, path, number)).fetchone()
        return None if row is None else _row(row)

    def revisions(self, tenant_id: str, namespace: str, path: str) -> list[NamespaceFileRow]:
        with self._readers.connection() as connection:
            return [_row(row) for row in connection.execute(_SQL.revisions, (tenant_id, namespace, path))]

    def list(self, tenant_id: str, namespace: str, prefix: str = "/") -> list[NamespaceFileRow]:
        with self._readers.connection() as connection:
            return _below(connection, (tenant_id, namespace, prefix))

    def search(
        self,
        tenant_id: str,
        filters: Sequence[Condition] = (),
        *,
        sort: Sequence[Sort] = (),
        page: int = 1,
        size: int | None = None,
    ) -> Page[NamespaceFileRow]:
        with self._readers.snapshot() as connection:
            rows, total = search(connection, _SEARCHED, Asked((tenant_id,), filters, sort, page, size))
        return Page(results=[_row(row) for row in rows], total=total)

    def delete(self, tenant_id: str, namespace: str, path: str, *, now: datetime) -> list[NamespaceFileRow]:
        with self._writer.transaction() as connection:
            doomed = _tree(connection, (tenant_id, namespace, path))
            for row in doomed:
                _delete(connection, row, now)
        return doomed

    def move(
        self, tenant_id: str, namespace: str, path: str, *, to: str, now: datetime
    ) -> list[tuple[NamespaceFileRow, NamespaceFileRow]]:
        with self._writer.transaction() as connection:
            tree = _tree(connection, (tenant_id, namespace, path))
            if not tree:
                raise NotFound(f"Nothing at `{path}` in namespace `{namespace}`")
            if to.startswith(folder_prefix(path)) or _tree(connection, (tenant_id, namespace, to)):
                raise Conflict(f"Cannot move `{path}` to `{to}`: it exists already or lies below")
            pairs: list[tuple[NamespaceFileRow, NamespaceFileRow]] = []
            for row in tree:
                _delete(connection, row, now)
                there = msgspec.structs.replace(row, path=moved(row.path, path, to=to), updated=now)
                pairs.append((row, _save(connection, there)))
        return pairs

    def purge(self, tenant_id: str, namespace: str, path: str, *, keep: int) -> list[NamespaceFileRow]:
        file = (tenant_id, namespace, path)
        with self._writer.transaction() as connection:
            rows = [_row(row) for row in connection.execute(_SQL.revisions, file)]
            doomed = rows[: len(rows) - keep] if keep > 0 else rows
            for row in doomed:
                connection.execute(_SQL.remove, (*file, row.revision))
            return [row for row in doomed if row.uri and not _is_used(connection, row)]


def _save(connection: sqlite3.Connection, row: NamespaceFileRow) -> NamespaceFileRow:
    file = (row.tenant_id, row.namespace, row.path)
    for folder in ancestors_of(row.path):
        _make_folder(connection, msgspec.structs.replace(row, path=folder, directory=True))
    if row.directory:
        return _make_folder(connection, row)
    newest = _newest(connection, file)
    if newest is not None and newest.directory:
        raise Conflict(f"Cannot save `{row.path}`: there is a folder of that name")
    if newest is None:
        return _insert(connection, msgspec.structs.replace(row, revision=1))
    connection.execute(_SQL.demote, file)
    kept = msgspec.structs.replace(row, revision=newest.revision + 1, created=newest.created)
    return _insert(connection, kept)


def _make_folder(connection: sqlite3.Connection, row: NamespaceFileRow) -> NamespaceFileRow:
    newest = _newest(connection, (row.tenant_id, row.namespace, row.path))
    if newest is not None and newest.directory:
        return newest
    if newest is not None and not newest.deleted:
        raise Conflict(f"Cannot make the folder `{row.path}`: there is a file of that name")
    number = 1
    if newest is not None:
        # A file of that name was deleted: its history stays, behind the folder.
        connection.execute(_SQL.demote, (row.tenant_id, row.namespace, row.path))
        number = newest.revision + 1
    folder = msgspec.structs.replace(row, created=row.updated, revision=number, size=0, uri="", deleted=False)
    return _insert(connection, folder)


def _insert(connection: sqlite3.Connection, row: NamespaceFileRow) -> NamespaceFileRow:
    values = (
        row.tenant_id,
        row.namespace,
        row.path,
        parent_of(row.path),
        row.revision,
        row.deleted,
        row.directory,
        row.size,
        row.uri,
        micros(row.created),
        micros(row.updated),
    )
    connection.execute(_SQL.insert, values)
    return row


def _delete(connection: sqlite3.Connection, row: NamespaceFileRow, now: datetime) -> None:
    file = (row.tenant_id, row.namespace, row.path)
    if row.directory:
        connection.execute(_SQL.remove, (*file, row.revision))
        return
    connection.execute(_SQL.demote, file)
    mark = msgspec.structs.replace(row, revision=row.revision + 1, size=0, uri="", updated=now, deleted=True)
    _insert(connection, mark)


def _tree(connection: sqlite3.Connection, file: tuple[str, str, str]) -> list[NamespaceFileRow]:
    own = _latest(connection, file)
    return ([own] if own else []) + _below(connection, file)


def _below(connection: sqlite3.Connection, folder: tuple[str, str, str]) -> list[NamespaceFileRow]:
    tenant_id, namespace, path = folder
    prefix = folder_prefix(path)
    # `0` is the sign after `/`.
    rows = connection.execute(_SQL.below, (tenant_id, namespace, prefix, prefix[:-1] + "0"))
    return [_row(row) for row in rows.fetchall()]


def _newest(connection: sqlite3.Connection, file: tuple[str, str, str]) -> NamespaceFileRow | None:
    row = connection.execute(_SQL.newest, file).fetchone()
    return None if row is None else _row(row)


def _latest(connection: sqlite3.Connection, file: tuple[str, str, str]) -> NamespaceFileRow | None:
    newest = _newest(connection, file)
    return None if newest is None or newest.deleted else newest


def _is_used(connection: sqlite3.Connection, row: NamespaceFileRow) -> bool:
    return connection.execute(_SQL.uri_is_used, (row.tenant_id, row.uri)).fetchone() is not None


def _row(row: tuple) -> NamespaceFileRow:
    tenant_id, namespace, path, revision, size, uri, created, updated, deleted, directory = row
    return NamespaceFileRow(
        tenant_id=tenant_id,
        namespace=namespace,
        path=path,
        revision=revision,
        size=size,
        uri=uri,
        created=moment(created),
        updated=moment(updated),
        deleted=bool(deleted),
        directory=bool(directory),
    )
