"""What every store of keys and of sealed secrets does."""

from __future__ import annotations

import msgspec
import pytest
from store_samples import at

from penstock.errors import Conflict
from penstock.ports.key_values import KvRow
from penstock.ports.reads import Filter, Sort
from penstock.ports.secrets import SecretRow


def kv(key="color", namespace="company.team", **given):
    """A key."""
    found = {
        "tenant_id": "main",
        "namespace": namespace,
        "key": key,
        "type": "STRING",
        "value": '"red\\u0000 ü"',
        "created": at(0),
        "updated": at(0),
    }
    return KvRow(**(found | given))


KEY = ("main", "company.team", "color")


def test_a_key_comes_back_as_it_was_put(store):
    row = kv(description="Färbe", expires=at(50), type="JSON", value='{"a":[1,"x"]}')
    assert store.key_values.put(row) == row
    assert store.key_values.get(*KEY, now=at(1)) == row
    assert store.key_values.get("other", "company.team", "color", now=at(1)) is None


def test_writing_again_raises_the_revision_and_keeps_the_creation(store):
    store.key_values.put(kv())
    again = store.key_values.put(kv(value="2", created=at(9), updated=at(9)))
    assert (again.revision, again.created, again.updated, again.value) == (2, at(0), at(9), "2")
    assert store.key_values.get(*KEY, now=at(9)) == again

    with pytest.raises(Conflict):
        store.key_values.put(kv(value="3"), overwrite=False)
    assert store.key_values.get(*KEY, now=at(9)).value == "2"


def test_revisions_go_on_over_a_deletion(store):
    store.key_values.put(kv())
    assert store.key_values.delete(*KEY, now=at(1))
    assert not store.key_values.delete(*KEY, now=at(2))
    assert store.key_values.get(*KEY, now=at(2)) is None
    assert store.key_values.list("main", now=at(2)).total == 0

    new = store.key_values.put(kv(created=at(5), updated=at(5)), overwrite=False)
    assert (new.revision, new.created) == (2, at(5))


def test_a_key_expires_at_its_moment(store):
    store.key_values.put(kv(expires=at(10)))
    store.key_values.put(kv("stays"))
    assert store.key_values.get(*KEY, now=at(9.999999)) is not None
    assert store.key_values.get(*KEY, now=at(10)) is None
    assert not store.key_values.delete(*KEY, now=at(10))
    assert [row.key for row in store.key_values.list("main", now=at(10)).results] == ["stays"]

    new = store.key_values.put(kv(created=at(11), updated=at(11)), overwrite=False)
    assert new.created == at(11)


def test_expired_keys_are_purged(store):
    store.key_values.put(kv(expires=at(10)))
    store.key_values.put(kv("later", expires=at(20)))
    assert [row.key for row in store.key_values.list("main", now=at(15), with_expired=True).results] == [
        "color",
        "later",
    ]
    assert store.key_values.purge_expired(at(15)) == 1
    assert store.key_values.purge_expired(at(15)) == 0
    assert [row.key for row in store.key_values.list("main", now=at(15), with_expired=True).results] == ["later"]


def test_searches_for_keys(store):
    put, search = store.key_values.put, store.key_values.list
    put(kv("alpha", "a", description="First Thing", updated=at(5), expires=at(90)))
    put(kv("beta", "a.b", type="NUMBER", updated=at(1)))
    put(kv("gamma", "ab", updated=at(3)))
    put(kv("alpha", "a", tenant_id="other"))

    def keys(*conditions, **more):
        return [row.key for row in search("main", conditions, now=at(6), **more).results]

    assert keys() == ["alpha", "beta", "gamma"]
    assert keys(Filter("namespace", "PREFIX", "a")) == ["alpha", "beta"]
    assert keys(Filter("q", "EQUALS", "thing")) == ["alpha"]
    assert keys(Filter("key", "IN", "beta,gamma")) == ["beta", "gamma"]
    assert keys(Filter("type", "EQUALS", "NUMBER")) == ["beta"]
    assert keys(Filter("updated", "LESS_THAN_OR_EQUAL_TO", at(3))) == ["beta", "gamma"]
    assert keys(Filter("expirationDate", "IS_NOT_NULL", "")) == ["alpha"]
    assert keys(sort=[Sort("updated", descending=True)], page=1, size=2) == ["alpha", "gamma"]
    assert search("main", [], now=at(6), page=2, size=2).total == 3


def secret(key="TOKEN", namespace="company.team", **given):
    """A sealed secret."""
    found = {
        "tenant_id": "main",
        "namespace": namespace,
        "key": key,
        "sealed": "c2VhbGVk",
        "created": at(0),
        "updated": at(0),
    }
    return SecretRow(**(found | given))


def test_secrets_are_kept_sealed_and_replaced(store):
    row = secret(description="The tökén", tags={"team": "data"})
    assert store.secrets.put(row) == row
    assert store.secrets.get("main", "company.team", "TOKEN") == row

    again = secret(sealed="bmV3", created=at(5), updated=at(5))
    assert store.secrets.put(again) == msgspec.structs.replace(again, created=at(0))
    assert store.secrets.get("main", "company.team", "TOKEN").sealed == "bmV3"
    assert store.secrets.delete("main", "company.team", "TOKEN")
    assert not store.secrets.delete("main", "company.team", "TOKEN")
    assert store.secrets.get("main", "company.team", "TOKEN") is None


def test_searches_for_secrets(store):
    for row in (
        secret("A", "one", description="Database"),
        secret("B", "one.two", tags={"env": "prod"}),
        secret("C", "three"),
        secret("A", "one", tenant_id="other"),
    ):
        store.secrets.put(row)

    def keys(*conditions, **more):
        return [row.key for row in store.secrets.list("main", conditions, **more).results]

    assert keys() == ["A", "B", "C"]
    assert keys(Filter("namespace", "PREFIX", "one")) == ["A", "B"]
    assert keys(Filter("q", "EQUALS", "DATABASE")) == ["A"]
    assert keys(Filter("tags", "EQUALS", {"env": "prod"})) == ["B"]
    assert keys(sort=[Sort("key", descending=True)], page=1, size=1) == ["C"]
    assert sorted(row.tenant_id for row in store.secrets.all()) == ["main", "main", "main", "other"]
