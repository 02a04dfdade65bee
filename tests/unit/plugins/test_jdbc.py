"""Query tasks on SQLite and DuckDB: fetch types, parameters, transactions, several statements, files."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from penstock.model.job import Result
from penstock.model.state import State
from penstock.plugin.registry import installed
from penstock.plugins.jdbc.statements import split_statements, used_parameters
from penstock.testing.task_desk import TaskDesk

TWO = "SELECT 1 AS id, 'ada' AS name UNION ALL SELECT 2, 'grace' ORDER BY id"
KINDS = ["sqlite", "duckdb"]


def run(desk: TaskDesk, written: dict[str, object]) -> Result:
    cls = installed().resolve(str(written["type"]))
    assert cls is not None
    return desk.run(cls.model_validate(written))


def query(kind: str, **properties: object) -> dict[str, object]:
    return {"id": "q", "type": f"io.kestra.plugin.jdbc.{kind}.Query", "sql": TWO, **properties}


@pytest.mark.parametrize("kind", KINDS)
def test_each_fetch_type_gives_its_own_outputs(desk: TaskDesk, kind: str) -> None:
    rows = [{"id": 1, "name": "ada"}, {"id": 2, "name": "grace"}]
    assert run(desk, query(kind, fetchType="FETCH")).outputs == {"rows": rows, "size": 2}
    assert run(desk, query(kind, fetchType="FETCH_ONE")).outputs == {"row": rows[0], "size": 1}
    assert not run(desk, query(kind, fetchType="NONE")).outputs
    stored = run(desk, query(kind, fetchType="STORE")).outputs
    assert stored is not None
    assert stored["size"] == 2
    assert "rows" not in stored


@pytest.mark.parametrize("kind", KINDS)
def test_the_older_flags_come_before_fetch_type(desk: TaskDesk, kind: str) -> None:
    outputs = run(desk, query(kind, fetchOne=True, fetchType="STORE")).outputs
    assert outputs is not None
    assert "row" in outputs


@pytest.mark.parametrize("kind", KINDS)
def test_named_parameters_are_bound(desk: TaskDesk, kind: str) -> None:
    task = query(kind, sql="SELECT :who AS who", parameters={"who": "{{ 'a' ~ 'b' }}", "unused": 1}, fetchType="FETCH_ONE")
    outputs = run(desk, task).outputs
    assert outputs is not None
    assert outputs["row"] == {"who": "ab"}


def test_a_failing_statement_rolls_everything_back(desk: TaskDesk, tmp_path: Path) -> None:
    place = tmp_path / "shop.db"
    sqlite3.connect(place).execute("CREATE TABLE t (n INTEGER)").connection.commit()
    task = {
        "id": "q",
        "type": "io.kestra.plugin.jdbc.sqlite.Queries",
        "url": f"jdbc:sqlite:{place}",
        "sql": "INSERT INTO t VALUES (1); INSERT INTO nowhere VALUES (2);",
    }
    result = run(desk, task)
    assert result.state is State.FAILED
    assert "nowhere" in (result.error or "")
    assert sqlite3.connect(place).execute("SELECT count(*) FROM t").fetchone() == (0,)


@pytest.mark.parametrize("kind", KINDS)
def test_queries_give_an_entry_for_each_statement_with_rows(desk: TaskDesk, kind: str) -> None:
    task = {
        "id": "q",
        "type": f"io.kestra.plugin.jdbc.{kind}.Queries",
        "sql": "CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1), (2); SELECT n FROM t ORDER BY n; SELECT 7 AS seven",
        "fetchType": "FETCH",
    }
    outputs = run(desk, task).outputs
    assert outputs is not None
    entries = outputs["outputs"]
    assert isinstance(entries, list)
    assert [e["rows"] for e in entries if e.get("rows")][-2:] == [[{"n": 1}, {"n": 2}], [{"seven": 7}]]


def test_a_database_file_goes_to_internal_storage_and_comes_back(desk: TaskDesk) -> None:
    made = run(desk, {
        "id": "make",
        "type": "io.kestra.plugin.jdbc.sqlite.Queries",
        "sql": "CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (42)",
        "outputDbFile": True,
    }).outputs
    assert made is not None
    read = run(desk, query("sqlite", sql="SELECT n FROM t", sqliteFile=made["databaseUri"], fetchType="FETCH_ONE")).outputs
    assert read is not None
    assert read["row"] == {"n": 42}


def test_statements_end_at_semicolons_outside_of_texts_and_comments() -> None:
    sql = "SELECT ';' -- a; b\n; /* ; */ SELECT \"x;y\"; DO $$ a; b $$; -- the end;\n"
    assert split_statements(sql) == ["SELECT ';' -- a; b", '/* ; */ SELECT "x;y"', "DO $$ a; b $$"]


def test_only_named_parameters_are_handed_over() -> None:
    assert used_parameters("SELECT :a, x::ab", {"a": 1, "ab": 2}) == {"a": 1}
