"""Keys and values of namespaces on SQLite."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from penstock.errors import Conflict
from penstock.ports.key_values import KvRow
from penstock.ports.reads import Condition, Page, Sort
from penstock.store.filters import Kind
from penstock.store.records import text
from penstock.store.sqlite.codec import micros, micros_or_none, moment, moment_or_none
from penstock.store.sqlite.conditions import Column
from penstock.store.sqlite.readers import Readers
from penstock.store.sqlite.searching import Asked, Searched, search
from penstock.store.sqlite.statements import Statements
from penstock.store.sqlite.writer import Writer

_SQL = Statements(
    "key_values.sql",
    row="k.tenant_id, k.namespace, k.key, k.type, k.value, k.revision, k.description, k.created, k.updated, k.expires",
)
_SEARCHED = Searched(
    rows=_SQL.search,
    count=_SQL.count,
    columns={
        "q": Column(Kind.QUERY, "k.key | k.description"),
        "namespace": Column(Kind.TEXT, "k.namespace"),
        "key": Column(Kind.TEXT, "k.key"),
        "type": Column(Kind.TEXT, "k.type"),
        "created": Column(Kind.MOMENT, "k.created"),
        "updated": Column(Kind.MOMENT, "k.updated"),
        "expirationDate": Column(Kind.MOMENT, "k.expires"),
    },
    sorts={
        "key": "k.key",
        "name": "k.key",
        "namespace": "k.namespace",
        "type": "k.type",
        "created": "k.created",
        "creationDate": "k.created",
        "updated": "k.updated",
        "updateDate": "k.updated",
        "expirationDate": "k.expires",
    },
    default="k.namespace, k.key",
    last="k.namespace, k.key",
)


class SqliteKeyValues:
    """`penstock.ports.key_values.KeyValues` on SQLite."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    def put(self, row: KvRow, *, overwrite: bool = True) -> KvRow:
        key = (row.tenant_id, row.namespace, row.key)
        with self._writer.transaction() as connection:
            before = connection.execute(_SQL.before, (micros(row.updated), *key)).fetchone()
            revision, created, gone = before or (0, 0, True)
            if not gone and not overwrite:
                raise Conflict(f"Key `{row.key}` exists already in namespace `{row.namespace}`")
            kept = msgspec.structs.replace(row, revision=revision + 1, created=row.created if gone else moment(created))
            connection.execute(_SQL.put, _values(kept))
        return kept

    def get(self, tenant_id: str, namespace: str, key: str, *, now: datetime) -> KvRow | None:
        with self._readers.connection() as connection:
            row = connection.execute(_SQL.get, (tenant_id, namespace, key, micros(now))).fetchone()
        return None if row is None else _row(row)

    def delete(self, tenant_id: str, namespace: str, key: str, *, now: datetime) -> bool:
        moment_now = micros(now)
        with self._writer.transaction() as connection:
            deleted = connection.execute(_SQL.delete, (moment_now, tenant_id, namespace, key, moment_now))
            return deleted.rowcount > 0

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
        asked = Asked((tenant_id, with_expired, micros(now)), filters, sort, page, size)
        with self._readers.snapshot() as connection:
            rows, total = search(connection, _SEARCHED, asked)
        return Page(results=[_row(row) for row in rows], total=total)

    def purge_expired(self, now: datetime) -> int:
        with self._writer.transaction() as connection:
            return connection.execute(_SQL.purge, (micros(now),)).rowcount


def _values(row: KvRow) -> tuple[object, ...]:
    return (
        row.tenant_id,
        row.namespace,
        row.key,
        row.type,
        text(row.value),
        row.revision,
        None if row.description is None else text(row.description),
        micros(row.created),
        micros(row.updated),
        micros_or_none(row.expires),
    )


def _row(row: tuple) -> KvRow:
    tenant_id, namespace, key, type_, value, revision, description, created, updated, expires = row
    return KvRow(
        tenant_id=tenant_id,
        namespace=namespace,
        key=key,
        type=type_,
        value=value,
        revision=revision,
        description=description,
        created=moment(created),
        updated=moment(updated),
        expires=moment_or_none(expires),
    )
