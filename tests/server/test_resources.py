"""Flows, keys, files, secrets, namespaces, triggers, webhooks, and the instance itself, over HTTP."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import httpx
import pytest

NAMESPACE = "tests.resources"
LOG = "io.kestra.plugin.core.log.Log"


def flow(flow_id: str, *, namespace: str = NAMESPACE, more: str = "") -> str:
    return f"id: {flow_id}\nnamespace: {namespace}\ntasks: [{{id: a, type: {LOG}, message: hi}}]\n{more}"


def save(client: httpx.Client, source: str) -> dict[str, Any]:
    answer = client.post("/flows", content=source)
    assert answer.status_code == 200, answer.text
    return answer.json()


# -- flows ----------------------------------------------------------------------------------------------------------------


def test_a_flow_from_first_to_last(client: httpx.Client) -> None:
    source = flow("life", more="# kept as written\n")
    assert save(client, source)["revision"] == 1
    again = client.put(f"/flows/{NAMESPACE}/life", content=source + "description: two\n").json()
    assert (again["revision"], again["description"]) == (2, "two")
    read = client.get(f"/flows/{NAMESPACE}/life", params={"revision": 1, "source": True}).json()
    assert (read["source"], read["disabled"], read["deleted"], read["draft"]) == (source, False, False, False)
    assert [r["revision"] for r in client.get(f"/flows/{NAMESPACE}/life/revisions").json()] == [1, 2]
    assert client.get(f"/flows/{NAMESPACE}/life/tasks/a").json() == {"id": "a", "type": LOG, "message": "hi"}
    assert client.delete(f"/flows/{NAMESPACE}/life/revisions", params={"revisions": "1"}).status_code == 200
    assert client.delete(f"/flows/{NAMESPACE}/life").status_code == 204
    assert client.get(f"/flows/{NAMESPACE}/life").status_code == 404
    assert client.get(f"/flows/{NAMESPACE}/life", params={"allowDeleted": True}).json()["deleted"] is True


def test_search_namespaces_and_lists(client: httpx.Client) -> None:
    save(client, flow("found", more="labels: {team: data}\n"))
    query = {"filters[labels][EQUALS][team]": "data", "filters[namespace][PREFIX]": "tests"}
    found = client.get("/flows/search", params=query).json()
    assert "found" in [f["id"] for f in found["results"]]
    assert NAMESPACE in client.get("/flows/distinct-namespaces", params={"q": "resour"}).json()
    assert "found" in [f["id"] for f in client.get(f"/flows/{NAMESPACE}").json()]
    assert NAMESPACE in client.get("/executions/namespaces").json()
    assert "found" in [f["id"] for f in client.get(f"/executions/namespaces/{NAMESPACE}/flows").json()]
    (hit,) = client.get("/flows/source", params={"q": "team: data", "namespace": NAMESPACE}).json()["results"]
    assert (hit["id"], hit["model"]["id"], len(hit["fragments"])) == ("found", "found", 1)


def test_bulk_changes_count_what_changed(client: httpx.Client) -> None:
    save(client, flow("switch"))
    named = [{"namespace": NAMESPACE, "id": "switch"}]
    assert client.post("/flows/disable/by-ids", json=named).json() == {"count": 1}
    assert client.post("/flows/disable/by-ids", json=named).json() == {"count": 0}
    assert client.post(f"/executions/{NAMESPACE}/switch").status_code == 409
    query = {"filters[flowId][EQUALS]": "switch"}
    assert client.post("/flows/enable/by-query", params=query).json() == {"count": 1}
    assert client.post("/flows/enable/by-query?namespace=x").status_code == 400
    assert client.request("DELETE", "/flows/delete/by-query", params=query).json() == {"count": 1}


def test_upsert_of_a_namespace_removes_what_is_not_named(client: httpx.Client) -> None:
    place = "tests.upsert"
    both = "\n---\n".join(flow(name, namespace=place) for name in ("one", "two"))
    assert [f["id"] for f in client.post(f"/flows/{place}", content=both).json()] == ["one", "two"]
    assert client.post(f"/flows/{place}", content=flow("one", namespace=place)).status_code == 200
    assert [f["id"] for f in client.get(f"/flows/{place}").json()] == ["one"]
    kept = client.post("/flows/bulk?delete=false", content=flow("three", namespace=place))
    assert kept.status_code == 200
    assert [f["id"] for f in client.get(f"/flows/{place}").json()] == ["one", "three"]


def test_validation_is_200_also_for_what_is_not_valid(client: httpx.Client) -> None:
    text = flow("fine") + "\n---\n" + flow("wrong").replace("message: hi", "messag: hi")
    fine, wrong = client.post("/flows/validate", content=text).json()
    assert "constraints" not in fine
    assert "messag" in wrong["constraints"]
    (of_file,) = client.post("/flows/validate", files={"f": ("a.yml", flow("fine"))}).json()
    assert of_file["filename"] == "a.yml"


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("task?section=TASKS", f"id: a\ntype: {LOG}\nmessage: x", None),
        ("task?section=TASKS", f'{{"id": "a", "type": "{LOG}"}}', "message: must not be null"),
        ("task?section=TRIGGERS", "id: t\ntype: io.kestra.plugin.core.trigger.Schedule\ncron: 0 9 * * *", None),
        ("trigger", "id: t\ntype: io.kestra.plugin.core.trigger.Nope", "Invalid type"),
        ("task?section=TASKS", "id: [", "YAML"),
    ],
)
def test_validation_of_one_part(client: httpx.Client, path: str, body: str, expected: str | None) -> None:
    answer = client.post(f"/flows/validate/{path}", content=body)
    assert answer.status_code == 200
    found = answer.json().get("constraints")
    assert found is None if expected is None else expected in found


def test_export_and_import(client: httpx.Client) -> None:
    source = flow("moved", more="# a comment stays\n")
    save(client, source)
    archive = client.post("/flows/export/by-ids", json=[{"namespace": NAMESPACE, "id": "moved"}])
    with zipfile.ZipFile(io.BytesIO(archive.content)) as files:
        (name,) = files.namelist()
        assert files.read(name).decode() == source
    client.delete(f"/flows/{NAMESPACE}/moved")
    assert client.post("/flows/import", files={"fileUpload": ("flows.zip", archive.content)}).json() == []
    assert client.get(f"/flows/{NAMESPACE}/moved", params={"source": True}).json()["source"] == source
    two = flow("moved") + "\n---\nid: [\n"
    assert client.post("/flows/import", files={"fileUpload": ("flows.yaml", two)}).json() == ["1"]
    assert client.post("/flows/import", files={"fileUpload": ("flows.txt", two)}).status_code == 422
    assert client.get("/flows/export/by-query", params={"filters[flowId][EQUALS]": "moved"}).content[:2] == b"PK"
    table = client.get("/flows/export/by-query/csv", params={"filters[flowId][EQUALS]": "moved"}).text.splitlines()
    assert table[0].startswith("id,namespace")


GRAPH = """
id: graph
namespace: tests.resources
tasks:
  - {id: first, type: io.kestra.plugin.core.log.Log, message: a}
  - id: both
    type: io.kestra.plugin.core.flow.Parallel
    tasks:
      - {id: left, type: io.kestra.plugin.core.log.Log, message: a}
      - {id: right, type: io.kestra.plugin.core.log.Log, message: a}
  - id: choice
    type: io.kestra.plugin.core.flow.If
    condition: "true"
    then: [{id: yes1, type: io.kestra.plugin.core.log.Log, message: a}]
    else: [{id: no1, type: io.kestra.plugin.core.log.Log, message: a}]
  - id: dag
    type: io.kestra.plugin.core.flow.Dag
    tasks:
      - task: {id: d1, type: io.kestra.plugin.core.log.Log, message: a}
      - {task: {id: d2, type: io.kestra.plugin.core.log.Log, message: a}, dependsOn: [d1]}
