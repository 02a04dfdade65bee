"""Large outputs, whole: kept as files, used like small ones, and no burden on executions, on answers or on memory."""

from __future__ import annotations

import gc
import os
import tracemalloc
from pathlib import Path

import msgspec
import pytest
from tests.e2e.house import TENANT, House

MEGABYTE = 1 << 20
LARGE = int(os.environ.get("PENSTOCK_TEST_LARGE_MB", "64")) * MEGABYTE
RETURN = "io.kestra.plugin.core.debug.Return"
LOG = "io.kestra.plugin.core.log.Log"


def test_a_hundred_outputs_of_a_megabyte(tmp_path: Path) -> None:
    tasks = "".join(
        f"  - {{id: t{i}, type: {RETURN}, logLevel: ERROR, format: \"{{{{ read('megabyte.txt') }}}}{i}\"}}\n"
        for i in range(100)
    )
    seen = "{{ outputs.t42.value | length }} {{ outputs.t42.value | slice(1048574) }}"
    read = f'  - {{id: read, type: {LOG}, message: "{seen}"}}\n'
    with House(tmp_path) as house:
        house.app.files.put(TENANT, "e2e", "megabyte.txt", data=b"x" * MEGABYTE)
        execution = house.run(_flow("hundred", tasks + read))
        assert execution.state == "SUCCESS", [entry.message[:300] for entry in house.logs(execution.id)][-3:]
        rows = [row for row in house.rows(execution.id) if row.task_id != "read"]
        assert len(rows) == 100
        assert all(row.uri is not None and row.value is None for row in rows)
        assert all(MEGABYTE < row.size < MEGABYTE + 100 for row in rows)
        assert all(house.app.blobs.size(TENANT, row.uri or "") == row.size for row in rows)
        assert f"{MEGABYTE + 2} xx42" in [entry.message for entry in house.logs(execution.id)]
        assert _body(house, execution.id) < 100_000
    assert sum(path.stat().st_size for path in tmp_path.glob("penstock.db*")) < 20 * MEGABYTE


def test_one_very_large_output_leaves_no_memory_behind(tmp_path: Path) -> None:
    from penstock.plugin.registry import installed  # what is loaded once is no growth

    installed()
    with House(tmp_path) as house:
        house.run(_flow("warm", f'  - {{id: t, type: {RETURN}, format: "x"}}\n'))
        house.app.files.put(TENANT, "e2e", "big.txt", data=(b"x" * MEGABYTE for _ in range(LARGE // MEGABYTE)))
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            task = f"  - {{id: t, type: {RETURN}, logLevel: ERROR, format: \"{{{{ read('big.txt') }}}}\"}}\n"
            execution = house.run(_flow("large", task))
            assert execution.state == "SUCCESS", [entry.message[:300] for entry in house.logs(execution.id)][-3:]
            (row,) = house.rows(execution.id)
            assert row.size > LARGE
            assert house.app.blobs.size(TENANT, row.uri or "") == row.size
            gc.collect()
            grown = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
        assert grown < 50 * MEGABYTE, f"{grown >> 20} MB are still held"
        assert _body(house, execution.id) < 10_000


def test_outputs_above_the_administrators_limit_fail_the_task(tmp_path: Path) -> None:
    task = f'  - {{id: t, type: {RETURN}, format: "{"x" * 30_000}"}}\n'
    with House(tmp_path, outputs_limit=20_000) as house:
        execution = house.run(_flow("limited", task))
        assert execution.state == "FAILED"
        errors = [entry.message for entry in house.logs(execution.id) if entry.level == "ERROR"]
        assert len(errors) == 1
        assert "The outputs of this task are 30012 bytes, the administrator's limit is 20000" in errors[0]
        assert "outputs_limit" in errors[0]
        assert house.rows(execution.id) == []
        assert list(house.app.blobs.list(TENANT, "/e2e")) == []


@pytest.mark.parametrize(("length", "in_file"), [(16_000, False), (17_000, True)])
def test_small_ones_stay_in_the_row(tmp_path: Path, length: int, *, in_file: bool) -> None:
    with House(tmp_path) as house:
        execution = house.run(_flow("small", f'  - {{id: t, type: {RETURN}, format: "{"y" * length}"}}\n'))
        (row,) = house.rows(execution.id)
        assert (row.uri is not None) == in_file
        assert row.size == len(msgspec.json.encode({"value": "y" * length}))
        assert house.outputs(execution.id, "t") == {"value": "y" * length}


def _flow(flow_id: str, tasks: str) -> str:
    return f"id: {flow_id}\nnamespace: e2e\ntasks:\n{tasks}"


def _body(house: House, execution_id: str) -> int:
    """Bytes of the execution as it is answered: its head, context and task runs."""
    reads = house.app.store.reads
    stored = reads.execution(TENANT, execution_id)
    runs = reads.runs(execution_id, owner=None).results
    return len(msgspec.json.encode(stored)) + len(msgspec.json.encode(runs))
