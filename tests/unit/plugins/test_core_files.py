"""Tasks on stored files, rows, namespace files, and on what is kept of executions."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest

from penstock.model.entries import LogEntry
from penstock.model.state import State
from penstock.model.task import LogLevel
from penstock.plugin.platform import ExecutionInfo
from penstock.plugins.core.storage import reversed_parts
from penstock.ports.platform import Caller
from penstock.testing.task_desk import TaskDesk

CORE = "io.kestra.plugin.core."
ROWS = (
    '{key: "k1", value: 1}\n{key: "k2", value: 2}\n{key: "k3", value: 3}\n{key: "k4", value: 4}\n{key: "k1", value: 5}'
)


def outputs(desk: TaskDesk, name: str, **properties: object) -> dict[str, object]:
    result = desk.run_type(CORE + name, **properties)
    assert result.state is State.SUCCESS, result.error
    return dict(result.outputs or {})


def test_write_size_and_delete(desk: TaskDesk) -> None:
    uri = outputs(desk, "storage.Write", content="content {{ flow.id }}", extension=".txt")["uri"]
    assert str(uri).endswith(".txt")
    assert desk.read(uri) == b"content desk"
    assert outputs(desk, "storage.Size", uri=uri) == {"size": 12}
    assert outputs(desk, "storage.Delete", uri=uri) == {"uri": uri, "deleted": True}
    assert desk.run_type(CORE + "storage.Delete", uri=uri, errorOnMissing=True).state is State.FAILED


def test_split_concat_and_size(desk: TaskDesk) -> None:
    uri = desk.put_file("in.csv", "".join(f"{n:020d}\n" for n in range(1000)))
    rows = outputs(desk, "storage.Split", **{"from": uri, "rows": 10})["uris"]
    parts = outputs(desk, "storage.Split", **{"from": uri, "partitions": "{{ 8 }}"})["uris"]
    assert (len(rows), len(parts)) == (100, 8)  # pyright: ignore[reportArgumentType]
    joined = outputs(desk, "storage.Concat", files=rows)["uri"]
    assert desk.read(joined) == desk.read(uri)
    assert outputs(desk, "storage.Size", uri=joined) == {"size": 21_000}
    assert "Nothing says how to split" in (desk.run_type(CORE + "storage.Split", **{"from": uri}).error or "")


def test_concat_writes_the_separator_after_each_file(desk: TaskDesk) -> None:
    files = [desk.put_file("a", "1"), desk.put_file("b", "2")]
    uri = outputs(desk, "storage.Concat", files=files, separator="\n", extension=".csv")["uri"]
    assert (desk.read(uri), str(uri)[-4:]) == (b"1\n2\n", ".csv")
    text = outputs(desk, "storage.Concat", files=str(files).replace("'", '"'))["uri"]
    assert desk.read(text) == b"12"


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"1\n2\n3\n", b"3\n2\n1\n"), (b"1\n2", b"2\n1\n"), (b"", b""), (b"1\n\n2\n", b"2\n\n1\n")],
)
def test_reverse(content: bytes, expected: bytes) -> None:
    assert b"".join(reversed_parts(io.BytesIO(content), b"\n")) == expected


def test_reverse_reads_block_by_block(desk: TaskDesk) -> None:
    content = "".join(f"{n:030d}\n" for n in range(100_000))
    uri = outputs(desk, "storage.Reverse", **{"from": desk.put_file("big", content)})["uri"]
    assert desk.read(uri).decode().splitlines() == content.splitlines()[::-1]


def test_filter_and_deduplicate_items(desk: TaskDesk) -> None:
    uri = desk.put_file("rows.ion", ROWS)
    even = outputs(desk, "storage.FilterItems", **{"from": uri, "filterCondition": "{{ value % 2 == 0 }}"})
    assert (even["processedItemsTotal"], even["droppedItemsTotal"]) == (5, 3)
    assert desk.read(even["uri"]) == b'{key:"k2",value:2}\n{key:"k4",value:4}\n'
    odd = outputs(
        desk,
        "storage.FilterItems",
        **{"from": uri, "filterCondition": "{{ value % 2 == 0 }}", "filterType": "EXCLUDE"},
    )
    assert odd["droppedItemsTotal"] == 2
    unique = outputs(desk, "storage.DeduplicateItems", **{"from": uri, "expr": "{{ key }}"})
    assert (unique["numKeys"], unique["processedItemsTotal"], unique["droppedItemsTotal"]) == (4, 5, 1)
    assert desk.read(unique["uri"]).startswith(b'{key:"k2"')


@pytest.mark.parametrize(("behaviour", "dropped"), [("INCLUDE", 0), ("EXCLUDE", 5)])
def test_rows_whose_condition_fails(desk: TaskDesk, behaviour: str, dropped: int) -> None:
    given = {"from": desk.put_file("rows.ion", ROWS), "filterCondition": "{{ gone > 1 }}"}
    found = outputs(desk, "storage.FilterItems", **given, errorOrNullBehavior=behaviour)
    assert found["droppedItemsTotal"] == dropped
    assert "on item" in (desk.run_type(CORE + "storage.FilterItems", **given).error or "")


def test_purging_files(desk: TaskDesk) -> None:
    uri = outputs(desk, "storage.Write", content="x")["uri"]
    window = {"namespace": "company", "endDate": "2999-01-01T00:00:00Z"}
    assert outputs(desk, "storage.PurgeStorage", **window) == {
        "scannedCount": 1,
        "purgedCount": 1,
        "deletedFilesCount": 0,
    }
    assert outputs(desk, "storage.PurgeCurrentExecutionFiles") == {"uris": [uri]}
    assert not desk.blobs.exists("main", str(uri))


def test_namespace_files(desk: TaskDesk) -> None:
    stored = desk.put_file("in.txt", "hello")
    up = outputs(
        desk, "namespace.UploadFiles", namespace="company.team", filesMap={"a/x.txt": stored}, destination="up"
    )
    assert list(up["files"]) == ["/up/a/x.txt"]  # pyright: ignore[reportArgumentType]
    again = {"namespace": "company.team", "filesMap": {"a/x.txt": stored}, "destination": "/up"}
    assert outputs(desk, "namespace.UploadFiles", **again, conflict="SKIP") == {"files": {}}
    assert "already exists" in (desk.run_type(CORE + "namespace.UploadFiles", **again, conflict="ERROR").error or "")
    down = outputs(desk, "namespace.DownloadFiles", namespace="company.team", files="up/**", destination="here")
    uri = down["files"]["up/a/x.txt"]  # pyright: ignore[reportIndexIssue]
    assert str(uri).endswith("/here/up/a/x.txt")
    assert desk.read(uri) == b"hello"
    gone = outputs(desk, "namespace.DeleteFiles", namespace="company.team", files=["**.txt"])
    assert list(gone["files"]) == ["up/a/x.txt"]  # pyright: ignore[reportArgumentType]
    files = desk.platform.bind(Caller("main", "company.team", "desk")).namespace_files
    assert files.all("company.team") == []


def execution(name: str, state: State) -> ExecutionInfo:
    return ExecutionInfo(name, "company.team", "other", 1, state)


def test_count_keeps_what_the_expression_chooses(desk: TaskDesk) -> None:
    desk.platform.stored_executions = {n: execution(n, State.FAILED) for n in "ab"} | {
        "c": execution("c", State.SUCCESS)
    }
    flows = [{"namespace": "company.team", "flowId": "other"}, {"namespace": "company.team", "flowId": "none"}]
    found = outputs(
        desk, "execution.Count", flows=flows, states=["FAILED"], startDate="2026-01-01", expression="{{ count >= 1 }}"
    )
    assert found == {"results": [{"namespace": "company.team", "flowId": "other", "count": 2}], "total": 2}


def test_resume(desk: TaskDesk) -> None:
    desk.platform.stored_executions["p"] = execution("p", State.PAUSED)
    outputs(desk, "execution.Resume", executionId="p", inputs={"ok": "{{ true }}"})
    assert desk.platform.resumed == [("p", {"ok": True})]
    assert "Unable to resume the execution exec" in (desk.run_type(CORE + "execution.Resume").error or "")


def test_purges_say_what_they_mean(desk: TaskDesk) -> None:
    desk.platform.stored_executions["a"] = execution("a", State.SUCCESS)
    counts = outputs(desk, "execution.PurgeExecutions", namespace="company", endDate="{{ '2026-01-01' }}")
    assert counts["executionsCount"] == 1
    (_, choice), *_ = desk.platform.purges
    assert (choice.namespace, choice.end) == ("company", datetime(2026, 1, 1, tzinfo=UTC))
    assert "needs a `namespace`" in (
        desk.run_type(CORE + "execution.PurgeExecutions", flowId="f", endDate="2026-01-01").error or ""
    )
    assert outputs(desk, "metric.PurgeMetrics", endDate="2026-01-01") == {"count": 0}


def test_logs_as_rows_and_purged(desk: TaskDesk) -> None:
    for level in (LogLevel.DEBUG, LogLevel.ERROR):
        desk.platform.log_entries.append(
            LogEntry(
                namespace="n", flow_id="f", execution_id="exec", task_id="t", timestamp=desk.clock.now(), level=level,
                message=f"at {level}",
            )
        )  # fmt: skip
    found = outputs(desk, "log.Fetch")
    assert found["size"] == 1
    assert b'message:"at ERROR"' in desk.read(found["uri"])
    assert outputs(desk, "log.PurgeLogs", endDate="2999-01-01T00:00:00Z")["executionLogsCount"] == 2