errors: [{id: oops, type: io.kestra.plugin.core.log.Log, message: a}]
triggers: [{id: daily, type: io.kestra.plugin.core.trigger.Schedule, cron: 0 9 * * *}]
"""


def test_the_topology_of_a_flow(client: httpx.Client) -> None:
    save(client, GRAPH)
    graph = client.get(f"/flows/{NAMESPACE}/graph/graph").json()
    unsaved = client.post("/flows/graph", content=GRAPH).json()
    assert {name: len(graph[name]) for name in graph} == {name: len(unsaved[name]) for name in unsaved}
    uids = [n["uid"] for n in graph["nodes"]]
    assert len(uids) == len(set(uids))
    assert {e for edge in graph["edges"] for e in (edge["source"], edge["target"])} <= set(uids)
    kinds = {(e["source"], e["target"]): e["relation"].get("relationType") for e in graph["edges"]}
    assert kinds["root.both", "root.both.left"] == "PARALLEL"
    assert kinds["root.choice", "root.choice.no1"] == "CHOICE"
    assert kinds["root.dag.d1", "root.dag.d2"] == "SEQUENTIAL"
    assert next(n for n in graph["nodes"] if n["uid"] == "root.oops")["branchType"] == "ERROR"
    assert {c["cluster"]["uid"] for c in graph["clusters"]} == {
        "cluster_root.both", "cluster_root.choice", "cluster_root.dag", "cluster_root.Triggers",
    }  # fmt: skip


def test_the_topology_of_an_execution_has_its_task_runs(client: httpx.Client) -> None:
    save(client, flow("traced"))
    body = client.post(f"/executions/{NAMESPACE}/traced?wait=true").json()
    graph = client.get(f"/executions/{body['id']}/graph").json()
    (node,) = [n for n in graph["nodes"] if "taskRun" in n]
    assert (node["task"]["id"], node["taskRun"]["state"]["current"]) == ("a", "SUCCESS")


def test_dependencies_by_tasks_and_triggers(client: httpx.Client) -> None:
    save(client, flow("leaf"))
    call = "{id: call, type: io.kestra.plugin.core.flow.Subflow, namespace: tests.resources, flowId: leaf}"
    save(client, f"id: caller\nnamespace: {NAMESPACE}\ntasks: [{call}]\n")
    listens = """triggers:
  - id: after
    type: io.kestra.plugin.core.trigger.Flow
    preconditions: {id: p, flows: [{namespace: tests.resources, flowId: caller}]}
