"""Crashes and refusals between the file of an output and the row that names it (design: files first, rows after)."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.house import TENANT, House

from penstock.errors import StoreUnavailable
from penstock.model.execution import Execution
from penstock.ports.journal import Batch
from penstock.ports.reads import Filter

LARGE = "x" * 20_000
FLOW = f"""
id: writes
namespace: e2e
tasks:
  - {{id: a, type: io.kestra.plugin.core.debug.Return, format: "{LARGE}"}}
  - {{id: m, type: io.kestra.plugin.core.metric.Publish, metrics: [{{name: n, type: counter, value: 1}}]}}
  - {{id: b, type: io.kestra.plugin.core.log.Log, message: "read {{{{ outputs.a.value | length }}}}"}}
"""


class Crash(BaseException):
    """The process dies here: nobody catches it, nothing is tidied up."""


class Faulty:
    """Stands in for a port; before a method's real call, or after it, something may happen."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class CrashingBlobs(Faulty):
    """Dies once, right after the file of an output is written: the row that names it is never committed."""

    def put(self, tenant: str, path: str, data: Any) -> str:
        uri = self._real.put(tenant, path, data)
        if path.endswith("outputs.json") and not self.calls:
            self.calls.append(uri)
            raise Crash
        return uri


class RefusingJournal(Faulty):
    """Refuses commits that carry the outputs of a task: `times` times with an error that passes by."""

    def __init__(self, real: Any, *, times: int, after: bool = False) -> None:
        super().__init__(real)
        self._times = times

    def commit(self, batch: Batch) -> None:
        if batch.outputs and len(self.calls) < self._times:
            self.calls.append(",".join(row.task_id for row in batch.outputs))
            raise StoreUnavailable("the disk is full")
        self._real.commit(batch)


def _journal_in_between(house: House, times: int) -> RefusingJournal:
    """Puts a refusing journal where the executor commits."""
    import msgspec

    executor = house.app.executor
    journal = RefusingJournal(house.app.store.journal, times=times)
    executor._parts = msgspec.structs.replace(executor._parts, journal=journal)
    return journal


def dangling(house: House) -> list[str]:
    """URIs of rows whose file is not there, over all executions."""
    reads = house.app.store.reads
    everything = reads.search_executions(TENANT, [], sort=[], page=1, size=100).results
    rows = [row for stored in everything for row in house.rows(stored.execution.id)]
    return [row.uri for row in rows if row.uri is not None and not house.app.blobs.exists(TENANT, row.uri)]


def counted_once(house: House, execution_id: str) -> None:
    """Everything of the flow is there, and once."""
    reads = house.app.store.reads
    runs = reads.runs(execution_id, owner=None).results
    assert [run.task_id for run in runs] == ["a", "m", "b"]
    assert all(len(run.attempts or ()) == 1 for run in runs)
    assert [entry.message for entry in house.logs(execution_id) if entry.task_id == "b"].count("read 20000") == 1
    metrics = reads.metrics(TENANT, [Filter("executionId", "EQUALS", execution_id)]).results
    assert [metric.value for metric in metrics if metric.name == "n"] == [1]
    assert len([row for row in house.rows(execution_id) if row.task_id == "a"]) == 1
    assert dangling(house) == []


@pytest.mark.parametrize("times", [1, 3])
def test_a_commit_that_is_refused_is_made_again(tmp_path: Path, times: int) -> None:
    with House(tmp_path) as house:
        journal = _journal_in_between(house, times)
        execution = house.run(FLOW)
        assert execution.state == "SUCCESS"
        assert len(journal.calls) == times
        counted_once(house, execution.id)
        files = [blob.path for blob in house.app.blobs.list(TENANT, "/") if blob.path.endswith("outputs.json")]
        assert len(files) == 1  # written anew at the same place, so that trying again leaves no orphan


def test_who_waits_for_a_refused_commit_is_answered(tmp_path: Path) -> None:
    """The start of an execution, refused twice: its future is done after the commit that succeeds, not before."""
    with House(tmp_path) as house:
        real, refused = house.app.store.journal, threading.Event()

        class Journal(Faulty):
            def commit(self, batch: Batch) -> None:
                if batch.created_executions and len(self.calls) < 2:
                    self.calls.append("refused")
                    assert not answer.done()
                    refused.set()
                    raise StoreUnavailable("the disk is full")
                self._real.commit(batch)

        import msgspec

        journal = Journal(real)
        executor = house.app.executor
        executor._parts = msgspec.structs.replace(executor._parts, journal=journal)
        prepared = house.app.launcher.prepare(TENANT, "e2e", house.save(FLOW))
        answer: Future[Execution | None] = Future()
        answer = executor.submit(prepared.command)
        found = answer.result(30)
        assert found is not None
        assert found.id == prepared.execution.id
        assert refused.is_set()
        assert len(journal.calls) == 2
        house.ended(found.id)
        counted_once(house, found.id)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_crash_between_file_and_row(tmp_path: Path) -> None:
    """The file is there, its row is not; after the restart the task runs again and the row names a file that exists."""
    first = House(tmp_path)
    blobs = CrashingBlobs(first.app.blobs)
    first.app.keeper._blobs = blobs  # pyright: ignore[reportAttributeAccessIssue]
    first.app.start()
    execution_id = first.begin(first.save(FLOW))
    thread = first.app.executor._thread
    assert thread is not None
    thread.join(30)
    assert not thread.is_alive(), "the crash did not come"
    (orphan,) = blobs.calls
    assert first.app.blobs.exists(TENANT, orphan)
    assert first.rows(execution_id) == []
    first.app.stop(grace=timedelta())
    with House(tmp_path) as again:
        assert again.ended(execution_id).state == "SUCCESS"
        assert again.outputs(execution_id, "a") == {"value": LARGE}
        counted_once_after_a_crash(again, execution_id)


def counted_once_after_a_crash(house: House, execution_id: str) -> None:
    """As `counted_once`; the task that was under way may have been attempted twice."""
    assert dangling(house) == []
    rows = [row for row in house.rows(execution_id) if row.task_id == "a"]
    assert len(rows) == 1
    metrics = house.app.store.reads.metrics(TENANT, [Filter("executionId", "EQUALS", execution_id)]).results
    assert [metric.value for metric in metrics if metric.name == "n"] == [1]
    messages = [entry.message for entry in house.logs(execution_id) if entry.task_id == "b"]
    assert messages.count("read 20000") == 1


def test_orphans_are_swept_and_nothing_else(tmp_path: Path) -> None:
    """Files of an execution that was never committed go, those of one that is there stay."""
    with House(tmp_path) as house:
        execution = house.run(FLOW)
        kept = [blob.path for blob in house.app.blobs.list(TENANT, "/")]
        (row,) = [row for row in house.rows(execution.id) if row.uri is not None]
        orphan = house.app.blobs.put(TENANT, (row.uri or "").replace(execution.id, "0neverCommitted0000000"), b"{}")
        assert house.app.blobs.exists(TENANT, orphan)
        retention = house.app._retention()
        assert retention is not None
        assert retention.sweep_orphans(TENANT, older_than=timedelta(hours=1)) == 0, (
            "a file just written may get its row"
        )
        assert retention.sweep_orphans(TENANT, older_than=-timedelta(seconds=5)) == 1
        assert [blob.path for blob in house.app.blobs.list(TENANT, "/")] == kept
        assert dangling(house) == []
