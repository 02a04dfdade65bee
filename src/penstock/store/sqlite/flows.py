"""Flows on SQLite."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from penstock.errors import Conflict
from penstock.ports.flows import FlowRow, SourceMatch
from penstock.ports.reads import Condition, Filter, Page, Sort
from penstock.store.filters import Kind
from penstock.store.fragments import fragments
from penstock.store.records import decode_labels, decode_map, encode, text
from penstock.store.sqlite.codec import micros, moment
from penstock.store.sqlite.conditions import Column
from penstock.store.sqlite.readers import Readers
from penstock.store.sqlite.searching import Asked, Searched, search
from penstock.store.sqlite.statements import Statements
from penstock.store.sqlite.writer import Writer

_SQL = Statements(
    "flows.sql",
    row="f.tenant_id, f.namespace, f.id, f.revision, f.source, f.document, f.updated, f.labels, f.disabled, f.deleted, "
    "f.draft, f.error",
)
_SEARCHED = Searched(
    rows=_SQL.search,
    count=_SQL.count,
    columns={
        "q": Column(Kind.QUERY, "f.id | f.namespace"),
        "scope": Column(Kind.SCOPE, "f.namespace"),
        "namespace": Column(Kind.TEXT, "f.namespace"),
        "flowId": Column(Kind.TEXT, "f.id"),
        "id": Column(Kind.TEXT, "f.id"),
        "labels": Column(Kind.LABELS, "json_each(f.labels) l WHERE"),
        "disabled": Column(Kind.FLAG, "f.disabled"),
        "draft": Column(Kind.FLAG, "f.draft"),
        "updated": Column(Kind.MOMENT, "f.updated"),
    },
    sorts={
        "id": "f.id",
        "flowId": "f.id",
        "namespace": "f.namespace",
        "revision": "f.revision",
        "updated": "f.updated",
        "disabled": "f.disabled",
    },
    default="f.namespace, f.id",
    last="f.namespace, f.id",
)
_SEARCHED_SOURCE = msgspec.structs.replace(
    _SEARCHED,
    columns={"namespace": _SEARCHED.columns["namespace"], "source": Column(Kind.TEXT, "penstock_fold(f.source)")},
)
_STRETCH = 1_000


class SqliteFlows:
    """`penstock.ports.flows.Flows` on SQLite."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    def save(self, row: FlowRow) -> None:
        flow = (row.tenant_id, row.namespace, row.id)
        with self._writer.transaction() as connection:
            if connection.execute(_SQL.revision_exists, (*flow, row.revision)).fetchone():
                raise Conflict(f"Revision {row.revision} of flow {row.namespace}.{row.id} exists already")
            newest = connection.execute(_SQL.newest_revision, flow).fetchone()[0]
            latest = newest is None or row.revision > newest
            if latest:
                connection.execute(_SQL.demote, flow)
            connection.execute(_SQL.insert, _values(row, latest=latest))

    def latest(self, tenant_id: str, namespace: str, flow_id: str, *, allow_deleted: bool = False) -> FlowRow | None:
        found = self._rows(_SQL.latest, (tenant_id, namespace, flow_id))
        return found[0] if found and (allow_deleted or not found[0].deleted) else None

    def revision(self, tenant_id: str, namespace: str, flow_id: str, *, number: int) -> FlowRow | None:
        found = self._rows(_SQL.revision, (tenant_id, namespace, flow_id, number))
        return found[0] if found else None

    def revisions(self, tenant_id: str, namespace: str, flow_id: str) -> list[FlowRow]:
        return self._rows(_SQL.revisions, (tenant_id, namespace, flow_id))

    def all_latest(self, tenant_id: str | None = None) -> Iterator[FlowRow]:
        """Stretch by stretch: no reader stays open while the caller works on them."""
        last = ("", "", "")
        while True:
            if tenant_id is None:
                rows = self._rows(_SQL.all_latest, (*last, _STRETCH))
            else:
                rows = self._rows(_SQL.tenant_latest, (tenant_id, *last[1:], _STRETCH))
            yield from rows
            if len(rows) < _STRETCH:
                return
            last = (rows[-1].tenant_id, rows[-1].namespace, rows[-1].id)

    def in_namespace(self, tenant_id: str, namespace: str, *, children: bool = False) -> list[FlowRow]:
        own = self._rows(_SQL.in_namespace, (tenant_id, namespace))
        if not children:
            return own
        return own + self._rows(_SQL.below_namespace, (tenant_id, namespace + ".", namespace + "/"))

    def search(
        self,
        tenant_id: str,
        filters: Sequence[Condition],
        *,
        sort: Sequence[Sort] = (),
        page: int = 1,
        size: int | None = None,
    ) -> Page[FlowRow]:
        with self._readers.snapshot() as connection:
            rows, total = search(connection, _SEARCHED, Asked((tenant_id,), filters, sort, page, size))
        return Page(results=[_row(row) for row in rows], total=total)

    def search_source(
        self, tenant_id: str, text: str, *, namespace: str | None = None, page: int = 1, size: int | None = None
    ) -> Page[SourceMatch]:
        conditions = [Filter("source", "CONTAINS", text.casefold())]
        if namespace:
            conditions.append(Filter("namespace", "PREFIX", namespace))
        with self._readers.snapshot() as connection:
            asked = Asked((tenant_id,), conditions, page=page, size=size)
            rows, total = search(connection, _SEARCHED_SOURCE, asked)
        flows = [_row(row) for row in rows]
        return Page(results=[SourceMatch(flow=f, fragments=fragments(f.source, text)) for f in flows], total=total)

    def namespaces(self, tenant_id: str) -> list[str]:
        with self._readers.connection() as connection:
            return [namespace for (namespace,) in connection.execute(_SQL.namespaces, (tenant_id,))]

    def delete_revisions(
        self, tenant_id: str, namespace: str, flow_id: str, *, numbers: Sequence[int] | None = None
    ) -> int:
        flow = (tenant_id, namespace, flow_id)
        with self._writer.transaction() as connection:
            if numbers is None:
                return connection.execute(_SQL.delete_all_revisions, flow).rowcount
            count = connection.executemany(_SQL.delete_revision, [(*flow, number) for number in set(numbers)]).rowcount
            connection.execute(_SQL.promote, flow)
            return count

    def _rows(self, statement: str, parameters: tuple[object, ...]) -> list[FlowRow]:
        with self._readers.connection() as connection:
            return [_row(row) for row in connection.execute(statement, parameters)]


def _values(row: FlowRow, *, latest: bool) -> tuple[object, ...]:
    return (
        row.tenant_id,
        row.namespace,
        row.id,
        row.revision,
        latest,
        row.deleted,
        row.disabled,
        row.draft,
        micros(row.updated),
        row.error if row.error is None else text(row.error),
        encode(row.labels).decode(),
        encode(row.document),
        text(row.source),
    )


def _row(row: tuple) -> FlowRow:
    tenant_id, namespace, flow_id, revision, source, document, updated, labels, disabled, deleted, draft, error = row
    return FlowRow(
        tenant_id=tenant_id,
        namespace=namespace,
        id=flow_id,
        revision=revision,
        source=source,
        document=decode_map(document),
        updated=moment(updated),
        labels=decode_labels(labels),
        disabled=bool(disabled),
        deleted=bool(deleted),
        draft=bool(draft),
        error=error,
    )
