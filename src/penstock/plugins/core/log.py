"""Log: writes lines to the log of the execution."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.model.authored import Dynamic
from penstock.model.task import LogLevel
from penstock.plugin import RunContext, RunnableTask


class Log(RunnableTask):
    """Logs `message` (a text, or several) at `level`."""

    TYPE = "io.kestra.plugin.core.log.Log"
    ALIASES = ("io.kestra.core.tasks.log.Log",)
    QUICK = True

    message: str | list[str]
    level: Dynamic[LogLevel] = LogLevel.INFO

    def run(self, ctx: RunContext) -> None:
        level = self.level if isinstance(self.level, LogLevel) else ctx.render(self.level, LogLevel)
        messages: Sequence[str] = (self.message,) if isinstance(self.message, str) else self.message
        for message in messages:
            ctx.logger.log(level, ctx.render(message))
