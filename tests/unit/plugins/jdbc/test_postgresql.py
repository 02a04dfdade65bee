"""Query tasks on a real PostgreSQL."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from tests.standins.postgres import PostgresServer, postgres_programs

from penstock.errors import TaskFailed
from penstock.model.state import State
from penstock.plugin.rows import read_ion
from penstock.testing.task_desk import TaskDesk

pytest.importorskip("psycopg")
connection_options = pytest.importorskip("penstock.plugins.jdbc.postgresql").connection_options

PREFIX = "io.kestra.plugin.jdbc.postgresql."
TWO = "SELECT 1 AS id, 'ada' AS name UNION ALL SELECT 2, 'grace' ORDER BY id"
ROWS = [{"id": 1, "name": "ada"}, {"id": 2, "name": "grace"}]


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    programs = postgres_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    with PostgresServer(programs) as made:
        yield made


@pytest.fixture
def place(server: PostgresServer) -> dict[str, str]:
    return {"url": server.url, "username": "{{ 'flow' }}", "password": "any"}


def outputs(desk: TaskDesk, kind: str, **properties: Any) -> dict[str, Any]:
    result = desk.run_type(PREFIX + kind, **properties)
    assert result.state is State.SUCCESS, result.error
    return dict(result.outputs or {})


def error(desk: TaskDesk, kind: str, **properties: Any) -> str:
    result = desk.run_type(PREFIX + kind, **properties)
    assert result.state is State.FAILED
    return result.error or ""


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("jdbc:postgresql://h:5433/shop", {"host": "h", "port": "5433", "dbname": "shop"}),
        ("jdbc:postgresql://h/", {"host": "h"}),
        ("jdbc:postgresql:shop", {"dbname": "shop"}),
        (
            "jdbc:postgresql://h/my%20db?user=u&ssl=true&ApplicationName=p&prepareThreshold=0",
            {"host": "h", "dbname": "my db", "user": "u", "sslmode": "require", "application_name": "p"},
        ),
        ("jdbc:postgresql://h/d?currentSchema=a,b", {"host": "h", "dbname": "d", "options": "-c search_path=a,b"}),
    ],
)
def test_urls(url: str, expected: dict[str, str]) -> None:
    assert connection_options(url) == expected


def test_a_url_of_another_database() -> None:
    with pytest.raises(TaskFailed, match="begins with `jdbc:postgresql:`"):
        connection_options("jdbc:mysql://h/d")


@pytest.mark.service
def test_each_fetch_type(desk: TaskDesk, place: dict[str, str]) -> None:
    assert outputs(desk, "Query", **place, sql=TWO, fetchType="FETCH") == {"rows": ROWS, "size": 2}
    assert outputs(desk, "Query", **place, sql=TWO, fetchType="FETCH_ONE") == {"row": ROWS[0], "size": 1}
    assert outputs(desk, "Query", **place, sql=TWO) == {}
    nothing = "SELECT 1 AS x WHERE false"
    assert outputs(desk, "Query", **place, sql=nothing, fetchType="FETCH") == {"rows": [], "size": 0}
    many = "SELECT generate_series(1, 12345) AS n"
    stored = outputs(desk, "Query", **place, sql=many, fetchType="STORE", fetchSize=1000)
    rows = list(read_ion(io.BytesIO(desk.read(stored["uri"]))))
    assert rows == [{"n": n} for n in range(1, 12_346)]


@pytest.mark.service
def test_values(desk: TaskDesk, place: dict[str, str]) -> None:
    sql = """SELECT 1.50::numeric AS price, 'é' AS text, true AS yes, DATE '2024-02-03' AS day, TIME '04:05:06' AS time,
      TIMESTAMP '2024-02-03 04:05:06' AS local, TIMESTAMPTZ '2024-02-03 04:05:06+02' AS instant,
      INTERVAL '3 days' AS span, '{"a": [1]}'::jsonb AS json, ARRAY[1, 2] AS many, '\\xaa'::bytea AS raw,
      '00000000-0000-0000-0000-000000000001'::uuid AS id, '10.0.0.1'::inet AS address, int4range(1, 3) AS range,
      null AS nothing, 50 % 7 AS rest, ':price' AS colon, :price::numeric AS given, :map AS map"""
    given = {"price": "{{ 2.5 }}", "map": {"k": "{{ 1 }}"}}
    asked = {"sql": sql, "parameters": given, "timeZoneId": "Europe/Paris"}
    row = outputs(desk, "Query", **place, **asked, fetchType="FETCH_ONE")["row"]
    instant = row.pop("instant")
    assert instant == datetime(2024, 2, 3, 2, 5, 6, tzinfo=UTC)
    assert instant.isoformat().endswith("+01:00")
    assert row == {
        "price": 1.5,
        "text": "é",
        "yes": True,
        "day": date(2024, 2, 3),
        "time": "04:05:06",
        "local": datetime(2024, 2, 3, 4, 5, 6),  # noqa: DTZ001
        "span": "PT72H",
        "json": {"a": [1]},
        "many": [1, 2],
        "raw": b"\xaa",
        "id": "00000000-0000-0000-0000-000000000001",
        "address": "10.0.0.1",
        "range": "[1,3)",
        "nothing": None,
        "rest": 1,
        "colon": ":price",
        "given": 2.5,
        "map": {"k": 1},
    }
    stored = outputs(desk, "Query", **place, sql="SELECT 1.50::numeric AS price", fetchType="STORE")
    assert list(read_ion(io.BytesIO(desk.read(stored["uri"])))) == [{"price": Decimal("1.50")}]


@pytest.mark.service
def test_queries_and_transactions(desk: TaskDesk, place: dict[str, str]) -> None:
    sql = """DROP TABLE IF EXISTS t; CREATE TABLE t (n int); INSERT INTO t VALUES (1), (2);
             SELECT n FROM t ORDER BY n; INSERT INTO t VALUES (3) RETURNING n; DO $$ BEGIN NULL; END $$;"""
    assert outputs(desk, "Queries", **place, sql=sql, fetchType="FETCH") == {
        "outputs": [{"rows": [{"n": 1}, {"n": 2}], "size": 2}, {"rows": [{"n": 3}], "size": 1}]
    }
    failing = "DELETE FROM t; DELETE FROM nowhere"
    assert "nowhere" in error(desk, "Queries", **place, sql=failing)
    returning = "INSERT INTO t SELECT generate_series(4, 5000) RETURNING n"
    first = outputs(
        desk, "Query", **place, sql=returning, fetchType="FETCH_ONE", afterSQL="DELETE FROM t WHERE n > 4999"
    )
    assert first["row"] == {"n": 4}
    assert outputs(desk, "Query", **place, sql="DELETE FROM t WHERE n > 3 RETURNING n", fetch=True)["size"] == 4996
    counted = {"sql": "SELECT count(*) AS n FROM t", "fetchType": "FETCH_ONE"}
    assert outputs(desk, "Query", **place, **counted)["row"] == {"n": 3}
    assert "nowhere" in error(desk, "Query", **place, **counted, afterSQL=failing)
    assert outputs(desk, "Query", **place, **counted, afterSQL="DELETE FROM t WHERE n = 3")["row"] == {"n": 3}
    assert outputs(desk, "Query", **place, sql="SELECT n FROM t", fetchType="FETCH_ONE", fetchSize=1)["size"] == 1
    assert "nowhere" in error(desk, "Queries", **place, sql=failing, transaction=False)
    assert outputs(desk, "Query", **place, **counted)["row"] == {"n": 0}
    assert outputs(desk, "Query", **place, sql="VACUUM t") == {}


@pytest.mark.service
def test_a_timeout_ends_the_statement(desk: TaskDesk, place: dict[str, str]) -> None:
    assert "Timeout" in error(desk, "Query", **place, sql="SELECT pg_sleep(60)", timeout="PT0.3S")
    running = "SELECT count(*) AS n FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()"
    for _ in range(100):
        row = outputs(desk, "Query", **place, sql=running + " AND state = 'active'", fetchType="FETCH_ONE")["row"]
        if row == {"n": 0}:
            return
    pytest.fail("the statement still runs")
