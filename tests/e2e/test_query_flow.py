"""The best-practices page's own example, whole: a Query, then a Switch and an EachParallel over its rows."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.standins.bigquery import BigQueryStandIn

from penstock.app import App
from penstock.catalog.launch import Wish
from penstock.model.state import State
from penstock.settings import load_settings

FLOW = """
id: orders
namespace: company.team
tasks:
  - id: query
    type: io.kestra.plugin.gcp.bigquery.Query
    projectId: acme
    sql: SELECT id, name, price FROM `shop.orders` ORDER BY id
    fetchType: FETCH
  - id: how_many
    type: io.kestra.plugin.core.flow.Switch
    value: "{{ outputs.query.size > 2 ? 'many' : 'few' }}"
    cases:
      many:
        - id: many
          type: io.kestra.plugin.core.debug.Return
          format: "{{ outputs.query.size }} rows, the first is {{ outputs.query.rows[0].name }}"
      few:
        - id: few
          type: io.kestra.plugin.core.debug.Return
          format: few
  - id: each
    type: io.kestra.plugin.core.flow.EachParallel
    value: "{{ outputs.query.rows }}"
    tasks:
      - id: say
        type: io.kestra.plugin.core.debug.Return
        format: "{{ json(taskrun.value).name }} costs {{ json(taskrun.value).price }}"
  - id: store
    type: io.kestra.plugin.gcp.bigquery.Query
    projectId: acme
    sql: SELECT id, name FROM `shop.orders`
    store: true
  - id: local
    type: io.kestra.plugin.jdbc.sqlite.Query
    sql: SELECT :price * 2 AS double
    parameters:
      price: "{{ outputs.query.rows[1].price }}"
    fetchType: FETCH_ONE
outputs:
  - id: double
    type: FLOAT
    value: "{{ outputs.local.row.double }}"
  - id: stored
    type: STRING
    value: "{{ read(outputs.store.uri) }}"
"""


@pytest.fixture
def service() -> Iterator[BigQueryStandIn]:
    with BigQueryStandIn(polls_until_done=1) as made:
        made.run(
            """CREATE TABLE `shop.orders` AS SELECT * FROM (VALUES
               (1, 'ada', 1.50::DECIMAL(5, 2)), (2, 'grace', 2.25), (3, 'linus', 4)) t(id, name, price)""",
            project="acme",
        )
        yield made


@pytest.fixture
def app(tmp_path: Path, service: BigQueryStandIn) -> Iterator[App]:
    made = App(
        load_settings(overrides={"home": str(tmp_path), "plugins": {"gcp.bigquery.endpoint": service.url}}), env={}
    )
    made.start()
    yield made
    made.stop()


def run(app: App, source: str) -> str:
    """Runs a flow to its end; the id of the execution."""
    prepared = app.launcher.start(app.shelf.put("main", source), Wish())
    execution_id = prepared.execution.id
    ended = threading.Event()
    app.feed.on_change(lambda change: ended.set() if change.closed else None, execution_id)
    app.executor.submit(prepared.command).result()
    assert ended.wait(60)
    return execution_id


def outputs_by_task(app: App, execution_id: str) -> dict[str, list[Any]]:
    """The outputs of each task's runs."""
    found: dict[str, list[Any]] = {}
    reads = app.store.reads
    for listed in reads.outputs(execution_id, owner=None):
        row = reads.output(execution_id, listed.task_run_id)
        assert row is not None
        found.setdefault(row.task_id, []).append(app.keeper.read("main", row))
    return found


def test_query_then_switch_and_each_over_its_rows(app: App) -> None:
    execution_id = run(app, FLOW)
    stored = app.store.reads.execution("main", execution_id)
    assert stored is not None
    assert stored.execution.state is State.SUCCESS
    found = outputs_by_task(app, execution_id)
    assert found["query"][0]["rows"] == [
        {"id": 1, "name": "ada", "price": 1.5},
        {"id": 2, "name": "grace", "price": 2.25},
        {"id": 3, "name": "linus", "price": 4.0},
    ]
    assert found["many"] == [{"value": "3 rows, the first is ada"}]
    assert "few" not in found
    assert sorted(each["value"] for each in found["say"]) == ["ada costs 1.5", "grace costs 2.25", "linus costs 4.0"]
    assert sorted(found["store"][0]) == ["jobId", "size", "uri"]
    row = app.store.reads.execution_outputs(execution_id)
    assert row is not None
    ended = app.keeper.read("main", row)
    assert ended["double"] == 4.5
    assert ended["stored"] == '{id:1,name:"ada"}\n{id:2,name:"grace"}\n{id:3,name:"linus"}\n'
