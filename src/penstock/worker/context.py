"""The run context of one attempt. Each part of it is made when it is first used."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast, get_args

import msgspec

from penstock.expr import RenderContext, compile_template, render_value, truthy
from penstock.model.job import Job
from penstock.plugin.convert import convert, text_of
from penstock.plugin.dynamic_run import DynamicRun
from penstock.plugin.platform import RunPlatform
from penstock.plugin.registry import TypeIndex
from penstock.ports.platform import Caller
from penstock.worker.equipment import Equipment
from penstock.worker.files import RunFiles
from penstock.worker.folder import Folder
from penstock.worker.host import HostCalls
from penstock.worker.lines import AttemptLog, AttemptMetrics, Secrets

if TYPE_CHECKING:
    import httpx

    from penstock.expr import HostFunctions
    from penstock.model.task import Task

_HTTP_SECONDS = 60.0


class AttemptContext:
    """`RunContext` for one attempt of one task run."""

    __slots__ = (
        "_client",
        "_equipment",
        "_files",
        "_folder",
        "_host",
        "_logger",
        "_metrics",
        "_on_kill",
        "_platform",
        "_secrets",
        "_slow",
        "_stop",
        "_templates",
        "dynamic_runs",
        "job",
        "killed",
        "variables",
    )

    def __init__(
        self, job: Job, equipment: Equipment, *, folder: Folder | None = None, slow: Callable[[], None]
    ) -> None:
        """`slow` is called once before the attempt first waits for the outside."""
        self.job = job
        self.variables = job.variables
        self.killed = False
        self.dynamic_runs: list[DynamicRun] | None = None
        self._equipment = equipment
        self._folder = folder
        self._slow = slow
        self._templates: RenderContext | None = None
        self._logger: AttemptLog | None = None
        self._metrics: AttemptMetrics | None = None
        self._files: RunFiles | None = None
        self._platform: RunPlatform | None = None
        self._host: HostCalls | None = None
        self._client: httpx.Client | None = None
        self._secrets: Secrets | None = None
        self._stop: threading.Event | None = None
        self._on_kill: list[Callable[[], None]] | None = None

    # --- who ---

    @property
    def tenant(self) -> str:
        return self.job.tenant_id

    @property
    def namespace(self) -> str:
        return self.job.namespace

    @property
    def flow_id(self) -> str:
        return self.job.flow_id

    @property
    def execution_id(self) -> str:
        return self.job.execution_id

    @property
    def task_run_id(self) -> str:
        return self.job.task_run_id

    @property
    def value(self) -> str | None:
        return self.job.value

    @property
    def attempt(self) -> int:
        return self.job.attempt

    # --- templates ---

    def render(self, value: object, as_type: object = str, /, **extra: object) -> Any:
        """See `RunContext.render`."""
        if value is None:
            return None
        if as_type is str and isinstance(value, str):
            return compile_template(value).render(self.templates(extra)) if "{" in value else text_of(value)
        if isinstance(value, str):
            return convert(self._typed_text(value, as_type, extra), as_type)
        return convert(render_value(value, self.templates(extra), typed=not _text_leaves(as_type)), as_type)

    def holds(self, condition: object, /, **extra: object) -> bool:
        """See `RunContext.holds`."""
        return truthy(self.render(condition, str, **extra))

    def templates(self, extra: Mapping[str, object] | None = None) -> RenderContext:
        """What templates of this attempt are rendered with."""
        made = self._templates
        if made is None:
            made = self._templates = self._new_templates(self.variables)
        if not extra:
            return made
        special = self._new_templates({**self.variables, **extra})
        if made.secrets is None:
            made.secrets = set()
        special.secrets = made.secrets
        return special

    def _new_templates(self, variables: Mapping[str, object]) -> RenderContext:
        equipment = self._equipment
        settings = equipment.settings
        return RenderContext(
            variables,
            host=cast("HostFunctions", _LazyHost(self)),
            now=equipment.now,
            timezone=settings.timezone,
            random=equipment.random,
            new_id=equipment.new_id,
            limits=settings.limits,
            monotonic=equipment.monotonic,
            recursive=settings.recursive_rendering,
        )

    def _typed_text(self, value: str, as_type: object, extra: Mapping[str, object]) -> object:
        if "{" not in value:
            return value
        template = compile_template(value)
        return template.render(self.templates(extra)) if as_type is str else template.evaluate(self.templates(extra))

    # --- what it may use ---

    @property
    def logger(self) -> AttemptLog:
        if self._logger is None:
            job = self.job
            self._logger = AttemptLog(
                job,
                lowest=job.task.log_level,
                now=self._equipment.now,
                secrets=self.secrets,
                to_file=job.task.log_to_file,
            )
        return self._logger

    @property
    def metrics(self) -> AttemptMetrics:
        if self._metrics is None:
            self._metrics = AttemptMetrics(self.job, now=self._equipment.now, secrets=self.secrets)
        return self._metrics

    @property
    def secrets(self) -> Secrets:
        """The secrets of this attempt."""
        if self._secrets is None:
            self._secrets = Secrets(self.job.secret_values, self._touched_secrets)
        return self._secrets

    @property
    def has_secrets(self) -> bool:
        """Whether there is anything to mask, found out without making anything."""
        if self._secrets is not None:
            return bool(self._secrets.all())
        return bool(self._touched_secrets() or self.job.secret_values)

    def _touched_secrets(self) -> set[str] | None:
        return self._templates.secrets if self._templates is not None else None

    @property
    def working_directory(self) -> Folder:
        if self._folder is None:
            self._slow()
            self._folder = Folder(self._equipment.settings.work_folder, new_id=self._equipment.new_id)
        return self._folder

    @property
    def storage(self) -> RunFiles:
        if self._files is None:
            self._slow()
            allowed = self._equipment.settings.allowed_files
            self._files = RunFiles(self.job, self._equipment.blobs, platform=self._bound_platform, allowed=allowed)
        return self._files

    @property
    def platform(self) -> RunPlatform:
        return self._bound_platform()

    def _bound_platform(self) -> RunPlatform:
        if self._platform is None:
            self._slow()
            job = self.job
            self._platform = self._equipment.platform.bind(
                Caller(job.tenant_id, job.namespace, job.flow_id, job.execution_id or None, job.task_run_id)
            )
        return self._platform

    @property
    def host(self) -> HostCalls:
        """The functions of templates that need the outside."""
        if self._host is None:
            self._slow()
            self._host = HostCalls(
                self.job, files=self.storage, platform=self._bound_platform, client=self._shared_client
            )
        return self._host

    @property
    def types(self) -> TypeIndex:
        return self._equipment.types

    def http(self, **options: object) -> httpx.Client:
        """A client of its own, closed by a kill; the caller closes it otherwise."""
        import httpx

        # httpx logs every URL at INFO, and URLs hold secrets: our own log must not have them.
        logging.getLogger("httpx").setLevel(logging.WARNING)
        self._slow()
        given = {"timeout": _HTTP_SECONDS, "follow_redirects": True, **options}
        client = httpx.Client(**cast("dict[str, object]", given))  # pyright: ignore[reportArgumentType]
        self.on_kill(client.close)
        return client

    def _shared_client(self) -> httpx.Client:
        if self._client is None:
            self._client = self.http()
        return self._client

    def setting(self, name: str) -> object:
        return self._equipment.settings.plugins.get(name)

    def now(self) -> datetime:
        return self._equipment.now()

    def monotonic(self) -> float:
        return self._equipment.monotonic()

    def new_id(self) -> str:
        return self._equipment.new_id()

    def mask(self, secret: str) -> None:
        self.secrets.add(secret)

    def add_dynamic_run(self, run: DynamicRun) -> None:
        if self.dynamic_runs is None:
            self.dynamic_runs = []
        self.dynamic_runs.append(run)

    def with_task(self, task: Task) -> AttemptContext:
        """A context with the same parts for a task held by the running one."""
        return _HeldContext(self, msgspec.structs.replace(self.job, task=task))

    # --- ending ---

    def on_kill(self, callback: Callable[[], None]) -> None:
        if self._on_kill is None:
            self._on_kill = []
        self._on_kill.append(callback)
        if self.killed:
            self._call_back()

    def is_killed(self) -> bool:
        return self.killed

    def wait(self, length: timedelta) -> bool:
        self._slow()
        if self._stop is None:
            self._stop = threading.Event()
        return self.killed or self._stop.wait(length.total_seconds())

    def kill(self) -> None:
        """Marks the attempt as killed and calls what waits for that."""
        self.killed = True
        if self._stop is not None:
            self._stop.set()
        self._call_back()

    def _call_back(self) -> None:
        """Calls each callback once, whoever of the two threads comes first."""
        while self._on_kill:
            try:
                callback = self._on_kill.pop()
            except IndexError:
                return
            callback()

    def close(self) -> None:
        """Gives back what the attempt held, its working directory excepted."""
        if self._client is not None:
            self._client.close()

    @property
    def log(self) -> AttemptLog | None:
        """The log, if anything was ever logged."""
        return self._logger

    @property
    def measures(self) -> AttemptMetrics | None:
        """The metrics, if there are any."""
        return self._metrics

    @property
    def folder(self) -> Folder | None:
        """The working directory, if it was ever asked for."""
        return self._folder


class _HeldContext(AttemptContext):
    """The context of a task that another task holds: its own properties, the holder's log, files and kill."""

    __slots__ = ("_holder",)

    def __init__(self, holder: AttemptContext, job: Job) -> None:
        super().__init__(job, holder._equipment, folder=holder.working_directory, slow=holder._slow)
        self._holder = holder
        self._logger = holder.logger
        self._metrics = holder.metrics
        self._secrets = holder.secrets
        self._templates = holder.templates()
        holder.on_kill(self.kill)


class _LazyHost:
    """Stands for the host functions until a template calls one."""

    __slots__ = ("_context",)

    def __init__(self, context: AttemptContext) -> None:
        self._context = context

    def __getattr__(self, name: str) -> object:
        return getattr(self._context.host, name)


def _text_leaves(as_type: object) -> bool:
    parts = get_args(as_type)
    return as_type is str or (bool(parts) and parts[-1] is str)
