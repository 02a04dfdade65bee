"""BigQuery's Query: the best-practices page's own example of `fetch` and `store`.

Rows stream page by page from the API into an output or into an Ion file, with the memory of one page.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from penstock.model.authored import Dynamic, Free
from penstock.model.duration import IsoDuration
from penstock.model.task import Retry
from penstock.plugin import RunContext, RunnableTask, TaskFailed
from penstock.plugin.rows import FetchType, deliver, fetch_type
from penstock.plugin.trigger import PollingTrigger
from penstock.plugins.gcp.access import GoogleAccess, bigquery_client
from penstock.plugins.gcp.cells import plain_rows
from penstock.plugins.gcp.jobs import RETRY, RetryRule, finished_job

if TYPE_CHECKING:
    from google.cloud.bigquery import Client, QueryJob, QueryJobConfig

_REASONS = ["rateLimitExceeded", "jobBackendError", "backendError", "internalError", "jobInternalError"]
_MESSAGES = ["due to concurrent update", "Retrying the job may solve the problem", "Retrying may solve the problem"]


class Asking(GoogleAccess):
    """What a query task and a query trigger share."""

    sql: str | None = None
    legacy_sql: Dynamic[bool] = False
    fetch: Dynamic[bool] = False
    store: Dynamic[bool] = False
    fetch_one: Dynamic[bool] = False
    fetch_type: Dynamic[FetchType] = FetchType.NONE

    def how(self, ctx: RunContext) -> FetchType:
        """The way rows are delivered, the older flags first."""
        return fetch_type(
            ctx.render(self.fetch_type, FetchType),
            fetch=ctx.render(self.fetch, bool),
            fetch_one=ctx.render(self.fetch_one, bool),
            store=ctx.render(self.store, bool),
        )


class Query(RunnableTask, Asking):
    """Runs a query as a job and delivers its rows.

    A job that fails for a reason in `retryReasons`, or with a message in `retryMessages`, is started anew as `retryAuto`
    says (by default after 5 s, 10 s, … for 15 minutes, at most ten times).
    """

    TYPE = "io.kestra.plugin.gcp.bigquery.Query"

    location: str | None = None
    use_legacy_sql: Dynamic[bool] = False
    clustering_fields: Dynamic[list[str]] | None = None
    schema_update_options: Dynamic[list[str]] | None = None
    time_partitioning_field: str | None = None
    time_partitioning_type: str = "DAY"
    range_partitioning_field: str | None = None
    range_partitioning_start: Dynamic[int] | None = None
    range_partitioning_end: Dynamic[int] | None = None
    range_partitioning_interval: Dynamic[int] | None = None
    default_dataset: str | None = None
    priority: str = "INTERACTIVE"
    allow_large_results: Dynamic[bool] | None = None
    use_query_cache: Dynamic[bool] | None = None
    flatten_results: Dynamic[bool] = True
    maximum_billing_tier: Dynamic[int] | None = None
    maximum_bytes_billed: Dynamic[int] | None = None
    max_results: Dynamic[int] | None = None
    destination_table: str | None = None
    write_disposition: str | None = None
    create_disposition: str | None = None
    job_timeout: Dynamic[IsoDuration] | None = None
    labels: Dynamic[Mapping[str, Free]] | None = None
    dry_run: Dynamic[bool] = False
    retry_auto: Retry | None = None
    retry_reasons: Dynamic[list[str]] = _REASONS
    retry_messages: Dynamic[list[str]] = _MESSAGES

    def run(self, ctx: RunContext) -> dict[str, object]:
        sql = (ctx.render(self.sql) or "").strip()
        if not sql:
            raise TaskFailed("`sql` is empty: expected a query")
        client = bigquery_client(ctx, self, location=ctx.render(self.location))
        try:
            job = self._job(ctx, client, sql)
            outputs: dict[str, object] = {"jobId": job.job_id}
            if not ctx.render(self.dry_run, bool):
                outputs |= self._rows(ctx, job) | self._destination(job)
            measure(ctx, job)
            return outputs
        finally:
            client.close()

    def _job(self, ctx: RunContext, client: Client, sql: str) -> QueryJob:
        """The job, done. The client's own rule for retries is off: there is one, and the flow states it."""
        config = self._config(ctx, project=client.project)
        rule = RetryRule(
            self.retry_auto or RETRY,
            ctx.render(self.retry_reasons, list[str]),
            ctx.render(self.retry_messages, list[str]),
        )

        def submit() -> QueryJob:
            job = client.query(sql, job_config=config, job_retry=None)
            ctx.logger.debug(f"Job {job.job_id} started in project {job.project}")
            return job

        return finished_job(ctx, submit, rule)

    def _rows(self, ctx: RunContext, job: QueryJob) -> dict[str, object]:
        how = self.how(ctx)
        page = ctx.render(self.max_results, int)
        rows = job.result(page_size=1 if how is FetchType.FETCH_ONE else page, job_retry=None)
        total = rows.total_rows
        if total is not None:
            ctx.metrics.counter("total.rows", total)
        delivered = deliver(plain_rows(rows, rows.schema or ()), how, storage=ctx.storage)
        if delivered.size is not None:
            ctx.metrics.counter("fetch.rows", delivered.size)
        whole = how in (FetchType.FETCH, FetchType.STORE)
        if whole and total is not None and delivered.size != total:
            raise TaskFailed(f"{delivered.size} rows were fetched, the job says that there are {total}")
        outputs = delivered.as_outputs()
        return {"row": {}, **outputs} if how is FetchType.FETCH_ONE else outputs

    def _destination(self, job: QueryJob) -> dict[str, object]:
        table = job.destination
        if self.destination_table is None or table is None:
            return {}
        return {"destinationTable": {"project": table.project, "dataset": table.dataset_id, "table": table.table_id}}

    def _config(self, ctx: RunContext, *, project: str) -> QueryJobConfig:
        from google.cloud import bigquery

        config = bigquery.QueryJobConfig(
            use_legacy_sql=ctx.render(self.legacy_sql, bool) or ctx.render(self.use_legacy_sql, bool),
            dry_run=ctx.render(self.dry_run, bool),
            priority=ctx.render(self.priority),
            flatten_results=ctx.render(self.flatten_results, bool),
        )
        for name, kind in _OPTIONS.items():
            value = getattr(self, name)
            if value is not None:
                setattr(config, name, ctx.render(value, kind))
        timeout = ctx.render(self.job_timeout, timedelta)
        if timeout is not None:
            config.job_timeout_ms = int(timeout.total_seconds() * 1000)
        if self.destination_table is not None:
            config.destination = bigquery.TableReference.from_string(ctx.render(self.destination_table), project)
        if self.default_dataset is not None:
            config.default_dataset = bigquery.DatasetReference.from_string(ctx.render(self.default_dataset), project)
        self._partition(ctx, config)
        return config

    def _partition(self, ctx: RunContext, config: QueryJobConfig) -> None:
        """How the destination table is partitioned."""
        from google.cloud import bigquery

        if self.time_partitioning_field is not None:
            config.time_partitioning = bigquery.TimePartitioning(
                type_=ctx.render(self.time_partitioning_type), field=ctx.render(self.time_partitioning_field)
            )
        if self.range_partitioning_field is not None:
            config.range_partitioning = bigquery.RangePartitioning(
                field=ctx.render(self.range_partitioning_field),
                range_=bigquery.PartitionRange(
                    start=ctx.render(self.range_partitioning_start, int),
                    end=ctx.render(self.range_partitioning_end, int),
                    interval=ctx.render(self.range_partitioning_interval, int),
                ),
            )


