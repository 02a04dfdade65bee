"""Keys and values of namespaces: small typed values that outlive executions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from penstock.ports.reads import Condition, Page, Sort


class KvRow(msgspec.Struct, kw_only=True, frozen=True):
    """One key of one namespace.

    type: Kestra's (`STRING`, `NUMBER`, `BOOLEAN`, `DATETIME`, `DATE`, `DURATION`, `JSON`). value: as JSON text.
    revision: counts from 1 and goes on over deletions. expires: the moment from which it no longer exists.
    """

    tenant_id: str
    namespace: str
    key: str
    type: str
    value: str
    revision: int = 1
    description: str | None = None
    created: datetime
    updated: datetime
    expires: datetime | None = None


class KeyValues(Protocol):
    """Where keys are kept. A key that expired is invisible from that moment on, purged or not."""

    def put(self, row: KvRow, *, overwrite: bool = True) -> KvRow:
        """Write a key; returns the row as kept: one revision higher, `created` as it was, where the key existed.

        `row.revision` is not looked at; `row.updated` is what now is.

        Raises:
            Conflict: the key exists and `overwrite` is false.
        """
        ...

    def get(self, tenant_id: str, namespace: str, key: str, *, now: datetime) -> KvRow | None:
        """The key, unless it is absent or has expired by `now`."""
        ...

    def delete(self, tenant_id: str, namespace: str, key: str, *, now: datetime) -> bool:
        """Remove a key; whether there was one that had not expired."""
        ...

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
        """Keys that satisfy all filters: `q` (in key and description), `namespace`, `key`, `created`, `updated`,
        `expirationDate`; default order: namespace, key. `page` counts from 1.
        """
        ...

    def purge_expired(self, now: datetime) -> int:
        """Remove what has expired; returns how many."""
        ...
