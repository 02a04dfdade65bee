"""One process on SQLite: store, catalog, executor, worker, scheduler, server."""

from __future__ import annotations

import gc
import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from penstock.app.housekeeping import Housekeeper
from penstock.app.plans import PlanShelf
from penstock.app.storage import internal_storage
from penstock.app.triggers import WebhookDoor, WorkerTriggers
from penstock.catalog.evaluate import Evaluator
from penstock.catalog.files import FileResolver
from penstock.catalog.flows import FlowShelf
from penstock.catalog.host import CatalogHost
from penstock.catalog.inputs import InputResolver, reveal
from penstock.catalog.key_values import KeyValueStore
from penstock.catalog.launch import ChildWish, Launcher, ParentRun
from penstock.catalog.namespace_files import NamespaceFileStore
from penstock.catalog.namespaces import Namespaces
from penstock.catalog.outputs import type_outputs
from penstock.catalog.platform import CatalogPlatform
from penstock.catalog.platform import Parts as PlatformParts
from penstock.catalog.plugin_defaults import PluginDefaults
from penstock.catalog.purging import Purger
from penstock.catalog.rendering import Renderer
from penstock.catalog.rendering import Settings as RenderSettings
from penstock.catalog.retention import Retention, parse_policies
from penstock.catalog.runs import ExecutionDesk
from penstock.catalog.secrets import SecretStore
from penstock.catalog.vault import Vault, load_or_create_key, secrets_of_environment
from penstock.clock import SystemClock, monotonic
from penstock.definition import ParsedFlow, load_document, parse_document
from penstock.engine.commands import StartExecution
from penstock.engine.draft import Launch
from penstock.engine.moment import Surroundings
from penstock.engine.state import ExecutionState
from penstock.errors import NotFound
from penstock.executor import Executor, LocalFeed, OutputKeeper, Parts
from penstock.ids import new_id
from penstock.model.execution import TaskRun
from penstock.plugin.registry import installed
from penstock.ports.flows import FlowRow
from penstock.ports.platform import Caller
from penstock.ports.reads import Filter
from penstock.ports.trigger_states import FlowKey, TriggerKey
from penstock.scheduler import Defaults, Firing, FlowLauncher, Scheduler, ShelfFlows, Triggers, renderers, zone_of
from penstock.settings import Settings, environment
from penstock.store.sqlite import SqliteStore
from penstock.worker import Equipment, LocalQueue, Worker, WorkerSettings
from penstock.worker.trigger_runner import TriggerRunner


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
        self.blobs = internal_storage(settings)
        self.vault = Vault(load_or_create_key(home / "encryption.key"))
        self.types = installed()
        self.feed = LocalFeed()
        self.queue = LocalQueue()
        self._catalog()
        self.plans = PlanShelf(self.shelf)
        self.executor = Executor(self._executor_parts())
        self._platform()
        equipment = self._equipment()
        self.worker = Worker(self.queue, self.executor, equipment)
        self.queue.on_kill(self.worker.kill)
        self._scheduler(equipment)
        self.retention = self._retention()
        self.housekeeper = Housekeeper(
            retention=self.retention,
            purges=self.store.purges,
            key_values=self.key_values,
            triggers=self.store.trigger_states,
            clock=self.clock,
        )
        self.evaluator = Evaluator(
            self.renderer,
            shelf=self.shelf,
            reads=self.store.reads,
            archive=self.executor.archive,
            around=self.around,
            plan_of=self.plans,
            clock=self.clock,
        )

    # -- rooms -----------------------------------------------------------------------------------------------------

    def _catalog(self) -> None:
        store, clock = self.store, self.clock
        self.render_settings = RenderSettings(
            envs=self._envs(),
            globals=self.settings.globals,
            kestra=self.settings.kestra,
            timezone=self.settings.timezone,
        )
        self.plugin_defaults = PluginDefaults(self.settings.plugin_defaults)
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
        """Parse a flow with the types of this installation and the plugin defaults of its namespace and the server."""
        document = load_document(source)
        namespace = document.value.get("namespace") if isinstance(document.value, dict) else None
        return parse_document(document, types=self.types, defaults=self.plugin_defaults.of(namespace))

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
        self.keeper = OutputKeeper(self.blobs, inline=settings.outputs_inline, limit=settings.outputs_limit)
        self.around = Surroundings(
            envs=self._envs(),
            globals=settings.globals,
            kestra=settings.kestra,
            timezone=settings.timezone,
            grace=timedelta(seconds=settings.kill_grace),
            reveal=lambda inputs: reveal(inputs, self.vault),
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
            around=self.around,
            keeper=self.keeper,
            created_since=self._created_since,
            open_file=self.resolver_of_files.open,
            listens=lambda *flow: self.scheduler.listens(FlowKey(*flow)),
            on_transition=lambda: self.scheduler.wake(),
        )

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
                schedule_date=_instant(launch.schedule_date),
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
                toggle=self._toggle,
            )
        )

    def _toggle(self, key: TriggerKey, enabled: bool) -> bool:
        try:
            self.triggers.toggle(key, enabled=enabled)
        except NotFound:
            return False
        return True

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
                plugins={"process.environment": self._process_environment(), **settings.plugins},
                allowed_files=[Path(folder) for folder in settings.allowed_files],
            ),
        )

    def _scheduler(self, equipment: Equipment) -> None:
        store = self.store
        launcher = FlowLauncher(self.launcher, self.clock)
        renderer_of = renderers(self.renderer)
        flows = ShelfFlows(self.shelf, store.flows)
        self.trigger_runner = TriggerRunner(self.executor, equipment)
        self.scheduler = Scheduler(
            states=store.trigger_states,
            flows=flows,
            live=store.trigger_states,
            reads=store.reads,
            read_uri=lambda tenant, uri: msgspec.json.decode(self.blobs.get(tenant, uri), type=dict[str, object]),
            transitions=store.journal,
            commands=self.executor,
            launcher=launcher,
            renderer_of=renderer_of,
            clock=self.clock,
            feed=self.feed,
            defaults=Defaults(zone=zone_of(self.settings.timezone)),
            evaluator=WorkerTriggers(self.trigger_runner, equipment.worker_id),
        )
        self.triggers = Triggers(
            store.trigger_states,
            flows,
            store.trigger_states,
            renderer_of=renderer_of,
            clock=self.clock,
            changed=self.scheduler.state_changed,
            restarted=self.scheduler.restart,
            removed=self.scheduler.flow_saved,
        )
        self.webhooks = WebhookDoor(self.shelf, Firing(launcher, renderer_of), self.scheduler, self.clock)
        self.shelf.on_saved(lambda new, _: self.scheduler.flow_saved(_flow_key(new.row)))
        self.shelf.on_deleted(lambda row: self.scheduler.flow_deleted(_flow_key(row)))

    def evaluate(self, tenant: str, execution_id: str, task_run_id: str | None, expression: str) -> str:
        """An expression in the context of an execution.

        Raises:
            NotFound: there is no such execution or task run. ValueError: the expression fails; its text says why.
        """
        found = self.evaluator.in_execution(tenant, execution_id, expression, task_run_id=task_run_id)
        if found.error is not None:
            raise ValueError(found.error)
        return found.result or ""

    def evaluate_outside(self, tenant: str, namespace: str, flow_id: str, expression: str) -> str:
        """An expression of a flow or a namespace, without an execution. Raises ValueError as `evaluate`."""
        if flow_id:
            found = self.evaluator.in_flow(tenant, namespace, flow_id, [expression])[expression]
        else:
            found = self.evaluator.in_namespace(tenant, namespace, [expression])[expression]
        if found.error is not None:
            raise ValueError(found.error)
        return found.result or ""

    def _retention(self) -> Retention | None:
        """The policies of the settings; none when everything is kept for ever and nothing else is said."""
        days = self.settings.retention_days
        policies = parse_policies(self.settings.retention, default=timedelta(days=days) if days else None)
        if not days and not self.settings.retention:
            return None
        return Retention(
            policies,
            purger=self.purger,
            purges=self.store.purges,
            reads=self.store.reads,
            blobs=self.blobs,
            clock=self.clock,
        )

    def _created_since(self, tenant: str, namespace: str, flow_id: str, since: datetime) -> int:
        """Executions of a flow created since a moment, the one that asks included."""
        asked = [
            Filter("namespace", "EQUALS", namespace),
            Filter("flowId", "EQUALS", flow_id),
            Filter("startDate", "GREATER_THAN_OR_EQUAL_TO", since.isoformat()),
        ]
        return self.store.reads.search_executions(tenant, asked, sort=[], page=1, size=1).total + 1

    def _process_environment(self) -> dict[str, str]:
        """What processes of script tasks see of the environment: everything but secrets and our own settings."""
        return {k: v for k, v in self.env.items() if not k.startswith(("SECRET_", "PENSTOCK_"))}

    # -- life ------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Take up unfinished executions and begin to work."""
        _calm_collector()
        self.executor.start()
        self.worker.start()
        self.scheduler.start()
        self.housekeeper.start()

    def stop(self, *, grace: timedelta = timedelta(seconds=10)) -> None:
        """End: no new work, what runs may finish within `grace`, then the store is closed."""
        self.housekeeper.stop()
        self.scheduler.stop()
        self.trigger_runner.close()
        self.worker.stop(grace=grace)
        self.executor.stop()
        self.store.close()


def _calm_collector() -> None:
    """Let Python's cycle collector run less often, and never over what was there at the start.

    Executions are many small records without cycles: reference counts free them, and walking ten thousand of them again
    and again made a task of a large execution cost twice that of a small one.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _instant(value: object) -> datetime | None:
    """A `scheduleDate` as a moment: an ISO date-time, in UTC when it names no zone."""
    if isinstance(value, datetime) or value is None or value == "":
        return value if isinstance(value, datetime) else None
    found = datetime.fromisoformat(str(value))
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _flow_key(row: FlowRow) -> FlowKey:
    return FlowKey(row.tenant_id, row.namespace, row.id)


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None
