"""One flow in which every kind of storage task works on what the one before it made."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.house import TENANT, House

FLOW = """
id: chain
namespace: e2e
tasks:
  - id: one
    type: io.kestra.plugin.core.storage.Write
    extension: .ion
    content: "{id: 1, k: \\"a\\"}\\n{id: 2, k: \\"b\\"}\\n"
  - id: two
    type: io.kestra.plugin.core.storage.Write
    extension: .ion
    content: "{id: 3, k: \\"a\\"}\\n{id: 4, k: \\"c\\"}\\n"
  - id: joined
    type: io.kestra.plugin.core.storage.Concat
    extension: .ion
    files: ["{{ outputs.one.uri }}", "{{ outputs.two.uri }}"]
  - {id: size, type: io.kestra.plugin.core.storage.Size, uri: "{{ outputs.joined.uri }}"}
  - id: filtered
    type: io.kestra.plugin.core.storage.FilterItems
    from: "{{ outputs.joined.uri }}"
    filterCondition: "{{ id != 2 }}"
  - id: distinct
    type: io.kestra.plugin.core.storage.DeduplicateItems
    from: "{{ outputs.filtered.uri }}"
    expr: "{{ k }}"
  - {id: reversed, type: io.kestra.plugin.core.storage.Reverse, from: "{{ outputs.distinct.uri }}"}
  - {id: split, type: io.kestra.plugin.core.storage.Split, from: "{{ outputs.reversed.uri }}", rows: 1}
  - id: local
    type: io.kestra.plugin.core.storage.LocalFiles
    inputs: {kept.txt: "{{ outputs.split.uris[0] }}"}
    outputs: ["*.txt"]
  - id: up
    type: io.kestra.plugin.core.namespace.UploadFiles
    namespace: e2e
    destination: /kept
    filesMap: {first.ion: "{{ outputs.split.uris[0] }}", second.ion: "{{ outputs.split.uris[1] }}"}
  - {id: down, type: io.kestra.plugin.core.namespace.DownloadFiles, namespace: e2e, files: ["kept/*.ion"]}
  - {id: gone, type: io.kestra.plugin.core.namespace.DeleteFiles, namespace: e2e, files: ["**/second.ion"]}
  - {id: key, type: io.kestra.plugin.core.kv.Set, key: size, value: "{{ outputs.size.size }}", kvType: NUMBER}
  - {id: got, type: io.kestra.plugin.core.kv.Get, key: size}
  - {id: keep, type: io.kestra.plugin.core.state.Set, data: {size: "{{ outputs.got.value }}"}}
  - {id: kept, type: io.kestra.plugin.core.state.Get}
  - {id: deleted, type: io.kestra.plugin.core.storage.Delete, uri: "{{ outputs.one.uri }}"}
  - {id: seen, type: io.kestra.plugin.core.log.Log, message: "first {{ read(outputs.split.uris[0]) | trim }}"}
  - {id: purged, type: io.kestra.plugin.core.storage.PurgeCurrentExecutionFiles}
"""
SIZE = len('{id: 1, k: "a"}\n') * 4


def test_every_kind_of_storage_task(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        execution = house.run(FLOW)
        errors = [entry.message for entry in house.logs(execution.id) if entry.level == "ERROR"]
        assert (execution.state, errors) == ("SUCCESS", [])
        out = {row.task_id: house.app.keeper.read(TENANT, row) for row in house.rows(execution.id)}
        assert out["size"] == {"size": SIZE}
        assert (out["filtered"]["processedItemsTotal"], out["filtered"]["droppedItemsTotal"]) == (4, 1)
        assert (out["distinct"]["numKeys"], out["distinct"]["droppedItemsTotal"]) == (2, 1)
        assert len(_list(out["split"]["uris"])) == 2
        assert list(_map(out["local"]["uris"])) == ["kept.txt"]
        assert sorted(_map(out["up"]["files"])) == ["/kept/first.ion", "/kept/second.ion"]
        assert len(_map(out["down"]["files"])) == 2
        assert len(_map(out["gone"]["files"])) == 1
        assert out["got"] == {"value": SIZE}
        assert "size" in str(out["kept"])
        assert out["deleted"]["deleted"] is True
        assert any(entry.message.startswith("first {") and "4" in entry.message for entry in house.logs(execution.id))
        assert len(_list(out["purged"]["uris"])) >= 8
        left = [blob.path for blob in house.app.blobs.list(TENANT, "/") if execution.id.lower() in blob.path.lower()]
        assert left == []
        assert [row.path for row in house.app.files.files(TENANT, "e2e")] == ["/kept/first.ion"]


def _list(value: object) -> list[object]:
    assert isinstance(value, list)
    return value


def _map(value: object) -> dict[str, object]:
    assert isinstance(value, dict)
    return value
