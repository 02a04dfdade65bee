"""BigQuery's Query with Google's own client, against a stand-in that speaks the REST protocol over DuckDB."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.standins.bigquery import NEVER_ENDS, BigQueryStandIn

from penstock.model.job import Result
from penstock.model.state import State
from penstock.plugin.rows import read_ion
from penstock.testing.task_desk import TaskDesk
from penstock.worker.trigger_runner import TriggerPlace, TriggerRunner

QUERY = "io.kestra.plugin.gcp.bigquery.Query"
TWO = "SELECT 1 AS id, 'ada' AS name UNION ALL SELECT 2, 'grace' ORDER BY id"
ROWS = [{"id": 1, "name": "ada"}, {"id": 2, "name": "grace"}]
SOON = {"type": "constant", "interval": "PT0.01S", "maxAttempts": 3}


@pytest.fixture
def service() -> Iterator[BigQueryStandIn]:
    with BigQueryStandIn(polls_until_done=1) as made:
        yield made


@pytest.fixture
def desk(service: BigQueryStandIn) -> Iterator[TaskDesk]:
    with TaskDesk(settings={"gcp.bigquery.endpoint": service.url}) as made:
        yield made


def run(desk: TaskDesk, sql: str, **properties: Any) -> Result:
    return desk.run_type(QUERY, sql=sql, **properties)


def outputs(desk: TaskDesk, sql: str, **properties: Any) -> dict[str, Any]:
    result = run(desk, sql, **properties)
    assert result.state is State.SUCCESS, result.error
    found = dict(result.outputs or {})
    assert found.pop("jobId")
    return found


def error(desk: TaskDesk, sql: str, **properties: Any) -> str:
    result = run(desk, sql, **properties)
    assert result.state is State.FAILED
    return result.error or ""


def job(service: BigQueryStandIn) -> dict[str, Any]:
    """The configuration of the last job."""
    return list(service.jobs.values())[-1].configuration


# --- rows --------------------------------------------------------------------------------------------------------------


def test_each_fetch_type_gives_its_own_outputs(desk: TaskDesk) -> None:
    assert outputs(desk, TWO, fetchType="FETCH") == {"rows": ROWS, "size": 2}
    assert outputs(desk, TWO, fetchType="FETCH_ONE") == {"row": ROWS[0], "size": 1}
    assert outputs(desk, TWO) == {}
    stored = outputs(desk, TWO, fetchType="STORE")
    assert sorted(stored) == ["size", "uri"]
    assert list(read_ion(io.BytesIO(desk.read(stored["uri"])))) == ROWS


def test_the_older_flags(desk: TaskDesk) -> None:
    assert sorted(outputs(desk, TWO, fetch=True)) == ["rows", "size"]
    assert sorted(outputs(desk, TWO, fetchOne=True, fetchType="STORE")) == ["row", "size"]
    assert sorted(outputs(desk, TWO, store=True)) == ["size", "uri"]


def test_no_row_is_an_empty_map(desk: TaskDesk) -> None:
    assert outputs(desk, "SELECT 1 AS x WHERE 1 = 0", fetchType="FETCH_ONE") == {"row": {}, "size": 0}
    assert outputs(desk, "SELECT 1 AS x WHERE 1 = 0", fetchType="FETCH") == {"rows": [], "size": 0}


def test_rows_come_page_by_page(desk: TaskDesk, service: BigQueryStandIn) -> None:
    service.page_rows = 400
    stored = outputs(desk, "SELECT range AS n FROM range(1000)", fetchType="STORE", maxResults=300)
    assert stored["size"] == 1000
    rows = list(read_ion(io.BytesIO(desk.read(stored["uri"]))))
    assert rows == [{"n": n} for n in range(1000)]
    assert service.pages == [300, 300, 300, 100]


def test_one_row_is_one_small_page(desk: TaskDesk, service: BigQueryStandIn) -> None:
    outputs(desk, "SELECT range AS n FROM range(1000)", fetchType="FETCH_ONE")
    assert service.pages == [1]


def test_values_of_each_type(desk: TaskDesk) -> None:
    sql = """SELECT 7 AS whole, 0.5::DOUBLE AS part, 1.25::DECIMAL(20, 2) AS price, true AS yes, 'é' AS text,
      'abc'::BLOB AS raw, DATE '2024-02-03' AS day, TIME '04:05:06' AS time, TIMESTAMP '2024-02-03 04:05:06' AS local,
      TIMESTAMPTZ '2024-02-03 04:05:06.5+00' AS instant, {'a': 1, 'at': TIMESTAMP '2024-02-03 04:05:06'} AS record,
      [1, 2] AS many, [{'n': 1.5::DECIMAL(5, 1)}] AS records, NULL::INTEGER AS nothing, '{"k": [1]}'::JSON AS json"""
    assert outputs(desk, sql, fetchType="FETCH_ONE")["row"] == {
        "whole": 7,
        "part": 0.5,
        "price": 1.25,
        "yes": True,
        "text": "é",
        "raw": b"abc",
        "day": date(2024, 2, 3),
        "time": time(4, 5, 6).isoformat(),
        "local": "2024-02-03T04:05:06Z",
        "instant": datetime(2024, 2, 3, 4, 5, 6, 500_000, tzinfo=UTC),
        "record": {"a": 1, "at": "2024-02-03T04:05:06Z"},
        "many": [1, 2],
        "records": [{"n": 1.5}],
        "nothing": None,
        "json": {"k": [1]},
    }


# --- jobs --------------------------------------------------------------------------------------------------------------


def test_statements_that_change_rows(desk: TaskDesk, service: BigQueryStandIn) -> None:
    assert outputs(desk, "CREATE TABLE `shop.orders` AS SELECT 1 AS n", projectId="acme") == {}
    assert outputs(desk, "INSERT INTO `acme.shop.orders` VALUES (2), (3)", projectId="acme", fetchType="FETCH") == {
        "rows": [],
        "size": 0,
    }
    assert service.run("SELECT count(*) FROM `acme.shop.orders`") == [(3,)]
    measured = {m.name: m.value for m in desk.notes.metrics}
    assert measured["num.dml.affected.rows"] == 2


def test_metrics_of_a_job(desk: TaskDesk) -> None:
    outputs(desk, TWO, fetchType="FETCH")
    measured = {m.name: (m.value, m.tags.get("project_id")) for m in desk.notes.metrics}
    assert measured["duration"] == (1500, "local")
    assert measured["total.bytes.processed"] == (1024, "local")
    assert measured["total.bytes.billed"][0] == 10_485_760
    assert measured["total.partitions.processed"][0] == 3
    assert measured["total.slot.ms"][0] == 42
    assert measured["cache.hit"][0] == 0
    assert (measured["total.rows"][0], measured["fetch.rows"][0]) == (2, 2)


def test_a_destination_table(desk: TaskDesk, service: BigQueryStandIn) -> None:
    place = {"destinationTable": "{{ 'shop' }}.people", "projectId": "acme"}
    table = {"project": "acme", "dataset": "shop", "table": "people"}
    assert outputs(desk, TWO, **place) == {"destinationTable": table}
    assert outputs(desk, TWO, **place, writeDisposition="WRITE_APPEND")["destinationTable"] == table
    assert service.run("SELECT count(*) FROM `acme.shop.people`") == [(4,)]
    assert "Already Exists" in error(desk, TWO, **place, writeDisposition="WRITE_EMPTY")
    replaced = outputs(desk, TWO, **place, writeDisposition="WRITE_TRUNCATE", fetchType="FETCH")
    assert replaced == {"destinationTable": table, "rows": ROWS, "size": 2}


def test_every_property_reaches_the_job(desk: TaskDesk, service: BigQueryStandIn) -> None:
    service.run("CREATE TABLE `acme.shop.orders` AS SELECT 1 AS n, DATE '2024-01-01' AS day", project="acme")
    outputs(
        desk,
        "SELECT * FROM `orders`",
        projectId="{{ 'acme' }}",
        location="EU",
        defaultDataset="shop",
        destinationTable="acme.shop.copy",
        writeDisposition="WRITE_TRUNCATE",
        createDisposition="CREATE_IF_NEEDED",
        clusteringFields=["n"],
        schemaUpdateOptions=["ALLOW_FIELD_ADDITION"],
        timePartitioningField="day",
        timePartitioningType="MONTH",
        priority="BATCH",
        allowLargeResults=True,
        useQueryCache="{{ false }}",
        maximumBillingTier=2,
        maximumBytesBilled="{{ 1000 }}",
        jobTimeout="PT90S",
        labels={"team": "{{ flow.id }}"},
        legacySql="{{ true }}",
    )
    asked = job(service)
    assert asked["labels"] == {"team": "desk"}
    assert asked["jobTimeoutMs"] == "90000"
    query = asked["query"]
    assert query.pop("query") == "SELECT * FROM `orders`"
    assert query == {
        "allowLargeResults": True,
        "clustering": {"fields": ["n"]},
        "createDisposition": "CREATE_IF_NEEDED",
        "defaultDataset": {"projectId": "acme", "datasetId": "shop"},
        "destinationTable": {"projectId": "acme", "datasetId": "shop", "tableId": "copy"},
        "flattenResults": True,
        "maximumBillingTier": 2,
        "maximumBytesBilled": "1000",
        "priority": "BATCH",
        "schemaUpdateOptions": ["ALLOW_FIELD_ADDITION"],
        "timePartitioning": {"type": "MONTH", "field": "day"},
        "useLegacySql": True,
        "useQueryCache": False,
        "writeDisposition": "WRITE_TRUNCATE",
    }
    ranges = {
        "rangePartitioningField": "n",
        "rangePartitioningStart": 0,
        "rangePartitioningEnd": 10,
        "rangePartitioningInterval": "{{ 2 }}",
    }
    outputs(desk, "SELECT 1 AS n", **ranges)
    assert job(service)["query"]["rangePartitioning"] == {
        "field": "n",
        "range": {"start": "0", "end": "10", "interval": "2"},
    }


def test_a_dry_run_only_measures(desk: TaskDesk, service: BigQueryStandIn) -> None:
    assert outputs(desk, TWO, dryRun=True, fetchType="FETCH") == {}
    assert job(service)["dryRun"] is True
    assert service.pages == []
    assert "total.bytes.processed" in {m.name for m in desk.notes.metrics}


# --- failures ----------------------------------------------------------------------------------------------------------


def test_wrong_sql_fails_with_the_service_s_own_message(desk: TaskDesk, service: BigQueryStandIn) -> None:
    assert "syntax error" in error(desk, "SELEC 1")
    assert len(service.jobs) == 1
    assert "`sql` is empty" in error(desk, "{{ '' }}")


def test_a_failure_that_passes_is_tried_again_as_a_new_job(desk: TaskDesk, service: BigQueryStandIn) -> None:
    service.fail_next("backendError", "try later")
    service.fail_next("other", "Could not serialize access due to concurrent update")
    assert outputs(desk, TWO, fetchType="FETCH", retryAuto=SOON)["size"] == 2
    assert len(service.jobs) == 3


def test_retries_end(desk: TaskDesk, service: BigQueryStandIn) -> None:
    for _ in range(3):
        service.fail_next("backendError", "try later")
    assert "try later" in error(desk, TWO, retryAuto=SOON)
    assert len(service.jobs) == 3
    service.fail_next("backendError", "try later")
    assert "try later" in error(desk, TWO, retryAuto=SOON, retryReasons=["rateLimitExceeded"])
    assert len(service.jobs) == 4


def test_a_timeout_cancels_the_job(desk: TaskDesk, service: BigQueryStandIn) -> None:
    message = error(desk, f"SELECT 1 {NEVER_ENDS}", timeout="PT0.3S")
    assert "Timeout" in message
    (only,) = service.jobs.values()
    desk.notes.wait_until(lambda _: only.cancelled)


# --- who asks ----------------------------------------------------------------------------------------------------------


def service_account(service: BigQueryStandIn) -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    return json.dumps(
        {
            "type": "service_account",
            "project_id": "of-the-key",
            "private_key": pem,
            "private_key_id": "1",
            "client_email": "robot@of-the-key.iam.gserviceaccount.com",
            "token_uri": f"{service.url}/token",
        }
    )


def test_a_service_account_signs_in_and_names_the_project(desk: TaskDesk, service: BigQueryStandIn) -> None:
    service.require_token = "good"
    assert "does not accept the credentials" in error(desk, TWO)
    assert outputs(desk, TWO, fetchType="FETCH", serviceAccount=service_account(service))["size"] == 2
    assert list(service.jobs.values())[-1].project == "of-the-key"


def test_a_key_that_is_none(desk: TaskDesk) -> None:
    assert "it is no JSON" in error(desk, TWO, serviceAccount="nothing")
    assert "no `private_key`" in error(desk, TWO, serviceAccount='{"type": "user"}')


# --- trigger -----------------------------------------------------------------------------------------------------------


def test_a_trigger_fires_when_there_are_rows(desk: TaskDesk) -> None:
    name = "io.kestra.plugin.gcp.bigquery.Trigger"
    cls: Any = desk.types.resolve(name)
    runner = TriggerRunner(desk.notes, desk.equipment)

    def fired(**properties: Any) -> Any:
        trigger = cls.model_validate({"id": "t", "type": name, **properties})
        return runner.evaluate(trigger, TriggerPlace("main", "company.team", "desk", 1, "exec")).result(timeout=30)

    try:
        found = fired(sql=TWO, fetchType="FETCH")
        assert (found["rows"], found["size"]) == (ROWS, 2)
        assert fired(sql="SELECT 1 AS x WHERE 1 = 0", fetchType="STORE") is None
        with pytest.raises(Exception, match="a trigger needs rows"):
            fired(sql=TWO)
    finally:
        runner.close()
