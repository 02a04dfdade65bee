"""The outside functions of templates, as templates call them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from desks import FakeExecutor
from small_flows import flow_source

from penstock.blobs import MemoryBlobs
from penstock.catalog.files import FileResolver
from penstock.catalog.host import CatalogHost
from penstock.catalog.platform import Parts
from penstock.catalog.rendering import Renderer
from penstock.clock import ManualClock
from penstock.expr import EvaluationError, ExpressionError, Secret, compile_template
from penstock.model.entries import LogEntry
from penstock.model.task import LogLevel
from penstock.ports.platform import Caller
from penstock.store.sqlite import SqliteStore

NS = "company.team"
CALLER = Caller("main", NS, "hello", "exec1")


class Templates:
    """Renders one expression with a host behind it."""

    def __init__(self, host: CatalogHost, clock: ManualClock) -> None:
        self._renderer = Renderer(clock=clock, host_of=lambda _: host)

    def __call__(self, template: str, **variables: object) -> object:
        return compile_template(template).evaluate(self._renderer.context(variables, CALLER))


@pytest.fixture
def local_root(tmp_path: Path) -> Path:
    root = tmp_path / "allowed"
    root.mkdir()
    return root


@pytest.fixture
def evaluate(
    parts: Parts, blobs: MemoryBlobs, store: SqliteStore, executor: FakeExecutor, clock: ManualClock, local_root: Path
) -> Templates:
    host = CatalogHost(
        CALLER,
        key_values=parts.key_values,
        secrets=parts.secrets,
        files=FileResolver(blobs, parts.files, local_roots=[local_root]),
        reads=store.reads,
        feed=executor,
        desk=parts.desk,
    )
    return Templates(host, clock)


def test_kv_is_typed_and_inherited_unless_a_namespace_is_named(evaluate: Templates, parts: Parts) -> None:
    parts.key_values.put("main", "company", "cfg", value={"field": "value"})
    parts.key_values.put("main", NS, "at", value=datetime(2026, 1, 2, tzinfo=UTC))

    assert evaluate("{{ kv('cfg').field }}") == "value"
    assert evaluate("{{ kv('at') | date('yyyy-MM-dd') }}") == "2026-01-02"
    assert evaluate("{{ kv('gone', errorOnMissing=false) }}") is None
    with pytest.raises(ExpressionError, match="The key 'gone' does not exist in the namespace"):
        evaluate("{{ kv('gone') }}")
    with pytest.raises(ExpressionError, match="does not exist in the namespace"):
        evaluate("{{ kv('cfg', 'company.team') }}")


def test_secrets_stay_marked(evaluate: Templates, parts: Parts) -> None:
    parts.secrets.put("main", NS, "DB", value=json.dumps({"password": "p"}))

    whole = evaluate("{{ secret('DB') }}")
    assert isinstance(whole, Secret)
    assert evaluate("{{ secret('DB', subkey='password') }}") == "p"
    assert evaluate("{{ secret('FROM_ENV', full=true).value }}") == "env-value"
    with pytest.raises(ExpressionError, match=r"Cannot find secret for key 'X'\."):
        evaluate("{{ secret('X') }}")
    with pytest.raises(ExpressionError, match="the secret is not JSON"):
        evaluate("{{ secret('FROM_ENV', subkey='a') }}")
    with pytest.raises(ExpressionError, match="sub-key 'a'"):
        evaluate("{{ secret('DB', subkey='a') }}")


def test_files_of_every_kind_are_read(
    evaluate: Templates, parts: Parts, blobs: MemoryBlobs, local_root: Path, tmp_path: Path
) -> None:
    parts.files.put("main", NS, "file.txt", b"old")
    parts.files.put("main", NS, "file.txt", b"new")
    parts.files.put("main", "other", "x.txt", b"")
    uri = blobs.put("main", "/company/team/hello/executions/e/f.txt", b"stored")
    (local_root / "l.txt").write_text("local")
    (tmp_path / "outside.txt").write_text("no")

    assert evaluate("{{ read('file.txt') }}") == "new"
    assert evaluate("{{ read('nsfile:///file.txt') }}") == "new"
    assert evaluate("{{ read(uri) }}", uri=uri) == "stored"
    assert evaluate("{{ read(uri) }}", uri=f"file://{local_root}/l.txt") == "local"
    assert evaluate("{{ fileSize(uri) }}", uri=uri) == 6
    assert evaluate("{{ isFileEmpty('nsfile://other/x.txt') }}") is True
    assert evaluate("{{ isFileEmpty('x.txt', 'other') }}") is True
    assert evaluate("{{ fileExists('gone.txt') }}") is False
    assert evaluate("{{ fileExists('file.txt') }}") is True
    assert evaluate("{{ fileURI('test') }}") == "kestra:///company/team/_files/test"
    assert evaluate("{{ read(fileURI('file.txt')) }}") == "new"
    for refused in (f"file://{tmp_path}/outside.txt", f"file://{local_root}/../outside.txt", "ftp://x/y", "../x"):
        with pytest.raises(ExpressionError):
            evaluate("{{ read(uri) }}", uri=refused)


def test_binary_ion_is_given_as_bytes(evaluate: Templates, blobs: MemoryBlobs) -> None:
    from amazon.ion import simpleion

    data = simpleion.dumps({"a": 1}, binary=True)
    assert isinstance(data, bytes)
    uri = blobs.put("main", "/a.ion", data)

    assert evaluate("{{ fromIon(read(uri)).a }}", uri=uri) == 1


def error_line(execution_id: str, clock: ManualClock) -> LogEntry:
    return LogEntry(
        namespace=NS,
        flow_id="hello",
        execution_id=execution_id,
        task_id="t",
        timestamp=clock.now(),
        level=LogLevel.ERROR,
        message="boom",
    )


def test_error_logs_wait_for_the_first_line(
    evaluate: Templates, parts: Parts, executor: FakeExecutor, clock: ManualClock
) -> None:
    from penstock.catalog.launch import Wish

    parts.shelf.create("main", flow_source())
    parts.desk.start("main", NS, "hello", wish=Wish(execution_id="exec1"))
    late = threading.Thread(target=lambda: (executor.followed("exec1"), executor.write(error_line("exec1", clock))))
    late.start()
    lines = evaluate("{{ errorLogs() }}")
    late.join()

    assert isinstance(lines, list)
    assert [(one["message"], one["taskId"]) for one in lines] == [("boom", "t")]


def test_a_subflow_is_run_for_its_outputs(evaluate: Templates, parts: Parts, executor: FakeExecutor) -> None:
    parts.shelf.create("main", flow_source("child"))
    executor.outputs = {"my_output": 7}

    assert evaluate("{{ subflow('company.team', 'child', labels={'a': 'b'}).outputs.my_output }}") == 7
    started = parts.desk.get("main", executor.commands[-1].execution_id)
    assert started is not None
    assert (started.labels["system.from"], started.labels["a"]) == ("subflow", "b")


def test_what_is_not_here_says_so(evaluate: Templates) -> None:
    with pytest.raises(EvaluationError, match="apps are not available"):
        evaluate("{{ appLink('x') }}")
    with pytest.raises(EvaluationError, match="use secret"):
        evaluate("{{ credential('x') }}")
    port = evaluate("{{ randomPort() }}")
    assert isinstance(port, int)
    assert 0 < port < 65536


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._answer(404 if self.path.startswith("/missing") else 200)

    def do_POST(self) -> None:
        self._answer(200)

    def _answer(self, status: int) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        kind = "text/plain" if self.path.startswith("/text") else "application/json"
        seen = {
            "path": self.path,
            "body": self.rfile.read(length).decode(),
            "type": self.headers.get("Content-Type"),
            "auth": self.headers.get("Authorization"),
            "x": self.headers.get("X-Own"),
        }
        body = json.dumps(seen).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Answers)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_http_sends_and_parses(evaluate: Templates, address: str) -> None:
    got = evaluate("{{ http(uri=u ~ '/a', query={'q': 1}, headers={'X-Own': 'y'}) }}", u=address)
    assert isinstance(got, dict)
    assert (got["path"], got["x"]) == ("/a?q=1", "y")

    posted = evaluate("{{ http(uri=u ~ '/a', method='POST', body={'a': 1}) }}", u=address)
    assert isinstance(posted, dict)
    assert (json.loads(posted["body"]), posted["type"]) == ({"a": 1}, "application/json")

    form = "{{ http(uri=u, method='POST', body={'a': 1}, contentType='application/x-www-form-urlencoded').body }}"
    assert evaluate(form, u=address) == "a=1"
    assert isinstance(evaluate("{{ http(uri=u ~ '/text') }}", u=address), str)
    basic = {"auth": {"type": "BASIC", "username": "a", "password": "b"}, "timeout": {"connectTimeout": "PT1S"}}
    assert evaluate("{{ http(uri=u, options=o).auth }}", u=address, o=basic) == "Basic YTpi"
    bearer = {"auth": {"type": "BEARER", "token": "t"}}
    assert evaluate("{{ http(uri=u, options=o).auth }}", u=address, o=bearer) == "Bearer t"


def test_http_failures_are_told(evaluate: Templates, address: str) -> None:
    with pytest.raises(ExpressionError, match="server respond with status 404"):
        evaluate("{{ http(uri=u ~ '/missing') }}", u=address)
    assert evaluate("{{ http(uri=u ~ '/missing', options={'allowFailed': true}).path }}", u=address) == "/missing"
    with pytest.raises(ExpressionError, match="Failed to execute HTTP Request"):
        evaluate("{{ http(uri='http://127.0.0.1:1/') }}")
