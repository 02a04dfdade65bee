"""Query tasks on SQLite and DuckDB: fetch types, parameters, transactions, several statements, files."""

from __future__ import annotations

import builtins
import importlib
import io
import sqlite3
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb as duckdb_driver
import pytest

from penstock.errors import MissingExtra, TaskFailed
from penstock.model.job import Result
from penstock.model.state import State
from penstock.plugin.registry import PluginRegistry
from penstock.plugin.rows import read_ion
from penstock.plugins.jdbc import index
from penstock.plugins.jdbc.duckdb import DuckDbSession
from penstock.plugins.jdbc.sqlite import SqliteSession
from penstock.testing.task_desk import TaskDesk
from penstock.worker.trigger_runner import TriggerPlace, TriggerRunner

TWO = "SELECT 1 AS id, 'ada' AS name UNION ALL SELECT 2, 'grace' ORDER BY id"
ROWS = [{"id": 1, "name": "ada"}, {"id": 2, "name": "grace"}]
KINDS = ["sqlite", "duckdb"]
MANY = {
    "sqlite": "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 25000) SELECT n FROM r",
    "duckdb": "SELECT range + 1 AS n FROM range(25000)",
}


def run(desk: TaskDesk, kind: str, **properties: Any) -> Result:
    return desk.run_type(f"io.kestra.plugin.jdbc.{kind}", **properties)


def outputs(desk: TaskDesk, kind: str, **properties: object) -> dict[str, object]:
    result = run(desk, kind, **properties)
    assert result.state is State.SUCCESS, result.error
    return dict(result.outputs or {})


def error(desk: TaskDesk, kind: str, **properties: object) -> str:
    result = run(desk, kind, **properties)
    assert result.state is State.FAILED
    return result.error or ""


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# --- rows --------------------------------------------------------------------------------------------------------------


def test_each_fetch_type_gives_its_own_outputs(desk: TaskDesk, kind: str) -> None:
    query = f"{kind}.Query"
    assert outputs(desk, query, sql=TWO, fetchType="FETCH") == {"rows": ROWS, "size": 2}
    assert outputs(desk, query, sql=TWO, fetchType="FETCH_ONE") == {"row": ROWS[0], "size": 1}
    assert outputs(desk, query, sql=TWO, fetchType="NONE") == {}
    assert outputs(desk, query, sql=TWO) == {}
    stored = outputs(desk, query, sql=TWO, fetchType="{{ 'STORE' }}")
    assert sorted(stored) == ["size", "uri"]
    assert list(read_ion(io.BytesIO(desk.read(stored["uri"])))) == ROWS


def test_the_older_flags_come_before_fetch_type(desk: TaskDesk, kind: str) -> None:
    query = f"{kind}.Query"
    assert sorted(outputs(desk, query, sql=TWO, fetchOne=True, fetchType="STORE")) == ["row", "size"]
    assert sorted(outputs(desk, query, sql=TWO, fetch=True, store=True)) == ["rows", "size"]
    assert sorted(outputs(desk, query, sql=TWO, store=True)) == ["size", "uri"]


def test_an_empty_result_has_a_size_too(desk: TaskDesk, kind: str) -> None:
    nothing = "SELECT 1 AS x WHERE 1 = 0"
    assert outputs(desk, f"{kind}.Query", sql=nothing, fetchType="FETCH") == {"rows": [], "size": 0}
    assert outputs(desk, f"{kind}.Query", sql=nothing, fetchType="FETCH_ONE") == {"size": 0}
    assert outputs(desk, f"{kind}.Query", sql=nothing, fetchType="STORE")["size"] == 0


def test_more_rows_than_one_fetch(desk: TaskDesk, kind: str) -> None:
    stored = outputs(desk, f"{kind}.Query", sql=MANY[kind], fetchType="STORE", fetchSize="{{ 1000 }}")
    rows = [row["n"] for row in read_ion(io.BytesIO(desk.read(stored["uri"])))]  # pyright: ignore[reportIndexIssue]
    assert rows == list(range(1, 25_001))
    assert [(m.name, m.value) for m in desk.notes.metrics] == [("fetch.size", 25_000)]


