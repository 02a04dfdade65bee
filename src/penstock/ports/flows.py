"""Flows as kept: every revision of every flow, with its source as it was written.

A row is never changed: saving writes a new revision, deleting writes one that says `deleted`. The *latest* revision is
what counts; a flow whose latest revision says deleted does not exist unless asked for with `allow_deleted`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from penstock.ports.reads import Condition, Page, Sort


class FlowRow(msgspec.Struct, kw_only=True, frozen=True):
    """One revision of one flow.

    document: the flow as the API shows it, camelCase, without `source`.
    labels: the flow's labels, by key.
    draft: saved without having to be valid. error: why the source cannot be run, if it cannot.
    """

    tenant_id: str
    namespace: str
    id: str
    revision: int
    source: str
    document: dict[str, object]
    updated: datetime
    labels: Mapping[str, str] = {}
    disabled: bool = False
    deleted: bool = False
    draft: bool = False
    error: str | None = None


class SourceMatch(msgspec.Struct, kw_only=True, frozen=True):
    """A flow whose source holds the text that was looked for.

    fragments: the lines that hold it, with `[mark]`…`[/mark]` around the text.
    """

    flow: FlowRow
    fragments: list[str]


class Flows(Protocol):
    """Where flows are kept. Every method is synchronous and safe to call from any thread. `page` counts from 1."""

    def save(self, row: FlowRow) -> None:
        """Write a new revision.

        Raises:
            Conflict: that revision of the flow exists: somebody else was faster.
            StoreUnavailable: the disk is full or the database cannot be reached.
        """
        ...

    def latest(self, tenant_id: str, namespace: str, flow_id: str, *, allow_deleted: bool = False) -> FlowRow | None:
        """The latest revision, or None where there is none or it says deleted."""
        ...

    def revision(self, tenant_id: str, namespace: str, flow_id: str, *, number: int) -> FlowRow | None:
        """One revision, whatever it says, or None."""
        ...

    def revisions(self, tenant_id: str, namespace: str, flow_id: str) -> list[FlowRow]:
        """All revisions, oldest first, those that say deleted included."""
        ...

    def all_latest(self, tenant_id: str | None = None) -> Iterator[FlowRow]:
        """The latest revision of every flow that is not deleted, of one tenant or of all: what a start reads.

        Streams: 100,000 flows pass in seconds and are never held at once.
        """
        ...

    def in_namespace(self, tenant_id: str, namespace: str, *, children: bool = False) -> list[FlowRow]:
        """The flows of one namespace (and those below it), by namespace and id."""
        ...

    def search(
        self,
        tenant_id: str,
        filters: Sequence[Condition],
        *,
        sort: Sequence[Sort] = (),
        page: int = 1,
        size: int | None = None,
    ) -> Page[FlowRow]:
        """Flows that satisfy all filters; default order: namespace, id.

        Fields: `q` (in id and namespace), `namespace`, `flowId`, `labels`, `scope`, `disabled`, `draft`, `updated`.
        """
        ...

    def search_source(
        self, tenant_id: str, text: str, *, namespace: str | None = None, page: int = 1, size: int | None = None
    ) -> Page[SourceMatch]:
        """Flows whose source holds `text`, whatever the case of its letters; `namespace` includes those below it."""
        ...

    def namespaces(self, tenant_id: str) -> list[str]:
        """The distinct namespaces of flows that are not deleted, in order."""
        ...

    def delete_revisions(
        self, tenant_id: str, namespace: str, flow_id: str, *, numbers: Sequence[int] | None = None
    ) -> int:
        """Remove revisions for good (all of them by default); returns how many there were.

        The latest may be among them: the caller decides whether it may go.
        """
        ...
