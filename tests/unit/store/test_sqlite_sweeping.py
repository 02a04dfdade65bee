"""Deleting large executions: out of sight at once, gone in steps."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "contracts"))

from store_samples import created, execution, log, metric, output, run

from penstock.ports.journal import Batch
from penstock.store.sqlite import SqliteStore
from penstock.store.sqlite.sweeping import STEP


@pytest.fixture
def store(tmp_path):
    made = SqliteStore(tmp_path / "p.db")
    yield made
    made.close()


def fill(store, execution_id, count):
    """An execution with so many task runs, outputs and log lines."""
    runs = [run(n, id=f"{execution_id}-{n}") for n in range(1, count + 1)]
    store.journal.commit(
        created(
            execution(id=execution_id),
            created_runs=[(execution_id, r) for r in runs],
            outputs=[output(execution_id, r) for r in runs],
            logs=[log(str(n), execution_id=execution_id) for n in range(count)],
            metrics=[metric("m", n, execution_id=execution_id) for n in range(count)],
        )
    )


def remaining(store):
    """Rows of the tables that grow with task runs."""
    with store._readers.connection() as connection:
        return sum(
            connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("task_runs", "outputs", "logs", "metrics")
        )


def test_a_small_execution_is_gone_with_its_commit(store):
    fill(store, "small", 20)
    fill(store, "other", 20)
    store.journal.commit(Batch(deleted_executions=["small"]))
    assert remaining(store) == 80
    assert store.purges.sweep() is False


def test_a_large_one_is_out_of_sight_at_once_and_gone_in_steps(store):
    fill(store, "large", 2 * STEP)
    before = remaining(store)
    rows = store.counters.rows
    store.journal.commit(Batch(deleted_executions=["large"]))

    assert store.counters.rows - rows <= STEP + 10
    assert before - remaining(store) <= STEP
    assert store.reads.run("large-3999") is None
    assert store.reads.logs("main", []).total == 0
    assert store.reads.metrics("main", []).total == 0

    assert store.purges.sweep(steps=1) is True
    assert 0 < remaining(store) < before - STEP
    assert store.purges.sweep() is False
    assert remaining(store) == 0


def test_numbers_are_not_given_again_while_rows_are_left(store):
    fill(store, "large", STEP)
    store.journal.commit(Batch(deleted_executions=["large"]))
    fill(store, "next", 5)
    assert store.purges.sweep() is False
    assert len(store.journal.runs("next")) == 5
    assert store.reads.logs("main", []).total == 5


def test_a_sweep_goes_on_after_a_restart(tmp_path):
    path = tmp_path / "q.db"
    store = SqliteStore(path)
    fill(store, "large", STEP)
    store.journal.commit(Batch(deleted_executions=["large"]))
    store.close()

    store = SqliteStore(path)
    assert remaining(store) > 0
    assert store.purges.sweep() is False
    assert remaining(store) == 0
    store.close()
