"""Keys and values, and sealed secrets, in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from penstock.errors import Conflict
from penstock.ports.key_values import KvRow
from penstock.ports.reads import Condition, Page, Sort
from penstock.ports.secrets import SecretRow
from penstock.store.filters import Kind
from penstock.store.memory.matching import Field, Fields, matching, ordered, page_of
from penstock.store.memory.tables import Tables

Key = tuple[str, str, str]

_KV_FIELDS: Fields[KvRow] = {
    "q": Field(Kind.QUERY, lambda row: [row.key, row.description]),
    "namespace": Field(Kind.TEXT, lambda row: row.namespace),
    "key": Field(Kind.TEXT, lambda row: row.key),
    "type": Field(Kind.TEXT, lambda row: row.type),
    "created": Field(Kind.MOMENT, lambda row: row.created),
    "updated": Field(Kind.MOMENT, lambda row: row.updated),
    "expirationDate": Field(Kind.MOMENT, lambda row: row.expires),
}
_KV_KEYS: Mapping[str, Callable[[KvRow], Any]] = {
    "key": lambda row: row.key,
    "name": lambda row: row.key,
    "namespace": lambda row: row.namespace,
    "type": lambda row: row.type,
    "created": lambda row: row.created,
    "creationDate": lambda row: row.created,
    "updated": lambda row: row.updated,
    "updateDate": lambda row: row.updated,
    "expirationDate": lambda row: row.expires,
}
_SECRET_FIELDS: Fields[SecretRow] = {
    "q": Field(Kind.QUERY, lambda row: [row.key, row.description]),
    "namespace": Field(Kind.TEXT, lambda row: row.namespace),
    "key": Field(Kind.TEXT, lambda row: row.key),
    "tags": Field(Kind.LABELS, lambda row: row.tags),
    "updated": Field(Kind.MOMENT, lambda row: row.updated),
}
_SECRET_KEYS: Mapping[str, Callable[[SecretRow], Any]] = {
    "key": lambda row: row.key,
    "namespace": lambda row: row.namespace,
    "created": lambda row: row.created,
    "updated": lambda row: row.updated,
}


class MemoryKeyValues:
    """`penstock.ports.key_values.KeyValues` in memory."""

    def __init__(self, tables: Tables) -> None:
        self._lock = tables.lock
        self._rows: dict[Key, KvRow] = {}
        self._revisions: dict[Key, int] = {}

    def put(self, row: KvRow, *, overwrite: bool = True) -> KvRow:
        key = (row.tenant_id, row.namespace, row.key)
        with self._lock:
            there = self.get(*key, now=row.updated)
            if there and not overwrite:
                raise Conflict(f"Key `{row.key}` exists already in namespace `{row.namespace}`")
            self._revisions[key] = self._revisions.get(key, 0) + 1
            created = there.created if there else row.created
            self._rows[key] = msgspec.structs.replace(row, revision=self._revisions[key], created=created)
            return self._rows[key]

    def get(self, tenant_id: str, namespace: str, key: str, *, now: datetime) -> KvRow | None:
        with self._lock:
            row = self._rows.get((tenant_id, namespace, key))
        return None if row is None or _expired(row, now) else row

    def delete(self, tenant_id: str, namespace: str, key: str, *, now: datetime) -> bool:
        with self._lock:
            there = self.get(tenant_id, namespace, key, now=now) is not None
            self._rows.pop((tenant_id, namespace, key), None)
        return there

    def list(
        self,
        tenant_id: str,
        filters: Sequence[Condition] = (),
        *,
        now: datetime,
        sort: Sequence[Sort] = (),
        page: int = 1,
        size: int | None = None,
        with_expired: bool = False,
    ) -> Page[KvRow]:
        with self._lock:
            rows = [self._rows[key] for key in sorted(self._rows) if key[0] == tenant_id]
        found = matching((row for row in rows if with_expired or not _expired(row, now)), filters, _KV_FIELDS)
        return page_of(ordered(found, sort, _KV_KEYS), page, size)

    def purge_expired(self, now: datetime) -> int:
        with self._lock:
            doomed = [key for key, row in self._rows.items() if _expired(row, now)]
            for key in doomed:
                del self._rows[key]
        return len(doomed)


class MemorySecrets:
    """`penstock.ports.secrets.Secrets` in memory."""

    def __init__(self, tables: Tables) -> None:
        self._lock = tables.lock
        self._rows: dict[Key, SecretRow] = {}

    def put(self, row: SecretRow) -> SecretRow:
        key = (row.tenant_id, row.namespace, row.key)
        with self._lock:
            created = self._rows[key].created if key in self._rows else row.created
            self._rows[key] = msgspec.structs.replace(row, created=created)
            return self._rows[key]

    def get(self, tenant_id: str, namespace: str, key: str) -> SecretRow | None:
        with self._lock:
            return self._rows.get((tenant_id, namespace, key))

    def delete(self, tenant_id: str, namespace: str, key: str) -> bool:
        with self._lock:
            return self._rows.pop((tenant_id, namespace, key), None) is not None

    def list(
        self,
        tenant_id: str,
        filters: Sequence[Condition] = (),
        *,
        sort: Sequence[Sort] = (),
        page: int = 1,
        size: int | None = None,
    ) -> Page[SecretRow]:
        own = [row for row in self.all() if row.tenant_id == tenant_id]
        return page_of(ordered(matching(own, filters, _SECRET_FIELDS), sort, _SECRET_KEYS), page, size)

    def all(self) -> Iterator[SecretRow]:
        with self._lock:
            rows = [self._rows[key] for key in sorted(self._rows)]
        yield from rows


def _expired(row: KvRow, now: datetime) -> bool:
    return row.expires is not None and row.expires <= now
