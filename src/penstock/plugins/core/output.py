"""OutputValues: makes values available to the tasks that follow."""

from __future__ import annotations

from collections.abc import Mapping

from penstock.model.authored import Free
from penstock.plugin import RunContext, RunnableTask


class OutputValues(RunnableTask):
    """Renders the map `values` and returns it."""

    TYPE = "io.kestra.plugin.core.output.OutputValues"
    QUICK = True

    values: Mapping[str, Free] | str | None = None

    def run(self, ctx: RunContext) -> dict[str, object]:
        return {"values": ctx.render(self.values, dict[str, object]) or {}}
