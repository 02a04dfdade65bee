"""The functions of templates that need the outside, answered by the platform, internal storage and the network."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from penstock.errors import NotFound
from penstock.expr import EvaluationError, Secret
from penstock.model.duration import parse_duration
from penstock.model.job import Job
from penstock.model.task import LogLevel
from penstock.plugin.platform import RunPlatform
from penstock.worker.files import RunFiles

if TYPE_CHECKING:
    import httpx

_DEFAULT_WAIT = "PT1H"


class HostCalls:
    """`HostFunctions` for one attempt; also used for templates that are evaluated on their own."""

    def __init__(
        self, job: Job, *, files: RunFiles, platform: Callable[[], RunPlatform], client: Callable[[], httpx.Client]
    ) -> None:
        self._job = job
        self._files = files
        self._platform = platform
        self._client = client

    def kv(self, key: str, namespace: str | None, *, error_on_missing: bool) -> object:
        """A stored value; the caller's namespace and its parents are searched when none is given."""
        store = self._platform().kv
        entry = store.find(key) if namespace is None else store.get(key, namespace)
        if entry is None and error_on_missing:
            where = namespace or self._job.namespace
            raise EvaluationError(f"The key '{key}' does not exist in the namespace '{where}'.")
        return entry.value if entry else None

    def secret(self, key: str, namespace: str | None, *, subkey: str | None, full: bool) -> object:
        """A secret's text, a field of it, or a map with `value` and `metadata`; always marked as secret."""
        text = self._platform().secrets.get(key, namespace)
        if subkey is not None:
            return self._field(text, key, subkey)
        return {"value": Secret(text), "metadata": {}} if full else Secret(text)

    def _field(self, text: str, key: str, subkey: str) -> Secret:
        try:
            fields = json.loads(text)
        except json.JSONDecodeError as problem:
            raise EvaluationError(f"The secret '{key}' is not JSON, so it has no '{subkey}'") from problem
        if not isinstance(fields, dict) or subkey not in fields:
            raise EvaluationError(f"Cannot find secret sub-key '{subkey}' in secret for key '{key}'.")
        value = fields[subkey]
        return Secret(value if isinstance(value, str) else json.dumps(value))

    def read(self, path: str, namespace: str | None) -> str | bytes:
        """The content of a file, as text where it is UTF-8."""
        content = self._files.get(self.file_uri(path, namespace))
        try:
            return content.decode()
        except UnicodeDecodeError:
            return content

    def file_uri(self, path: str, namespace: str | None) -> str:
        """`path` itself when it is a URI, else the `nsfile://` URI of a namespace file."""
        if "://" in path:
            return path
        return f"nsfile://{namespace or ''}/{path.removeprefix('/')}"

    def file_size(self, path: str, namespace: str | None) -> int:
        """Bytes in a file."""
        return self._files.size(self.file_uri(path, namespace))

    def file_exists(self, path: str, namespace: str | None) -> bool:
        """Whether a file exists."""
        return self._files.exists(self.file_uri(path, namespace))

    def is_file_empty(self, path: str, namespace: str | None) -> bool:
        """Whether a file has no content."""
        return self.file_size(path, namespace) == 0

    def http(
        self,
        uri: str,
        *,
        method: str,
        query: Mapping[str, object],
        body: object,
        content_type: str,
        headers: Mapping[str, object],
        options: Mapping[str, object],
        accept: str,
    ) -> object:
        """The body of a response, parsed when it is JSON."""
        sent = {"Content-Type": content_type, "Accept": accept} | {name: str(value) for name, value in headers.items()}
        content = body if isinstance(body, (str, bytes)) or body is None else json.dumps(body)
        parameters = {name: value if isinstance(value, (list, str)) else str(value) for name, value in query.items()}
        response = self._client().request(method, uri, params=parameters or None, content=content, headers=sent)
        if response.status_code >= 400 and not options.get("allowFailed"):
            raise EvaluationError(f"Failed http request with response code '{response.status_code}': {method} {uri}")
        kind = response.headers.get("content-type", "")
        return response.json() if "json" in kind and response.content else response.text

    def error_logs(self) -> list[dict[str, object]]:
        """The ERROR lines of the execution."""
        found = self._platform().logs.fetch(self._job.execution_id, level=LogLevel.ERROR)
        return [_line(entry.task_id, entry.message, at=entry.timestamp.isoformat()) for entry in found]

    def subflow(
        self,
        namespace: str,
        flow_id: str,
        *,
        inputs: Mapping[str, object],
        revision: int | None,
        labels: object,
        timeout: str | None,
    ) -> object:
        """Runs a flow to its end."""
        named = {str(k): str(v) for k, v in labels.items()} if isinstance(labels, Mapping) else {}
        ended = self._platform().executions.start(
            flow_id,
            namespace,
            inputs=inputs,
            labels=named,
            revision=revision,
            wait=parse_duration(timeout or _DEFAULT_WAIT),
        )
        return {"id": ended.id, "state": ended.state, "outputs": dict(ended.outputs), "labels": dict(ended.labels)}

    def app_link(self, app_id: str | None, *, base_url: bool) -> str:
        """There are no apps here."""
        raise NotFound("appLink(): this installation has no apps")

    def credential(self, name: str) -> str:
        """A secret of that name serves as the token."""
        return Secret(self._platform().secrets.get(name))

    def random_port(self) -> int:
        """A TCP port that was free a moment ago."""
        with socket.socket() as probe:
            probe.bind(("", 0))
            return probe.getsockname()[1]


def _line(task_id: str | None, message: str, *, at: str) -> dict[str, object]:
    return {"taskId": task_id, "message": message, "timestamp": at, "level": LogLevel.ERROR.value}
