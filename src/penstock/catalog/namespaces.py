"""Namespaces: derived from flows, with every parent, and `system` always (api.md, notes)."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.catalog.key_values import with_parents
from penstock.errors import NotFound
from penstock.ports.flows import Flows
from penstock.ports.reads import Page

SYSTEM_NAMESPACE = "system"


class Namespaces:
    """The namespaces of all tenants."""

    def __init__(self, flows: Flows, *, system: str = SYSTEM_NAMESPACE) -> None:
        self._flows = flows
        self._system = system

    def all(self, tenant: str) -> list[str]:
        """Every namespace, sorted: those that hold a flow, their parents, and the system's."""
        found = {self._system}
        for namespace in self._flows.namespaces(tenant):
            found.update(with_parents(namespace))
        return sorted(found)

    def with_flows(self, tenant: str, *, query: str | None = None) -> list[str]:
        """The namespaces that hold a flow themselves and whose name holds `query`."""
        return [ns for ns in self._flows.namespaces(tenant) if query is None or query.lower() in ns.lower()]

    def exists(self, tenant: str, namespace: str) -> bool:
        """Whether a namespace, or one below it, holds a flow, or it is the system's."""
        return namespace in self.all(tenant)

    def require(self, tenant: str, namespace: str) -> str:
        """`namespace`. Raises NotFound where there is none."""
        if not self.exists(tenant, namespace):
            raise NotFound(f"No namespace found with id '{namespace}'")
        return namespace

    def search(
        self,
        tenant: str,
        *,
        query: str | None = None,
        existing: bool = False,
        descending: bool = False,
        page: int = 1,
        size: int | None = None,
    ) -> Page[str]:
        """Namespaces whose name holds `query`; with `existing` only those that hold a flow themselves."""
        names = self.with_flows(tenant) if existing else self.all(tenant)
        found = sorted((n for n in names if query is None or query.lower() in n.lower()), reverse=descending)
        start = (page - 1) * size if size is not None else 0
        return Page(found[start : start + size] if size is not None else found, len(found))

    def autocomplete(self, tenant: str, *, query: str = "", known: Sequence[str] = ()) -> list[str]:
        """Namespaces that hold `query`, those of `known` included even where they hold no flow yet."""
        found = {name for name in self.all(tenant) if query.lower() in name.lower()}
        return sorted(found | set(known))

    def below(self, tenant: str, prefix: str | None) -> list[str]:
        """`prefix` and every namespace below it, or all."""
        return [n for n in self.all(tenant) if prefix is None or n == prefix or n.startswith(prefix + ".")]
