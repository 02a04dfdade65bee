"""Many readers and writers at once, and a process that dies: nobody is told that the database is locked."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "contracts"))

from store_samples import at, created, execution, log, output, run

from penstock.errors import StoreUnavailable
from penstock.ports.journal import Batch
from penstock.ports.key_values import KvRow
from penstock.ports.reads import Filter
from penstock.store.sqlite import SqliteStore, checkpoints


@pytest.fixture
def store(tmp_path):
    made = SqliteStore(tmp_path / "p.db")
    yield made
    made.close()


def test_two_hundred_readers_and_writers_at_once(store):
    store.journal.commit(created(execution(id="e1")))
    ready = threading.Barrier(200)

    def client(number: int) -> None:
        ready.wait()
        for turn in range(5):
            if number % 2:
                key = KvRow(
                    tenant_id="main",
                    namespace="a",
                    key=f"{number}-{turn}",
                    type="NUMBER",
                    value="1",
                    created=at(0),
                    updated=at(0),
                )
                store.key_values.put(key)
                store.journal.commit(Batch(logs=[log(f"{number}", execution_id="e1")]))
            else:
                assert store.reads.execution("main", "e1") is not None
                store.reads.logs("main", [Filter("executionId", "EQUALS", "e1")], page=1, size=10)
                store.key_values.list("main", now=at(0), page=1, size=10)

    with ThreadPoolExecutor(200) as pool:
        for done in [pool.submit(client, number) for number in range(200)]:
            done.result()

    assert store.key_values.list("main", now=at(0)).total == 500
    assert store.reads.logs("main", []).total == 500


def test_a_reader_does_not_keep_the_writer_waiting(store):
    store.journal.commit(created(execution(id="e1")))
    with store._readers.snapshot() as connection:
        assert connection.execute("SELECT count(*) FROM executions").fetchone() == (1,)
        store.journal.commit(created(execution(id="e2")))
        assert connection.execute("SELECT count(*) FROM executions").fetchone() == (1,)
    assert store.journal.unfinished() == ["e1", "e2"]


def test_readers_cannot_write(store):
    with pytest.raises(StoreUnavailable, match="readonly"), store._readers.connection() as connection:
        connection.execute("DELETE FROM flows")


def test_a_full_disk_is_said_and_nothing_is_written(store):
    one, first = execution(), run(1)
    store.journal.commit(created(one, created_runs=[(one.id, first)]))
    pages = store._writer._connection.execute("PRAGMA page_count").fetchone()[0]
    store._writer._connection.execute(f"PRAGMA max_page_count = {pages}")

    with pytest.raises(StoreUnavailable, match="full"):
        store.journal.commit(Batch(created_runs=[(one.id, run(2))], logs=[log("x" * 100_000, execution_id=one.id)]))
    assert len(store.journal.runs(one.id)) == 1
    assert store.reads.logs("main", []).total == 0

    store._writer._connection.execute("PRAGMA max_page_count = 1000000")
    store.journal.commit(Batch(created_runs=[(one.id, run(2))], logs=[log("now", execution_id=one.id)]))
    assert len(store.journal.runs(one.id)) == 2


def test_the_log_is_moved_into_the_file_beside_the_commits(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "LOG_PAGES", 50)
    monkeypatch.setattr(checkpoints, "EVERY", 1)
    store = SqliteStore(tmp_path / "p.db")
    store.journal.commit(created(execution(id="e1")))
    watch = store._writer._checkpointer
    commits, last, began_anew = 0, 0, False
    while not began_anew:
        assert commits < 50_000, "the log never began anew"
        store.journal.commit(Batch(logs=[log("x" * 5_000, execution_id="e1")]))
        commits += 1
        began_anew = 0 < watch.log_pages() < last
        last = watch.log_pages()
    assert (tmp_path / "p.db").stat().st_size > 50 * 4096
    assert store.reads.logs("main", [], page=1, size=1).total == commits
    store.close()


SCRIPT = """
import sys
sys.path.insert(0, sys.argv[2])
from store_samples import created, execution, log, output, run
from penstock.ports.journal import Batch
from penstock.store.sqlite import SqliteStore
store = SqliteStore(sys.argv[1])
store.journal.commit(created(execution(id="e1")))
for n in range(1, 1_000_000):
    one = run(n, id=f"r{n}")
    lines = [log(str(n), execution_id="e1")]
    store.journal.commit(Batch(created_runs=[("e1", one)], outputs=[output("e1", one)], logs=lines))
    print(n, flush=True)
"""


def test_what_was_committed_survives_a_kill(tmp_path):
    path = tmp_path / "p.db"
    helpers = str(Path(__file__).parents[2] / "contracts")
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(path), helpers], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) >= 200:
            break
    os.kill(process.pid, signal.SIGKILL)
    last = max([int(line) for line in process.stdout.read().split()], default=200)
    process.stdout.close()
    process.wait()

    store = SqliteStore(path)
    runs = store.journal.runs("e1")
    # The commit that was under way may be there or not; it is there whole or not at all.
    assert len(runs) in (last, last + 1)
    assert [r.sequence for r in runs] == list(range(1, len(runs) + 1))
    assert store.reads.logs("main", []).total == len(runs)
    assert len(store.reads.outputs("e1")) == len(runs)
    one = run(len(runs) + 1)
    store.journal.commit(
        Batch(created_runs=[("e1", one)], outputs=[output("e1", one)], logs=[log("after", execution_id="e1")])
    )
    assert store.reads.logs("main", [], page=1, size=1).total == len(runs) + 1
    store.close()
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)
