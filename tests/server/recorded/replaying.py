"""Recorded requests made again, in their order, against a live server."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from tests.live import LiveServer
from tests.server.recorded.comparing import Comparing

TERMINAL = frozenset({"SUCCESS", "WARNING", "FAILED", "KILLED", "CANCELLED", "RETRIED"})


@dataclass(frozen=True, slots=True)
class Recording:
    """One request and its answer, of either set."""

    number: str
    name: str
    request: Mapping[str, Any]
    status: int
    body: object


def recordings(folder: Path) -> list[Recording]:
    """All of a folder, in order."""
    found: list[Recording] = []
    for file in sorted(folder.glob("*.json")):
        read = json.loads(file.read_text())
        number, _, name = file.stem.partition("-")
        found.append(Recording(number, name, read["request"], read["status"], read.get("body", read.get("response"))))
    return found


def flows_of(file: Path) -> dict[str, str]:
    """Sources by flow id of a file of several documents."""
    return {text.partition("id: ")[2].partition("\n")[0]: text for text in file.read_text().split("---\n")}


@contextmanager
def logged_in(home: Path) -> Iterator[httpx.Client]:
    """A client of a new server that asks for a login."""
    user, password = "ada@example.com", "Secret123"
    options = ("--user", user, "--password", password)
    with (
        LiveServer(home, options=options) as server,
        httpx.Client(base_url=server.url, auth=(user, password), timeout=30) as client,
    ):
        yield client


@dataclass(slots=True)
class Replaying:
    """A live server and what its answers came to; `before` does what was not recorded."""

    client: httpx.Client
    comparing: Comparing = field(default_factory=Comparing)
    answers: dict[str, httpx.Response] = field(default_factory=dict)

    def all(self, recorded: list[Recording], before: Mapping[str, Callable[[Replaying], None]]) -> dict[str, list[str]]:
        """The differences of each recording."""
        found: dict[str, list[str]] = {}
        for one in recorded:
            if one.number in before:
                before[one.number](self)
            answer = self.send(one.request, self.client.auth if one.status != 401 else None)
            self.answers[one.number] = answer
            found[one.number] = list(self._differences(one, answer))
        return found

    def send(self, request: Mapping[str, Any], auth: httpx.Auth | None) -> httpx.Response:
        """The request, with our ids in its path and body."""
        headers, body = dict(request.get("headers", {})), request.get("body")
        parts = request.get("multipart")
        kind = request.get("content_type", "")
        if kind.startswith("multipart/"):
            parts = body if isinstance(body, dict) else json.loads(body) if body else {}
        elif kind:
            headers["Content-Type"] = kind
        options: dict[str, Any] = {"headers": headers, "params": request.get("params")}
        if parts is not None:
            options["files"] = {name: (None, str(value)) for name, value in parts.items()}
        elif isinstance(body, str):
            options["content"] = self.comparing.ours(body)
        elif body is not None:
            options["json"] = json.loads(self.comparing.ours(json.dumps(body)))
        path = self.comparing.ours(request["path"])
        options = {k: v for k, v in options.items() if v is not None}
        return self.client.request(request["method"], path, auth=auth, **options)

    def _differences(self, one: Recording, answer: httpx.Response) -> list[str]:
        if answer.status_code != one.status:
            return [f"status: {one.status} is {answer.status_code} {answer.text[:300]}"]
        if isinstance(one.body, str):
            return [] if one.body == answer.text else [f": {one.body!r} is {answer.text!r}"]
        if one.body is None:
            return []
        return list(self.comparing.differences(one.body, answer.json()))

    # -- what was not recorded ---------------------------------------------------------------------------------------

    def save(self, source: str) -> None:
        """Save a flow."""
        answer = self.client.post("/api/v1/main/flows", content=source, headers={"Content-Type": "application/x-yaml"})
        assert answer.status_code == 200, answer.text

    def start(self, flow: str, recorded: str, **inputs: str) -> str:
        """Start a flow of the recorded namespace; its execution stands for the recorded one."""
        files = {name: (None, value) for name, value in inputs.items()}
        path = f"/api/v1/main/executions/company.recorded/{flow}"
        answer = self.client.post(path, files=files) if files else self.client.post(path)
        assert answer.status_code == 200, answer.text
        self.comparing.bind(recorded, answer.json()["id"])
        return answer.json()["id"]

    def wait(self, recorded: str, *states: str) -> dict[str, Any]:
        """Wait until the execution that stands for the recorded one is in one of the states, or at its end."""
        execution_id = self.comparing.ours(recorded)
        until = time.monotonic() + 20
        while time.monotonic() < until:
            body = self.client.get(f"/api/v1/main/executions/{execution_id}").json()
            runs = body.get("taskRunList") or []
            ended = all(r["state"]["current"] in TERMINAL | {"SKIPPED"} for r in runs)
            if body["state"]["current"] in (states or TERMINAL) and (states or ended):
                return body
            time.sleep(0.02)
        raise AssertionError(f"{execution_id} did not come to {states or 'its end'}: {body['state']}")
