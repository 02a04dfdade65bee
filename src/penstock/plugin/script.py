"""What all script tasks share: files, environment, commands, the task runner, and outputs (plugins.md 5.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec
from pydantic import Field

from penstock.model.authored import Authored, Dynamic, Free
from penstock.model.state import State
from penstock.plugin.context import RunContext
from penstock.plugin.registry import installed
from penstock.plugin.runner import AnyTaskRunner, Command, Ran, TaskRunner
from penstock.plugin.script_lines import DEBUG_MARK, INFO_MARK, ScriptLines
from penstock.plugin.staging import (
    FilePatterns,
    InputFiles,
    NamespaceFilesOption,
    collect_output_files,
    write_input_files,
    write_namespace_files,
)
from penstock.plugin.task import Ended, Output, RunnableTask

DOCKER = "io.kestra.plugin.scripts.runner.docker.Docker"
PROCESS = "io.kestra.plugin.core.runner.Process"

_LONGEST_ARGUMENT = 100_000
_GLOB = re.compile(r"[*?{\[]")


class ScriptOutput(Output):
    """What a script left behind."""

    exit_code: int
    vars: dict[str, object] = msgspec.field(default_factory=dict)
    output_files: dict[str, str] = msgspec.field(default_factory=dict)
    task_runner: dict[str, object] | None = None


class ScriptProperties(Authored):
    """The properties of all script tasks. Kestra's default runner is Docker."""

    task_runner: AnyTaskRunner | None = None
    container_image: str | None = None
    before_commands: Dynamic[list[str]] | None = None
    env: Mapping[str, Free] | str | None = None
    interpreter: Dynamic[list[str]] = ["/bin/sh", "-c"]
    fail_fast: Dynamic[bool] = True
    namespace_files: NamespaceFilesOption | None = None
    input_files: InputFiles | None = None
    output_files: FilePatterns | None = None
    target_os: Dynamic[Literal["LINUX", "WINDOWS", "AUTO"]] = Field(default="AUTO", alias="targetOS")
    warning_on_std_err: Dynamic[bool] | None = None
    output_directory: Dynamic[bool] | None = None
    runner: str | None = None
    docker: Mapping[str, Free] | None = None


class ScriptTask(ScriptProperties, RunnableTask):
    """A task that runs commands; subclasses say which."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A working directory with its files, and what templates of commands see besides the usual."""

    folder: Path
    output_folder: Path | None
    extra: Mapping[str, object]
    env: dict[str, str] = field(default_factory=dict)


def prepare(ctx: RunContext, task: ScriptProperties, *, texts: Sequence[object]) -> Prepared:
    """Writes namespace files, then input files; renders the environment.

    `texts` are the commands as written: an output folder is made when one of them, or `outputDirectory`, asks for it.
    """
    write_namespace_files(ctx, task.namespace_files)
    write_input_files(ctx, task.input_files)
    folder = ctx.working_directory.path
    output_folder = _output_folder(ctx, task, texts)
    extra: dict[str, object] = {"workingDir": str(folder), "outputFiles": _named_outputs(ctx, task, folder)}
    env = {"WORKING_DIR": str(folder)}
    if output_folder is not None:
        extra["outputDir"] = env["OUTPUT_DIR"] = str(output_folder)
    env |= ctx.render(task.env, dict[str, str], **extra) or {}
    return Prepared(folder, output_folder, extra, env)


