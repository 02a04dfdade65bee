"""The stores that every contract suite runs against."""

from __future__ import annotations

import pytest

from penstock.store.memory import MemoryStore
from penstock.store.sqlite import SqliteStore

STORES = {
    "memory": lambda folder: MemoryStore(),
    "sqlite": lambda folder: SqliteStore(folder / "penstock.db"),
}


@pytest.fixture(params=list(STORES))
def store(request, tmp_path):
    """A new, empty store."""
    made = STORES[request.param](tmp_path)
    yield made
    made.close()
