"""The system a task may ask, in memory: for tests of tasks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import BinaryIO

from penstock.clock import Clock
from penstock.errors import Conflict, NotFound
from penstock.ids import new_id
from penstock.model.entries import LogEntry
from penstock.model.state import State
from penstock.model.task import LogLevel
from penstock.plugin.globs import matches
from penstock.ports.blob_paths import namespace_file, namespace_files_prefix
from penstock.ports.blobs import Blobs, missing
from penstock.ports.platform import Caller, Choice, ExecutionInfo, FlowInfo, KvEntry, NamespaceFile, Purged

_RANK = {level: rank for rank, level in enumerate(LogLevel)}


class MemoryPlatform:
    """A `Platform` whose parts are public dictionaries and lists."""

    def __init__(self, clock: Clock, blobs: Blobs) -> None:
        self.clock = clock
        self.blobs = blobs
        self.entries: dict[tuple[str, str], KvEntry] = {}
        self.secret_texts: dict[str, str] = {}
        self.stored_flows: dict[tuple[str, str], FlowInfo] = {}
        self.stored_executions: dict[str, ExecutionInfo] = {}
        self.resumed: list[tuple[str, Mapping[str, object] | None]] = []
        self.purges: list[tuple[str, Choice]] = []
        self.log_entries: list[LogEntry] = []
        self.triggers: dict[tuple[str, str, str], bool] = {}

    def bind(self, caller: Caller) -> MemoryRunPlatform:
        """This system for one caller."""
        return MemoryRunPlatform(self, caller)


class MemoryRunPlatform:
    """A `RunPlatform`."""

    def __init__(self, system: MemoryPlatform, caller: Caller) -> None:
        self.kv = MemoryKv(system, caller)
        self.namespace_files = MemoryNamespaceFiles(system, caller)
        self.secrets = MemorySecrets(system)
        self.flows = MemoryFlows(system)
        self.executions = MemoryExecutions(system)
        self.logs = MemoryLogs(system)
        self.metrics = MemoryMetrics(system)
        self.triggers = MemoryTriggers(system)


class MemoryKv:
    """`Kv` in a dictionary."""

    def __init__(self, system: MemoryPlatform, caller: Caller) -> None:
        self._system = system
        self._namespace = caller.namespace

    def get(self, key: str, namespace: str) -> KvEntry | None:
        entry = self._system.entries.get((namespace, key))
        if entry is None or (entry.expires is not None and entry.expires <= self._system.clock.now()):
            return None
        return entry

    def find(self, key: str) -> KvEntry | None:
        parts = self._namespace.split(".")
        names = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
        return next((entry for name in names if (entry := self.get(key, name))), None)

    def set(
        self,
        key: str,
        namespace: str,
        *,
        value: object,
        description: str | None = None,
        ttl: timedelta | None = None,
        overwrite: bool = True,
    ) -> None:
        if not overwrite and self.get(key, namespace) is not None:
            raise Conflict(f"The key '{key}' already exists")
        now = self._system.clock.now()
        expires = now + ttl if ttl is not None else None
        self._system.entries[namespace, key] = KvEntry(namespace, key, value, description, now, expires)

    def delete(self, key: str, namespace: str) -> bool:
        return self._system.entries.pop((namespace, key), None) is not None

    def keys(self, namespace: str, *, prefix: str = "") -> list[str]:
        found = (key for name, key in self._system.entries if name == namespace and key.startswith(prefix))
        return sorted(key for key in found if self.get(key, namespace))

    def purge(
        self,
        namespaces: Sequence[str],
        *,
        pattern: str | None = None,
        expired_only: bool = True,
        before: datetime | None = None,
        keep: int | None = None,
    ) -> int:
        gone = [
            place
            for place in self._system.entries
            if place[0] in namespaces
            and (pattern is None or matches(place[1], pattern))
            and not (expired_only and self.get(place[1], place[0]))
        ]
        for place in gone:
            del self._system.entries[place]
        return len(gone)


class MemoryNamespaceFiles:
    """`NamespaceFiles` in internal storage."""

    def __init__(self, system: MemoryPlatform, caller: Caller) -> None:
        self._blobs = system.blobs
        self._tenant = caller.tenant

    def all(self, namespace: str) -> list[NamespaceFile]:
        prefix = namespace_files_prefix(namespace)
        found = self._blobs.list(self._tenant, prefix)
        return [
            NamespaceFile(namespace, blob.path.removeprefix(prefix + "/"), blob.uri, blob.size, blob.modified)
            for blob in found
        ]

    def open(self, path: str, namespace: str) -> BinaryIO:
        return self._blobs.open(self._tenant, namespace_file(namespace, path))

    def stat(self, path: str, namespace: str) -> NamespaceFile | None:
        try:
            blob = self._blobs.stat(self._tenant, namespace_file(namespace, path))
        except NotFound:
            return None
        return NamespaceFile(namespace, path.removeprefix("/"), blob.uri, blob.size, blob.modified)

    def put(self, path: str, namespace: str, *, data: bytes | Iterable[bytes] | BinaryIO) -> NamespaceFile:
        self._blobs.put(self._tenant, namespace_file(namespace, path), data)
        made = self.stat(path, namespace)
        if made is None:
            raise missing(path)
        return made

    def delete(self, path: str, namespace: str) -> bool:
        return self._blobs.delete(self._tenant, namespace_file(namespace, path))

    def purge(
        self,
        namespaces: Sequence[str],
        *,
        pattern: str | None = None,
        before: datetime | None = None,
        keep: int | None = None,
    ) -> int:
        return 0


class MemorySecrets:
    """`Secrets` in a dictionary; encryption only turns the text round."""

    def __init__(self, system: MemoryPlatform) -> None:
        self._texts = system.secret_texts

    def get(self, key: str, namespace: str | None = None) -> str:
        if key not in self._texts:
            raise NotFound(f"Cannot find secret for key '{key}'.")
        return self._texts[key]

    def encrypt(self, text: str) -> str:
        return text[::-1]

    def decrypt(self, text: str) -> str:
        return text[::-1]


class MemoryFlows:
    """`Flows` in a dictionary."""

    def __init__(self, system: MemoryPlatform) -> None:
        self._flows = system.stored_flows

    def get(self, flow_id: str, namespace: str, *, revision: int | None = None) -> FlowInfo | None:
        return self._flows.get((namespace, flow_id))

    def all(self, namespace: str | None = None, *, children: bool = True) -> Iterator[FlowInfo]:
        for (name, _), flow in self._flows.items():
            below = children and name.startswith(f"{namespace}.")
            if namespace is None or name == namespace or below:
                yield flow

    def put(self, source: str) -> FlowInfo:
        identity = dict(line.split(": ", 1) for line in source.splitlines() if line.startswith(("id: ", "namespace: ")))
        flow = FlowInfo(identity["namespace"], identity["id"], 1, source)
        self._flows[flow.namespace, flow.id] = flow
        return flow

    def delete(self, flow_id: str, namespace: str) -> bool:
        return self._flows.pop((namespace, flow_id), None) is not None

    def namespaces(self, prefix: str | None = None) -> list[str]:
        found = {flow.namespace for flow in self.all(prefix)}
        return sorted(found | ({prefix} if prefix else set()))


class MemoryExecutions:
    """`Executions` in a dictionary."""

    def __init__(self, system: MemoryPlatform) -> None:
        self._system = system

    def get(self, execution_id: str) -> ExecutionInfo | None:
        return self._system.stored_executions.get(execution_id)

    def start(
        self,
        flow_id: str,
        namespace: str,
        *,
        inputs: Mapping[str, object] | None = None,
        labels: Mapping[str, str] | None = None,
        revision: int | None = None,
        wait: timedelta | None = None,
    ) -> ExecutionInfo:
        state = State.SUCCESS if wait is not None else State.CREATED
        made = ExecutionInfo(new_id(), namespace, flow_id, 1, state, outputs=dict(inputs or {}), labels=labels or {})
        self._system.stored_executions[made.id] = made
        return made

    def resume(self, execution_id: str, *, inputs: Mapping[str, object] | None = None) -> None:
        if execution_id not in self._system.stored_executions:
            raise NotFound(f"Execution not found: {execution_id}")
        self._system.resumed.append((execution_id, inputs))

    def kill(self, execution_id: str) -> None:
        if execution_id not in self._system.stored_executions:
            raise NotFound(f"Execution not found: {execution_id}")

    def count(self, choice: Choice) -> int:
        return sum(_meant(choice, execution) for execution in self._system.stored_executions.values())

    def purge(
        self, choice: Choice, *, executions: bool, logs: bool, metrics: bool, files: bool, batch: int = 100
    ) -> Purged:
        self._system.purges.append(("executions", choice))
        gone = [key for key, found in self._system.stored_executions.items() if _meant(choice, found)]
        for key in gone if executions else ():
            del self._system.stored_executions[key]
        return Purged(executions=len(gone) if executions else 0)


class MemoryLogs:
    """`Logs` in a list."""

    def __init__(self, system: MemoryPlatform) -> None:
        self._system = system

    def fetch(
        self, execution_id: str, *, level: LogLevel = LogLevel.TRACE, task_ids: Sequence[str] = ()
    ) -> Iterator[LogEntry]:
        for entry in self._system.log_entries:
            named = entry.execution_id == execution_id and (not task_ids or entry.task_id in task_ids)
            if named and _RANK[entry.level] >= _RANK[level]:
                yield entry

    def purge(self, choice: Choice, *, of_executions: bool, of_others: bool, batch: int = 1000) -> tuple[int, int]:
        self._system.purges.append(("logs", choice))
        kept = [e for e in self._system.log_entries if not (of_executions if e.execution_id else of_others)]
        gone = [e for e in self._system.log_entries if e not in kept]
        self._system.log_entries[:] = kept
        return sum(e.execution_id is not None for e in gone), sum(e.execution_id is None for e in gone)


class MemoryMetrics:
    """`Metrics` that only note what was to be purged."""

    def __init__(self, system: MemoryPlatform) -> None:
        self._system = system

    def purge(self, choice: Choice) -> int:
        self._system.purges.append(("metrics", choice))
        return 0


class MemoryTriggers:
    """`Triggers` in a dictionary: (namespace, flow, trigger) -> enabled."""

    def __init__(self, system: MemoryPlatform) -> None:
        self._triggers = system.triggers

    def toggle(self, trigger_id: str, flow_id: str, namespace: str, *, enabled: bool) -> bool:
        place = namespace, flow_id, trigger_id
        if place not in self._triggers:
            return False
        self._triggers[place] = enabled
        return True


def _meant(choice: Choice, execution: ExecutionInfo) -> bool:
    inside = choice.namespace is None or f"{execution.namespace}.".startswith(f"{choice.namespace}.")
    of_flow = choice.flow_id is None or execution.flow_id == choice.flow_id
    return inside and of_flow and (not choice.states or execution.state in choice.states)