def run_commands(
    ctx: RunContext,
    task: ScriptProperties,
    prepared: Prepared,
    *,
    commands: Sequence[str],
    env: Mapping[str, str] | None = None,
    image: str | None = None,
    lines: ScriptLines | None = None,
) -> Ended:
    """Runs `beforeCommands` and `commands` (rendered already) in one interpreter and gathers the outputs.

    A non-zero exit code is the state FAILED; exit code, variables and output files are kept then too.
    """
    taken = lines or ScriptLines(ctx)
    before = ctx.render(task.before_commands, list[str], **prepared.extra) or []
    fail_fast = ctx.render(task.fail_fast, bool)
    interpreter = ctx.render(task.interpreter, list[str], **prepared.extra)
    script = join_commands(before, commands, fail_fast=fail_fast)
    command = Command(
        argv=[*interpreter, _short(ctx, script)],
        folder=prepared.folder,
        on_line=taken.take,
        env={**prepared.env, **(env or {})},
        image=ctx.render(task.container_image) or image,
        output_folder=prepared.output_folder,
    )
    ran = runner_of(ctx, task).run(ctx, command)
    return _ended(ctx, task, prepared, ran=ran, lines=taken)


def join_commands(before: Sequence[str], commands: Sequence[str], *, fail_fast: bool) -> str:
    """One script of all commands; the output of `before` is logged at DEBUG (2.0)."""
    parts = ["set -e"] if fail_fast else []
    if before:
        parts += [f"echo '{DEBUG_MARK}'", *before, f"echo '{INFO_MARK}'"]
    return "\n".join([*parts, *commands])


def runner_of(ctx: RunContext, task: ScriptProperties) -> TaskRunner:
    """The task's runner, or the default one: Docker, or what the setting `scripts.default-runner` names."""
    if task.task_runner is not None:
        return task.task_runner
    if task.runner is not None:
        name = PROCESS if task.runner.upper() == "PROCESS" else DOCKER
    else:
        name = str(ctx.setting("scripts.default-runner") or DOCKER)
    cls = installed().resolve(name)
    if cls is None or not issubclass(cls, TaskRunner):
        raise ValueError(f"The setting scripts.default-runner names no task runner: {name}")
    legacy = {key: value for key, value in (task.docker or {}).items() if key in cls.model_fields}
    return cls.model_validate({**legacy, "type": name})


def _ended(ctx: RunContext, task: ScriptProperties, prepared: Prepared, *, ran: Ran, lines: ScriptLines) -> Ended:
    files = collect_output_files(ctx, task.output_files)
    if prepared.output_folder is not None:
        files |= _stored_below(ctx, prepared.output_folder)
    outputs = ScriptOutput(
        exit_code=ran.exit_code,
        vars=lines.variables,
        output_files=files,
        task_runner=dict(ran.details) if ran.details else None,
    )
    if ran.exit_code != 0:
        message = f"Command failed with exit code {ran.exit_code}"
        if not ctx.is_killed():
            ctx.logger.error(message)
        return Ended(outputs, State.FAILED, message)
    warned = lines.stderr_lines and task.warning_on_std_err is not None and ctx.render(task.warning_on_std_err, bool)
    return Ended(outputs, State.WARNING if warned else State.SUCCESS)


def _stored_below(ctx: RunContext, folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    names = [(path, path.relative_to(folder).as_posix()) for path in files]
    return {name: ctx.storage.put_file(path, name) for path, name in names}


def _output_folder(ctx: RunContext, task: ScriptProperties, texts: Sequence[object]) -> Path | None:
    asked = task.output_directory is not None and ctx.render(task.output_directory, bool)
    if not asked and not any("outputDir" in str(text) or "OUTPUT_DIR" in str(text) for text in texts):
        return None
    folder = ctx.working_directory.file(f"outputs-{ctx.new_id()}/x").parent
    return folder


def _named_outputs(ctx: RunContext, task: ScriptProperties, folder: Path) -> dict[str, str]:
    """2.0: `outputFiles["name"]` is where a script has to write a file that `outputFiles` names without a glob."""
    names = task.output_files if isinstance(task.output_files, list) else []
    return {name: str(folder / name) for name in names if not _GLOB.search(name)}


def _short(ctx: RunContext, script: str) -> str:
    """The script itself, or a command that reads it from a file when it is too long for an argument."""
    if len(script.encode()) <= _LONGEST_ARGUMENT:
        return script
    path = ctx.working_directory.put(f".commands-{ctx.new_id()}.sh", script.encode())
    return f". '{path}'"
