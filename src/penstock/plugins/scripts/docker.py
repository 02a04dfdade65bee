"""The Docker runner: a script's process runs in a container, through the `docker` command."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum

from penstock.model.authored import Authored, Dynamic, Free
from penstock.model.duration import IsoDuration
from penstock.plugin import Command, Ran, RunContext, TaskFailed, TaskRunner, installed
from penstock.plugin.script import DOCKER, PROCESS

_PROBE_SECONDS = 10


class PullPolicy(StrEnum):
    """When the image is fetched."""

    IF_NOT_PRESENT = "IF_NOT_PRESENT"
    ALWAYS = "ALWAYS"
    NEVER = "NEVER"


class FileHandling(StrEnum):
    """How files get into the container."""

    MOUNT = "MOUNT"
    VOLUME = "VOLUME"


class Credentials(Authored):
    """How to log in to a registry."""

    registry: str | None = None
    username: str | None = None
    password: str | None = None
    registry_token: str | None = None
    identity_token: str | None = None
    auth: str | None = None


class Cpu(Authored):
    """Processors a container may use."""

    cpus: Dynamic[float] | None = None


class Memory(Authored):
    """Memory a container may use, e.g. `512MB`."""

    memory: str | None = None
    memory_swap: str | None = None
    memory_swappiness: str | None = None
    memory_reservation: str | None = None
    kernel_memory: str | None = None
    oom_kill_disable: Dynamic[bool] | None = None


class Docker(TaskRunner):
    """Runs the command in a container whose working directory is the task's.

    Without a daemon it fails, unless the setting `scripts.docker-fallback` is `process`: then the command runs as a
    process of the worker and a line says so.
    """

    TYPE = DOCKER
    ALIASES = ("io.kestra.plugin.scripts.runner.docker.DockerTaskRunner",)

    host: str | None = None
    config: Free = None
    credentials: Credentials | None = None
    image: str | None = None
    user: str | None = None
    entry_point: Dynamic[list[str]] | None = None
    extra_hosts: Dynamic[list[str]] | None = None
    network_mode: str | None = None
    port_bindings: Dynamic[list[str]] | None = None
    volumes: Dynamic[list[str]] | None = None
    pull_policy: Dynamic[PullPolicy] = PullPolicy.IF_NOT_PRESENT
    device_requests: list[Mapping[str, Free]] | None = None
    cpu: Cpu | None = None
    memory: Memory | None = None
    shm_size: str | None = None
    privileged: Dynamic[bool] | None = None
    file_handling_strategy: Dynamic[FileHandling] = FileHandling.VOLUME
    delete: Dynamic[bool] = True
    wait: Dynamic[bool] = True
    kill_grace_period: IsoDuration = timedelta()
    resume: Dynamic[bool] = True

    def run(self, ctx: RunContext, command: Command) -> Ran:
        missing = self._missing(ctx)
        if missing is not None:
            return self._without(ctx, command, missing)
        image = ctx.render(self.image) or command.image
        if not image:
            raise TaskFailed("The Docker task runner needs a `containerImage`")
        name = f"penstock-{ctx.task_run_id or ctx.new_id()}-{ctx.attempt}"
        ctx.on_kill(lambda: self._stop(ctx, name))
        argv = [*self._client(ctx), "run", *self._options(ctx, command, name), image, *command.argv]
        local = Command(argv=argv, folder=command.folder, on_line=command.on_line)
        return _process().run(ctx, local)

    def _missing(self, ctx: RunContext) -> str | None:
        """Why there is no Docker here, or None."""
        if shutil.which("docker") is None:
            return "the `docker` command is not installed"
        try:
            probe = subprocess.run(
                [*self._client(ctx), "version", "--format", "{{.Server.Version}}"],
                capture_output=True,
                timeout=_PROBE_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return "the Docker daemon does not answer"
        return None if probe.returncode == 0 else probe.stderr.decode(errors="replace").strip().rstrip(".?")

    def _without(self, ctx: RunContext, command: Command, reason: str) -> Ran:
        if str(ctx.setting("scripts.docker-fallback") or "fail").lower() == "process":
            ctx.logger.warn(f"No Docker ({reason}): the command runs as a process of the worker instead")
            return _process().run(ctx, command)
        raise TaskFailed(
            f"The Docker task runner cannot be used: {reason}. Start a Docker daemon, give the task "
            f"`taskRunner: {{type: {PROCESS}}}`, or set `scripts.docker-fallback: process`"
        )

    def _client(self, ctx: RunContext) -> list[str]:
        host = ctx.render(self.host)
        return ["docker", "--host", host] if host else ["docker"]

    def _options(self, ctx: RunContext, command: Command, name: str) -> list[str]:
        options = ["--name", name, "--workdir", str(command.folder), "--volume", f"{command.folder}:{command.folder}"]
        options += ["--pull", _PULL[ctx.render(self.pull_policy, PullPolicy)]]
        if ctx.render(self.delete, bool):
            options.append("--rm")
        entry = [part for part in ctx.render(self.entry_point, list[str]) or [] if part]
        options += ["--entrypoint", entry[0]] if entry else []
        options += _pairs("--env", [f"{key}={value}" for key, value in command.env.items()])
        for flag, values in (
            ("--add-host", self.extra_hosts),
            ("--publish", self.port_bindings),
            ("--volume", self.volumes),
        ):
            options += _pairs(flag, ctx.render(values, list[str]) or [])
        for flag, value in (("--user", self.user), ("--network", self.network_mode), ("--shm-size", self.shm_size)):
            options += [flag, ctx.render(value)] if value else []
        if self.privileged is not None and ctx.render(self.privileged, bool):
            options.append("--privileged")
        return options + self._limits(ctx)

    def _limits(self, ctx: RunContext) -> list[str]:
        limits: list[str] = []
        if self.cpu and self.cpu.cpus is not None:
            limits += ["--cpus", str(ctx.render(self.cpu.cpus, float))]
        if self.memory and self.memory.memory:
            limits += ["--memory", ctx.render(self.memory.memory)]
        for request in self.device_requests or []:
            limits += ["--gpus", "all" if not request else json.dumps(dict(request))]
        return limits

    def _stop(self, ctx: RunContext, name: str) -> None:
        seconds = int(self.kill_grace_period.total_seconds())
        argv = [*self._client(ctx), "stop", "--time", str(seconds), name]
        subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


_PULL = {PullPolicy.IF_NOT_PRESENT: "missing", PullPolicy.ALWAYS: "always", PullPolicy.NEVER: "never"}


def _pairs(flag: str, values: list[str]) -> list[str]:
    return [part for value in values for part in (flag, value)]


def _process() -> TaskRunner:
    """The Process runner, which also runs the `docker` command."""
    cls = installed().resolve(PROCESS)
    if cls is None or not issubclass(cls, TaskRunner):
        raise TaskFailed(f"The task runner {PROCESS} is not installed")
    return cls.model_validate({"type": PROCESS})
