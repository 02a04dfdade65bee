"""HTTP tasks against a small server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from penstock.model.state import State
from penstock.testing.task_desk import TaskDesk

HTTP = "io.kestra.plugin.core.http."


class Handler(BaseHTTPRequestHandler):
    """Answers with what was asked, or as the path says."""

    def log_message(self, format: str, *args: object) -> None:
        return

    def _answer(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        match url.path:
            case "/missing":
                self._send(404, b'{"error": "gone"}')
            case "/empty":
                self._send(200, b"")
            case "/bytes":
                self._send(200, b"\xff\xfe\x00\x81")
            case "/file":
                self._send(200, b"x" * 2_000_000, {"Content-Disposition": 'attachment; filename="../data.csv"'})
            case "/moved":
                self._send(302, b"", {"Location": "/echo"})
            case "/events":
                self._send(200, b'id: 1\ndata: {"t": "a"}\n\nevent: e\ndata: {"t": "b"}\n\n')
            case _:
                seen = {
                    "method": self.command,
                    "path": self.path,
                    "query": parse_qs(url.query),
                    "headers": {name.lower(): value for name, value in self.headers.items()},
                    "body": body.decode(errors="replace"),
                }
                self._send(200, json.dumps(seen).encode(), {"Content-Type": "application/json", "X-Two": "a"})

    do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815

    def _send(self, code: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(code)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def seen(desk: TaskDesk, uri: str, **properties: object) -> dict[str, object]:
    result = desk.run_type(HTTP + "Request", uri=uri, **properties)
    assert result.state is State.SUCCESS, result.error
    return json.loads(str((result.outputs or {})["body"]))


def test_outputs_of_a_request(desk: TaskDesk, url: str) -> None:
    result = desk.run_type(HTTP + "Request", {"q": "a b"}, uri=url + "/x y?q={{ q }}", params={"l": [1, 2], "s": "t"})
    found = dict(result.outputs or {})
    assert found["code"] == 200
    assert found["headers"]["X-Two"] == ["a"]  # pyright: ignore[reportIndexIssue]
    body = json.loads(str(found["body"]))
    assert body["path"].startswith("/x%20y?")
    assert body["query"]["l"] == ["1", "2"]


def test_bodies(desk: TaskDesk, url: str) -> None:
    post = seen(desk, url, method="POST", body='{"n": {{ 1 }}}')
    assert (post["method"], post["body"]) == ("POST", '{"n": 1}')
    assert post["headers"]["content-type"] == "application/json"  # pyright: ignore[reportIndexIssue]
    form = seen(desk, url, method="POST", formData={"a": "b c", "n": 1})
    assert form["body"] == "a=b+c&n=1"
    stored = desk.put_file("in.txt", "file content")
    parts = seen(
        desk,
        url,
        method="POST",
        contentType="multipart/form-data",
        formData={"f": stored, "g": {"name": "other.txt", "content": stored}, "plain": "v"},
    )
    assert 'name="f"; filename="in.txt"' in str(parts["body"])
    assert 'filename="other.txt"' in str(parts["body"])
    assert "file content" in str(parts["body"])


def test_credentials_and_headers(desk: TaskDesk, url: str) -> None:
    desk.platform.secret_texts["T"] = "tok-en-123"
    result = desk.run_type(
        HTTP + "Request",
        uri=url,
        headers={"X-Mine": "{{ flow.id }}"},
        options={"auth": {"type": "BEARER", "token": "{{ secret('T') }}"}},
    )
    body = str((result.outputs or {})["body"])
    assert '"x-mine": "desk"' in body
    assert "Bearer ******" in body
    basic = seen(desk, url, options={"auth": {"type": "BASIC", "username": "u", "password": "p"}})
    assert basic["headers"]["authorization"] == "Basic dTpw"  # pyright: ignore[reportIndexIssue]


def test_failures(desk: TaskDesk, url: str) -> None:
    failed = desk.run_type(HTTP + "Request", uri=url + "/missing")
    assert failed.error == 'Failed http request with response code \'404\' and body:\n{"error": "gone"}'
    for allowing in ({"allowFailed": True}, {"allowedResponseCodes": [404]}):
        assert desk.run_type(HTTP + "Request", uri=url + "/missing", options=allowing).state is State.SUCCESS
    refused = desk.run_type(HTTP + "Request", uri=url, options={"allowedResponseCodes": [201]})
    assert "allowed are [201]" in (refused.error or "")
    assert "is no text" in (desk.run_type(HTTP + "Request", uri=url + "/bytes").error or "")
    assert "ConnectError" in (desk.run_type(HTTP + "Request", uri="http://127.0.0.1:1").error or "")
    long = desk.run_type(HTTP + "Request", uri=url + "/file", options={"maxContentLength": 1000})
    assert "longer than 1000 bytes" in (long.error or "")


def test_redirects(desk: TaskDesk, url: str) -> None:
    assert seen(desk, url + "/moved")["path"] == "/echo"
    kept = desk.run_type(HTTP + "Request", uri=url + "/moved", options={"followRedirects": False})
    assert (kept.outputs or {})["code"] == 302


def test_encrypted_body(desk: TaskDesk, url: str) -> None:
    found = desk.run_type(
        HTTP + "Request", uri=url + "/missing", encryptBody=True, options={"allowFailed": True}
    ).outputs
    assert "body" not in (found or {})
    assert (found or {})["encryptedBody"] == {
        "type": "io.kestra.datatype:aes_encrypted",
        "value": '{"error": "gone"}'[::-1],
    }


def test_download(desk: TaskDesk, url: str) -> None:
    found = dict(desk.run_type(HTTP + "Download", uri=url + "/file").outputs or {})
    assert (found["length"], found["code"]) == (2_000_000, 200)
    assert str(found["uri"]).endswith("/data.csv")
    assert len(desk.read(found["uri"])) == 2_000_000
    named = dict(desk.run_type(HTTP + "Download", uri=url + "/echo.json", saveAs="my.json").outputs or {})
    assert str(named["uri"]).endswith("/my.json")
    assert desk.run_type(HTTP + "Download", uri=url + "/empty").error == "No response from server"
    empty = desk.run_type(HTTP + "Download", uri=url + "/empty", failOnEmptyResponse=False)
    assert (empty.outputs or {})["length"] == 0


def test_events(desk: TaskDesk, url: str) -> None:
    found = dict(desk.run_type(HTTP + "SseRequest", uri=url + "/events", concatJqExpression=".t").outputs or {})
    assert (found["size"], found["result"]) == (2, "ab")
    assert found["events"] == [{"data": {"t": "a"}, "id": "1"}, {"data": {"t": "b"}, "name": "e"}]
    strict = desk.run_type(HTTP + "SseRequest", uri=url + "/events", concatJqExpression=".none")
    assert "finds nothing" in (strict.error or "")


def test_logged_exchange_hides_credentials(desk: TaskDesk, url: str) -> None:
    options = {"logs": ["REQUEST_HEADERS", "RESPONSE_HEADERS"], "auth": {"username": "u", "password": "pass-word"}}
    result = desk.run_type(
        HTTP + "Request", uri=url + "/empty", headers={"Authorization": "Basic abcdef"}, options=options
    )
    assert any("******" in message for message in desk.messages(result))
    assert not any("abcdef" in message for message in desk.messages(result))
