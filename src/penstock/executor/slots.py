"""Concurrency limits: how many executions of a flow hold a slot. Counted from the journal, so a slot cannot leak."""

from __future__ import annotations

from penstock.engine import events as e
from penstock.engine.draft import Decision
from penstock.model.execution import Execution
from penstock.ports.journal import Journal

FlowKey = tuple[str, str, str]


def flow_key(execution: Execution) -> FlowKey:
    """What slots are counted by: the flow, whatever its revision."""
    return (execution.tenant_id, execution.namespace, execution.flow_id)


class Slots:
    """Counts, read once from the journal and then kept by the events that change them."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._used: dict[FlowKey, int] = {}

    def used(self, key: FlowKey) -> int:
        """Executions of a flow that hold a slot, those of the present batch included."""
        found = self._used.get(key)
        if found is None:
            found = self._used[key] = self._journal.slots_used(*key)
        return found

    def note(self, execution: Execution, decision: Decision) -> None:
        """Follow the slots that a step took or freed."""
        for event in decision.events:
            if isinstance(event, e.SlotTaken | e.SlotFreed):
                key = flow_key(execution)
                before = self._used.get(key)
                if before is None:
                    before = self._journal.slots_used(*key)
                self._used[key] = before + (1 if isinstance(event, e.SlotTaken) else -1)

    def forget(self) -> None:
        """A commit failed: count anew."""
        self._used.clear()
