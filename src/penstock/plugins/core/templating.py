"""TemplatedTask: a task whose whole definition is a template."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping

from penstock.plugin import Returned, RunContext, RunnableTask, TaskFailed


class TemplatedTask(RunnableTask):
    """Renders `spec` (the YAML of a task) and runs that task."""

    TYPE = "io.kestra.plugin.core.templating.TemplatedTask"
    ALIASES = ("io.kestra.core.tasks.templating.TemplatedTask",)

    spec: str

    def run(self, ctx: RunContext) -> Returned | Awaitable[Returned]:
        task = self._task(ctx, ctx.render(self.spec))
        return task.run(ctx.with_task(task))

    def _task(self, ctx: RunContext, text: str) -> RunnableTask:
        import yaml

        try:
            found = yaml.safe_load(text)
        except yaml.YAMLError as problem:
            raise TaskFailed(f"The rendered `spec` is not YAML: {problem}") from problem
        if not isinstance(found, Mapping) or not isinstance(found.get("type"), str):
            raise TaskFailed("The rendered `spec` must be the definition of a task, with a `type`")
        name = found["type"]
        cls = ctx.types.resolve(name)
        if cls is not None and issubclass(cls, TemplatedTask):
            raise TaskFailed(f"The templated task cannot be of type '{self.TYPE}'")
        if cls is None or not issubclass(cls, RunnableTask):
            raise TaskFailed(f"The templated task must be a runnable task, found the type `{name}`")
        try:
            return cls.model_validate({"id": self.id, **found})
        except ValueError as problem:
            raise TaskFailed(f"The rendered `spec` is not valid: {problem}") from problem