def test_named_parameters_keep_their_types(desk: TaskDesk, kind: str) -> None:
    given = {"who": "{{ 'a' ~ 'b' }}", "count": "{{ 2 }}", "none": None, "unused": 1}
    row = outputs(
        desk,
        f"{kind}.Query",
        sql="SELECT :who AS who, :count + 1 AS more, ':who' AS text, :none AS none",
        parameters=given,
        fetchType="FETCH_ONE",
    )["row"]
    assert row == {"who": "ab", "more": 3, "text": ":who", "none": None}


def test_values_of_duckdb(desk: TaskDesk) -> None:
    sql = """SELECT 1.50::DECIMAL(5,2) AS price, 7::DECIMAL(5,0) AS whole, DATE '2024-02-03' AS day,
      TIMESTAMP '2024-02-03 04:05:06' AS local, TIMESTAMPTZ '2024-02-03 04:05:06+02' AS instant, TIME '04:05:06' AS time,
      INTERVAL 3 DAY AS span, {'a': [1, 2]} AS nested, 'abc'::BLOB AS raw,
      '00000000-0000-0000-0000-000000000001'::UUID AS id"""
    row = outputs(desk, "duckdb.Query", sql=sql, fetchType="FETCH_ONE", timeZoneId="Europe/Paris")["row"]
    assert isinstance(row, dict)
    instant = row.pop("instant")
    assert instant == datetime(2024, 2, 3, 2, 5, 6, tzinfo=UTC)
    assert instant.isoformat().endswith("+01:00")
    assert row == {
        "price": 1.5,
        "whole": 7,
        "day": date(2024, 2, 3),
        "local": datetime(2024, 2, 3, 4, 5, 6),  # noqa: DTZ001
        "time": "04:05:06",
        "span": "PT72H",
        "nested": {"a": [1, 2]},
        "raw": b"abc",
        "id": "00000000-0000-0000-0000-000000000001",
    }
    stored = outputs(desk, "duckdb.Query", sql="SELECT 1.50::DECIMAL(5,2) AS price", fetchType="STORE")
    assert list(read_ion(io.BytesIO(desk.read(stored["uri"])))) == [{"price": Decimal("1.50")}]


# --- statements --------------------------------------------------------------------------------------------------------


def test_a_query_is_one_statement(desk: TaskDesk, kind: str) -> None:
    assert "found 2: use the task Queries" in error(desk, f"{kind}.Query", sql="SELECT 1; SELECT 2")
    assert "found 0" in error(desk, f"{kind}.Query", sql=" ; ")
    assert "fetchSize" in error(desk, f"{kind}.Query", sql="SELECT 1", fetchSize=0)
    assert "syntax error" in error(desk, f"{kind}.Query", sql="SELEC 1")


def test_queries_give_an_entry_for_each_statement_with_rows(desk: TaskDesk, kind: str) -> None:
    sql = """CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1), (2); SELECT n FROM t ORDER BY n;
             INSERT INTO t VALUES (3) RETURNING n; SELECT 7 AS seven WHERE 1 = 0; -- the end"""
    assert outputs(desk, f"{kind}.Queries", sql=sql, fetchType="FETCH") == {
        "outputs": [{"rows": [{"n": 1}, {"n": 2}], "size": 2}, {"rows": [{"n": 3}], "size": 1}, {"rows": [], "size": 0}]
    }
    stored = outputs(desk, f"{kind}.Queries", sql="SELECT 1 AS a; SELECT 2 AS a", fetchType="STORE")["outputs"]
    assert isinstance(stored, list)
    assert [desk.read(entry["uri"]) for entry in stored] == [b"{a:1}\n", b"{a:2}\n"]


def saved(place: Path, kind: str) -> int:
    connection = sqlite3.connect(place) if kind == "sqlite" else duckdb_driver.connect(str(place))
    try:
        found = connection.execute("SELECT count(*) FROM t").fetchone()
    finally:
        connection.close()
    assert found is not None
    return int(found[0])


