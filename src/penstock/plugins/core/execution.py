"""Fail and Assert: end the task run by a condition."""

from __future__ import annotations

from penstock.errors import PenstockError
from penstock.plugin import RunContext, RunnableTask, TaskFailed


class Fail(RunnableTask):
    """Fails always, or when `condition` is true.

    Kestra's rule: with a condition, `errorMessage` is logged and the failure itself reads `Fail on a condition`.
    """

    TYPE = "io.kestra.plugin.core.execution.Fail"
    ALIASES = ("io.kestra.core.tasks.executions.Fail",)
    QUICK = True

    condition: str | None = None
    error_message: str = "Task failure"

    def run(self, ctx: RunContext) -> None:
        if self.condition is None:
            raise TaskFailed(ctx.render(self.error_message))
        if not ctx.holds(self.condition):
            return
        ctx.logger.error(ctx.render(self.error_message))
        raise TaskFailed("Fail on a condition")


class Assert(RunnableTask):
    """Fails unless every condition is true; each that is not, or cannot be rendered, is logged."""

    TYPE = "io.kestra.plugin.core.execution.Assert"
    QUICK = True

    conditions: list[str]
    error_message: str | None = None

    def run(self, ctx: RunContext) -> None:
        failed = sum(not self._passes(ctx, condition) for condition in self.conditions)
        ctx.metrics.counter("failed", failed)
        ctx.metrics.counter("success", len(self.conditions) - failed)
        if failed:
            reason = f": {ctx.render(self.error_message)}" if self.error_message else ""
            raise TaskFailed(f"{failed} assertion{'s' if failed > 1 else ''} failed{reason}")

    def _passes(self, ctx: RunContext, condition: str) -> bool:
        try:
            passes = ctx.holds(condition)
        except PenstockError as problem:
            ctx.logger.error(f"Assertion `{condition}` failed, because it cannot be rendered: {problem}")
            return False
        if not passes:
            ctx.logger.error(f"Assertion `{condition}` failed")
        return passes
