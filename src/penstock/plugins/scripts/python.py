"""Python scripts and commands, with their dependencies installed into a cached environment."""

from __future__ import annotations

import hashlib
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from penstock.model.authored import Dynamic
from penstock.plugin import Ended, RunContext, TaskFailed
from penstock.plugin.process import process_environment
from penstock.plugin.script import PROCESS, ScriptTask, prepare, run_commands, runner_of

_PRELUDE = "true, false, null = True, False, None\n"
_INSTALL_SECONDS = 900
_SHIM = Path(__file__).parent / "pythonpath"


class PackageManager(StrEnum):
    """What installs dependencies."""

    UV = "UV"
    PIP = "PIP"


class PythonTask(ScriptTask):
    """What both kinds of Python task share.

    `dependencies` are installed into a virtual environment that is kept per list and Python version on this worker.
    Scripts may `from kestra import Kestra` without installing anything.
    """

    container_image: str | None = "python:3.13-slim"
    dependencies: Dynamic[list[str]] | None = None
    python_version: str | None = None
    dependency_cache_enabled: Dynamic[bool] = True
    package_manager: Dynamic[PackageManager] = PackageManager.UV
    uv_auto_install_enabled: Dynamic[bool] = True
    uv_installer_version: str | None = None
    uv_installer_sha256: str | None = None

    def environment(self, ctx: RunContext) -> dict[str, str]:
        """Variables of the process: unbuffered output, and the environment with the dependencies first in PATH."""
        env = {"PYTHONUNBUFFERED": "1"}
        dependencies = ctx.render(self.dependencies, list[str]) or []
        if runner_of(ctx, self).type != PROCESS:
            return env
        if not any(name.strip().lower().startswith("kestra") for name in dependencies):
            env["PYTHONPATH"] = str(_SHIM)
        version = ctx.render(self.python_version)
        if dependencies or version:
            folder = self._environment_for(ctx, dependencies, version)
            env |= {"VIRTUAL_ENV": str(folder), "PENSTOCK_VENV_BIN": str(folder / "bin")}
        return env

    def _environment_for(self, ctx: RunContext, dependencies: Sequence[str], version: str | None) -> Path:
        key = hashlib.sha256("\n".join([version or sys.version, *sorted(dependencies)]).encode()).hexdigest()[:32]
        kept = ctx.render(self.dependency_cache_enabled, bool)
        root = ctx.working_directory.path
        folder = root.parent / "python-environments" / key if kept else root / ".venv"
        if (folder / "ready").exists():
            return folder
        manager = ctx.render(self.package_manager, PackageManager)
        _make_environment(ctx, folder, dependencies=dependencies, version=version, manager=manager)
        return folder


class Script(PythonTask):
    """Runs a Python script; `true`, `false` and `null` are defined, so templates may print JSON into it."""

    TYPE = "io.kestra.plugin.scripts.python.Script"

    script: str

    def run(self, ctx: RunContext) -> Ended:
        prepared = prepare(ctx, self, texts=[self.script, self.before_commands, self.env])
        script = ctx.render(self.script, str, **prepared.extra)
        path = ctx.working_directory.put(f"{ctx.new_id()}.py", with_prelude(script).encode())
        commands = [*_activation(env := self.environment(ctx)), f"python {shlex.quote(path.name)}"]
        return run_commands(ctx, self, prepared, commands=commands, env=env)


class Commands(PythonTask):
    """Runs commands that use Python."""

    TYPE = "io.kestra.plugin.scripts.python.Commands"

    commands: Dynamic[list[str]]

    def run(self, ctx: RunContext) -> Ended:
        prepared = prepare(ctx, self, texts=[self.commands, self.before_commands, self.env])
        commands = ctx.render(self.commands, list[str], **prepared.extra)
        env = self.environment(ctx)
        return run_commands(ctx, self, prepared, commands=[*_activation(env), *commands], env=env)


def with_prelude(script: str) -> str:
    """The script with the names that JSON needs, after what must stay first: a docstring or `from __future__`."""
    lines = script.splitlines(keepends=True)
    first = next((number for number, line in enumerate(lines) if line.startswith("from __future__")), None)
    if first is None:
        return _PRELUDE + script
    return "".join([*lines[: first + 1], _PRELUDE, *lines[first + 1 :]])


def _activation(env: dict[str, str]) -> list[str]:
    return ['PATH="$PENSTOCK_VENV_BIN:$PATH"; export PATH'] if "PENSTOCK_VENV_BIN" in env else []


def _make_environment(
    ctx: RunContext, folder: Path, *, dependencies: Sequence[str], version: str | None, manager: PackageManager
) -> None:
    """Makes a virtual environment and installs into it; a half-made one is never used.

    Raises:
        TaskFailed: the version or a dependency cannot be installed.
    """
    made = folder.with_name(f"{folder.name}-{ctx.new_id()}")
    made.parent.mkdir(parents=True, exist_ok=True)
    uv = shutil.which("uv") if manager is PackageManager.UV else None
    if version and uv is None and not sys.version.startswith(version):
        raise TaskFailed(f"pythonVersion {version} needs `uv`, which is not installed on this worker")
    create = [uv, "venv", "--python", version or sys.executable, str(made)] if uv else None
    _install(ctx, create or [sys.executable, "-m", "venv", str(made)])
    if dependencies:
        python = str(made / "bin" / "python")
        tool = [uv, "pip", "install", "--python", python] if uv else [python, "-m", "pip", "install", "--quiet"]
        _install(ctx, [*tool, *dependencies])
    (made / "ready").touch()
    try:
        made.rename(folder)
    except OSError:
        # Another task made the same environment in the meantime: theirs is as good.
        shutil.rmtree(made, ignore_errors=True)


def _install(ctx: RunContext, argv: list[str]) -> None:
    ctx.logger.debug(f"Running {shlex.join(argv)}")
    try:
        done = subprocess.run(
            argv, capture_output=True, timeout=_INSTALL_SECONDS, check=False, env=process_environment(ctx)
        )
    except subprocess.TimeoutExpired as problem:
        raise TaskFailed(f"Installing dependencies took longer than {_INSTALL_SECONDS} seconds") from problem
    if done.returncode != 0:
        detail = done.stderr.decode(errors="replace").strip()
        raise TaskFailed(f"Dependencies cannot be installed ({shlex.join(argv)}):\n{detail}")
