"""What a task may ask of the system while it runs: KV, namespace files, secrets, flows, executions, triggers, logs.

Everything here is bound to one caller (a tenant, a flow, an execution): no method takes a tenant. Namespaces are those
of the caller's tenant; an implementation raises `Forbidden` for one the caller may not reach. Everything is synchronous
and safe to call from several threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import BinaryIO, Protocol

from penstock.model.entries import LogEntry
from penstock.model.state import State
from penstock.model.task import LogLevel


@dataclass(frozen=True, slots=True)
class KvEntry:
    """A stored value and what is known of it; `expires` None means never."""

    namespace: str
    key: str
    value: object
    description: str | None = None
    updated: datetime | None = None
    expires: datetime | None = None
    version: int = 1


class Kv(Protocol):
    """Typed values by namespace and key."""

    def get(self, key: str, namespace: str) -> KvEntry | None:
        """The entry of exactly this namespace, or None when there is none or it has expired."""
        ...

    def find(self, key: str) -> KvEntry | None:
        """The entry of the caller's namespace, else of its nearest parent that has one."""
        ...

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
        """Stores a JSON value; texts keep their kind (a date, a duration are handed in as datetime, timedelta).

        Raises:
            Conflict: `overwrite` is false and the key exists.
        """
        ...

    def delete(self, key: str, namespace: str) -> bool:
        """Removes the key; False when there was none."""
        ...

    def keys(self, namespace: str, *, prefix: str = "") -> list[str]:
        """Names of the live keys that start with `prefix`, sorted."""
        ...

    def purge(
        self,
        namespaces: Sequence[str],
        *,
        pattern: str | None = None,
        expired_only: bool = True,
        before: datetime | None = None,
        keep: int | None = None,
    ) -> int:
        """Removes expired entries (or old versions: last changed `before`, all but `keep` newest); returns how many."""
        ...


@dataclass(frozen=True, slots=True)
class NamespaceFile:
    """One file of a namespace; `path` has no leading slash."""

    namespace: str
    path: str
    uri: str
    size: int
    modified: datetime | None = None
    version: int = 1


class NamespaceFiles(Protocol):
    """The files of namespaces. Paths are relative (`queries/select.sql`); a leading slash is dropped."""

    def all(self, namespace: str) -> list[NamespaceFile]:
        """Every file at its newest version, by path."""
        ...

    def open(self, path: str, namespace: str) -> BinaryIO:
        """The file, opened for reading. Raises NotFound."""
        ...

    def stat(self, path: str, namespace: str) -> NamespaceFile | None:
        """What is known of a file, or None."""
        ...

    def put(self, path: str, namespace: str, *, data: bytes | Iterable[bytes] | BinaryIO) -> NamespaceFile:
        """Writes a file, as a new version where it exists."""
        ...

    def delete(self, path: str, namespace: str) -> bool:
        """Removes a file; False when there was none."""
        ...

    def purge(
        self,
        namespaces: Sequence[str],
        *,
        pattern: str | None = None,
        before: datetime | None = None,
        keep: int | None = None,
    ) -> int:
        """Removes old versions of files; returns how many."""
        ...


class Secrets(Protocol):
    """Secrets, and values encrypted with the installation's key."""

    def get(self, key: str, namespace: str | None = None) -> str:
        """The text of a secret; namespace None searches the caller's namespace and its parents. Raises NotFound."""
        ...

    def encrypt(self, text: str) -> str:
        """`text` encrypted at rest, as outputs of type SECRET hold it."""
        ...

    def decrypt(self, text: str) -> str:
        """The text behind `encrypt`."""
        ...


@dataclass(frozen=True, slots=True)
class FlowInfo:
    """A stored flow: its identity and its source as written."""

    namespace: str
    id: str
    revision: int
    source: str
    disabled: bool = False


