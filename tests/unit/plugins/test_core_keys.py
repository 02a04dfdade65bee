"""Tasks of the key-value store and of states."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from penstock.errors import TaskFailed
from penstock.model.state import State
from penstock.plugins.core.kv import KvType, patched, typed
from penstock.testing.task_desk import TaskDesk

KV = "io.kestra.plugin.core.kv."
STATE = "io.kestra.plugin.core.state."


def test_set_and_get_keep_the_type_of_a_value(desk: TaskDesk) -> None:
    desk.run_type(KV + "Set", {"m": {"x": 1}}, key="{{ flow.id }}-key", value="{{ m }}", ttl="PT1H")
    entry = desk.platform.entries["company.team", "desk-key"]
    assert entry.value == {"x": 1}
    assert entry.expires is not None
    assert desk.run_type(KV + "Get", key="desk-key").outputs == {"value": {"x": 1}}


def test_a_missing_key(desk: TaskDesk) -> None:
    assert desk.run_type(KV + "Get", key="none").outputs == {}
    failed = desk.run_type(KV + "Get", key="none", errorOnMissing=True)
    assert (
        failed.error == "No value found for key 'none' in namespace 'company.team' and `errorOnMissing` is set to true"
    )
    assert desk.run_type(KV + "Delete", key="none").outputs == {"deleted": False}
    assert desk.run_type(KV + "Delete", key="none", errorOnMissing=True).state is State.FAILED


def test_overwrite_false(desk: TaskDesk) -> None:
    desk.run_type(KV + "Set", key="once", value="a")
    failed = desk.run_type(KV + "Set", key="once", value="b", overwrite=False)
    assert failed.state is State.FAILED
    assert "Key already exists" in (failed.error or "")
    assert desk.platform.entries["company.team", "once"].value == "a"


def test_keys_and_purges(desk: TaskDesk) -> None:
    for key in ("a1", "a2", "b1"):
        desk.run_type(KV + "Set", key=key, value="x")
    assert desk.run_type(KV + "GetKeys", prefix="a").outputs == {"keys": ["a1", "a2"]}
    assert desk.run_type(KV + "PurgeKV").outputs == {"size": 0}
    everything = {"type": "key", "expiredOnly": False}
    assert desk.run_type(KV + "PurgeKV", keyPattern="a*", behavior=everything).outputs == {"size": 2}
    both = desk.run_type(KV + "PurgeKV", namespaces=["a"], namespacePattern="*")
    assert "exclude one another" in (both.error or "")


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        ("42", KvType.NUMBER, 42),
        ("4.5", KvType.NUMBER, 4.5),
        (7, KvType.STRING, "7"),
        ("true", KvType.BOOLEAN, True),
        ("2026-01-02T03:04:05Z", KvType.DATETIME, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02", KvType.DATE, date(2026, 1, 2)),
        ("PT5M", KvType.DURATION, timedelta(minutes=5)),
        ('{"a": 1}', KvType.JSON, {"a": 1}),
    ],
)
def test_kv_types(value: object, kind: KvType, expected: object) -> None:
    assert typed(value, kind) == expected


@pytest.mark.parametrize(("value", "kind"), [("x", KvType.NUMBER), ("true", KvType.NUMBER), ("{", KvType.JSON)])
def test_values_of_another_kind_are_refused(value: object, kind: KvType) -> None:
    with pytest.raises(TaskFailed, match="expected"):
        typed(value, kind)


@pytest.mark.parametrize(
    ("stored", "change", "expected"),
    [
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 9}}, {"a": {"b": 9, "c": 2}}),
        ({"a": {"b": 1}}, [{"key": "a.c.d", "value": 3}], {"a": {"b": 1, "c": {"d": 3}}}),
        ({"a": 1}, {"value": [1]}, [1]),
        (None, {"a": 1, "b": 2}, {"a": 1, "b": 2}),
        ("text", "new", "new"),
    ],
)
def test_partial_changes(stored: object, change: object, expected: object) -> None:
    assert patched(stored, change) == expected


def test_put_changes_a_part(desk: TaskDesk) -> None:
    desk.run_type(KV + "Set", {"m": {"a": 1}}, key="k", value="{{ m }}", kvDescription="kept")
    desk.run_type(KV + "Put", key="k", value={"b": "{{ 2 }}"})
    entry = desk.platform.entries["company.team", "k"]
    assert (entry.value, entry.description) == ({"a": 1, "b": 2}, "kept")
    assert desk.run_type(KV + "Put", key="none", value={"b": 1}, errorOnMissing=True).state is State.FAILED


def test_states_are_merged_and_removed(desk: TaskDesk) -> None:
    assert desk.run_type(STATE + "Get", name="counter").outputs == {"count": 0, "data": {}}
    assert desk.run_type(STATE + "Set", name="counter", data={"value": "{{ 1 }}"}).outputs == {
        "count": 1,
        "key": "desk_states_counter",
    }
    desk.run_type(STATE + "Set", name="counter", data={"other": 2})
    assert desk.run_type(STATE + "Get", name="counter").outputs == {"count": 2, "data": {"value": 1, "other": 2}}
    assert desk.run_type(STATE + "Delete", name="counter").outputs == {"deleted": True}
    assert desk.run_type(STATE + "Get", name="counter", errorOnMissing=True).state is State.FAILED


def test_a_state_belongs_to_its_loop_value(desk: TaskDesk) -> None:
    task = desk.task(STATE + "Set", data={"v": 1})
    assert (desk.run(task, value="a").outputs or {})["key"] == "desk_states_default_a"
    assert (desk.run(task, value='{"no": "key"}').outputs or {})["key"] != "desk_states_default_a"
    shared = desk.task(STATE + "Set", data={"v": 1}, taskrunValue=False, namespace=True)
    assert (desk.run(shared, value="a").outputs or {})["key"] == "states_default"
