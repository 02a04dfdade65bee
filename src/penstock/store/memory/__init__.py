"""The store in memory, for tests: the same ports, the same answers, nothing kept.

Records are copied on their way in and out, as if they had been on a disk. It passes the contract suites of every port.
"""

from penstock.store.memory.store import MemoryStore

__all__ = ["MemoryStore"]
