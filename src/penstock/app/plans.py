"""Plans by flow and revision, compiled once and kept in a bounded number."""

from __future__ import annotations

from penstock.catalog.flows import FlowShelf
from penstock.engine.plan import Plan
from penstock.errors import NotFound


class PlanShelf:
    """`executor.residents.PlanOf` over the catalog."""

    def __init__(self, shelf: FlowShelf, *, capacity: int = 1000) -> None:
        self._shelf = shelf
        self._capacity = capacity
        self._plans: dict[tuple[str, str, str, int], Plan] = {}

    def __call__(self, tenant: str, namespace: str, flow_id: str, revision: int) -> Plan:
        """The plan of one revision.

        Raises:
            NotFound: there is no such revision. Conflict: its source does not parse.
        """
        key = (tenant, namespace, flow_id, revision)
        plan = self._plans.get(key)
        if plan is None:
            shelved = self._shelf.at(tenant, namespace, flow_id, revision=revision)
            if shelved is None:
                raise NotFound(f"Flow '{namespace}.{flow_id}' has no revision {revision}")
            plan = Plan(shelved.flow, revision, tenant)
            if len(self._plans) >= self._capacity:
                self._plans.pop(next(iter(self._plans)), None)
            self._plans[key] = plan
        return plan
