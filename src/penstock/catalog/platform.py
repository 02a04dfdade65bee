"""What a running task may ask of the system, answered by the catalog in this process (`ports.platform`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, BinaryIO

from msgspec.structs import replace

from penstock.catalog.inputs import NO_ENCRYPTION
from penstock.catalog.launch import Wish
from penstock.catalog.purging import Purger
from penstock.catalog.runs import ExecutionDesk, filters_of
from penstock.errors import Conflict, NotFound
from penstock.model.entries import LogEntry
from penstock.model.execution import Label
from penstock.model.task import LogLevel
from penstock.plugin.platform import (
    Choice,
    ExecutionInfo,
    FlowInfo,
    KvEntry,
    NamespaceFile,
    Purged,
)
from penstock.ports.platform import Caller
from penstock.ports.reads import Condition, Filter, Reads
from penstock.ports.trigger_states import TriggerBatch, TriggerKey, TriggerStates

if TYPE_CHECKING:
    from penstock.catalog.flows import FlowShelf
    from penstock.catalog.key_values import KeyValue, KeyValueStore
    from penstock.catalog.namespace_files import NamespaceFileStore
    from penstock.catalog.namespaces import Namespaces
    from penstock.catalog.secrets import SecretStore
    from penstock.catalog.vault import Vault
    from penstock.clock import Clock
    from penstock.ports.flows import FlowRow
    from penstock.ports.namespace_files import NamespaceFileRow

LOG_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Parts:
    """The stores behind the platform, made once by the composition root."""

    shelf: FlowShelf
    key_values: KeyValueStore
    files: NamespaceFileStore
    secrets: SecretStore
    namespaces: Namespaces
    desk: ExecutionDesk
    purger: Purger
    reads: Reads
    triggers: TriggerStates
    clock: Clock
    vault: Vault | None = None
    toggle: Callable[[TriggerKey, bool], bool] | None = None
    """Enables or disables a trigger where a scheduler runs that must hear of it; False: there is no such trigger."""


class CatalogPlatform:
    """The whole system for workers of this process."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def bind(self, caller: Caller) -> BoundPlatform:
        """The system as `caller` may see it."""
        return BoundPlatform(self._parts, caller)


class BoundPlatform:
    """The system as one task run sees it; its parts are made when they are first asked for."""

    __slots__ = ("_caller", "_parts")

    def __init__(self, parts: Parts, caller: Caller) -> None:
        self._parts = parts
        self._caller = caller

    @property
    def kv(self) -> BoundKv:
        return BoundKv(self._parts.key_values, self._caller)

    @property
    def namespace_files(self) -> BoundFiles:
        return BoundFiles(self._parts.files, self._caller)

    @property
    def secrets(self) -> BoundSecrets:
        return BoundSecrets(self._parts.secrets, self._parts.vault, self._caller)

    @property
    def flows(self) -> BoundFlows:
        return BoundFlows(self._parts.shelf, self._parts.namespaces, self._caller)

    @property
    def executions(self) -> BoundExecutions:
        return BoundExecutions(self._parts, self._caller)

    @property
    def logs(self) -> BoundLogs:
        return BoundLogs(self._parts, self._caller)

    @property
    def metrics(self) -> BoundMetrics:
        return BoundMetrics(self._parts.purger, self._caller)

    @property
    def triggers(self) -> BoundTriggers:
        return BoundTriggers(self._parts, self._caller)


class BoundKv:
    """Keys and values of the caller's tenant."""

    def __init__(self, store: KeyValueStore, caller: Caller) -> None:
        self._store = store
        self._caller = caller

    def get(self, key: str, namespace: str) -> KvEntry | None:
        return _entry(self._store.find(self._caller.tenant, namespace, key))

    def find(self, key: str) -> KvEntry | None:
        return _entry(self._store.find(self._caller.tenant, self._caller.namespace, key, inherited=True))

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
        self._store.put(
            self._caller.tenant,
            namespace,
            key,
            value=value,
            description=description,
            ttl=ttl,
            overwrite=overwrite,
        )

    def delete(self, key: str, namespace: str) -> bool:
        return self._store.delete(self._caller.tenant, namespace, key)

    def keys(self, namespace: str, *, prefix: str = "") -> list[str]:
        return self._store.keys(self._caller.tenant, namespace, prefix=prefix)

    def purge(
        self,
        namespaces: Sequence[str],
        *,
        pattern: str | None = None,
        expired_only: bool = True,
        before: datetime | None = None,
        keep: int | None = None,
    ) -> int:
        """Old versions of a key are not kept, so that a purge of versions (`before`, `keep`) finds none."""
        if before is not None or keep is not None:
            return 0
        return self._store.purge(self._caller.tenant, namespaces, pattern=pattern, expired_only=expired_only)


