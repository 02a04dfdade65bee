"""Flows in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from penstock.errors import Conflict
from penstock.ports.flows import FlowRow, SourceMatch
from penstock.ports.reads import Condition, Page, Sort
from penstock.store.filters import Kind
from penstock.store.fragments import fragments
from penstock.store.memory.matching import Field, Fields, matching, ordered, page_of
from penstock.store.memory.tables import Tables
from penstock.store.records import copied

_FIELDS: Fields[FlowRow] = {
    "q": Field(Kind.QUERY, lambda row: [row.id, row.namespace]),
    "scope": Field(Kind.SCOPE, lambda row: row.namespace),
    "namespace": Field(Kind.TEXT, lambda row: row.namespace),
    "flowId": Field(Kind.TEXT, lambda row: row.id),
    "id": Field(Kind.TEXT, lambda row: row.id),
    "labels": Field(Kind.LABELS, lambda row: row.labels),
    "disabled": Field(Kind.FLAG, lambda row: row.disabled),
    "draft": Field(Kind.FLAG, lambda row: row.draft),
    "updated": Field(Kind.MOMENT, lambda row: row.updated),
}
_KEYS: Mapping[str, Callable[[FlowRow], Any]] = {
    "id": lambda row: row.id,
    "flowId": lambda row: row.id,
    "namespace": lambda row: row.namespace,
    "revision": lambda row: row.revision,
    "updated": lambda row: row.updated,
    "disabled": lambda row: row.disabled,
}


class MemoryFlows:
    """`penstock.ports.flows.Flows` in memory."""

    def __init__(self, tables: Tables) -> None:
        self._lock = tables.lock
        self._revisions: dict[tuple[str, str, str], dict[int, FlowRow]] = {}

    def save(self, row: FlowRow) -> None:
        with self._lock:
            revisions = self._revisions.setdefault((row.tenant_id, row.namespace, row.id), {})
            if row.revision in revisions:
                raise Conflict(f"Revision {row.revision} of flow {row.namespace}.{row.id} exists already")
            revisions[row.revision] = copied(row)

    def latest(self, tenant_id: str, namespace: str, flow_id: str, *, allow_deleted: bool = False) -> FlowRow | None:
        revisions = self.revisions(tenant_id, namespace, flow_id)
        return revisions[-1] if revisions and (allow_deleted or not revisions[-1].deleted) else None

    def revision(self, tenant_id: str, namespace: str, flow_id: str, *, number: int) -> FlowRow | None:
        with self._lock:
            row = self._revisions.get((tenant_id, namespace, flow_id), {}).get(number)
            return None if row is None else copied(row)

    def revisions(self, tenant_id: str, namespace: str, flow_id: str) -> list[FlowRow]:
        with self._lock:
            revisions = self._revisions.get((tenant_id, namespace, flow_id), {})
            return [copied(revisions[number]) for number in sorted(revisions)]

    def all_latest(self, tenant_id: str | None = None) -> Iterator[FlowRow]:
        with self._lock:
            keys = sorted(key for key in self._revisions if tenant_id in (None, key[0]))
            rows = [self.latest(*key) for key in keys]
        yield from (row for row in rows if row is not None)

    def in_namespace(self, tenant_id: str, namespace: str, *, children: bool = False) -> list[FlowRow]:
        prefix = namespace + "."
        rows = list(self.all_latest(tenant_id))
        return [r for r in rows if r.namespace == namespace or (children and r.namespace.startswith(prefix))]

    def search(
        self,
        tenant_id: str,
        filters: Sequence[Condition],
        *,
        sort: Sequence[Sort] = (),
        page: int = 1,
        size: int | None = None,
    ) -> Page[FlowRow]:
        found = matching(self.all_latest(tenant_id), filters, _FIELDS)
        return page_of(ordered(found, sort, _KEYS), page, size)

    def search_source(
        self, tenant_id: str, text: str, *, namespace: str | None = None, page: int = 1, size: int | None = None
    ) -> Page[SourceMatch]:
        rows = self.in_namespace(tenant_id, namespace, children=True) if namespace else self.all_latest(tenant_id)
        folded = text.casefold()
        matches = [
            SourceMatch(flow=row, fragments=fragments(row.source, text))
            for row in rows
            if folded in row.source.casefold()
        ]
        return page_of(matches, page, size)

    def namespaces(self, tenant_id: str) -> list[str]:
        return sorted({row.namespace for row in self.all_latest(tenant_id)})

    def delete_revisions(
        self, tenant_id: str, namespace: str, flow_id: str, *, numbers: Sequence[int] | None = None
    ) -> int:
        with self._lock:
            revisions = self._revisions.get((tenant_id, namespace, flow_id), {})
            doomed = set(revisions) if numbers is None else set(numbers) & set(revisions)
            for number in doomed:
                del revisions[number]
            return len(doomed)
