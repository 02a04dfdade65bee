"""Return and Echo: give back, or log, what a template renders to."""

from __future__ import annotations

from datetime import timedelta

from penstock.model.authored import Dynamic
from penstock.model.task import LogLevel
from penstock.plugin import RunContext, RunnableTask


class Return(RunnableTask):
    """Returns what `format` renders to as `value`; counts its characters and times the rendering."""

    TYPE = "io.kestra.plugin.core.debug.Return"
    ALIASES = ("io.kestra.core.tasks.debugs.Return",)
    QUICK = True

    format: str | None = None

    def run(self, ctx: RunContext) -> dict[str, object]:
        start = ctx.monotonic()
        text = ctx.render(self.format)
        spent = ctx.monotonic() - start
        ctx.logger.debug(text or "")
        ctx.metrics.counter("length", len(text or ""))
        ctx.metrics.timer("duration", timedelta(seconds=spent))
        return {} if text is None else {"value": text}


class Echo(RunnableTask):
    """Logs what `format` renders to at `level`. Deprecated in Kestra; `core.log.Log` does the same."""

    TYPE = "io.kestra.plugin.core.debug.Echo"
    ALIASES = ("io.kestra.core.tasks.debugs.Echo",)
    QUICK = True

    format: str | None = None
    level: Dynamic[LogLevel] = LogLevel.INFO

    def run(self, ctx: RunContext) -> None:
        ctx.logger.log(ctx.render(self.level, LogLevel), ctx.render(self.format) or "")
