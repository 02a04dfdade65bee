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
        if isinstance(self.values, Mapping):
            return {"values": {ctx.render(key): _text(ctx, value) for key, value in self.values.items()}}
        return {"values": ctx.render(self.values, dict[str, object]) or {}}


def _text(ctx: RunContext, value: object) -> object:
    """A value with every text in it rendered to text: `{{ 1 + 1 }}` gives the text `2` (expressions.md 9.5)."""
    if isinstance(value, str):
        return ctx.render(value)
    if isinstance(value, Mapping):
        return {str(key): _text(ctx, inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_text(ctx, inner) for inner in value]
    return value
