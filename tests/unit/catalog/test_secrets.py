"""Secrets: the environment, the encrypted store, inheritance, rotation."""

from __future__ import annotations

import pytest

from penstock.catalog.secrets import SecretStore
from penstock.catalog.vault import Vault
from penstock.clock import ManualClock
from penstock.errors import Conflict, NotFound, Unprocessable
from penstock.store.sqlite import SqliteStore

NS = "company.team"


def test_the_environment_comes_first_then_the_namespace_then_its_parents(secrets: SecretStore) -> None:
    secrets.put("main", "company", "FAR", value="far")
    secrets.put("main", "company", "BOTH", value="far")
    secrets.put("main", NS, "BOTH", value="near")
    secrets.put("main", NS, "FROM_ENV", value="stored")

    assert [secrets.get("main", NS, key) for key in ("FAR", "BOTH", "FROM_ENV")] == ["far", "near", "env-value"]
    with pytest.raises(NotFound, match=r"Cannot find secret for key 'GONE'\."):
        secrets.get("main", NS, "GONE")
    with pytest.raises(NotFound):
        secrets.get("other", NS, "FAR")


def test_no_list_and_no_row_holds_a_value(secrets: SecretStore) -> None:
    row = secrets.put("main", NS, "KEY", value="hunter2", description="d")

    assert "hunter2" not in repr(row)
    assert secrets.keys("main", NS) == ["KEY"]
    assert secrets.inherited("main", NS) == {NS: ["KEY"], "company": []}
    assert secrets.environment_keys() == ["FROM_ENV"]
    assert "hunter2" not in repr(secrets.search("main"))


def test_a_sealed_value_cannot_be_read_from_another_place(secrets: SecretStore, store: SqliteStore) -> None:
    from msgspec.structs import replace

    row = secrets.put("main", "victim", "KEY", value="hunter2")
    store.secrets.put(replace(row, namespace="thief"))

    with pytest.raises(Conflict, match="Unable to decrypt"):
        secrets.get("main", "thief", "KEY")


def test_a_description_changes_without_the_value(secrets: SecretStore) -> None:
    secrets.put("main", NS, "KEY", value="v")
    secrets.describe("main", NS, "KEY", description="new", tags={"a": "b"})

    assert secrets.search("main").results[0].description == "new"
    assert secrets.get("main", NS, "KEY") == "v"
    assert secrets.delete("main", NS, "KEY")
    assert not secrets.delete("main", NS, "KEY")


def test_a_rotation_seals_everything_under_the_newest_key(store: SqliteStore, clock: ManualClock) -> None:
    old, new = b"o" * 32, b"n" * 32
    before = SecretStore(store.secrets, clock=clock, vault=Vault([old]))
    before.put("main", NS, "KEY", value="v")
    both = SecretStore(store.secrets, clock=clock, vault=Vault([new, old]))

    assert both.rotate() == 1
    assert both.rotate() == 0
    assert SecretStore(store.secrets, clock=clock, vault=Vault([new])).get("main", NS, "KEY") == "v"


def test_without_a_key_nothing_is_stored(store: SqliteStore, clock: ManualClock) -> None:
    bare = SecretStore(store.secrets, clock=clock, vault=None)

    with pytest.raises(Conflict, match="no encryption key"):
        bare.put("main", NS, "KEY", value="v")
    with pytest.raises(Unprocessable):
        bare.put("main", NS, "bad key", value="v")
