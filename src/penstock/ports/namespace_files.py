"""Files of namespaces: what there is and in which revision. The bytes lie in internal storage, at each row's `uri`.

Paths are absolute within their namespace (`/scripts/main.py`), without a trailing slash; `/` itself has no row.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from penstock.ports.reads import Condition, Page, Sort


class NamespaceFileRow(msgspec.Struct, kw_only=True, frozen=True):
    """One revision of one file, or a folder (`directory`, always of size 0, `uri` empty).

    created: when the first revision was written. updated: when this one was.
    """

    tenant_id: str
    namespace: str
    path: str
    revision: int = 1
    size: int = 0
    uri: str = ""
    created: datetime
    updated: datetime
    deleted: bool = False
    directory: bool = False


class NamespaceFiles(Protocol):
    """Where the table of files is kept. Folders have rows of their own; saving a file makes those missing above it."""

    def save(self, row: NamespaceFileRow) -> NamespaceFileRow:
        """Write the next revision of a file, or a folder (which has one revision); returns the row as kept.

        `row.revision` and `row.created` are not looked at where the file exists (also deleted): numbers go on.

        Raises:
            Conflict: a file is in the way of a folder or a folder in that of a file.
        """
        ...

    def latest(self, tenant_id: str, namespace: str, path: str) -> NamespaceFileRow | None:
        """The latest revision of a file, a folder of its own row, or None when there is none or it is deleted."""
        ...

    def revision(self, tenant_id: str, namespace: str, path: str, *, number: int) -> NamespaceFileRow | None:
        """One revision of a file, or None."""
        ...

    def revisions(self, tenant_id: str, namespace: str, path: str) -> list[NamespaceFileRow]:
        """All revisions of a file, oldest first, those that say deleted included."""
        ...

    def list(self, tenant_id: str, namespace: str, prefix: str = "/") -> list[NamespaceFileRow]:
        """The latest rows of everything below the folder `prefix`, at any depth, by path; nothing deleted."""
        ...

    def search(
        self,
        tenant_id: str,
        filters: Sequence[Condition] = (),
        *,
        sort: Sequence[Sort] = (),
        page: int = 1,
        size: int | None = None,
    ) -> Page[NamespaceFileRow]:
        """Latest rows that satisfy all filters; default order: namespace, path.

        Fields: `q` (in the path), `namespace`, `path`, `parentPath`, `version`, `updated`, `created`, `size`.
        """
        ...

    def delete(self, tenant_id: str, namespace: str, path: str, *, now: datetime) -> list[NamespaceFileRow]:
        """Delete a file, or a folder and everything below it (`/`: everything); returns the rows that were there.

        A file gets one more revision, which says `deleted`; folders have no history and are gone.
        """
        ...

    def move(
        self, tenant_id: str, namespace: str, path: str, *, to: str, now: datetime
    ) -> list[tuple[NamespaceFileRow, NamespaceFileRow]]:
        """Move a file, or a folder and everything below it: (old row, new row) of each.

        New rows keep the old `uri`: the bytes stay where they are.

        Raises:
            NotFound: there is nothing at `path`.
            Conflict: something is at `to`, or `to` lies below `path`.
        """
        ...

    def purge(self, tenant_id: str, namespace: str, path: str, *, keep: int) -> list[NamespaceFileRow]:
        """Remove all but the newest `keep` revisions of a file for good.

        Returns those of them whose bytes no row needs any more (a move shares bytes between rows).
        """
        ...
