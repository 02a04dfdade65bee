"""Every error answer has one shape, and nothing that a client sends is an internal error."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import msgspec
import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import Route

from penstock import errors
from penstock.app import App
from penstock.app.web import services_of
from penstock.server.application import resources_of
from penstock.server.configs import InstanceRoutes
from penstock.server.errors import describe, error_reply, http_reply
from penstock.server.plugins import PluginRoutes
from penstock.server.services import Login
from penstock.settings import Settings

MEMBERS = {"message", "logref", "path", "_links", "_embedded", "type", "title", "status", "detail", "instance"}


def request(path: str = "/api/v1/main/flows", query: bytes = b"a=1") -> Request:
    return Request({"type": "http", "method": "GET", "path": path, "query_string": query, "headers": []})


def all_errors() -> list[Exception]:
    problem = errors.Problem("must not be null", "tasks[0].message", 4)
    return [
        errors.FlowInvalid([problem]),
        errors.Unprocessable("no", problems=[problem]),
        errors.MissingExtra("DuckDB", "duckdb"),
        ValueError("a secret of ours"),
        *(
            kind("why")
            for kind in sorted(_leaves(errors.CallerError) | _leaves(errors.Retryable), key=lambda kind: kind.__name__)
        ),
    ]


def _leaves(kind: type[Exception]) -> set[type[Exception]]:
    below = {leaf for sub in kind.__subclasses__() for leaf in _leaves(sub)}
    return below | {kind} if kind not in (errors.CallerError, errors.Retryable) else below


@pytest.mark.parametrize("error", all_errors(), ids=lambda e: type(e).__name__)
def test_an_error_has_the_one_shape(error: Exception) -> None:
    reply = error_reply(request(), error)
    body = msgspec.json.decode(reply.body)
    assert body.keys() >= MEMBERS
    assert body["status"] == reply.status_code == describe(error)[0]
    assert body["instance"] == "/api/v1/main/flows"
    assert body["_links"]["self"]["href"] == "/api/v1/main/flows?a=1"
    assert body["type"].startswith("https://kestra.io/docs/api-reference/problems/")


def test_each_problem_is_told_with_its_place() -> None:
    problem = errors.Problem("must not be null", "tasks[0].message", 4)
    body = msgspec.json.decode(error_reply(request(), errors.FlowInvalid([problem])).body)
    assert body["message"] == "Invalid entity: tasks[0].message: must not be null (line 4)"
    assert body["_embedded"]["errors"][0]["path"] == "tasks[0].message"
    assert body["errors"] == [
        {"detail": "must not be null", "path": "tasks[0].message", "pointer": "/tasks/0/message", "line": 4}
    ]


def test_what_nobody_foresaw_is_not_told() -> None:
    reply = error_reply(request(), ValueError("a secret of ours"))
    assert b"secret" not in reply.body
    assert msgspec.json.decode(reply.body)["traceId"]


@pytest.mark.parametrize("status", [400, 404, 405, 406, 415])
def test_errors_of_the_protocol_have_it_too(status: int) -> None:
    body = msgspec.json.decode(http_reply(request(), HTTPException(status)).body)
    assert body.keys() >= MEMBERS
    assert body["status"] == status


def test_a_missing_thing_names_the_edition() -> None:
    assert error_reply(request(), errors.NotFound("Not Found")).headers["x-kestra-edition"] == "OSS"


# -- against a live server -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[tuple[str, str]]]:
    """Method and path of every route."""
    app = App(Settings(home=str(tmp_path_factory.mktemp("routes"))))
    services = services_of(app, Login(enabled=False), "http://localhost/")
    found = [route for routes in resources_of(services).values() for route in routes]
    found += [*InstanceRoutes(services).routes(), *PluginRoutes(services).routes()]
    yield [(m, r.path) for r in found if isinstance(r, Route) for m in sorted((r.methods or set()) - {"HEAD"})]
    app.store.close()


BODIES = [
    b"",
    b"\xff\xfe",
    b"null",
    b"[]",
    b"{}",
    b"[1,null,{}]",
    b'{"a":' * 2000,
    b"id: x\nnamespace: [",
    b'[{"namespace":1,"id":null,"flowId":[],"triggerId":{}}]',
    b'{"triggers":[1],"keys":5,"ids":{},"executionsId":7,"executionLabels":3,"backfill":{"start":"x"}}',
]


def test_garbage_is_never_an_internal_error(client: httpx.Client, routes: list[tuple[str, str]]) -> None:
    """Each route with names of nothing, and each body; a 5xx would be our fault."""
    wrong: list[str] = []
    for method, path in routes:
        if path.endswith(("/follow", "/follow-dependencies")):
            continue
        place = path.replace("{tenant}", "main").replace("{path:path}", "x")
        for name in ("id", "run", "namespace", "flow", "key", "execution", "task", "trigger", "metric", "cls"):
            place = place.replace(f"{{{name}}}", "nothing")
        place = place.replace("{type}", "x").replace("{version}", "x").replace("{verb}", "pause")
        for body in BODIES if method != "GET" else [b""]:
            answer = client.request(method, httpx.URL(str(client.base_url.copy_with(path=place))), content=body)
            if answer.status_code >= 500:
                wrong.append(f"{method} {place} {body[:30]!r}: {answer.status_code} {answer.text[:200]}")
            elif answer.status_code >= 400 and answer.content and "invalid bulk" not in answer.text:
                wrong += [] if answer.json().keys() >= MEMBERS else [f"{method} {place}: {answer.text[:200]}"]
    assert wrong == []


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/flows/search?page=x", 400),
        ("/flows/search?size=0", 400),
        ("/flows/search?sort=x", 422),
        ("/flows/search?sort=nothing:asc", 400),
        ("/executions/search?filters[nope][EQUALS]=x", 422),
        ("/executions/search?filters[state][GREATER_THAN]=x", 400),
        ("/executions/search?filters[startDate][LESS_THAN]=soon", 400),
        ("/executions/search?filters[flowId][REGEX]=(", 400),
        ("/logs/search?filters[level][IN]=LOUD", 400),
        ("/executions", 400),
        ("/executions/distinct-field-values", 400),
        ("/executions/nothing", 404),
        ("/executions/nothing/flow", 404),
        ("/executions/nothing/children", 404),
        ("/executions/nothing/graph", 404),
        ("/executions/nothing/file?path=kestra:///a/b", 404),
        ("/outputs/executions/nothing", 404),
        ("/outputs/tasks/nothing/nothing", 404),
        ("/logs/nothing/follow", 404),
        ("/flows/a/nothing", 404),
        ("/flows/a/nothing/revisions", 404),
        ("/flows/a/nothing/graph", 404),
        ("/flows/a/nothing/dependencies", 404),
        ("/flows/a/nothing?revision=x", 400),
        ("/triggers/a/b/c", 404),
        ("/triggers/a/b/c/next-dates", 404),
        ("/metrics/aggregates/a/b/c?aggregation=median", 422),
        ("/metrics/aggregates/a/b/c?startDate=soon", 400),
        ("/namespaces/nothing", 404),
        ("/namespaces/a/kv/nothing", 404),
        ("/namespaces/a/files?path=/nothing", 404),
        ("/namespaces/a/files?path=/../../etc/passwd", 400),
        ("/namespaces/a/files", 400),
        ("/nothing", 404),
    ],
)
def test_what_is_wrong_is_said(client: httpx.Client, path: str, status: int) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json().keys() >= MEMBERS) == (status, True), answer.text


def test_the_path_that_was_asked_for_is_named(live_url: str) -> None:
    body = httpx.get(f"{live_url}/api/v1/executions/nothing").json()
    assert body["instance"] == "/api/v1/executions/nothing"


def test_there_is_one_tenant(live_url: str) -> None:
    answer = httpx.get(f"{live_url}/api/v1/other/flows/search")
    assert (answer.status_code, answer.json()["message"]) == (400, "Bad Request: Tenant must be 'main' for OSS version")


def test_a_wrong_method_is_405(client: httpx.Client) -> None:
    answer = client.patch("/flows/search")
    assert (answer.status_code, answer.json()["title"]) == (405, "Method Not Allowed")
