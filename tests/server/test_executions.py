"""Executions over HTTP: start, wait, read, act, follow, children, outputs, files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

NAMESPACE = "tests.executions"

FLOWS = {
    "hello": """
id: hello
namespace: tests.executions
labels: {team: data}
inputs:
  - {id: name, type: STRING, defaults: Ada}
  - {id: data, type: FILE, required: false}
tasks:
  - {id: say, type: io.kestra.plugin.core.debug.Return, format: "Hi {{ inputs.name }}"}
  - {id: log, type: io.kestra.plugin.core.log.Log, message: "{{ outputs.say.value }}"}
outputs:
  - {id: text, type: STRING, value: "{{ outputs.say.value }}"}
""",
    "waits": """
id: waits
namespace: tests.executions
tasks:
  - id: ask
    type: io.kestra.plugin.core.flow.Pause
    onResume: [{id: ok, type: BOOL}]
""",
    "fails": """
id: fails
namespace: tests.executions
tasks: [{id: boom, type: io.kestra.plugin.core.execution.Fail, errorMessage: it broke}]
""",
    "loops": """
id: loops
namespace: tests.executions
tasks:
  - id: loop
    type: io.kestra.plugin.core.flow.Loop
    values: [a, b, c]
    tasks: [{id: item, type: io.kestra.plugin.core.debug.Return, format: "{{ item.value }}"}]
""",
    "many": """
id: many
namespace: tests.executions
tasks:
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    values: "{{ range(1, 1300) }}"
    concurrencyLimit: 0
    tasks: [{id: item, type: io.kestra.plugin.core.debug.Return, format: x}]
""",
    "parent": """
id: parent
namespace: tests.executions
tasks: [{id: call, type: io.kestra.plugin.core.flow.Subflow, namespace: tests.executions, flowId: hello, wait: true}]
""",
    "restart": """
