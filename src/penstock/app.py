"""The composition root: settings into backends into loops. The only place that chooses."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from penstock.blobs import LocalBlobs
from penstock.catalog.files import FileResolver
from penstock.catalog.flows import FlowShelf
from penstock.catalog.host import CatalogHost
from penstock.catalog.inputs import InputResolver
from penstock.catalog.key_values import KeyValueStore
from penstock.catalog.launch import ChildWish, Launcher, ParentRun
from penstock.catalog.namespace_files import NamespaceFileStore
from penstock.catalog.namespaces import Namespaces
from penstock.catalog.outputs import type_outputs
from penstock.catalog.platform import CatalogPlatform
from penstock.catalog.platform import Parts as PlatformParts
from penstock.catalog.purging import Purger
from penstock.catalog.rendering import Renderer
from penstock.catalog.rendering import Settings as RenderSettings
from penstock.catalog.runs import ExecutionDesk
from penstock.catalog.secrets import SecretStore
from penstock.catalog.vault import Vault, load_or_create_key, secrets_of_environment
from penstock.clock import SystemClock, monotonic
from penstock.definition import ParsedFlow, parse_flow
from penstock.engine.commands import StartExecution
from penstock.engine.draft import Launch
from penstock.engine.moment import Surroundings
from penstock.engine.plan import Plan
from penstock.engine.state import ExecutionState
from penstock.errors import NotFound
from penstock.executor import Executor, LocalFeed, OutputKeeper, Parts
from penstock.ids import new_id
from penstock.model.execution import TaskRun
from penstock.plugin.registry import installed
from penstock.ports.platform import Caller
from penstock.settings import Settings, environment
from penstock.store.sqlite import SqliteStore
from penstock.worker import Equipment, LocalQueue, Worker, WorkerSettings


class PlanShelf:
    """Plans by flow and revision, compiled once and kept in a bounded number."""

    def __init__(self, shelf: FlowShelf, *, capacity: int = 1000) -> None:
        self._shelf = shelf
        self._capacity = capacity
        self._plans: dict[tuple[str, str, str, int], Plan] = {}

    def __call__(self, tenant: str, namespace: str, flow_id: str, revision: int) -> Plan:
        """The plan of one revision.

        Raises:
            NotFound: there is no such revision. Conflict: its source does not parse.
        """
        key = (tenant, namespace, flow_id, revision)
        plan = self._plans.get(key)
        if plan is None:
            shelved = self._shelf.at(tenant, namespace, flow_id, revision=revision)
            if shelved is None:
                raise NotFound(f"Flow '{namespace}.{flow_id}' has no revision {revision}")
            plan = Plan(shelved.flow, revision, tenant)
            if len(self._plans) >= self._capacity:
                del self._plans[next(iter(self._plans))]
            self._plans[key] = plan
        return plan


class App:
    """Everything of one process on SQLite: store, catalog, executor and worker.

    `start` takes up what was left unfinished; `stop` ends the loops, waits for what runs, and closes the store.
    """

    def __init__(self, settings: Settings, *, env: Mapping[str, str] | None = None) -> None:
        self.settings = settings
        self.env = env if env is not None else environment()
        self.clock = SystemClock()
        home = settings.folder
        home.mkdir(parents=True, exist_ok=True)
        self.store = SqliteStore(home / "penstock.db", durability=settings.durability)
        self.blobs = LocalBlobs(home / "storage", fsync=settings.durability == "power")
        self.vault = Vault(load_or_create_key(home / "encryption.key"))
        self.types = installed()
        self.feed = LocalFeed()
        self.queue = LocalQueue()
        self._catalog()
        self.plans = PlanShelf(self.shelf)
        self.executor = Executor(self._executor_parts())
        self._platform()
        self.worker = Worker(self.queue, self.executor, self._equipment())
        self.queue.on_kill(self.worker.kill)

    # -- rooms -----------------------------------------------------------------------------------------------------

    def _catalog(self) -> None:
        store, clock = self.store, self.clock
        self.render_settings = RenderSettings(
            envs=self._envs(),
            globals=self.settings.globals,
            kestra=self.settings.kestra,
            timezone=self.settings.timezone,
        )
        self.shelf = FlowShelf(store.flows, self.parse, clock=clock)
        self.key_values = KeyValueStore(store.key_values, clock=clock)
        self.files = NamespaceFileStore(store.namespace_files, self.blobs, clock=clock)
        self.secrets = SecretStore(
            store.secrets, clock=clock, vault=self.vault, environment=secrets_of_environment(self.env)
        )
        self.namespaces = Namespaces(store.flows)
        self.resolver_of_files = FileResolver(
            self.blobs, self.files, local_roots=[Path(folder) for folder in self.settings.allowed_files]
        )
        self.renderer = Renderer(self.render_settings, clock=clock, host_of=self.host_of)
        self.resolver = InputResolver(self.renderer, blobs=self.blobs, vault=self.vault)
        self.launcher = Launcher(self.shelf, self.resolver, clock=clock)

    def parse(self, source: str) -> ParsedFlow:
        """Parse a flow with the types of this installation."""
        return parse_flow(source, types=self.types)

    def host_of(self, caller: Caller) -> CatalogHost:
        """The outside functions of templates, for one caller."""
        return CatalogHost(
            caller,
            key_values=self.key_values,
            secrets=self.secrets,
            files=self.resolver_of_files,
            reads=self.store.reads,
            feed=self.feed,
            desk=self.desk,
        )

    def _envs(self) -> dict[str, str]:
        prefix = self.settings.envs_prefix
        return {name.removeprefix(prefix).lower(): value for name, value in self.env.items() if name.startswith(prefix)}

    def _executor_parts(self) -> Parts:
        settings = self.settings
        around = Surroundings(
            envs=self._envs(),
            globals=settings.globals,
            kestra=settings.kestra,
            timezone=settings.timezone,
            grace=timedelta(seconds=settings.kill_grace),
            reveal=self._reveal,
            type_outputs=lambda declared, values: type_outputs(declared, values, self.vault),
            monotonic=monotonic,
        )
        return Parts(
            journal=self.store.journal,
            blobs=self.blobs,
            dispatch=self.queue,
            feed=self.feed,
            plan_of=self.plans,
            launch_child=self._launch_child,
            clock=self.clock,
            new_id=new_id,
            random=random.random,
            around=around,
            keeper=OutputKeeper(self.blobs, inline=settings.outputs_inline, limit=settings.outputs_limit),
        )

    def _reveal(self, inputs: Mapping[str, object]) -> Mapping[str, object]:
        """Stored inputs as templates see them: secrets decrypted and marked."""
        from penstock.catalog.vault import is_wrapped
        from penstock.expr import Secret

        return {k: Secret(self.vault.unwrap(v)) if is_wrapped(v) else v for k, v in inputs.items()}

    def _launch_child(self, parent: ExecutionState, run: TaskRun, launch: Launch) -> tuple[StartExecution, list[str]]:
        """The execution that a Subflow or ForEachItem wants."""
        variables = launch.trigger
        prepared = self.launcher.child(
            ParentRun(
                parent.execution,
                parent.context,
                task_id=run.task_id,
                task_run_id=run.id,
                value=run.value,
                iteration=launch.index if launch.index is not None else run.iteration,
                loop_run_id=_text(variables.get("loopTaskRunId")),
                loop_index=_number(variables.get("loopIndex")),
            ),
            ChildWish(
                launch.namespace,
                launch.flow_id,
                revision=launch.revision,
                inputs=launch.inputs,
                labels=launch.labels,
                inherit_labels=launch.inherit_labels,
                execution_id=launch.child_id,
                trigger_type=launch.type,
            ),
        )
        return prepared.command, prepared.warnings

    def _platform(self) -> None:
        self.desk = ExecutionDesk(
            self.shelf,
            self.launcher,
            resolver=self.resolver,
            commands=self.executor,
            reads=self.store.reads,
            feed=self.feed,
            blobs=self.blobs,
        )
        self.purger = Purger(self.desk, purges=self.store.purges, blobs=self.blobs)
        self.platform = CatalogPlatform(
            PlatformParts(
                shelf=self.shelf,
                key_values=self.key_values,
                files=self.files,
                secrets=self.secrets,
                namespaces=self.namespaces,
                desk=self.desk,
                purger=self.purger,
                reads=self.store.reads,
                triggers=self.store.trigger_states,
                clock=self.clock,
                vault=self.vault,
            )
        )

    def _equipment(self) -> Equipment:
        settings = self.settings
        return Equipment(
            worker_id=new_id(),
            platform=self.platform,
            blobs=self.blobs,
            types=self.types,
            now=self.clock.now,
            monotonic=monotonic,
            random=random.random,
            new_id=new_id,
            settings=WorkerSettings(
                threads=settings.threads,
                work_folder=(settings.folder / "work").absolute(),
                timezone=settings.timezone,
                allowed_files=[Path(folder) for folder in settings.allowed_files],
            ),
        )

    # -- life ------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Take up unfinished executions and begin to work."""
        self.executor.start()
        self.worker.start()

    def stop(self, *, grace: timedelta = timedelta(seconds=10)) -> None:
        """End: no new work, what runs may finish within `grace`, then the store is closed."""
        self.worker.stop(grace=grace)
        self.executor.stop()
        self.store.close()


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None


