"""The store in memory as a whole."""

from __future__ import annotations

from penstock.store.memory.flows import MemoryFlows
from penstock.store.memory.journal import MemoryJournal
from penstock.store.memory.key_values import MemoryKeyValues, MemorySecrets
from penstock.store.memory.namespace_files import MemoryNamespaceFiles
from penstock.store.memory.reads import MemoryPurges, MemoryReads
from penstock.store.memory.tables import Tables
from penstock.store.memory.trigger_states import MemoryTriggerStates


class MemoryStore:
    """Every port of the store, in memory."""

    def __init__(self) -> None:
        tables = Tables()
        self.journal = MemoryJournal(tables)
        self.reads = MemoryReads(tables)
        self.purges = MemoryPurges(tables)
        self.flows = MemoryFlows(tables)
        self.key_values = MemoryKeyValues(tables)
        self.secrets = MemorySecrets(tables)
        self.namespace_files = MemoryNamespaceFiles(tables)
        self.trigger_states = MemoryTriggerStates(tables)

    def close(self) -> None:
        """Nothing is kept, so nothing has to be closed."""
