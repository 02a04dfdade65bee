"""The outside functions of templates (`kv`, `secret`, `read`, `http` …), answered by the catalog for one caller."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from penstock.catalog.http_function import fetch
from penstock.catalog.launch import Wish
from penstock.catalog.runs import labels_from
from penstock.errors import NotFound
from penstock.expr import EvaluationError
from penstock.model.duration import parse_duration
from penstock.model.entries import LogEntry
from penstock.ports.platform import Caller
from penstock.ports.reads import Filter, Reads

if TYPE_CHECKING:
    from penstock.catalog.files import FileResolver
    from penstock.catalog.key_values import KeyValueStore
    from penstock.catalog.runs import ExecutionDesk
    from penstock.catalog.secrets import SecretStore
    from penstock.ports.feed import Feed

LOG_PATIENCE: Final = 5.0
"""Seconds that `errorLogs()` waits for the first ERROR line, Kestra's own."""
SUBFLOW_PATIENCE: Final = timedelta(minutes=1)
_BINARY_ION: Final = b"\xe0\x01\x00\xea"


class CatalogHost:
    """The `HostFunctions` of one caller."""

    def __init__(
        self,
        caller: Caller,
        *,
        key_values: KeyValueStore,
        secrets: SecretStore,
        files: FileResolver,
        reads: Reads | None = None,
        feed: Feed | None = None,
        desk: ExecutionDesk | None = None,
    ) -> None:
        self._caller = caller
        self._key_values = key_values
        self._secrets = secrets
        self._files = files
        self._reads = reads
        self._feed = feed
        self._desk = desk

    def kv(self, key: str, namespace: str | None, *, error_on_missing: bool) -> object:
        """A stored value; without `namespace` of the flow's namespace or its nearest parent that has the key."""
        caller = self._caller
        place = namespace or caller.namespace
        found = self._key_values.find(caller.tenant, place, key, inherited=namespace is None)
        if found is not None:
            return found.value
        if error_on_missing:
            raise EvaluationError(f"The key '{key}' does not exist in the namespace '{place}'.")
        return None

    def secret(self, key: str, namespace: str | None, *, subkey: str | None, full: bool) -> object:
        """The text of a secret, a field of a JSON secret, or a map of `value` and `metadata`."""
        text = self._secrets.get(self._caller.tenant, namespace or self._caller.namespace, key)
        if full:
            return {"value": text, "metadata": {}}
        return text if subkey is None else _field(text, key, subkey)

    def read(self, path: str, namespace: str | None) -> str | bytes:
        """The content of a file: text, or the bytes of binary Ion."""
        with self._files.open(self._caller.tenant, namespace or self._caller.namespace, path) as source:
            content = source.read()
        if content.startswith(_BINARY_ION):
            return content
        return content.decode("utf-8", "replace")

    def file_uri(self, path: str, namespace: str | None) -> str:
        """The URI of a namespace file, whether it exists or not."""
        return self._files.uri(self._caller.tenant, namespace or self._caller.namespace, path)

    def file_size(self, path: str, namespace: str | None) -> int:
        """The size of a file in bytes."""
        return self._files.size(self._caller.tenant, namespace or self._caller.namespace, path)

    def file_exists(self, path: str, namespace: str | None) -> bool:
        """Whether a file exists."""
        return self._files.exists(self._caller.tenant, namespace or self._caller.namespace, path)

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
        """The body of a response, parsed by its content type."""
        return fetch(
            uri,
            method=method,
            query=query,
            body=body,
            content_type=content_type,
            headers=headers,
            options=options,
            accept=accept,
        )

    def error_logs(self) -> list[dict[str, object]]:
        """The ERROR lines of the execution, oldest first; waits a little for the first one."""
        execution_id = self._caller.execution_id
        if execution_id is None or self._reads is None:
            raise EvaluationError("The 'errorLogs' function can only be used in an execution.")
        arrived = threading.Event()
        stop = self._feed.on_log(lambda _: arrived.set(), execution_id) if self._feed is not None else None
        try:
            lines = self._error_lines(execution_id)
            if not lines and stop is not None and arrived.wait(LOG_PATIENCE):
                lines = self._error_lines(execution_id)
        finally:
            if stop is not None:
                stop()
        return [_shown(line) for line in lines]

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
        """Runs a flow to its end; label `system.from` is `subflow`."""
        if self._desk is None:
            raise EvaluationError("The 'subflow' function needs the server and can not be evaluated here.")
        wait = parse_duration(timeout) if timeout is not None else SUBFLOW_PATIENCE
        wish = Wish(inputs=inputs, labels=labels_from(labels), system_from="subflow")
        info = self._desk.start(self._caller.tenant, namespace, flow_id, wish=wish, revision=revision, wait=wait)
        return {"id": info.id, "state": str(info.state), "outputs": info.outputs, "labels": dict(info.labels)}

    def app_link(self, app_id: str | None, *, base_url: bool) -> str:
        """Apps are not part of this edition."""
        raise NotFound(f"There is no app '{app_id or ''}': apps are not available here.")

    def credential(self, name: str) -> str:
        """Credentials are not part of this edition."""
        raise NotFound(f"There is no credential '{name}': use secret('{name}').")

    def random_port(self) -> int:
        """A TCP port that is free on this machine at this moment."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])

    def _error_lines(self, execution_id: str) -> list[LogEntry]:
        assert self._reads is not None
        wanted = [
            Filter("executionId", "EQUALS", execution_id),
            Filter("level", "GREATER_THAN_OR_EQUAL_TO", "ERROR"),
        ]
        return self._reads.logs(self._caller.tenant, wanted).results


def _field(text: str, key: str, subkey: str) -> object:
    try:
        found = json.loads(text)
    except ValueError as fault:
        raise EvaluationError(f"Cannot read subkey '{subkey}' of secret '{key}': the secret is not JSON.") from fault
    if not isinstance(found, dict) or subkey not in found:
        raise EvaluationError(f"Cannot find secret sub-key '{subkey}' in secret '{key}'.")
    return found[subkey]


def _shown(line: LogEntry) -> dict[str, object]:
    facts: dict[str, object] = {
        "timestamp": line.timestamp,
        "level": str(line.level),
        "message": line.message,
        "taskId": line.task_id,
        "taskRunId": line.task_run_id,
        "attemptNumber": line.attempt_number,
        "executionId": line.execution_id,
        "namespace": line.namespace,
        "flowId": line.flow_id,
    }
    return {name: value for name, value in facts.items() if value is not None}
