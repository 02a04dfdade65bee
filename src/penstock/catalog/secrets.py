"""Secrets: those of the environment, then the built-in encrypted store, by namespace and its parents.

Values go in and come out only to tasks that name them; no list ever holds one. Each is sealed for its own place
(`tenant/namespace/KEY`), so that a sealed text moved to another row cannot be opened there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from penstock.catalog.key_values import with_parents
from penstock.clock import Clock
from penstock.errors import Conflict, NotFound, Unprocessable
from penstock.ports.reads import Condition, Filter, Page, Sort
from penstock.ports.secrets import SecretRow, Secrets

if TYPE_CHECKING:
    from penstock.catalog.vault import EnvironmentSecrets, Vault


class SecretStore:
    """The secrets of all namespaces."""

    def __init__(
        self, rows: Secrets, *, clock: Clock, vault: Vault | None, environment: EnvironmentSecrets | None = None
    ) -> None:
        """Without `vault` only secrets of the environment can be read, and none written."""
        self._rows = rows
        self._clock = clock
        self._vault = vault
        self._environment = environment

    def get(self, tenant: str, namespace: str, key: str) -> str:
        """The text of a secret, of the namespace or its nearest parent that has it.

        Raises:
            NotFound: there is none; Kestra's words.
            Conflict: it was sealed with a key that is not at hand.
        """
        found = self._environment.find(key) if self._environment is not None else None
        if found is not None:
            return found
        for place in with_parents(namespace):
            row = self._rows.get(tenant, place, key) or self._rows.get(tenant, place, key.upper())
            if row is not None:
                return self._open(row)
        raise NotFound(f"Cannot find secret for key '{key}'.")

    def put(
        self,
        tenant: str,
        namespace: str,
        key: str,
        *,
        value: str,
        description: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> SecretRow:
        """Stores a secret, replacing one of the same key; the row returned holds it sealed.

        Raises:
            Unprocessable: the key is empty or holds a blank.
            Conflict: no encryption key is configured.
        """
        if not key or any(c.isspace() or c == "/" for c in key):
            raise Unprocessable(f"Illegal argument: Invalid secret key '{key}': expected a name without blanks or `/`")
        now = self._clock.now()
        row = SecretRow(
            tenant_id=tenant,
            namespace=namespace,
            key=key,
            sealed=self._required_vault().encrypt(value, bound_to=_place(tenant, namespace, key)),
            description=description,
            tags=tags or {},
            created=now,
            updated=now,
        )
        return self._rows.put(row)

    def describe(
        self,
        tenant: str,
        namespace: str,
        key: str,
        *,
        description: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> SecretRow:
        """Changes what is said of a secret, not its value. Raises NotFound."""
        row = self._rows.get(tenant, namespace, key)
        if row is None:
            raise NotFound(f"Cannot find secret for key '{key}'.")
        return self._rows.put(replace(row, description=description, tags=tags or {}, updated=self._clock.now()))

    def delete(self, tenant: str, namespace: str, key: str) -> bool:
        """Removes a secret of the store; False when there was none. The environment's stay."""
        return self._rows.delete(tenant, namespace, key)

    def search(
        self,
        tenant: str,
        filters: Sequence[Condition] = (),
        *,
        sort: Sequence[Sort] = (),
        page: int = 1,
        size: int | None = None,
    ) -> Page[SecretRow]:
        """Stored secrets that satisfy all filters; what is sealed in the rows must not leave the process."""
        return self._rows.list(tenant, filters, sort=sort, page=page, size=size)

    def keys(self, tenant: str, namespace: str) -> list[str]:
        """Names of the secrets of exactly this namespace, sorted."""
        here = [Filter("namespace", "EQUALS", namespace)]
        return sorted(row.key for row in self._rows.list(tenant, here).results)

    def environment_keys(self) -> list[str]:
        """Names of the secrets of the environment, sorted: every namespace sees them."""
        return sorted(self._environment.values) if self._environment is not None else []

    def inherited(self, tenant: str, namespace: str) -> dict[str, list[str]]:
        """The names that each namespace, from this one up, adds."""
        return {place: self.keys(tenant, place) for place in with_parents(namespace)}

    def rotate(self) -> int:
        """Seals every secret under the vault's newest key; returns how many were sealed with an older one.

        Raises:
            Conflict: no key is configured, or one of the secrets cannot be opened.
        """
        vault = self._required_vault()
        changed = 0
        for row in list(self._rows.all()):
            place = _place(row.tenant_id, row.namespace, row.key)
            sealed = vault.reencrypt(row.sealed, bound_to=place)
            if sealed != row.sealed:
                self._rows.put(replace(row, sealed=sealed))
                changed += 1
        return changed

    def _open(self, row: SecretRow) -> str:
        return self._required_vault().decrypt(row.sealed, bound_to=_place(row.tenant_id, row.namespace, row.key))

    def _required_vault(self) -> Vault:
        if self._vault is None:
            raise Conflict(
                "Illegal state: secrets cannot be stored or read, no encryption key is configured "
                "(set `encryption.secret-key` or a key file)"
            )
        return self._vault


def _place(tenant: str, namespace: str, key: str) -> str:
    return f"{tenant}/{namespace}/{key}"
