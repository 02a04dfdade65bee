"""Counts, not seconds: what a commit writes does not grow with what the execution has behind it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "contracts"))

from store_samples import context, created, execution, iteration, log, metric, output, run

from penstock.model.state import State
from penstock.ports.journal import Batch, LoopValues
from penstock.store.sqlite import SqliteStore


@pytest.fixture
def store(tmp_path):
    made = SqliteStore(tmp_path / "p.db")
    yield made
    made.close()


def with_siblings(store, count):
    """An execution with large inputs and so many finished siblings."""
    one = execution(id=f"execution-{count:06}")
    runs = [(one.id, run(n, id=f"{count:06}-{n:06}", state=State.SUCCESS, task_id="task")) for n in range(1, count + 1)]
    store.journal.commit(
        created(
            one,
            contexts={one.id: context(big="x" * 200_000)},
            created_runs=runs,
            outputs=[output(one.id, r) for _, r in runs],
            logs=[log("line", execution_id=one.id) for _ in range(count)],
        )
    )
    return one


def step(one, sequence):
    """What one sequential task commits."""
    ended = run(sequence, id=f"last-{sequence:06}", state=State.SUCCESS, task_id="task")
    begun = run(sequence + 1, id=f"next-{sequence:06}", task_id="task")
    one.sequence = 20_000 + sequence
    return Batch(
        changed_executions=[one],
        created_runs=[(one.id, begun)],
        changed_runs=[(one.id, ended)],
        outputs=[output(one.id, ended)],
        logs=[log("line", execution_id=one.id)],
        metrics=[metric("m", 1, execution_id=one.id), metric("n", 2, execution_id=one.id)],
    )


def written(store, batch):
    """Rows and bytes that a commit writes."""
    counters = store.counters
    rows, size = counters.rows, counters.bytes
    store.journal.commit(batch)
    return counters.rows - rows, counters.bytes - size


def test_a_commit_writes_the_same_beside_10_and_10_000_siblings(store):
    costs = []
    for count in (10, 10_000):
        one = with_siblings(store, count)
        first = run(count + 1, id=f"last-{count + 1:06}", task_id="task")
        store.journal.commit(Batch(created_runs=[(one.id, first)]))
        rows, size = written(store, step(one, count + 1))
        costs.append((rows, size - len(str(count)) * 2))
    assert costs[0][0] == costs[1][0] == 7
    assert abs(costs[0][1] - costs[1][1]) < 20


def test_a_head_that_changes_never_rewrites_inputs(store):
    one = with_siblings(store, 1)
    one.held = 3
    rows, size = written(store, Batch(changed_executions=[one]))
    assert rows == 1
    assert size < 2_000


def pages_read(connection, statement, parameters):
    """How many steps SQLite's machine takes for a query, in tens."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    connection.set_progress_handler(count, 10)
    connection.execute(statement, parameters).fetchall()
    connection.set_progress_handler(None, 0)
    return steps


def test_loading_costs_what_is_live(store):
    from penstock.store.sqlite.journal import _SQL
    from penstock.store.sqlite.numbers import bounds

    costs = []
    for count in (10, 10_000):
        one = with_siblings(store, count)
        store.journal.commit(Batch(created_runs=[(one.id, run(count + 1, id=f"live-{count}"))]))
        with store._readers.connection() as connection:
            no = connection.execute(_SQL.execution_no, (one.id,)).fetchone()[0]
            costs.append(pages_read(connection, _SQL.live_runs, bounds(no)))
        assert [r.id for r in store.journal.load(one.id).runs] == [f"live-{count}"]
    assert costs[0] == costs[1]


def test_one_loop_value_costs_one_stretch(store):
    from penstock.store.sqlite.journal import _SQL

    costs = []
    for count in (1_000, 100_000):
        one, loop = execution(), iteration(1)
        values = LoopValues(execution_id=one.id, task_run_id=loop.id, start=0, values=["v"] * count)
        store.journal.commit(created(one, created_runs=[(one.id, loop)], loop_values=[values]))
        with store._readers.connection() as connection:
            key = connection.execute("SELECT key FROM task_runs WHERE id = ?", (loop.id,)).fetchone()[0]
            costs.append(pages_read(connection, _SQL.loop_values, (key, 301, 501)))
        assert store.journal.loop_values(one.id, loop.id, 500, 1).values == ["v"]
    assert costs[0] == costs[1]


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        ("load_execution", "sqlite_autoindex_executions_1"),
        ("live_runs", "task_runs_live"),
        ("unfinished", "executions_open"),
        ("slots_used", "executions_open"),
        ("queued_of_flow", "executions_open"),
        ("children", "executions_trigger"),
        ("run_key", "task_runs_id"),
        ("ended_children", "task_runs_parent"),
        ("output_at", "outputs_place"),
        ("output_places", "outputs_place"),
        ("output_tasks", "outputs_place"),
    ],
)
def test_executors_read_by_index(store, statement, index):
    from penstock.store.sqlite.journal import _SQL

    sql = getattr(_SQL, statement)
    with store._readers.connection() as connection:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {sql}", (None,) * sql.count("?")).fetchall()
    text = " ".join(row[3] for row in plan)
    assert index in text
    assert "SCAN task_runs" not in text.replace("SCAN task_runs USING INDEX", "")
