"""A small HTTP client on one kept-alive connection: what a measurement sends must not be what it measures."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

_KEPT_ALIVE = 2.0
"""Seconds after which a connection is opened anew; servers end idle ones after some more."""


class Wire:
    """Blocking requests to one server, below its API."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
        self._used = 0.0

    def call(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        kind: str = "",
        query: Mapping[str, object] | None = None,
    ) -> Any:
        """One request below `/api/v1/main`; the decoded answer. Raises RuntimeError for an error status."""
        if time.monotonic() - self._used > _KEPT_ALIVE:
            self._connection.close()
        place = f"/api/v1/main{path}" + (f"?{urlencode(query)}" if query else "")
        self._connection.request(method, place, body=body, headers={"Content-Type": kind} if kind else {})
        answer = self._connection.getresponse()
        content = answer.read()
        self._used = time.monotonic()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {place}: {answer.status} {content[:500]!r}")
        return json.loads(content) if content else None

    def save(self, source: str) -> None:
        """Create a flow."""
        self.call("POST", "/flows", body=source.encode(), kind="application/x-yaml")

    def execute(self, flow: str) -> dict[str, Any]:
        """Run a flow of the benchmark's namespace to its end; the execution."""
        return self.call("POST", f"/executions/bench/{flow}", query={"wait": "true"})

    def start(self, flow: str) -> str:
        """Start a flow; the id of the execution."""
        return self.call("POST", f"/executions/bench/{flow}")["id"]

    def execution(self, execution_id: str) -> dict[str, Any]:
        """An execution with its task runs."""
        return self.call("GET", f"/executions/{execution_id}")

    def ended(self, flow: str) -> list[dict[str, Any]]:
        """Every execution of a flow, without task runs."""
        found: list[dict[str, Any]] = []
        while True:
            query = {
                "filters[flowId][EQUALS]": flow,
                "page": len(found) // 1000 + 1,
                "size": 1000,
                "sort": "state.startDate:asc",
            }
            page = self.call("GET", "/executions/search", query=query)
            found += page["results"]
            if len(found) >= page["total"] or not page["results"]:
                return found