class Trigger(PollingTrigger, Asking):
    """Starts an execution when the query has rows; `trigger.*` holds what a Query would output."""

    TYPE = "io.kestra.plugin.gcp.bigquery.Trigger"

    def evaluate(self, ctx: RunContext) -> Mapping[str, object] | None:
        if self.how(ctx) is FetchType.NONE:
            raise TaskFailed("a trigger needs rows: set `fetchType` to FETCH, FETCH_ONE or STORE")
        shared = {name: getattr(self, name) for name in Asking.model_fields}
        outputs = Query(id=self.id, type=Query.TYPE, **shared).run(ctx)
        return outputs if outputs.get("size") else None


_OPTIONS: dict[str, Any] = {
    "clustering_fields": list[str],
    "schema_update_options": list[str],
    "allow_large_results": bool,
    "use_query_cache": bool,
    "maximum_billing_tier": int,
    "maximum_bytes_billed": int,
    "write_disposition": str,
    "create_disposition": str,
    "labels": dict[str, str],
}


def measure(ctx: RunContext, job: QueryJob) -> None:
    """What the job says of its cost, as metrics with the names that Kestra gives them."""
    # The library has no property for all of these.
    statistics: Mapping[str, Any] = job._properties.get("statistics", {}).get("query", {})
    tags = {"project_id": job.project, "statement_type": str(statistics.get("statementType", "UNKNOWN"))}
    if job.location:
        tags["location"] = job.location
    counters = {name: statistics.get(field) for name, field in _COUNTERS.items()}
    counters["referenced.tables"] = len(statistics.get("referencedTables", ()))
    counters["num.child.jobs"] = job.num_child_jobs
    counters["cache.hit"] = int(bool(statistics.get("cacheHit")))
    for name, value in counters.items():
        if value is not None:
            ctx.metrics.counter(name, int(value), **tags)
    if job.started is not None and job.ended is not None:
        ctx.metrics.timer("duration", job.ended - job.started, **tags)


_COUNTERS = {
    "estimated.bytes.processed": "estimatedBytesProcessed",
    "total.bytes.billed": "totalBytesBilled",
    "total.bytes.processed": "totalBytesProcessed",
    "total.partitions.processed": "totalPartitionsProcessed",
    "total.slot.ms": "totalSlotMs",
    "num.dml.affected.rows": "numDmlAffectedRows",
}
