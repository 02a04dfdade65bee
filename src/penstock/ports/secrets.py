"""Secrets as kept: sealed. Nobody in this port, or in the store behind it, can read one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from penstock.ports.reads import Condition, Page, Sort


class SecretRow(msgspec.Struct, kw_only=True, frozen=True):
    """One secret of one namespace; `sealed` is its encrypted value as the vault made it."""

    tenant_id: str
    namespace: str
    key: str
    sealed: str
    description: str | None = None
    tags: Mapping[str, str] = {}
    created: datetime
    updated: datetime


class Secrets(Protocol):
    """Where secrets are kept."""

    def put(self, row: SecretRow) -> SecretRow:
        """Write a secret, replacing one of the same key; returns the row as kept, `created` as it was."""
        ...

    def get(self, tenant_id: str, namespace: str, key: str) -> SecretRow | None:
        """One secret, or None."""
        ...

    def delete(self, tenant_id: str, namespace: str, key: str) -> bool:
        """Remove a secret; whether there was one."""
        ...

    def list(
        self,
        tenant_id: str,
        filters: Sequence[Condition] = (),
        *,
        sort: Sequence[Sort] = (),
        page: int = 1,
        size: int | None = None,
    ) -> Page[SecretRow]:
        """Secrets that satisfy all filters: `q` (in key and description), `namespace`, `key`; default order: namespace,
        key. `page` counts from 1.
        """
        ...

    def all(self) -> Iterator[SecretRow]:
        """Every secret of every tenant, for sealing them anew with another key."""
        ...
