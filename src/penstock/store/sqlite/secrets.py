"""Sealed secrets of namespaces on SQLite."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from penstock.ports.reads import Condition, Page, Sort
from penstock.ports.secrets import SecretRow
from penstock.store.filters import Kind
from penstock.store.records import decode_labels, encode, text
from penstock.store.sqlite.codec import micros, moment
from penstock.store.sqlite.conditions import Column
from penstock.store.sqlite.readers import Readers
from penstock.store.sqlite.searching import Asked, Searched, search
from penstock.store.sqlite.statements import Statements
from penstock.store.sqlite.writer import Writer

_SQL = Statements(
    "secrets.sql",
    row="s.tenant_id, s.namespace, s.key, s.sealed, s.description, s.tags, s.created, s.updated",
)
_SEARCHED = Searched(
    rows=_SQL.search,
    count=_SQL.count,
    columns={
        "q": Column(Kind.QUERY, "s.key | s.description"),
        "namespace": Column(Kind.TEXT, "s.namespace"),
        "key": Column(Kind.TEXT, "s.key"),
        "tags": Column(Kind.LABELS, "json_each(CAST(s.tags AS TEXT)) l WHERE"),
        "updated": Column(Kind.MOMENT, "s.updated"),
    },
    sorts={"key": "s.key", "namespace": "s.namespace", "created": "s.created", "updated": "s.updated"},
    default="s.namespace, s.key",
    last="s.namespace, s.key",
)


class SqliteSecrets:
    """`penstock.ports.secrets.Secrets` on SQLite."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    def put(self, row: SecretRow) -> SecretRow:
        with self._writer.transaction() as connection:
            (created,) = connection.execute(_SQL.put, _values(row)).fetchone()
        return msgspec.structs.replace(row, created=moment(created))

    def get(self, tenant_id: str, namespace: str, key: str) -> SecretRow | None:
        with self._readers.connection() as connection:
            row = connection.execute(_SQL.get, (tenant_id, namespace, key)).fetchone()
        return None if row is None else _row(row)

    def delete(self, tenant_id: str, namespace: str, key: str) -> bool:
        with self._writer.transaction() as connection:
            return connection.execute(_SQL.delete, (tenant_id, namespace, key)).rowcount > 0

    def list(
        self,
        tenant_id: str,
        filters: Sequence[Condition] = (),
        *,
        sort: Sequence[Sort] = (),
        page: int = 1,
        size: int | None = None,
    ) -> Page[SecretRow]:
        with self._readers.snapshot() as connection:
            rows, total = search(connection, _SEARCHED, Asked((tenant_id,), filters, sort, page, size))
        return Page(results=[_row(row) for row in rows], total=total)

    def all(self) -> Iterator[SecretRow]:
        with self._readers.connection() as connection:
            rows = connection.execute(_SQL.all).fetchall()
        yield from (_row(row) for row in rows)


def _values(row: SecretRow) -> tuple[object, ...]:
    return (
        row.tenant_id,
        row.namespace,
        row.key,
        row.sealed,
        None if row.description is None else text(row.description),
        encode(row.tags),
        micros(row.created),
        micros(row.updated),
    )


def _row(row: tuple) -> SecretRow:
    tenant_id, namespace, key, sealed, description, tags, created, updated = row
    return SecretRow(
        tenant_id=tenant_id,
        namespace=namespace,
        key=key,
        sealed=sealed,
        description=description,
        tags=decode_labels(tags),
        created=moment(created),
        updated=moment(updated),
    )
