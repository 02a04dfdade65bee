"""Shell commands and shell scripts."""

from __future__ import annotations

from penstock.plugin import Ended, RunContext
from penstock.plugin.script import ScriptTask, prepare, run_commands
from penstock.plugins.scripts.languages import CommandsTask


class Commands(CommandsTask):
    """Runs commands one after another in one shell."""

    TYPE = "io.kestra.plugin.scripts.shell.Commands"


class Script(ScriptTask):
    """Runs one shell script."""

    TYPE = "io.kestra.plugin.scripts.shell.Script"

    script: str

    def run(self, ctx: RunContext) -> Ended:
        prepared = prepare(ctx, self, texts=[self.script, self.before_commands, self.env])
        script = ctx.render(self.script, str, **prepared.extra)
        return run_commands(ctx, self, prepared, commands=[script], image="ubuntu")