class BoundFiles:
    """Namespace files of the caller's tenant; paths have no leading slash here."""

    def __init__(self, store: NamespaceFileStore, caller: Caller) -> None:
        self._store = store
        self._tenant = caller.tenant

    def all(self, namespace: str) -> list[NamespaceFile]:
        return [_file(row) for row in self._store.files(self._tenant, namespace)]

    def open(self, path: str, namespace: str) -> BinaryIO:
        return self._store.open(self._tenant, namespace, path)

    def stat(self, path: str, namespace: str) -> NamespaceFile | None:
        row = self._store.find(self._tenant, namespace, path)
        return _file(row) if row is not None and not row.directory else None

    def put(self, path: str, namespace: str, *, data: bytes | Iterable[bytes] | BinaryIO) -> NamespaceFile:
        return _file(self._store.put(self._tenant, namespace, path, data))

    def delete(self, path: str, namespace: str) -> bool:
        return bool(self._store.delete(self._tenant, namespace, path))

    def purge(
        self,
        namespaces: Sequence[str],
        *,
        pattern: str | None = None,
        before: datetime | None = None,
        keep: int | None = None,
    ) -> int:
        return self._store.purge(self._tenant, namespaces, pattern=pattern, before=before, keep=keep)


class BoundSecrets:
    """Secrets the caller may name, and encryption with the installation's key."""

    def __init__(self, store: SecretStore, vault: Vault | None, caller: Caller) -> None:
        self._store = store
        self._vault = vault
        self._caller = caller

    def get(self, key: str, namespace: str | None = None) -> str:
        return self._store.get(self._caller.tenant, namespace or self._caller.namespace, key)

    def encrypt(self, text: str) -> str:
        return self._required_vault().encrypt(text)

    def decrypt(self, text: str) -> str:
        return self._required_vault().decrypt(text)

    def _required_vault(self) -> Vault:
        if self._vault is None:
            raise Conflict(NO_ENCRYPTION)
        return self._vault


class BoundFlows:
    """The flows of the caller's tenant."""

    def __init__(self, shelf: FlowShelf, namespaces: Namespaces, caller: Caller) -> None:
        self._shelf = shelf
        self._namespaces = namespaces
        self._tenant = caller.tenant

    def get(self, flow_id: str, namespace: str, *, revision: int | None = None) -> FlowInfo | None:
        if revision is None:
            row = self._shelf.rows.latest(self._tenant, namespace, flow_id)
        else:
            row = self._shelf.rows.revision(self._tenant, namespace, flow_id, number=revision)
        return _flow(row) if row is not None and not row.deleted else None

    def all(self, namespace: str | None = None, *, children: bool = True) -> Iterator[FlowInfo]:
        rows = (
            self._shelf.rows.all_latest(self._tenant)
            if namespace is None
            else self._shelf.in_namespace(self._tenant, namespace, children=children)
        )
        yield from map(_flow, rows)

    def put(self, source: str) -> FlowInfo:
        return _flow(self._shelf.put(self._tenant, source).row)

    def delete(self, flow_id: str, namespace: str) -> bool:
        try:
            self._shelf.delete(self._tenant, namespace, flow_id)
        except NotFound:
            return False
        return True

    def namespaces(self, prefix: str | None = None) -> list[str]:
        return self._namespaces.below(self._tenant, prefix)