"""
    save(client, flow("listener", more=listens))
    found = client.get(f"/flows/{NAMESPACE}/caller/dependencies").json()
    assert found["nodes"][0] == {"uid": "main_tests.resources_caller", "namespace": NAMESPACE, "id": "caller"}
    edges = {(e["source"].rpartition("_")[2], e["target"].rpartition("_")[2], e["relation"]) for e in found["edges"]}
    assert edges == {("caller", "leaf", "FLOW_TASK"), ("caller", "listener", "FLOW_TRIGGER")}
    up = client.get(f"/flows/{NAMESPACE}/leaf/dependencies").json()
    assert {n["id"] for n in up["nodes"]} == {"leaf", "caller"}
    deep = client.get(f"/flows/{NAMESPACE}/leaf/dependencies", params={"expandAll": True}).json()
    assert {n["id"] for n in deep["nodes"]} == {"leaf", "caller", "listener"}
    down = client.get(f"/flows/{NAMESPACE}/leaf/dependencies", params={"destinationOnly": True}).json()
    assert down["edges"] == []
    whole = client.get(f"/namespaces/{NAMESPACE}/dependencies").json()
    assert {("caller", "leaf")} <= {
        (e["source"].rpartition("_")[2], e["target"].rpartition("_")[2]) for e in whole["edges"]
    }


def test_words_for_the_editor(client: httpx.Client) -> None:
    found = client.post("/flows/expressions", content=flow("x", more="inputs: [{id: n, type: INT}]\n")).json()[
        "categories"
    ]
    assert "inputs.n" in found["inputs"]
    assert "upper" in found["filters"]
    assert client.post("/flows/expressions", content="id: [").status_code == 200


def test_concurrency_limits(client: httpx.Client) -> None:
    save(client, flow("limited", more="concurrency: {limit: 2}\n"))
    entry = {"tenantId": "main", "namespace": NAMESPACE, "flowId": "limited", "running": 0}
    assert entry in client.get("/concurrency-limit/search").json()["results"]
    assert client.put(f"/concurrency-limit/{NAMESPACE}/limited", json={**entry, "running": 7}).json() == entry


# -- what a namespace holds -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ('"red"', "STRING", "red"),
        ("red", "STRING", "red"),
        ("7", "NUMBER", 7),
        ("true", "BOOLEAN", True),
        ('{"a": [1]}', "JSON", {"a": [1]}),
        ("2026-01-31", "DATE", "2026-01-31"),
        ("PT1H", "DURATION", "PT1H"),
    ],
)
def test_a_key_has_the_type_of_its_text(client: httpx.Client, text: str, kind: str, value: object) -> None:
    place = f"/namespaces/{NAMESPACE}/kv/typed"
    assert client.put(place, content=text).status_code == 200
    found = client.get(place).json()
    assert (found["type"], found["value"]) == (kind, value)


def test_keys_are_listed_inherited_and_deleted(client: httpx.Client) -> None:
    client.put("/namespaces/tests/kv/upper", content="1")
    client.put(f"/namespaces/{NAMESPACE}/kv/lower", content="1", headers={"ttl": "PT1H", "description": "mine"})
    (lower,) = [e for e in client.get(f"/namespaces/{NAMESPACE}/kv").json() if e["key"] == "lower"]
    assert (lower["description"], "expirationDate" in lower) == ("mine", True)
    assert "upper" in [e["key"] for e in client.get(f"/namespaces/{NAMESPACE}/kv/inheritance").json()]
    found = client.get("/kv", params={"filters[namespace][EQUALS]": NAMESPACE, "filters[q][EQUALS]": "low"}).json()
    assert [e["key"] for e in found["results"]] == ["lower"]
    gone = client.request("DELETE", f"/namespaces/{NAMESPACE}/kv", json={"keys": ["lower", "nothing"]})
    assert gone.json() == {"keys": ["lower"]}
    assert client.delete(f"/namespaces/{NAMESPACE}/kv/lower").json() is False
    assert client.put(f"/namespaces/{NAMESPACE}/kv/lower", content="1", headers={"ttl": "soon"}).status_code == 422


def test_namespace_files(client: httpx.Client) -> None:
    place = f"/namespaces/{NAMESPACE}/files"
    for content in (b"one", b"two!"):
        assert (
            client.post(place, params={"path": "/dir/a.txt"}, files={"fileContent": ("f.txt", content)}).status_code
            == 200
        )
    assert client.get(place, params={"path": "/dir/a.txt"}).content == b"two!"
    assert client.get(place, params={"path": "/dir/a.txt", "revision": 1}).content == b"one"
    assert client.get(f"{place}/revisions", params={"path": "/dir/a.txt"}).json() == [{"revision": 1}, {"revision": 2}]
    stats = client.get(f"{place}/stats", params={"path": "/dir/a.txt"}).json()
    assert (stats["fileName"], stats["type"], stats["size"]) == ("a.txt", "File", 4)
    assert isinstance(stats["lastModifiedTime"], int)
    assert [(e["fileName"], e["type"]) for e in client.get(f"{place}/directory").json()] == [("dir", "Directory")]
    assert client.get(f"{place}/search", params={"q": "a.t"}).json() == ["/dir/a.txt"]
    assert client.put(place, params={"from": "/dir/a.txt", "to": "/b.txt"}).status_code == 200
    assert client.get(place, params={"path": "/dir/a.txt"}).status_code == 404
    with zipfile.ZipFile(io.BytesIO(client.get(f"{place}/export").content)) as archive:
        assert "b.txt" in [name.strip("/") for name in archive.namelist()]
    assert client.post(place, params={"path": "/empty"}, files={"fileContent": ("e", b"")}).status_code == 200
    assert client.get(place, params={"path": "/empty"}).content == b""
    assert client.delete(place, params={"path": "/b.txt"}).status_code == 200


def test_a_secret_is_never_shown(client: httpx.Client) -> None:
    place = f"/namespaces/{NAMESPACE}/secrets"
    body = {"key": "TOKEN", "value": "s3cr3t-value", "description": "a token", "tags": [{"key": "a", "value": "b"}]}
    assert "TOKEN" in client.put(place, json=body).json()
    shown = client.get("/secrets", params={"filters[namespace][EQUALS]": NAMESPACE})
    assert "s3cr3t" not in shown.text
    assert shown.json()["results"][0] == {**shown.json()["results"][0], "key": "TOKEN", "description": "a token"}
    assert shown.json()["readOnly"] is False
    assert client.get(f"/namespaces/{NAMESPACE}/inherited-secrets").json()[NAMESPACE] == ["TOKEN"]
    assert client.delete(f"{place}/TOKEN").status_code == 204
    assert client.delete(f"{place}/TOKEN").status_code == 404


def test_namespaces_come_from_flows(client: httpx.Client) -> None:
    save(client, flow("deep", namespace="tests.very.deep"))
    ids = [n["id"] for n in client.get("/namespaces/search", params={"q": "tests", "size": 50}).json()["results"]]
    assert {"tests", "tests.very", "tests.very.deep"} <= set(ids)
    existing = client.get("/namespaces/search", params={"existing": True, "size": 50}).json()["results"]
    assert "tests.very" not in [n["id"] for n in existing]
    assert client.get("/namespaces/tests.very").json() == {"id": "tests.very", "deleted": False}
    assert client.get("/namespaces/system").status_code == 200
    assert "tests.very.deep" in client.post("/namespaces/autocomplete", json={"q": "deep", "ids": []}).json()
    assert client.post("/namespaces/autocomplete").status_code == 200


# -- triggers -------------------------------------------------------------------------------------------------------------

SCHEDULE = "triggers: [{id: daily, type: io.kestra.plugin.core.trigger.Schedule, cron: 0 9 * * *}]\n"


def test_triggers_are_found_switched_and_asked(client: httpx.Client) -> None:
    save(client, flow("daily", more=SCHEDULE))
    key = {"namespace": NAMESPACE, "flowId": "daily", "triggerId": "daily"}
    query = {"filters[flowId][EQUALS]": "daily", "filters[namespace][EQUALS]": NAMESPACE}
    while not (found := client.get("/triggers/search", params=query).json())["total"]:
        pass
    assert found["results"][0]["trigger"]["cron"] == "0 9 * * *"
    assert found["results"][0]["state"]["kind"] == "SCHEDULE"
    assert client.put("/triggers/set-disabled", json={**key, "disabled": True}).json()["disabled"] is True
    old = client.put("/triggers", json={**key, "disabled": False, "date": None}).json()
    assert old["disabled"] is False
    assert len(client.get(f"/triggers/{NAMESPACE}/daily/daily/next-dates", params={"count": 3}).json()) == 3
    assert client.get(f"/triggers/{NAMESPACE}/daily").json()["total"] == 1
    assert client.post(f"/triggers/{NAMESPACE}/daily/daily/unlock").status_code == 409
    refused = client.delete(f"/triggers/{NAMESPACE}/daily/daily")
    assert (refused.status_code, "because the flow still declares it" in refused.json()["detail"]) == (409, True)
    assert client.request("DELETE", "/triggers/delete/by-triggers", json=[key]).json()["totalItems"] == 0
    switched = client.post("/triggers/set-disabled/by-query", params={**query, "disabled": "true"})
    assert (switched.status_code, switched.json()["count"]) == (202, 1)
    disabled = client.get("/triggers/search", params={**query, "filters[triggerState][EQUALS]": "DISABLED"}).json()
    assert disabled["total"] == 1
    assert client.get("/triggers/search", params={**query, "filters[locked][EQUALS]": "true"}).json()["total"] == 0
    assert "triggerId" in client.get("/triggers/export/by-query/csv", params=query).text


def test_a_backfill_runs_its_dates(client: httpx.Client) -> None:
    save(client, flow("filled", more=SCHEDULE))
    key = {"namespace": NAMESPACE, "flowId": "filled", "triggerId": "daily"}
    while client.get(f"/triggers/{NAMESPACE}/filled").json()["total"] == 0:
        pass
    backfill = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-03T23:00:00Z", "labels": [{"key": "b", "value": "f"}]}
    answer = client.put("/triggers/backfill/create", json={**key, "backfill": backfill})
    assert answer.status_code == 200, answer.text
    query = {"filters[flowId][EQUALS]": "filled", "filters[labels][EQUALS][b]": "f", "filters[state][IN]": "SUCCESS"}
    while client.get("/executions/search", params=query).json()["total"] < 3:
        pass
    assert client.put("/triggers/backfill/pause", json=key).status_code == 409
    assert client.put("/triggers/backfill/create", json=key).status_code == 400


HOOK = """
id: {id}
namespace: tests.resources
tasks: [{{id: a, type: io.kestra.plugin.core.debug.Return, format: "{{{{ trigger.body.a }}}}"}}]
outputs: [{{id: said, type: STRING, value: "{{{{ outputs.a.value }}}}"}}]
triggers: [{{id: web, type: io.kestra.plugin.core.trigger.Webhook, key: k{more}}}]
"""


def test_webhooks(client: httpx.Client) -> None:
    save(client, HOOK.format(id="hook", more=""))
    place = f"/executions/webhook/{NAMESPACE}/hook/k"
    for method in ("POST", "PUT", "GET"):
        body = client.request(method, f"{place}/deeper/path?x=1&x=2", json={"a": 1}).json()
        assert body["state"]["current"] == "CREATED"
        assert body["trigger"]["variables"]["parameters"] == {"x": ["1", "2"]}
    assert client.post(f"/executions/webhook/{NAMESPACE}/hook/wrong").status_code == 404
    client.post("/flows/disable/by-ids", json=[{"namespace": NAMESPACE, "id": "hook"}])
    assert client.post(place).status_code == 409


def test_a_webhook_waits_and_returns_outputs(client: httpx.Client) -> None:
    save(client, HOOK.format(id="waiting", more=", wait: true, returnOutputs: true"))
    answer = client.post(f"/executions/webhook/{NAMESPACE}/waiting/k", json={"a": "hello"})
    assert answer.json() == {"said": "hello"}


def test_a_webhook_whose_condition_does_not_hold_is_204(client: httpx.Client) -> None:
    save(client, HOOK.format(id="choosy", more=", when: \"{{ trigger.body.a == 'yes' }}\""))
    place = f"/executions/webhook/{NAMESPACE}/choosy/k"
    assert (client.post(place, json={"a": "no"}).status_code, client.post(place, json={"a": "yes"}).status_code) == (
        204,
        200,
    )


# -- the instance ---------------------------------------------------------------------------------------------------------


def test_the_instance(live_url: str) -> None:
    assert httpx.get(f"{live_url}/ping").text == "pong"
    assert httpx.get(f"{live_url}/health").json()["status"] == "UP"
    assert httpx.get(f"{live_url}/health/liveness").json()["status"] == "UP"
    configs = httpx.get(f"{live_url}/api/v1/configs").json()
    assert configs["version"].split(".")[0] == "2"
    assert httpx.get(f"{live_url}/version").json()["version"] == f"{configs['version']}-oss"
    assert "upper" in httpx.get(f"{live_url}/api/v1/pebble/filters").json()
    assert {"name": "now"}.items() <= next(
        f for f in httpx.get(f"{live_url}/api/v1/pebble/functions").json() if f["name"] == "now"
    ).items()
    assert httpx.get(f"{live_url}/api/v1/main/usages/all").json()["flows"]["count"] >= 0


def test_plugins(live_url: str) -> None:
    groups = httpx.get(f"{live_url}/api/v1/plugins").json()["results"]
    assert LOG in [t["cls"] for g in groups for t in g["tasks"]]
    assert "io.kestra.plugin.core.trigger.Schedule" in [t["cls"] for g in groups for t in g["triggers"]]
    page = httpx.get(f"{live_url}/api/v1/plugins/{LOG}").json()
    assert "message" in page["schema"]["properties"]["properties"]
    assert httpx.get(f"{live_url}/api/v1/plugins/io.kestra.Nope").status_code == 404
    assert {i["type"] for i in httpx.get(f"{live_url}/api/v1/plugins/inputs").json()} >= {"STRING", "FILE"}
    assert httpx.get(f"{live_url}/api/v1/plugins/inputs/int").json()["schema"]["properties"]
    schema = httpx.get(f"{live_url}/api/v1/plugins/schemas/flow").json()
    assert "Flow" in schema["$defs"]
    listed = httpx.get(f"{live_url}/api/v1/plugins/schemas/task?arrayOf=true").json()
    assert (listed["type"], "$defs" in listed) == ("array", True)
    assert httpx.get(f"{live_url}/api/v1/plugins/schemas/nope").status_code == 404
    triggers = httpx.get(f"{live_url}/api/v1/plugins/triggers").json()["results"]
    assert {"cls": "io.kestra.plugin.core.trigger.Webhook"} in triggers
    assert httpx.get(f"{live_url}/api/v1/plugins/{LOG}/versions").json()["type"] == LOG


def test_the_address_without_a_tenant(live_url: str) -> None:
    assert httpx.get(f"{live_url}/api/v1/flows/search").json()["results"] is not None


def test_retention_is_shown_and_forecast(client: httpx.Client) -> None:
    save(client, flow("kept"))
    client.post(f"/executions/{NAMESPACE}/kept", params={"wait": True})

    soon = client.get("/retention", params={"days": 29}).json()
    later = client.get("/retention", params={"days": 31}).json()

    assert [(one["kind"], one["keepDays"], one["executions"]) for one in soon["due"]] == [("EXECUTIONS", 30.0, 0)]
    assert soon["forecast"] == {}
    assert sum(later["forecast"].values()) >= 1
    assert client.get("/retention", params={"days": 0}).status_code == 400


def test_the_schema_of_a_list_resolves(client: httpx.Client) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    root = str(client.base_url).replace("/main", "")
    schema = httpx.get(f"{root}plugins/schemas/task", params={"arrayOf": True}, timeout=60).json()
    check = jsonschema.Draft202012Validator(schema)
    assert check.is_valid([{"id": "a", "type": LOG, "message": "hi"}])
    assert not check.is_valid([{"id": "a", "type": LOG, "messages": "hi"}])
