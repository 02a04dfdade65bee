"""A secret passes through sixty places of flows; afterwards it can be read nowhere (issue of secrets: 0 visible)."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import msgspec
import pytest
from tests.e2e.house import TENANT, House
from tests.e2e.secret_forms import DEFAULT, GIVEN, HARD, PLAIN, USER, Form, forms, leaks

from penstock.model.state import State

ENV = {
    "PENSTOCK_SECRET_HARD": HARD,
    "PENSTOCK_SECRET_PLAIN": PLAIN,
    "PENSTOCK_SECRET_LOGIN": json.dumps({"user": USER, "port": 5}),
    "PATH": "/usr/local/bin:/usr/bin:/bin",
}
CHILD = """
id: child
namespace: e2e
inputs: [{id: pass, type: SECRET}]
tasks: [{id: t, type: io.kestra.plugin.core.log.Log, message: "got {{ inputs.pass }}"}]
outputs: [{id: o, type: STRING, value: "{{ inputs.pass }}"}]
"""
NAMES = sorted(forms(""))


class Echo(BaseHTTPRequestHandler):
    """Answers with what it was asked; remembers every request."""

    heard: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        asked = f"{self.path}\n{self.headers}\n{body}"
        self.heard.append(asked)
        if self.path.startswith("/redirect"):
            self.send_response(302)
            self.send_header("Location", self.path.replace("redirect", "echo"))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        content = asked.encode()
        self.send_response(500 if self.path.startswith("/fail") else 200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Asked", self.path)
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET  # noqa: N815  (a name that http.server asks for)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    served = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=served.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{served.server_port}"
    served.shutdown()
    served.server_close()


class Told:
    """What is visible of each execution, and the folder that the stopped product left."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.states: dict[str, State] = {}
        self.visible: dict[str, bytes] = {}
        self.news: bytes = b""


@pytest.fixture(scope="module")
def told(server: str, tmp_path_factory: pytest.TempPathFactory) -> Told:
    home = tmp_path_factory.mktemp("leaks")
    result = Told(home)
    with House(home, env=ENV) as house:
        house.app.secrets.put(TENANT, "e2e", "STORED", value=DEFAULT)
        house.save(CHILD)
        begun = {name: _begin(house, name, form) for name, form in forms(server).items()}
        house.paused(begun["pause"])
        house.app.desk.resume(TENANT, begun["pause"], inputs={"pass": GIVEN})
        for name, execution_id in begun.items():
            result.states[name] = house.ended(execution_id).state
            result.visible[name] = visible(house, execution_id)
        result.news = b"\n".join(msgspec.json.encode(one) for one in house.news)
    return result


def _begin(house: House, name: str, form: Form) -> str:
    source = f"id: form-{name}\nnamespace: e2e\n{form.tasks}"
    return house.begin(house.save(source), inputs={"pass": GIVEN} if form.given else {})


def visible(house: House, execution_id: str) -> bytes:
    """Everything that clients can read of an execution, in one text."""
    reads = house.app.store.reads
    rows = house.rows(execution_id)
    parts: list[object] = [
        reads.execution(TENANT, execution_id),
        reads.runs(execution_id, owner=None).results,
        house.logs(execution_id),
        rows,
        [house.app.keeper.read(TENANT, row) for row in rows],
        house.app.desk.outputs(TENANT, execution_id),
        [metric for metric in reads.metrics(TENANT, []).results if metric.execution_id == execution_id],
    ]
    folder = house.app.blobs.list(TENANT, "/")
    files = [house.app.blobs.get(TENANT, blob.uri) for blob in folder if execution_id.lower() in blob.path.lower()]
    return b"\n".join([*(msgspec.json.encode(part, enc_hook=str) for part in parts), *files])


def test_there_are_fifty_forms() -> None:
    assert len(NAMES) >= 50


@pytest.mark.parametrize("name", NAMES)
def test_nothing_shows(told: Told, server: str, name: str) -> None:
    form = forms(server)[name]
    text = told.visible[name]
    assert told.states[name] == form.state, text.decode()[-1500:]
    assert leaks(text) == []
    assert form.used in text.decode(), "the secret never came this way"


def test_events_show_nothing(told: Told) -> None:
    assert told.news.count(b'"message"') > len(NAMES) / 2
    assert leaks(told.news) == []


def test_no_row_of_the_database_shows_anything(told: Told) -> None:
    with sqlite3.connect(told.home / "penstock.db") as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {}
        for name in names:
            content = b"\n".join(_bytes(value) for row in database.execute(f'SELECT * FROM "{name}"') for value in row)
            if leaks(content):
                found[name] = leaks(content)
    database.close()
    assert found == {}


def test_no_file_shows_anything(told: Told) -> None:
    """Every file that is left: the database with its free pages, internal storage, working directories."""
    files = [path for path in told.home.rglob("*") if path.is_file()]
    assert any(path.parent != told.home for path in files)
    assert {
        str(path.relative_to(told.home)): leaks(path.read_bytes()) for path in files if leaks(path.read_bytes())
    } == {}


def test_a_trigger_hands_on_nothing(server: str, tmp_path: Path) -> None:
    """What a polling trigger found, its state and its lines: the answer echoes the secret that it was asked with."""
    with House(tmp_path, env=ENV) as house:
        fired = threading.Event()
        house.app.feed.on_change(lambda change: fired.set() if change.closed else None)
        house.save(f"""
id: polled
namespace: e2e
tasks: [{{id: t, type: io.kestra.plugin.core.log.Log, message: "b {{{{ trigger.body }}}}"}}]
triggers:
  - id: p
    type: io.kestra.plugin.core.http.Trigger
    uri: "{server}/echo/{{{{ secret('PLAIN') }}}}"
    interval: PT1S
""")
        assert fired.wait(30)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert b"/echo/******" in b"".join(path.read_bytes() for path in files)
    assert [leaks(path.read_bytes()) for path in files if leaks(path.read_bytes())] == []


def test_the_server_did_get_the_secrets(told: Told) -> None:
    """Masking is for what we keep: what a task sends goes out as it is."""
    heard = "\n".join(Echo.heard)
    assert f"Bearer {PLAIN}" in heard
    assert HARD in heard


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