class BoundExecutions:
    """The executions of the caller's tenant."""

    def __init__(self, parts: Parts, caller: Caller) -> None:
        self._parts = parts
        self._tenant = caller.tenant

    def get(self, execution_id: str) -> ExecutionInfo | None:
        return self._parts.desk.get(self._tenant, execution_id)

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
        wish = Wish(inputs=inputs or {}, labels=[Label(k, v) for k, v in (labels or {}).items()])
        return self._parts.desk.start(self._tenant, namespace, flow_id, wish=wish, revision=revision, wait=wait)

    def resume(self, execution_id: str, *, inputs: Mapping[str, object] | None = None) -> None:
        self._parts.desk.resume(self._tenant, execution_id, inputs=inputs)

    def kill(self, execution_id: str) -> None:
        self._parts.desk.kill(self._tenant, execution_id)

    def count(self, choice: Choice) -> int:
        return self._parts.desk.count(self._tenant, choice)

    def purge(
        self, choice: Choice, *, executions: bool, logs: bool, metrics: bool, files: bool, batch: int = 100
    ) -> Purged:
        ids = self._parts.desk.ended(self._tenant, choice, now=self._parts.clock.now())
        return self._parts.purger.executions(
            self._tenant, ids, executions=executions, logs=logs, metrics=metrics, files=files, batch=batch
        )


class BoundLogs:
    """Log lines of the caller's tenant."""

    def __init__(self, parts: Parts, caller: Caller) -> None:
        self._parts = parts
        self._tenant = caller.tenant

    def fetch(
        self, execution_id: str, *, level: LogLevel = LogLevel.TRACE, task_ids: Sequence[str] = ()
    ) -> Iterator[LogEntry]:
        wanted: list[Condition] = [Filter("executionId", "EQUALS", execution_id)]
        if level is not LogLevel.TRACE:
            wanted.append(Filter("level", "GREATER_THAN_OR_EQUAL_TO", str(level)))
        if task_ids:
            wanted.append(Filter("taskId", "IN", list(task_ids)))
        page = 1
        while lines := self._parts.reads.logs(self._tenant, wanted, page=page, size=LOG_PAGE).results:
            yield from lines
            if len(lines) < LOG_PAGE:
                return
            page += 1

    def purge(self, choice: Choice, *, of_executions: bool, of_others: bool, batch: int = 1000) -> tuple[int, int]:
        filters = filters_of(choice, start="timestamp", end="timestamp")
        counts = [
            self._parts.purger.logs(self._tenant, [*filters, Filter("executionId", operation, None)]) if wanted else 0
            for wanted, operation in ((of_executions, "IS_NOT_NULL"), (of_others, "IS_NULL"))
        ]
        return counts[0], counts[1]


class BoundMetrics:
    """Metrics of the caller's tenant."""

    def __init__(self, purger: Purger, caller: Caller) -> None:
        self._purger = purger
        self._tenant = caller.tenant

    def purge(self, choice: Choice) -> int:
        return self._purger.metrics(self._tenant, filters_of(choice, start="timestamp", end="timestamp"))


class BoundTriggers:
    """The triggers of the caller's tenant."""

    def __init__(self, parts: Parts, caller: Caller) -> None:
        self._states = parts.triggers
        self._clock = parts.clock
        self._toggle = parts.toggle
        self._tenant = caller.tenant

    def toggle(self, trigger_id: str, flow_id: str, namespace: str, *, enabled: bool) -> bool:
        key = TriggerKey(self._tenant, namespace, flow_id, trigger_id)
        if self._toggle is not None:
            return self._toggle(key, enabled)
        while True:
            state = self._states.get(key)
            if state is None:
                return False
            if state.disabled is not enabled:
                return True
            changed = replace(state, disabled=not enabled, updated=self._clock.now(), version=state.version + 1)
            try:
                self._states.commit(TriggerBatch(states=[changed]))
            except Conflict:  # the scheduler changed the row meanwhile: look again
                continue
            return True


def _entry(found: KeyValue | None) -> KvEntry | None:
    if found is None:
        return None
    row = found.row
    return KvEntry(
        namespace=row.namespace,
        key=row.key,
        value=found.value,
        description=row.description,
        updated=row.updated,
        expires=row.expires,
        version=row.revision,
    )


def _file(row: NamespaceFileRow) -> NamespaceFile:
    return NamespaceFile(
        namespace=row.namespace,
        path=row.path.removeprefix("/"),
        uri=row.uri,
        size=row.size,
        modified=row.updated,
        version=row.revision,
    )


def _flow(row: FlowRow) -> FlowInfo:
    return FlowInfo(namespace=row.namespace, id=row.id, revision=row.revision, source=row.source, disabled=row.disabled)
