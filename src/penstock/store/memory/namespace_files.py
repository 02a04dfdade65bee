"""Files of namespaces in memory: their table; the bytes lie elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from penstock.errors import Conflict, NotFound
from penstock.ports.namespace_files import NamespaceFileRow
from penstock.ports.reads import Condition, Page, Sort
from penstock.store.filters import Kind
from penstock.store.folders import ancestors_of, folder_prefix, moved, parent_of
from penstock.store.memory.matching import Field, Fields, matching, ordered, page_of
from penstock.store.memory.tables import Tables

_FIELDS: Fields[NamespaceFileRow] = {
    "q": Field(Kind.QUERY, lambda row: [row.path]),
    "namespace": Field(Kind.TEXT, lambda row: row.namespace),
    "path": Field(Kind.TEXT, lambda row: row.path),
    "parentPath": Field(Kind.TEXT, lambda row: parent_of(row.path)),
    "version": Field(Kind.NUMBER, lambda row: row.revision),
    "directory": Field(Kind.FLAG, lambda row: row.directory),
    "size": Field(Kind.NUMBER, lambda row: row.size),
    "created": Field(Kind.MOMENT, lambda row: row.created),
    "updated": Field(Kind.MOMENT, lambda row: row.updated),
}
_KEYS: Mapping[str, Callable[[NamespaceFileRow], Any]] = {
    "path": lambda row: row.path,
    "namespace": lambda row: row.namespace,
    "version": lambda row: row.revision,
    "size": lambda row: row.size,
    "created": lambda row: row.created,
    "updated": lambda row: row.updated,
}

Key = tuple[str, str, str]


class MemoryNamespaceFiles:
    """`penstock.ports.namespace_files.NamespaceFiles` in memory."""

    def __init__(self, tables: Tables) -> None:
        self._lock = tables.lock
        self._revisions: dict[Key, dict[int, NamespaceFileRow]] = {}

    def save(self, row: NamespaceFileRow) -> NamespaceFileRow:
        with self._lock:
            self._check(row)
            for folder in ancestors_of(row.path):
                self._make_folder(msgspec.structs.replace(row, path=folder, directory=True))
            if row.directory:
                return self._make_folder(row)
            newest = self._newest((row.tenant_id, row.namespace, row.path))
            if newest is None:
                return self._insert(msgspec.structs.replace(row, revision=1))
            return self._insert(msgspec.structs.replace(row, revision=newest.revision + 1, created=newest.created))

    def latest(self, tenant_id: str, namespace: str, path: str) -> NamespaceFileRow | None:
        newest = self._newest((tenant_id, namespace, path))
        return None if newest is None or newest.deleted else newest

    def revision(self, tenant_id: str, namespace: str, path: str, *, number: int) -> NamespaceFileRow | None:
        with self._lock:
            return self._revisions.get((tenant_id, namespace, path), {}).get(number)

    def revisions(self, tenant_id: str, namespace: str, path: str) -> list[NamespaceFileRow]:
        with self._lock:
            revisions = self._revisions.get((tenant_id, namespace, path), {})
            return [revisions[number] for number in sorted(revisions)]

    def list(self, tenant_id: str, namespace: str, prefix: str = "/") -> list[NamespaceFileRow]:
        below = folder_prefix(prefix)
        return [row for row in self._all(tenant_id) if row.namespace == namespace and row.path.startswith(below)]

    def search(
        self,
        tenant_id: str,
        filters: Sequence[Condition] = (),
        *,
        sort: Sequence[Sort] = (),
        page: int = 1,
        size: int | None = None,
    ) -> Page[NamespaceFileRow]:
        found = matching(self._all(tenant_id), filters, _FIELDS)
        return page_of(ordered(found, sort, _KEYS), page, size)

    def delete(self, tenant_id: str, namespace: str, path: str, *, now: datetime) -> list[NamespaceFileRow]:
        with self._lock:
            doomed = self._tree((tenant_id, namespace, path))
            for row in doomed:
                self._delete(row, now)
            return doomed

    def move(
        self, tenant_id: str, namespace: str, path: str, *, to: str, now: datetime
    ) -> list[tuple[NamespaceFileRow, NamespaceFileRow]]:
        with self._lock:
            tree = self._tree((tenant_id, namespace, path))
            if not tree:
                raise NotFound(f"Nothing at `{path}` in namespace `{namespace}`")
            if to.startswith(folder_prefix(path)) or self._tree((tenant_id, namespace, to)):
                raise Conflict(f"Cannot move `{path}` to `{to}`: it exists already or lies below")
            targets = [msgspec.structs.replace(row, path=moved(row.path, path, to=to), updated=now) for row in tree]
            self._check(targets[0])
            for row in tree:
                self._delete(row, now)
            return [(row, self.save(there)) for row, there in zip(tree, targets, strict=True)]

    def purge(self, tenant_id: str, namespace: str, path: str, *, keep: int) -> list[NamespaceFileRow]:
        with self._lock:
            rows = self.revisions(tenant_id, namespace, path)
            doomed = rows[: len(rows) - keep] if keep > 0 else rows
            for row in doomed:
                del self._revisions[tenant_id, namespace, path][row.revision]
            used = {row.uri for revisions in self._revisions.values() for row in revisions.values()}
            return [row for row in doomed if row.uri and row.uri not in used]

    def _check(self, row: NamespaceFileRow) -> None:
        """Refuses a file in the way of a folder, or a folder in that of a file, before anything is written."""
        for folder in [*ancestors_of(row.path), *([row.path] if row.directory else [])]:
            there = self.latest(row.tenant_id, row.namespace, folder)
            if there and not there.directory:
                raise Conflict(f"Cannot make the folder `{folder}`: there is a file of that name")
        there = self.latest(row.tenant_id, row.namespace, row.path)
        if there and there.directory and not row.directory:
            raise Conflict(f"Cannot save `{row.path}`: there is a folder of that name")

    def _make_folder(self, row: NamespaceFileRow) -> NamespaceFileRow:
        newest = self._newest((row.tenant_id, row.namespace, row.path))
        if newest is not None and newest.directory:
            return newest
        number = newest.revision + 1 if newest else 1
        folder = msgspec.structs.replace(row, created=row.updated, revision=number, size=0, uri="", deleted=False)
        return self._insert(folder)

    def _insert(self, row: NamespaceFileRow) -> NamespaceFileRow:
        self._revisions.setdefault((row.tenant_id, row.namespace, row.path), {})[row.revision] = row
        return row

    def _delete(self, row: NamespaceFileRow, now: datetime) -> None:
        if row.directory:
            del self._revisions[row.tenant_id, row.namespace, row.path][row.revision]
            return
        mark = msgspec.structs.replace(row, revision=row.revision + 1, size=0, uri="", updated=now, deleted=True)
        self._insert(mark)

    def _tree(self, file: Key) -> list[NamespaceFileRow]:
        own = self.latest(*file)
        return ([own] if own else []) + self.list(*file)

    def _newest(self, file: Key) -> NamespaceFileRow | None:
        rows = self.revisions(*file)
        return rows[-1] if rows else None

    def _all(self, tenant_id: str) -> list[NamespaceFileRow]:
        with self._lock:
            rows = [self.latest(*key) for key in sorted(self._revisions) if key[0] == tenant_id]
        return [row for row in rows if row is not None]
