"""Commands and scripts in other languages: the script is written to a file and its interpreter is run on it."""

from __future__ import annotations

import shlex
import types
from collections.abc import Mapping
from typing import ClassVar, TypeVar

from penstock.model.authored import Dynamic
from penstock.plugin import Ended, RunContext
from penstock.plugin.script import ScriptTask, prepare, run_commands

T = TypeVar("T", bound=ScriptTask)
_SCRIPTS = "io.kestra.plugin.scripts."


class CommandsTask(ScriptTask):
    """Runs commands; `IMAGE` is the container image by default."""

    IMAGE: ClassVar[str] = "ubuntu"

    commands: Dynamic[list[str]]

    def run(self, ctx: RunContext) -> Ended:
        prepared = prepare(ctx, self, texts=[self.commands, self.before_commands, self.env])
        commands = ctx.render(self.commands, list[str], **prepared.extra)
        return run_commands(ctx, self, prepared, commands=commands, image=self.IMAGE)


class ScriptFileTask(ScriptTask):
    """Writes `script` to a file ending in `SUFFIX` and runs `PROGRAM` on it."""

    IMAGE: ClassVar[str] = "ubuntu"
    PROGRAM: ClassVar[str] = "sh"
    SUFFIX: ClassVar[str] = ".sh"

    script: str

    def run(self, ctx: RunContext) -> Ended:
        prepared = prepare(ctx, self, texts=[self.script, self.before_commands, self.env])
        script = ctx.render(self.script, str, **prepared.extra)
        path = ctx.working_directory.put(f"{ctx.new_id()}{self.SUFFIX}", script.encode())
        command = f"{self.PROGRAM} {shlex.quote(path.name)}"
        return run_commands(ctx, self, prepared, commands=[command], image=self.IMAGE)


def _commands(language: str, image: str) -> type[CommandsTask]:
    name = f"{_SCRIPTS}{language}.Commands"
    members = {"TYPE": name, "IMAGE": image, "__module__": __name__, "__doc__": f"Runs commands that use {language}."}
    return _classed("Commands", CommandsTask, members)


def _script(language: str, image: str, program: str, suffix: str) -> type[ScriptFileTask]:
    members = {
        "TYPE": f"{_SCRIPTS}{language}.Script",
        "IMAGE": image,
        "PROGRAM": program,
        "SUFFIX": suffix,
        "__module__": __name__,
        "__doc__": f"Runs a {language} script.",
    }
    return _classed("Script", ScriptFileTask, members)


def _classed(name: str, parent: type[T], members: Mapping[str, object]) -> type[T]:
    return types.new_class(name, (parent,), exec_body=lambda namespace: namespace.update(members))


LANGUAGES = {
    "node": ("node", "node", ".js"),
    "bun": ("oven/bun", "bun run", ".ts"),
    "deno": ("denoland/deno", "deno run --allow-all", ".ts"),
    "ruby": ("ruby", "ruby", ".rb"),
    "perl": ("perl", "perl", ".pl"),
    "php": ("php", "php", ".php"),
    "lua": ("nickblah/lua", "lua", ".lua"),
    "julia": ("julia", "julia", ".jl"),
    "r": ("r-base", "Rscript", ".R"),
    "go": ("golang", "go run", ".go"),
    "powershell": ("mcr.microsoft.com/powershell", "pwsh -NonInteractive -File", ".ps1"),
    "jbang": ("jbangdev/jbang-action", "jbang", ".java"),
    "dotnet": ("mcr.microsoft.com/dotnet/sdk", "dotnet script", ".csx"),
    "groovy": ("groovy", "groovy", ".groovy"),
}
"""Language -> container image, program, suffix of a script file."""

globals().update({f"{language}_commands": _commands(language, facts[0]) for language, facts in LANGUAGES.items()})
globals().update({f"{language}_script": _script(language, *facts) for language, facts in LANGUAGES.items()})
