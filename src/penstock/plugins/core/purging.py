"""Tasks on executions, logs and metrics as they are kept: count, resume, fetch, purge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from penstock.errors import PenstockError
from penstock.model.authored import Authored, Dynamic, Free
from penstock.model.entries import LogEntry
from penstock.model.state import State
from penstock.model.task import LogLevel
from penstock.plugin import RunContext, RunnableTask, TaskFailed
from penstock.plugin.platform import Choice
from penstock.plugin.rows import write_ion
from penstock.plugins.core.storage import moment


class CountedFlow(Authored):
    """A flow whose executions are counted."""

    namespace: str
    flow_id: str


class Count(RunnableTask):
    """Counts executions per flow and keeps the flows for which `expression` (it sees `count`) is true."""

    TYPE = "io.kestra.plugin.core.execution.Count"
    ALIASES = ("io.kestra.core.tasks.executions.Counts", "io.kestra.plugin.kestra.executions.Count")

    flows: list[CountedFlow] | None = None
    states: Dynamic[list[State]] | None = None
    start_date: str | None = None
    end_date: str | None = None
    expression: str = "{{ true }}"
    namespaces: Dynamic[list[str]] | None = None

    def run(self, ctx: RunContext) -> dict[str, object]:
        results: list[dict[str, object]] = []
        total = 0
        for namespace, flow_id in self._counted(ctx):
            count = ctx.platform.executions.count(self._choice(ctx, namespace, flow_id))
            if ctx.holds(self.expression, count=count, namespace=namespace, flowId=flow_id):
                named: dict[str, object] = {"flowId": flow_id} if flow_id else {}
                results.append({"namespace": namespace, **named, "count": count})
                total += count
        return {"results": results, "total": total}

    def _counted(self, ctx: RunContext) -> Iterator[tuple[str, str | None]]:
        for flow in self.flows or []:
            yield ctx.render(flow.namespace), ctx.render(flow.flow_id)
        for namespace in ctx.render(self.namespaces, list[str]) or []:
            yield namespace, None

    def _choice(self, ctx: RunContext, namespace: str, flow_id: str | None) -> Choice:
        return Choice(
            namespace=namespace,
            flow_id=flow_id,
            states=ctx.render(self.states, list[State]) or (),
            start=moment(ctx, self.start_date),
            end=moment(ctx, self.end_date),
        )


class Resume(RunnableTask):
    """Resumes a paused execution, the running one by default."""

    TYPE = "io.kestra.plugin.core.execution.Resume"
    ALIASES = ("io.kestra.core.tasks.executions.Resume", "io.kestra.plugin.kestra.executions.Resume")

    namespace: str | None = None
    flow_id: str | None = None
    execution_id: str | None = None
    inputs: Mapping[str, Free] | str | None = None

    def run(self, ctx: RunContext) -> None:
        execution_id = ctx.render(self.execution_id) or ctx.execution_id
        inputs = ctx.render(self.inputs, dict[str, object])
        try:
            ctx.platform.executions.resume(execution_id, inputs=inputs)
        except PenstockError as problem:
            raise TaskFailed(f"Unable to resume the execution {execution_id}: {problem}") from problem


class PurgeExecutions(RunnableTask):
    """Removes terminated executions that ended before `endDate`, and what belongs to them."""

    TYPE = "io.kestra.plugin.core.execution.PurgeExecutions"
    ALIASES = ("io.kestra.core.tasks.storages.Purge", "io.kestra.plugin.core.storage.Purge")

    namespace: str | None = None
    flow_id: str | None = None
    start_date: str | None = None
    end_date: str
    states: Dynamic[list[State]] | None = None
    purge_execution: Dynamic[bool] = True
    purge_log: Dynamic[bool] = True
    purge_metric: Dynamic[bool] = True
    purge_storage: Dynamic[bool] = True
    batch_size: Dynamic[int] = 100

    def run(self, ctx: RunContext) -> dict[str, object]:
        flow_id, namespace = ctx.render(self.flow_id), ctx.render(self.namespace)
        if flow_id and not namespace:
            raise TaskFailed("`flowId` needs a `namespace`")
        choice = Choice(
            namespace=namespace,
            flow_id=flow_id,
            states=ctx.render(self.states, list[State]) or (),
            start=moment(ctx, self.start_date),
            end=moment(ctx, self.end_date),
        )
        purged = ctx.platform.executions.purge(
            choice,
            executions=ctx.render(self.purge_execution, bool),
            logs=ctx.render(self.purge_log, bool),
            metrics=ctx.render(self.purge_metric, bool),
            files=ctx.render(self.purge_storage, bool),
            batch=ctx.render(self.batch_size, int),
        )
        return {
            "executionsCount": purged.executions,
            "taskOutputsCount": purged.outputs,
            "logsCount": purged.logs,
            "storagesCount": purged.files,
            "metricsCount": purged.metrics,
        }


class Fetch(RunnableTask):
    """Writes the log lines of an execution to an Ion file."""

    TYPE = "io.kestra.plugin.core.log.Fetch"
    ALIASES = ("io.kestra.core.tasks.log.Fetch", "io.kestra.plugin.kestra.logs.Fetch")

    namespace: str | None = None
    flow_id: str | None = None
    execution_id: str | None = None
    tasks_id: Dynamic[list[str]] | None = None
    level: Dynamic[LogLevel] = LogLevel.INFO

    def run(self, ctx: RunContext) -> dict[str, object]:
        size = 0

        def rows() -> Iterator[dict[str, object]]:
            nonlocal size
            lines = ctx.platform.logs.fetch(
                ctx.render(self.execution_id) or ctx.execution_id,
                level=ctx.render(self.level, LogLevel),
                task_ids=ctx.render(self.tasks_id, list[str]) or (),
            )
            for line in lines:
                size += 1
                yield log_row(line)

        uri = ctx.storage.store_stream(f"{ctx.new_id()}.ion", write_ion(rows()))
        return {"uri": uri, "size": size}


class PurgeLogs(RunnableTask):
    """Removes log lines."""

    TYPE = "io.kestra.plugin.core.log.PurgeLogs"

    namespace: str | None = None
    flow_id: str | None = None
    execution_id: str | None = None
    log_levels: Dynamic[list[LogLevel]] | None = None
    start_date: str | None = None
    end_date: str
    purge_execution_logs: Dynamic[bool] = True
    purge_non_execution_logs: Dynamic[bool] = True
    batch_size: Dynamic[int] | None = None

    def run(self, ctx: RunContext) -> dict[str, object]:
        choice = Choice(
            namespace=ctx.render(self.namespace),
            flow_id=ctx.render(self.flow_id),
            execution_id=ctx.render(self.execution_id),
            levels=ctx.render(self.log_levels, list[LogLevel]) or (),
            start=moment(ctx, self.start_date),
            end=moment(ctx, self.end_date),
        )
        of_executions, others = ctx.platform.logs.purge(
            choice,
            of_executions=ctx.render(self.purge_execution_logs, bool),
            of_others=ctx.render(self.purge_non_execution_logs, bool),
            batch=ctx.render(self.batch_size, int) or 1000,
        )
        return {"count": of_executions + others, "executionLogsCount": of_executions, "nonExecutionLogsCount": others}


class PurgeMetrics(RunnableTask):
    """Removes metrics."""

    TYPE = "io.kestra.plugin.core.metric.PurgeMetrics"

    namespace: str | None = None
    flow_id: str | None = None
    start_date: str | None = None
    end_date: str

    def run(self, ctx: RunContext) -> dict[str, object]:
        choice = Choice(
            namespace=ctx.render(self.namespace),
            flow_id=ctx.render(self.flow_id),
            start=moment(ctx, self.start_date),
            end=moment(ctx, self.end_date),
        )
        return {"count": ctx.platform.metrics.purge(choice)}


def log_row(line: LogEntry) -> dict[str, object]:
    """A log line as a row, under Kestra's names."""
    row: dict[str, object] = {
        "namespace": line.namespace,
        "flowId": line.flow_id,
        "taskId": line.task_id,
        "executionId": line.execution_id,
        "taskRunId": line.task_run_id,
        "attemptNumber": line.attempt_number,
        "triggerId": line.trigger_id,
        "timestamp": line.timestamp,
        "level": line.level.value,
        "thread": line.thread,
        "message": line.message,
    }
    return {name: value for name, value in row.items() if value is not None}
