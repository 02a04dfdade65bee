"""Triggers that run commands or a script at an interval and fire when it ends as `exitCondition` says."""

from __future__ import annotations

import json
import re
import shlex
import types
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import ClassVar, TypeVar

from penstock.model.authored import Dynamic
from penstock.model.duration import IsoDuration
from penstock.plugin import PollingTrigger, RunContext
from penstock.plugin.script import ScriptOutput, ScriptProperties, prepare, run_commands

T = TypeVar("T", bound="ExitTrigger")
_SCRIPTS = "io.kestra.plugin.scripts."
_EXIT = re.compile(r"\s*exit\s+(\d+)\s*")


class ExitTrigger(ScriptProperties, PollingTrigger):
    """What both kinds share.

    `exitCondition` is `exit N`, or a regular expression (else a text) looked for in the emitted variables and the
    message of a failure. With `edge` it fires only when the condition did not hold the time before.
    """

    IMAGE: ClassVar[str] = "ubuntu"

    exit_condition: str = "exit 0"
    interval: IsoDuration = timedelta(seconds=60)
    edge: Dynamic[bool] = True

    def judged(self, ctx: RunContext, commands: Sequence[str], *, texts: Sequence[object]) -> dict[str, object] | None:
        """Runs the commands; the trigger's variables when it fires."""
        prepared = prepare(ctx, self, texts=texts)
        rendered = [ctx.render(command, str, **prepared.extra) for command in commands]
        ended = run_commands(ctx, self, prepared, commands=rendered, image=self.IMAGE)
        output = ended.outputs
        assert isinstance(output, ScriptOutput)
        condition = ctx.render(self.exit_condition)
        holds = satisfied(condition, exit_code=output.exit_code, variables=output.vars, error=ended.error)
        if not self._fires(ctx, holds):
            return None
        return {
            "timestamp": ctx.now(),
            "condition": condition,
            "exitCode": output.exit_code,
            "vars": output.vars,
        }

    def _fires(self, ctx: RunContext, holds: bool) -> bool:
        if not ctx.render(self.edge, bool):
            return holds
        name = f"trigger-{self.id}"
        before = ctx.storage.read_cache(name)
        ctx.storage.write_cache(name, b"held" if holds else b"")
        return holds and (before is None or before[0] != b"held")


class CommandsTrigger(ExitTrigger):
    """Runs commands."""

    commands: Dynamic[list[str]]

    def evaluate(self, ctx: RunContext) -> dict[str, object] | None:
        commands = self.commands if isinstance(self.commands, list) else ctx.render(self.commands, list[str])
        return self.judged(ctx, commands, texts=[self.commands, self.env])


class ScriptTrigger(ExitTrigger):
    """Writes `script` to a file and runs `PROGRAM` on it."""

    PROGRAM: ClassVar[str] = "sh"
    SUFFIX: ClassVar[str] = ".sh"

    script: str

    def evaluate(self, ctx: RunContext) -> dict[str, object] | None:
        script = ctx.render(self.script, str, workingDir=str(ctx.working_directory.path))
        path = ctx.working_directory.put(f"{ctx.new_id()}{self.SUFFIX}", script.encode())
        return self.judged(ctx, [f"{self.PROGRAM} {shlex.quote(path.name)}"], texts=[self.script, self.env])


def satisfied(condition: str, *, exit_code: int, variables: Mapping[str, object], error: str | None) -> bool:
    """Whether an ended script satisfies an `exitCondition`."""
    found = _EXIT.fullmatch(condition)
    if found:
        return exit_code == int(found[1])
    seen = json.dumps(dict(variables), default=str) + "\n" + (error or "")
    try:
        return re.search(condition, seen) is not None
    except re.error:
        return condition in seen


def _made(name: str, parent: type[T], members: Mapping[str, object]) -> type[T]:
    return types.new_class(name, (parent,), exec_body=lambda namespace: namespace.update(members))


LANGUAGES = {
    "shell": ("ubuntu", "sh", ".sh"),
    "python": ("python:3.13-slim", "python", ".py"),
    "node": ("node", "node", ".js"),
    "ruby": ("ruby", "ruby", ".rb"),
    "go": ("golang", "go run", ".go"),
}
"""Language -> container image, program, suffix of a script file."""

for _language, (_image, _program, _suffix) in LANGUAGES.items():
    _shared = {"IMAGE": _image, "__module__": __name__, "__doc__": f"Fires by how a {_language} run ends."}
    globals()[f"{_language}_commands"] = _made(
        "CommandsTrigger", CommandsTrigger, {**_shared, "TYPE": f"{_SCRIPTS}{_language}.CommandsTrigger"}
    )
    globals()[f"{_language}_script"] = _made(
        "ScriptTrigger",
        ScriptTrigger,
        {**_shared, "TYPE": f"{_SCRIPTS}{_language}.ScriptTrigger", "PROGRAM": _program, "SUFFIX": _suffix},
    )
