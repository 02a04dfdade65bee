"""Toggle: switches a trigger on or off."""

from __future__ import annotations

from penstock.model.authored import Dynamic
from penstock.plugin import RunContext, RunnableTask, TaskFailed


class Toggle(RunnableTask):
    """Enables or disables a trigger of a flow, the running one by default."""

    TYPE = "io.kestra.plugin.core.trigger.Toggle"
    ALIASES = ("io.kestra.core.tasks.trigger.Toggle", "io.kestra.plugin.kestra.triggers.Toggle")

    trigger: str
    flow_id: str | None = None
    namespace: str | None = None
    enabled: Dynamic[bool] = False

    def run(self, ctx: RunContext) -> None:
        trigger = ctx.render(self.trigger)
        flow_id = ctx.render(self.flow_id) or ctx.flow_id
        namespace = ctx.render(self.namespace) or ctx.namespace
        enabled = ctx.render(self.enabled, bool)
        if not ctx.platform.triggers.toggle(trigger, flow_id, namespace, enabled=enabled):
            raise TaskFailed(f"Unable to find trigger {trigger} for the flow {namespace}.{flow_id}")