@pytest.mark.parametrize(("transaction", "kept"), [(True, 1), (False, 2)])
def test_a_failing_statement_takes_the_others_back(
    desk: TaskDesk, kind: str, tmp_path: Path, *, transaction: bool, kept: int
) -> None:
    place = tmp_path / "shop.db"
    url = f"jdbc:{kind}:{place}"
    outputs(desk, f"{kind}.Queries", url=url, sql="CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (0)")
    failing = "INSERT INTO t VALUES (1); CREATE TABLE u (n INTEGER); INSERT INTO nowhere VALUES (2);"
    assert "nowhere" in error(desk, f"{kind}.Queries", url=url, sql=failing, transaction=transaction)
    assert saved(place, kind) == kept
    again = run(desk, f"{kind}.Query", url=url, sql="CREATE TABLE u (n INTEGER)")
    assert again.state is (State.SUCCESS if transaction else State.FAILED)


def test_after_sql_belongs_to_the_same_transaction(desk: TaskDesk, kind: str, tmp_path: Path) -> None:
    place = tmp_path / "queue.db"
    url = f"jdbc:{kind}:{place}"
    outputs(desk, f"{kind}.Queries", url=url, sql="CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1), (2)")
    query = {"url": url, "sql": "SELECT n FROM t", "fetchType": "FETCH"}
    assert "nowhere" in error(desk, f"{kind}.Query", **query, afterSQL="DELETE FROM t; DELETE FROM nowhere")
    assert saved(place, kind) == 2
    taken = outputs(desk, f"{kind}.Query", **query, afterSQL="DELETE FROM t WHERE n > :least", parameters={"least": 1})
    assert taken["size"] == 2
    assert saved(place, kind) == 1


def test_what_cannot_run_in_a_transaction_runs_alone(desk: TaskDesk) -> None:
    assert outputs(desk, "sqlite.Query", sql="VACUUM") == {}


# --- files -------------------------------------------------------------------------------------------------------------


def test_a_database_goes_to_internal_storage_and_comes_back(desk: TaskDesk, kind: str) -> None:
    brought = {"sqlite": "sqliteFile", "duckdb": "databaseUri"}[kind]
    made = outputs(
        desk, f"{kind}.Queries", sql="CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (42)", outputDbFile=True
    )
    read = {"sql": "SELECT n FROM t", "fetchType": "FETCH_ONE"}
    again = outputs(desk, f"{kind}.Query", **read, **{brought: made["databaseUri"]})
    assert again == {"row": {"n": 42}, "size": 1}
    named = outputs(desk, f"{kind}.Query", **read, **{brought: made["databaseUri"]}, url=f"jdbc:{kind}:/no/where/x.db")
    assert named["size"] == 1
    assert not Path("/no/where").exists()


def test_runs_without_a_file_share_nothing(desk: TaskDesk, kind: str) -> None:
    for _ in range(2):
        outputs(desk, f"{kind}.Query", sql="CREATE TABLE t (n INTEGER)")


def test_a_url_of_another_database_is_refused(desk: TaskDesk, kind: str) -> None:
    assert f"begins with `jdbc:{kind}:`" in error(desk, f"{kind}.Query", sql="SELECT 1", url="jdbc:mysql://h/db")


