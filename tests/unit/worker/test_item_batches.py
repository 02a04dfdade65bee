"""The worker's part of ForEachItem."""

from __future__ import annotations

import pytest

from penstock.model.flowables import ForEachItem
from penstock.model.job import JobKind
from penstock.model.state import State
from penstock.plugin.platform import ExecutionInfo
from penstock.testing.task_desk import TaskDesk


def each(**properties: object) -> ForEachItem:
    given = {"id": "each", "type": ForEachItem.TYPE, "namespace": "n", "flowId": "f", **properties}
    return ForEachItem.model_validate(given)


@pytest.mark.parametrize(
    ("batch", "count"), [({"rows": 4}, 26), ({"partitions": "{{ 3 }}"}, 3), ({}, 102), ({"bytes": "100"}, 21)]
)
def test_a_file_in_batches(desk: TaskDesk, batch: dict[str, object], count: int) -> None:
    uri = desk.put_file("in.txt", "".join(f"{n:019d}\n" for n in range(102)))
    result = desk.run(each(items="{{ file }}", batch=batch), {"file": uri}, kind=JobKind.SPLIT)
    assert result.state is State.SUCCESS
    splits = desk.read((result.outputs or {})["splits"]).decode().splitlines()
    assert len(splits) == count
    assert sum(len(desk.read(piece).splitlines()) for piece in splits) == 102


def test_an_empty_file_has_no_batches(desk: TaskDesk) -> None:
    result = desk.run(each(items=desk.put_file("e", "")), kind=JobKind.SPLIT)
    assert desk.read((result.outputs or {})["splits"]) == b""


def test_only_stored_files_can_be_split(desk: TaskDesk) -> None:
    result = desk.run(each(items="/tmp/x"), kind=JobKind.SPLIT)
    assert result.error == "Unable to split the items from /tmp/x, this is not an internal storage URI!"


def test_outputs_are_merged_in_order(desk: TaskDesk) -> None:
    for name, outputs in (("a", {"v": 1}), ("b", {}), ("c", {"v": 3})):
        desk.platform.stored_executions[name] = ExecutionInfo(name, "n", "f", 1, State.SUCCESS, outputs=outputs)
    given = {"executions": ["c", "b", "gone", "a"]}
    result = desk.run(each(items="x"), kind=JobKind.MERGE, templates=given)
    assert desk.read((result.outputs or {})["subflowOutputs"]) == b"{v:3}\n{v:1}\n"
    nothing = desk.run(each(items="x"), kind=JobKind.MERGE, templates={"executions": ["b"]})
    assert nothing.outputs == {}