class Flows(Protocol):
    """The flows of the tenant."""

    def get(self, flow_id: str, namespace: str, *, revision: int | None = None) -> FlowInfo | None:
        """A flow (its newest revision by default), or None."""
        ...

    def all(self, namespace: str | None = None, *, children: bool = True) -> Iterator[FlowInfo]:
        """The flows of a namespace (and those below it), or all."""
        ...

    def put(self, source: str) -> FlowInfo:
        """Creates or updates the flow that `source` describes. Raises FlowInvalid."""
        ...

    def delete(self, flow_id: str, namespace: str) -> bool:
        """Removes a flow; False when there was none."""
        ...

    def namespaces(self, prefix: str | None = None) -> list[str]:
        """Known namespaces: `prefix` and those below it, or all."""
        ...


@dataclass(frozen=True, slots=True)
class Choice:
    """Which executions (or their logs, metrics) are meant; an unset part does not narrow.

    `namespace` alone means that namespace and those below it; with `flow_id` exactly that flow. Dates are of the end of
    an execution (its start, while it runs), and of the timestamp of a log line or metric.
    """

    namespace: str | None = None
    flow_id: str | None = None
    execution_id: str | None = None
    states: Sequence[State] = ()
    start: datetime | None = None
    end: datetime | None = None
    levels: Sequence[LogLevel] = ()


@dataclass(frozen=True, slots=True)
class Purged:
    """How many things a purge removed."""

    executions: int = 0
    outputs: int = 0
    logs: int = 0
    metrics: int = 0
    files: int = 0


@dataclass(frozen=True, slots=True)
class ExecutionInfo:
    """The head of an execution as tasks may see it."""

    id: str
    namespace: str
    flow_id: str
    flow_revision: int
    state: State
    start: datetime | None = None
    end: datetime | None = None
    outputs: Mapping[str, object] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


class Executions(Protocol):
    """The executions of the tenant."""

    def get(self, execution_id: str) -> ExecutionInfo | None:
        """An execution, or None."""
        ...

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
        """Starts a flow; with `wait` returns once it has ended (raises Timeout), else at once. Raises NotFound."""
        ...

    def resume(self, execution_id: str, *, inputs: Mapping[str, object] | None = None) -> None:
        """Resumes a paused execution. Raises NotFound, Conflict when it is not paused."""
        ...

    def kill(self, execution_id: str) -> None:
        """Asks for the end of an execution. Raises NotFound."""
        ...

    def count(self, choice: Choice) -> int:
        """How many executions `choice` names; its dates are of their start."""
        ...

    def purge(
        self, choice: Choice, *, executions: bool, logs: bool, metrics: bool, files: bool, batch: int = 100
    ) -> Purged:
        """Removes terminated executions and what belongs to them, as asked, `batch` at a time."""
        ...


class Logs(Protocol):
    """Log lines of flows."""

    def fetch(
        self, execution_id: str, *, level: LogLevel = LogLevel.TRACE, task_ids: Sequence[str] = ()
    ) -> Iterator[LogEntry]:
        """Lines of an execution at or above `level`, of the given tasks, by time. Streams."""
        ...

    def purge(self, choice: Choice, *, of_executions: bool, of_others: bool, batch: int = 1000) -> tuple[int, int]:
        """Removes lines that carry an execution, and those that do not; how many of each."""
        ...


class Metrics(Protocol):
    """Metrics of flows."""

    def purge(self, choice: Choice) -> int:
        """Removes metrics; returns how many."""
        ...


class Triggers(Protocol):
    """The triggers of flows."""

    def toggle(self, trigger_id: str, flow_id: str, namespace: str, *, enabled: bool) -> bool:
        """Enables or disables a trigger; False when the flow has no such trigger."""
        ...


class RunPlatform(Protocol):
    """All of the system that one task run may ask."""

    @property
    def kv(self) -> Kv: ...
    @property
    def namespace_files(self) -> NamespaceFiles: ...
    @property
    def secrets(self) -> Secrets: ...
    @property
    def flows(self) -> Flows: ...
    @property
    def executions(self) -> Executions: ...
    @property
    def logs(self) -> Logs: ...
    @property
    def metrics(self) -> Metrics: ...
    @property
    def triggers(self) -> Triggers: ...