def test_duckdb_reads_input_files_and_gives_output_files(desk: TaskDesk) -> None:
    stored = desk.put_file("in.csv", "brand,price\na,1\na,3\nb,5\n")
    result = outputs(
        desk,
        "duckdb.Queries",
        inputFiles={"in.csv": stored, "more.csv": "brand,price\nc,{{ 6 + 1 }}\n"},
        sql="""CREATE TABLE p AS SELECT * FROM read_csv_auto('{{ workingDir }}/in.csv');
               INSERT INTO p SELECT * FROM read_csv_auto('more.csv');
               SELECT brand, avg(price) AS mean FROM p GROUP BY brand ORDER BY brand;
               COPY p TO '{{ outputFiles['all.csv'] }}' (HEADER); COPY p TO '{{ outputFiles.parquet }}'""",
        outputFiles=["all.csv", "*.parquet"],
        fetchType="FETCH",
    )
    assert result["outputs"] == [
        {"rows": [{"brand": "a", "mean": 2.0}, {"brand": "b", "mean": 5.0}, {"brand": "c", "mean": 7.0}], "size": 3}
    ]
    files = result["outputFiles"]
    assert isinstance(files, dict)
    assert sorted(files) == ["all.csv", "output.parquet"]
    assert desk.read(files["all.csv"]).splitlines()[-1] == b"c,7"


# --- ends --------------------------------------------------------------------------------------------------------------


ENDLESS = {
    "sqlite": "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r",
    "duckdb": "SELECT sum(a.range * b.range % 7) FROM range(100000000) a, range(100000000) b",
}


def test_a_timeout_ends_the_task(desk: TaskDesk, kind: str) -> None:
    assert "Timeout" in error(desk, f"{kind}.Query", sql=ENDLESS[kind], timeout="PT0.3S")


def test_an_interrupt_ends_the_statement(kind: str, tmp_path: Path) -> None:
    session = SqliteSession(None) if kind == "sqlite" else DuckDbSession(":memory:", tmp_path, file=None, options={})
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(session.execute, ENDLESS[kind], {})
        while not running.done():
            session.interrupt()
        with pytest.raises(Exception, match=r"(?i)interrupt"):
            running.result()
    session.close()
    session.interrupt()


def test_a_missing_driver_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "penstock.plugins.jdbc.duckdb"
    monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda *_: None)
    registry = PluginRegistry()
    registry.add(index)
    with pytest.raises(MissingExtra, match=r"pip install 'penstock\[duckdb\]'"):
        registry.resolve("io.kestra.plugin.jdbc.duckdb.Query")


def test_checking_a_flow_imports_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    real = builtins.__import__

    def noted(name: str, *more: object) -> object:
        seen.append(name)
        return real(name, *more)  # pyright: ignore[reportArgumentType]

    monkeypatch.delitem(sys.modules, "penstock.plugins.jdbc.duckdb", raising=False)
    monkeypatch.setattr(builtins, "__import__", noted)
    importlib.import_module("penstock.plugins.jdbc.duckdb")
    assert "duckdb" not in seen


# --- triggers ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def orders(tmp_path: Path) -> str:
    place = tmp_path / "orders.db"
    with sqlite3.connect(place) as connection:
        connection.execute("CREATE TABLE t (n INTEGER)")
        connection.execute("INSERT INTO t VALUES (1)")
    connection.close()
    return f"jdbc:sqlite:{place}"


def fired(desk: TaskDesk, runner: TriggerRunner, **properties: object) -> Mapping[str, object] | None:
    name = "io.kestra.plugin.jdbc.sqlite.Trigger"
    trigger = desk.types.resolve(name)
    assert trigger is not None
    made = trigger.model_validate({"id": "t", "type": name, "sql": "SELECT n FROM t", **properties})  # pyright: ignore[reportAttributeAccessIssue]
    return runner.evaluate(made, TriggerPlace("main", "company.team", "desk", 1, "exec")).result(timeout=30)


def test_a_trigger_fires_while_there_are_rows(desk: TaskDesk, orders: str) -> None:
    runner = TriggerRunner(desk.notes, desk.equipment)
    try:
        with pytest.raises(TaskFailed, match="makes no sense for a trigger"):
            fired(desk, runner, url=orders, fetchType="NONE")
        assert fired(desk, runner, url=orders, fetchType="FETCH_ONE") == {"row": {"n": 1}, "size": 1}
        assert fired(desk, runner, url=orders, afterSQL="DELETE FROM t") == {"rows": [{"n": 1}], "size": 1}
        assert fired(desk, runner, url=orders) is None
    finally:
        runner.close()
