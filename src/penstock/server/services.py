"""What the server is given: ports, the catalog's shelves, and the trigger desk."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from penstock.catalog.flows import FlowShelf
from penstock.catalog.inputs import InputResolver
from penstock.catalog.key_values import KeyValueStore
from penstock.catalog.launch import Launcher
from penstock.catalog.namespace_files import NamespaceFileStore
from penstock.catalog.namespaces import Namespaces
from penstock.catalog.purging import Purger
from penstock.catalog.rendering import Renderer
from penstock.catalog.retention import Retention
from penstock.catalog.runs import ExecutionDesk
from penstock.catalog.secrets import SecretStore
from penstock.clock import Clock
from penstock.model.execution import Label
from penstock.ports.blobs import Blobs
from penstock.ports.commands import Commands
from penstock.ports.feed import Feed
from penstock.ports.journal import OutputRow
from penstock.ports.reads import Condition, Page, Reads, Sort
from penstock.ports.trigger_states import Evaluation, FlowKey, TriggerKey, TriggerState


class TriggerDesk(Protocol):
    """Questions to triggers and changes of them (the scheduler room answers)."""

    def get(self, key: TriggerKey) -> TriggerState: ...

    def of_flow(self, flow: FlowKey) -> list[TriggerState]: ...

    def search(
        self, tenant_id: str, filters: Sequence[Condition], *, sort: Sequence[Sort], page: int, size: int | None
    ) -> Page[TriggerState]: ...

    def locked(self, states: Sequence[TriggerState]) -> set[TriggerKey]: ...

    def evaluations(
        self, tenant_id: str, filters: Sequence[Condition], *, page: int, size: int | None
    ) -> Page[Evaluation]: ...

    def next_dates(self, key: TriggerKey, count: int) -> list[datetime]: ...

    def test_at(self, key: TriggerKey, date: datetime) -> Any: ...

    def set_disabled(self, key: TriggerKey, *, disabled: bool) -> TriggerState: ...

    def unlock(self, key: TriggerKey) -> TriggerState: ...

    def restart(self, key: TriggerKey) -> TriggerState: ...

    def delete(self, key: TriggerKey) -> None: ...

    def backfill_create(
        self,
        key: TriggerKey,
        *,
        start: datetime,
        end: datetime | None,
        inputs: Mapping[str, object],
        labels: Sequence[Label],
    ) -> TriggerState: ...

    def backfill_pause(self, key: TriggerKey) -> TriggerState: ...

    def backfill_unpause(self, key: TriggerKey) -> TriggerState: ...

    def backfill_delete(self, key: TriggerKey) -> TriggerState: ...


class WebhookReceived(Protocol):
    """What a webhook request came to: see `scheduler.webhook.Received`."""

    @property
    def fire(self) -> Any: ...

    @property
    def answer(self) -> Any: ...

    @property
    def failed(self) -> bool: ...


Webhooks = Callable[..., WebhookReceived]
"""`(flow key, key, body, headers, parameters) -> WebhookReceived`; notes and logs of the trigger are taken care of."""


@dataclass(frozen=True, slots=True)
class Login:
    """The one user of HTTP Basic; `enabled` False lets everybody in. `password` may be an argon2 hash of it."""

    enabled: bool = True
    user: str = ""
    password: str = ""


@dataclass(frozen=True, slots=True)
class Services:
    """Everything handlers work with; made once by the composition root."""

    shelf: FlowShelf
    launcher: Launcher
    resolver: InputResolver
    renderer: Renderer
    desk: ExecutionDesk
    purger: Purger
    reads: Reads
    commands: Commands
    feed: Feed
    blobs: Blobs
    read_output: Callable[[str, OutputRow], Mapping[str, object]]
    key_values: KeyValueStore
    files: NamespaceFileStore
    secrets: SecretStore
    namespaces: Namespaces
    triggers: TriggerDesk
    webhooks: Webhooks
    evaluate: Callable[[str, str, str | None, str], str]
    evaluate_outside: Callable[[str, str, str, str], str]
    clock: Clock
    login: Login
    plugin_names: Callable[[], list[str]] = lambda: []
    plugin_class: Callable[[str], type | None] = lambda _: None
    schema: Callable[[str], dict[str, object] | None] = lambda _: None
    retention: Retention | None = None
    ui: Path | None = None
    url: str = "http://localhost:8080/"
    uuid: str = ""
    version: str = "2.0.0"
    extra: Mapping[str, object] = field(default_factory=dict)
