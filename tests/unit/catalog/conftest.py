"""A catalog on a database file of its own."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from desks import FakeExecutor

from penstock.blobs import MemoryBlobs
from penstock.catalog.flows import FlowShelf
from penstock.catalog.inputs import InputResolver
from penstock.catalog.key_values import KeyValueStore
from penstock.catalog.launch import Launcher
from penstock.catalog.namespace_files import NamespaceFileStore
from penstock.catalog.namespaces import Namespaces
from penstock.catalog.platform import Parts
from penstock.catalog.purging import Purger
from penstock.catalog.rendering import Renderer
from penstock.catalog.runs import ExecutionDesk
from penstock.catalog.secrets import SecretStore
from penstock.catalog.vault import EnvironmentSecrets, Vault
from penstock.clock import ManualClock
from penstock.definition import ParsedFlow, parse_flow
from penstock.plugin.registry import installed
from penstock.store.sqlite import SqliteStore


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    made = SqliteStore(tmp_path / "penstock.db")
    yield made
    made.close()


@pytest.fixture
def vault() -> Vault:
    return Vault([b"k" * 32])


@pytest.fixture
def blobs() -> MemoryBlobs:
    return MemoryBlobs()


@pytest.fixture
def parses() -> list[str]:
    """The sources that were parsed, in order."""
    return []


@pytest.fixture
def shelf(store: SqliteStore, clock: ManualClock, parses: list[str]) -> FlowShelf:
    parse = partial(parse_flow, types=installed())

    def counting(source: str) -> ParsedFlow:
        parses.append(source)
        return parse(source)

    return FlowShelf(store.flows, counting, clock=clock)


@pytest.fixture
def resolver(blobs: MemoryBlobs, vault: Vault, clock: ManualClock) -> InputResolver:
    return InputResolver(Renderer(clock=clock), blobs=blobs, vault=vault)


@pytest.fixture
def launcher(shelf: FlowShelf, resolver: InputResolver, clock: ManualClock) -> Launcher:
    return Launcher(shelf, resolver, clock=clock)


@pytest.fixture
def key_values(store: SqliteStore, clock: ManualClock) -> KeyValueStore:
    return KeyValueStore(store.key_values, clock=clock)


@pytest.fixture
def files(store: SqliteStore, blobs: MemoryBlobs, clock: ManualClock) -> NamespaceFileStore:
    return NamespaceFileStore(store.namespace_files, blobs, clock=clock)


@pytest.fixture
def secrets(store: SqliteStore, vault: Vault, clock: ManualClock) -> SecretStore:
    environment = EnvironmentSecrets({"FROM_ENV": "env-value"}, ())
    return SecretStore(store.secrets, clock=clock, vault=vault, environment=environment)


@pytest.fixture
def executor(store: SqliteStore, clock: ManualClock) -> FakeExecutor:
    return FakeExecutor(store, clock.now)


@pytest.fixture
def desk(
    shelf: FlowShelf,
    launcher: Launcher,
    resolver: InputResolver,
    executor: FakeExecutor,
    store: SqliteStore,
    blobs: MemoryBlobs,
) -> ExecutionDesk:
    return ExecutionDesk(
        shelf, launcher, resolver=resolver, commands=executor, reads=store.reads, feed=executor, blobs=blobs
    )


@pytest.fixture
def purger(desk: ExecutionDesk, store: SqliteStore, blobs: MemoryBlobs) -> Purger:
    return Purger(desk, purges=store.purges, blobs=blobs)


@pytest.fixture
def parts(
    shelf: FlowShelf,
    key_values: KeyValueStore,
    files: NamespaceFileStore,
    secrets: SecretStore,
    desk: ExecutionDesk,
    purger: Purger,
    store: SqliteStore,
    clock: ManualClock,
    vault: Vault,
) -> Parts:
    return Parts(
        shelf=shelf,
        key_values=key_values,
        files=files,
        secrets=secrets,
        namespaces=Namespaces(store.flows),
        desk=desk,
        purger=purger,
        reads=store.reads,
        triggers=store.trigger_states,
        clock=clock,
        vault=vault,
    )