id: restart
namespace: tests.executions
tasks: [{id: a, type: io.kestra.plugin.core.log.Log, message: a flow named like a verb}]
""",
}


@pytest.fixture(scope="module", autouse=True)
def _flows(client: httpx.Client) -> None:
    for source in FLOWS.values():
        assert client.post("/flows", content=source).status_code == 200, source


def start(client: httpx.Client, flow: str, *, wait: bool = True, **parts: Any) -> dict[str, Any]:
    answer = client.post(f"/executions/{NAMESPACE}/{flow}", params={"wait": str(wait).lower()}, **parts)
    assert answer.status_code == 200, answer.text
    return answer.json()


def until(client: httpx.Client, execution_id: str, state: str) -> dict[str, Any]:
    while (body := client.get(f"/executions/{execution_id}").json())["state"]["current"] != state:
        pass
    return body


def test_wait_answers_the_ended_execution(client: httpx.Client) -> None:
    body = start(client, "hello", files={"name": (None, "Bob")})
    assert body["state"]["current"] == "SUCCESS"
    assert body["inputs"]["name"] == "Bob"
    assert [r["taskId"] for r in body["taskRunList"]] == ["say", "log"]
    assert body["url"].endswith(f"/ui/main/executions/{NAMESPACE}/hello/{body['id']}")
    assert "outputs" not in body


def test_labels_and_correlation_are_taken_from_the_query(client: httpx.Client) -> None:
    query = [("labels", "a:b"), ("labels", "system.correlationId:x"), ("wait", "true")]
    body = client.post(f"/executions/{NAMESPACE}/hello", params=query).json()
    assert {x["key"]: x["value"] for x in body["labels"]} == {
        "team": "data", "a": "b", "system.from": "api", "system.correlationId": "x",
    }  # fmt: skip


@pytest.mark.parametrize("query", ["labels=nocolon", "labels=system.x:y", "kind=ODD"])
def test_what_a_start_cannot_take_is_422(client: httpx.Client, query: str) -> None:
    assert client.post(f"/executions/{NAMESPACE}/hello?{query}").status_code == 422


def test_a_schedule_date_that_is_none_is_refused(client: httpx.Client) -> None:
    assert client.post(f"/executions/{NAMESPACE}/hello?scheduleDate=soon").status_code == 400


def test_outputs_in_all_three_forms(client: httpx.Client) -> None:
    body = start(client, "hello")
    execution_id, run_id = body["id"], body["taskRunList"][0]["id"]
    assert client.get(f"/outputs/executions/{execution_id}").json() == {"text": "Hi Ada"}
    listed = [{"taskId": "say", "taskRunId": run_id, "inline": True}]
    assert client.get(f"/outputs/tasks/{execution_id}").json() == listed
    assert client.get(f"/outputs/{execution_id}").json() == listed
    assert client.get(f"/outputs/tasks/{execution_id}/{run_id}").json() == {"value": "Hi Ada"}
    assert client.get(f"/outputs/{execution_id}/{run_id}").json() == {"value": "Hi Ada"}
    assert client.get(f"/outputs/{execution_id}/nothing").status_code == 404


def test_a_file_input_can_be_downloaded_again(client: httpx.Client) -> None:
    content = b"id,name\n1,a\n2,b\n3,c\n"
    body = start(client, "hello", files={"data": ("rows.csv", content)})
    uri, execution_id = body["inputs"]["data"], body["id"]
    place = f"/executions/{execution_id}/file"
    whole = client.get(place, params={"path": uri})
    assert whole.content == content
    assert whole.headers["content-disposition"] == 'attachment; filename="rows.csv"'
    for asked, expected in (("bytes=0-1", b"id"), ("bytes=-2", b"c\n"), ("bytes=17-", b",c\n")):
        part = client.get(place, params={"path": uri}, headers={"Range": asked})
        assert (part.status_code, part.content) == (206, expected)
        assert part.headers["content-range"].endswith(f"/{len(content)}")
    assert client.get(place, params={"path": uri}, headers={"Range": "bytes=99-"}).status_code == 416
    assert client.get(f"{place}/metas", params={"path": uri}).json() == {"size": len(content)}
    preview = client.get(f"{place}/preview", params={"path": uri, "maxRows": 2}).json()
    assert (preview["type"], preview["truncated"], len(preview["content"])) == ("LIST", True, 2)
    rows = client.get(place, params={"path": uri, "format": "JSONL"}).text.splitlines()
    assert json.loads(rows[0])["name"] == "a"


def test_a_file_of_another_execution_is_answered_by_a_redirect(client: httpx.Client) -> None:
    owner = start(client, "hello", files={"data": ("a.txt", b"a")})
    other = start(client, "hello")
    answer = client.get(f"/executions/{other['id']}/file", params={"path": owner["inputs"]["data"]})
    assert answer.status_code == 307
    assert f"/executions/{owner['id']}/file" in answer.headers["location"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("kestra:///tests/executions/_files/secret.txt", 422),
        ("kestra:///tests/executions/hello/executions/x/../../../other", 400),
        ("kestra:///tests/executions/hello/executions/%2e%2e/a", 400),
        ("/etc/passwd", 422),
        ("file:///etc/passwd", 422),
    ],
)
def test_a_path_outside_is_refused(client: httpx.Client, path: str, status: int) -> None:
    execution_id = start(client, "hello")["id"]
    assert client.get(f"/executions/{execution_id}/file", params={"path": path}).status_code == status


def test_inputs_are_checked_without_a_start(client: httpx.Client) -> None:
    before = client.get("/executions/search", params={"size": 1}).json()["total"]
    body = client.post(f"/executions/{NAMESPACE}/hello/validate", files={"name": (None, "Eve")}).json()
    name = body["inputs"][0]
    assert (name["input"]["id"], name["value"], name["isDefault"]) == ("name", "Eve", False)
    assert client.get("/executions/search", params={"size": 1}).json()["total"] == before


# -- actions --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["actions/resume", "resume"])
def test_resume_takes_inputs(client: httpx.Client, form: str) -> None:
    execution_id = start(client, "waits", wait=False)["id"]
    until(client, execution_id, "PAUSED")
    missing = client.post(f"/executions/{execution_id}/{form}")
    assert (missing.status_code, missing.json()["message"]) == (422, "Invalid entity: Missing required input:ok")
    checked = client.post(f"/executions/{execution_id}/{form}/validate", files={"ok": (None, "true")}).json()
    assert checked["inputs"][0]["value"] is True
    assert client.post(f"/executions/{execution_id}/{form}", files={"ok": (None, "true")}).status_code == 200
    until(client, execution_id, "SUCCESS")


@pytest.mark.parametrize("prefix", ["actions/", ""])
def test_verbs_of_an_ended_execution(client: httpx.Client, prefix: str) -> None:
    execution_id = start(client, "fails")["id"]
    place = f"/executions/{execution_id}/{prefix}"
    assert client.delete(f"{place}kill?isOnKillCascade=false").status_code == 409
    assert client.post(f"{place}pause").status_code == 409
    replayed = client.post(f"{place}replay").json()
    assert (replayed["parentId"], replayed["originalId"]) == (execution_id, execution_id)
    labelled = client.post(f"{place}labels", json=[{"key": "seen", "value": "yes", "additional_properties": {}}]).json()
    assert {"key": "seen", "value": "yes"} in labelled["labels"]
    changed = client.post(f"{place}change-status", params={"status": "WARNING"})
    assert changed.json()["state"]["current"] == "WARNING"


def test_a_flow_may_be_named_like_a_verb(client: httpx.Client) -> None:
    body = start(client, "restart")
    assert (body["flowId"], body["state"]["current"]) == ("restart", "SUCCESS")
    assert client.post("/executions/nothing/restart").status_code == 404


def test_eval_answers_what_is_wrong_too(client: httpx.Client) -> None:
    body = start(client, "hello")
    place, run_id = f"/executions/{body['id']}", body["taskRunList"][1]["id"]
    assert client.post(f"{place}/actions/eval", content="{{ outputs.say.value }}!").json() == {"result": "Hi Ada!"}
    assert client.post(f"{place}/eval/{run_id}", content="{{ taskrun.id }}").json() == {"result": run_id}
    wrong = client.post(f"{place}/actions/eval", content="{{ nothing.at.all }}")
    assert (wrong.status_code, set(wrong.json())) == (200, {"error", "stackTrace"})


def test_render_several_expressions(client: httpx.Client) -> None:
    body = {"expressions": ["{{ 1 + 1 }}", "{{ flow.id }}"], "namespace": NAMESPACE, "flowId": "hello"}
    assert client.post("/expressions/render", json=body).json() == {
        "rendered": {"{{ 1 + 1 }}": "2", "{{ flow.id }}": "hello"}
    }


def test_delete(client: httpx.Client) -> None:
    execution_id = start(client, "hello")["id"]
    assert client.delete(f"/executions/{execution_id}").status_code == 204
    assert client.get(f"/executions/{execution_id}").status_code == 404
    assert client.delete(f"/executions/{execution_id}").status_code == 404


# -- bulk -----------------------------------------------------------------------------------------------------------------


def test_bulk_by_ids_does_nothing_where_one_is_wrong(client: httpx.Client) -> None:
    paused = start(client, "waits", wait=False)["id"]
    until(client, paused, "PAUSED")
    answer = client.request("DELETE", "/executions/kill/by-ids", json=[paused, "nope"])
    assert (answer.status_code, answer.json()["message"]) == (400, "invalid bulk kill")
    assert answer.json()["invalids"][0]["invalidValue"] == "nope"
    assert client.get(f"/executions/{paused}").json()["state"]["current"] == "PAUSED"
    done = client.request("DELETE", "/executions/kill/by-ids", json=[paused])
    assert (done.status_code, done.json()["totalItems"], done.json()["count"]) == (202, 1, 1)
    until(client, paused, "KILLED")


def test_bulk_by_query_takes_those_that_fit(client: httpx.Client) -> None:
    failed, fine = start(client, "fails")["id"], start(client, "hello", files={"name": (None, "bulk")})["id"]
    query = {"filters[flowId][IN]": "fails,hello", "filters[namespace][EQUALS]": NAMESPACE}
    answer = client.post("/executions/restart/by-query", params=query)
    assert answer.status_code == 202
    assert answer.json()["count"] >= 1
    assert "RESTARTED" in [h["state"] for h in client.get(f"/executions/{failed}").json()["state"]["histories"]]
    assert len(client.get(f"/executions/{fine}").json()["state"]["histories"]) == 3
    assert client.post("/executions/restart/by-query?namespace=x").status_code == 400
    nothing = client.post("/executions/restart/by-query", params={"filters[flowId][EQUALS]": "none"})
    assert (nothing.status_code, nothing.json()["totalItems"]) == (202, 0)


def test_bulk_labels_and_deletion(client: httpx.Client) -> None:
    ids = [start(client, "hello")["id"] for _ in range(2)]
    body = {"executionsId": ids, "executionLabels": [{"key": "bulk", "value": "yes"}]}
    assert client.post("/executions/labels/by-ids", json=body).json()["count"] == 2
    found = client.get("/executions/search", params={"filters[labels][EQUALS][bulk]": "yes"}).json()
    assert {e["id"] for e in found["results"]} == set(ids)
    assert client.request("DELETE", "/executions/by-ids", json=ids).json() == {"count": 2}
    assert client.request("DELETE", "/executions/by-ids", json=ids).status_code == 400


# -- long ones and loops --------------------------------------------------------------------------------------------------


def test_an_execution_with_many_task_runs_comes_whole(client: httpx.Client) -> None:
    body = start(client, "many")
    runs = body["taskRunList"]
    assert len(runs) == len({r["id"] for r in runs}) == 1301
    assert body["state"]["current"] == "SUCCESS"
    assert list(body)[-1] == "taskRunList"


def test_children_are_paged(client: httpx.Client) -> None:
    body = start(client, "many", wait=False)
    execution_id = body["id"]
    until(client, execution_id, "SUCCESS")
    (top,) = client.get(f"/executions/{execution_id}/children").json()["results"]
    page = client.get(f"/executions/{execution_id}/children", params={"path": top["id"], "size": 50, "page": 2}).json()
    assert (page["total"], len(page["results"])) == (1300, 50)
    none = client.get(f"/executions/{execution_id}/children", params={"path": top["id"], "state": "FAILED"}).json()
    assert none == {"results": [], "total": 0}


def test_iterations_of_a_loop_are_executions_to_clients(client: httpx.Client) -> None:
    body = start(client, "loops")
    assert [r["taskId"] for r in body["taskRunList"]] == ["loop"]
    query = {"filters[kind][EQUALS]": "LOOP", "filters[parentId][EQUALS]": body["id"]}
    found = client.get("/executions/search", params=query).json()
    assert [(e["loopRun"]["index"], e["loopRun"]["value"]) for e in found["results"]] == [(0, "a"), (1, "b"), (2, "c")]
    one = client.get(f"/executions/{found['results'][1]['id']}").json()
    assert (one["kind"], one["parentId"]) == ("LOOP", body["id"])
    (item,) = one["taskRunList"]
    assert client.get(f"/outputs/tasks/{one['id']}/{item['id']}").json() == {"value": "b"}
    lines = client.get(f"/logs/{one['id']}").json()
    assert {e["taskRunId"] for e in lines} <= {item["id"], one["id"]}
    plain = client.get("/executions/search", params={"filters[flowId][EQUALS]": "loops"}).json()
    assert all(e.get("kind", "NORMAL") == "NORMAL" for e in plain["results"])


# -- live -----------------------------------------------------------------------------------------------------------------


def events(client: httpx.Client, path: str, last: tuple[str, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    mark = ""
    with client.stream("GET", path) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        for line in stream.iter_lines():
            if line.startswith("id: "):
                mark = line[4:]
            elif line.startswith("data: "):
                yield mark, json.loads(line[6:])
                if mark in last:
                    return


def test_follow_an_execution_to_its_end(client: httpx.Client) -> None:
    execution_id = start(client, "waits", wait=False)["id"]
    until(client, execution_id, "PAUSED")
    told: list[str] = []
    for mark, body in events(client, f"/executions/{execution_id}/follow", ("end",)):
        told.append(mark)
        assert body["id"] == execution_id
        if told == ["start", "progress"]:
            client.post(f"/executions/{execution_id}/actions/resume", files={"ok": (None, "true")})
        if mark == "end":
            assert body["state"]["current"] == "SUCCESS"
    assert (told[0], told[-1]) == ("start", "end")


def test_follow_one_that_has_ended(client: httpx.Client) -> None:
    execution_id = start(client, "hello")["id"]
    assert [mark for mark, _ in events(client, f"/executions/{execution_id}/follow", ("end",))] == ["start", "end"]


def test_follow_the_related_ones(client: httpx.Client) -> None:
    execution_id = start(client, "parent")["id"]
    told = list(events(client, f"/executions/{execution_id}/follow-dependencies", ("end-all",)))
    assert [mark for mark, _ in told] == ["start", "end", "end", "end-all"]
    assert {body["flowId"] for mark, body in told if mark == "end"} == {"parent", "hello"}


def test_follow_log_lines(client: httpx.Client) -> None:
    execution_id = start(client, "hello")["id"]
    for mark, body in events(client, f"/logs/{execution_id}/follow?minLevel=INFO", ("progress",)):
        if mark == "progress":
            assert (body["message"], body["level"]) == ("Hi Ada", "INFO")


# -- logs -----------------------------------------------------------------------------------------------------------------


def test_log_lines_in_their_forms(client: httpx.Client) -> None:
    execution_id = start(client, "hello")["id"]
    lines = client.get(f"/logs/{execution_id}", params={"minLevel": "INFO"}).json()
    assert [(e["message"], e["level"]) for e in lines] == [("Hi Ada", "INFO")]
    text = client.get(f"/logs/{execution_id}/download", params={"minLevel": "INFO"})
    assert text.text.endswith(" INFO Hi Ada\n")
    assert text.headers["content-disposition"] == f'attachment; filename="{execution_id}.log"'
    found = client.get("/logs/search", params={"filters[executionId][EQUALS]": execution_id}).json()
    assert found["type"] == "OFFSET"
    assert found["total"] >= 2
    assert client.delete(f"/logs/{execution_id}", params={"minLevel": "INFO"}).status_code == 200
    assert client.get(f"/logs/{execution_id}", params={"minLevel": "INFO"}).json() == []
    assert client.get(f"/logs/{execution_id}").json() != []


def test_search_by_time_state_and_label(client: httpx.Client) -> None:
    execution_id = start(client, "fails")["id"]
    query = {
        "filters[timeRange][EQUALS]": "PT1H",
        "filters[state][IN]": "FAILED",
        "filters[flowId][EQUALS]": "fails",
        "sort": "state.startDate:desc",
        "size": 1,
    }
    found = client.get("/executions/search", params=query).json()
    assert found["results"][0]["id"] == execution_id
    assert "taskRunList" not in found["results"][0]
    names = client.get("/executions/distinct-field-values", params={"field": "FLOW_ID"}).json()
    assert "fails" in names
    latest = client.post("/executions/latest", json=[{"namespace": NAMESPACE, "id": "fails"}]).json()
    assert latest[0] == {**latest[0], "id": execution_id, "status": "FAILED"}


def test_csv_of_a_search(client: httpx.Client) -> None:
    start(client, "hello")
    text = client.get("/executions/export/by-query/csv", params={"filters[flowId][EQUALS]": "hello"}).text
    head, first, *_ = text.splitlines()
    assert "namespace" in head
    assert ",hello," in first
    assert client.get("/executions/export/by-query/csv", params={"filters[flowId][EQUALS]": "none"}).text == ""


def test_metrics(client: httpx.Client) -> None:
    source = """
id: measures
namespace: tests.executions
tasks:
  - id: count
    type: io.kestra.plugin.core.metric.Publish
    metrics: [{type: counter, name: rows, value: 42, tags: {a: b}}]
"""
    client.post("/flows", content=source)
    execution_id = start(client, "measures")["id"]
    found = client.get(f"/metrics/{execution_id}", params={"taskId": "count", "size": 50}).json()["results"]
    (rows,) = [m for m in found if m["name"] == "rows"]
    assert (rows["value"], rows["type"], rows["tags"]) == (42.0, "counter", {"a": "b"})
    place = f"{NAMESPACE}/measures"
    assert "rows" in client.get(f"/metrics/names/{place}").json()
    assert client.get(f"/metrics/tasks/{place}").json() == ["count"]
    for path in (f"/metrics/aggregates/{place}/rows", f"/metrics/aggregates/{place}/count/rows"):
        body = client.get(path).json()
        assert (body["groupBy"], [b["value"] for b in body["aggregations"]]) == ("day", [42.0])
