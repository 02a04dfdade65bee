"""Keys: types, time to live, inheritance."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from penstock.catalog.key_values import KeyValueStore, deduce, type_of
from penstock.clock import ManualClock
from penstock.errors import Conflict, Gone, NotFound, Unprocessable

NS = "company.team"


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ('"red"', "STRING", "red"),
        ("plain text", "STRING", "plain text"),
        ("42", "NUMBER", 42),
        ("1.5", "NUMBER", 1.5),
        ("true", "BOOLEAN", True),
        ('{"some": "value"}', "JSON", {"some": "value"}),
        ("[1, 2]", "JSON", [1, 2]),
        ("2026-01-02T03:04:05Z", "DATETIME", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02", "DATE", date(2026, 1, 2)),
        ("PT5M", "DURATION", timedelta(minutes=5)),
        ("2026-99-02", "STRING", "2026-99-02"),
    ],
)
def test_the_type_of_a_text_is_deduced_and_kept(key_values: KeyValueStore, text: str, kind: str, value: object) -> None:
    assert type_of(deduce(text)) == kind
    key_values.put_text("main", NS, "key", text=text)

    found = key_values.get("main", NS, "key")
    assert (found.row.type, found.value) == (kind, value)


def test_a_key_expires(key_values: KeyValueStore, clock: ManualClock) -> None:
    key_values.put("main", NS, "short", value=1, ttl=timedelta(seconds=10))
    assert key_values.get("main", NS, "short").value == 1
    clock.advance(timedelta(seconds=10))

    assert key_values.find("main", NS, "short") is None
    with pytest.raises(Gone, match="expired"):
        key_values.get("main", NS, "short")
    with pytest.raises(NotFound, match="No value found for key 'other' in namespace"):
        key_values.get("main", NS, "other")
    assert key_values.purge_expired() == 1
    with pytest.raises(NotFound) as missing:
        key_values.get("main", NS, "short")
    assert not isinstance(missing.value, Gone)


def test_the_nearest_namespace_wins(key_values: KeyValueStore) -> None:
    key_values.put("main", "company", "a", value="far")
    key_values.put("main", "company", "b", value="far")
    key_values.put("main", NS, "a", value="near")

    found = {k: key_values.find("main", NS, k, inherited=True) for k in ("a", "b")}
    assert {k: f.value for k, f in found.items() if f is not None} == {"a": "near", "b": "far"}
    assert key_values.find("main", NS, "b") is None
    assert [row.key for row in key_values.inherited("main", NS)] == ["b"]


def test_overwrite_false_refuses_an_existing_key(key_values: KeyValueStore) -> None:
    first = key_values.put("main", NS, "once", value="a")
    with pytest.raises(Conflict, match="overwrite"):
        key_values.put("main", NS, "once", value="b", overwrite=False)
    second = key_values.put("main", NS, "once", value="b")

    assert (first.row.revision, second.row.revision) == (1, 2)


def test_keys_of_another_form_and_ttls_below_zero_are_refused(key_values: KeyValueStore) -> None:
    with pytest.raises(Unprocessable, match="Invalid key"):
        key_values.put("main", NS, "-x", value=1)
    with pytest.raises(Unprocessable, match="Invalid ttl"):
        key_values.put("main", NS, "x", value=1, ttl=timedelta(0))


def test_a_purge_takes_expired_keys_or_all_that_match(key_values: KeyValueStore, clock: ManualClock) -> None:
    for key in ("a1", "a2", "b1"):
        key_values.put("main", NS, key, value=1)
    key_values.put("main", NS, "a3", value=1, ttl=timedelta(seconds=1))
    clock.advance(timedelta(seconds=2))

    assert key_values.purge("main", [NS], pattern="b*") == 0
    assert key_values.purge("main", [NS]) == 1
    assert key_values.purge("main", [NS], pattern="a*", expired_only=False) == 2
    assert key_values.keys("main", NS) == ["b1"]


def test_nested_moments_are_kept_as_text(key_values: KeyValueStore) -> None:
    key_values.put("main", NS, "x", value={"at": datetime(2026, 1, 2, tzinfo=UTC), "for": [timedelta(seconds=1)]})

    assert key_values.get("main", NS, "x").wire == {"at": "2026-01-02T00:00:00Z", "for": ["PT1S"]}
