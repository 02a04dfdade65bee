"""Sleep: waits."""

from __future__ import annotations

from datetime import timedelta

from penstock.model.authored import Dynamic
from penstock.model.duration import IsoDuration
from penstock.plugin import RunContext, RunnableTask


class Sleep(RunnableTask):
    """Waits for `duration`; a kill or a timeout ends the wait."""

    TYPE = "io.kestra.plugin.core.flow.Sleep"

    duration: Dynamic[IsoDuration]

    async def run(self, ctx: RunContext) -> None:
        import asyncio

        await asyncio.sleep(ctx.render(self.duration, timedelta).total_seconds())
