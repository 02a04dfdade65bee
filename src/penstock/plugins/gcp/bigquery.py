"""BigQuery's Query: the best-practices page's own example of `fetch` and `store`.

Rows stream page by page from the API into an output, or into an Ion file, with the memory of one page.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials, Credentials
from google.cloud import bigquery
from google.oauth2 import service_account

from penstock.model.authored import Authored, Dynamic, Free
from penstock.model.duration import IsoDuration
from penstock.model.task import Retry
from penstock.plugin import RunContext, RunnableTask, TaskFailed
from penstock.plugin.rows import FetchType, deliver, fetch_type

_SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]


class GoogleAccess(Authored):
    """Who asks, and for which project; without `serviceAccount` the environment's own credentials are used.

    A setting `gcp.bigquery.endpoint` of the installation sends requests elsewhere (a proxy, an emulator), then without
    credentials.
    """

    project_id: str | None = None
    location: str | None = None
    service_account: str | None = None
    impersonated_service_account: str | None = None
    scopes: Dynamic[list[str]] = _SCOPES

    def client(self, ctx: RunContext) -> bigquery.Client:
        """A client of the service."""
        project = ctx.render(self.project_id)
        location = ctx.render(self.location)
        endpoint = ctx.setting("gcp.bigquery.endpoint")
        if endpoint:
            options = ClientOptions(api_endpoint=str(endpoint))
            return bigquery.Client(
                project=project or "local",
                location=location,
                credentials=AnonymousCredentials(),
                client_options=options,
            )
        return bigquery.Client(project=project, location=location, credentials=self._credentials(ctx))

    def _credentials(self, ctx: RunContext) -> Credentials | None:
        if self.service_account is None:
            return None
        try:
            info = json.loads(ctx.render(self.service_account))
        except ValueError as error:
            raise TaskFailed("`serviceAccount` must be the JSON key of a service account") from error
        return service_account.Credentials.from_service_account_info(info, scopes=ctx.render(self.scopes, list[str]))


class Query(RunnableTask, GoogleAccess):
    """Runs a query as a job and delivers its rows."""

    TYPE = "io.kestra.plugin.gcp.bigquery.Query"

    sql: str | None = None
    legacy_sql: Dynamic[bool] = False
    use_legacy_sql: Dynamic[bool] = False
    fetch: Dynamic[bool] = False
    fetch_one: Dynamic[bool] = False
    store: Dynamic[bool] = False
    fetch_type: Dynamic[FetchType] = FetchType.NONE
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
    retry_reasons: Dynamic[list[str]] | None = None
    retry_messages: Dynamic[list[str]] | None = None

    def run(self, ctx: RunContext) -> dict[str, object]:
        sql = ctx.render(self.sql)
        if not sql or not sql.strip():
            raise TaskFailed("`sql` is empty: expected a query")
        client = self.client(ctx)
        job = client.query(sql, job_config=self._config(ctx))
        ctx.logger.debug(f"Job {job.job_id} started in project {job.project}")
        ctx.on_kill(lambda: _cancel(job))
        if ctx.render(self.dry_run, bool):
            _measure(ctx, job)
            return {"jobId": job.job_id}
        timeout = ctx.render(self.job_timeout, timedelta)
        rows = job.result(
            page_size=ctx.render(self.max_results, int), timeout=timeout.total_seconds() if timeout else None
        )
        _measure(ctx, job)
        outputs: dict[str, object] = {"jobId": job.job_id, **self._delivered(ctx, rows)}
        if self.destination_table is not None and job.destination is not None:
            table = job.destination
            outputs["destinationTable"] = {
                "project": table.project,
                "dataset": table.dataset_id,
                "table": table.table_id,
            }
        return outputs

    def _delivered(self, ctx: RunContext, rows: Any) -> dict[str, object]:
        how = fetch_type(
            ctx.render(self.fetch_type, FetchType),
            fetch=ctx.render(self.fetch, bool),
            fetch_one=ctx.render(self.fetch_one, bool),
            store=ctx.render(self.store, bool),
        )
        total = rows.total_rows
        delivered = deliver(_plain_rows(rows), how, storage=ctx.storage)
        if total is not None:
            ctx.metrics.counter("total.rows", total)
        if delivered.size is not None:
            ctx.metrics.counter("fetch.rows", delivered.size)
        whole = how in (FetchType.FETCH, FetchType.STORE)
        if whole and total is not None and delivered.size != total:
            raise TaskFailed(f"{delivered.size} rows were fetched, the job says that there are {total}")
        outputs = delivered.as_outputs()
        if how is FetchType.FETCH_ONE:
            outputs.setdefault("row", {})
        return outputs

    def _config(self, ctx: RunContext) -> bigquery.QueryJobConfig:
        config = bigquery.QueryJobConfig()
        config.use_legacy_sql = ctx.render(self.legacy_sql, bool) or ctx.render(self.use_legacy_sql, bool)
        config.dry_run = ctx.render(self.dry_run, bool)
        config.priority = ctx.render(self.priority)
        for name, kind in _OPTIONS.items():
            value = getattr(self, name)
            if value is not None:
                setattr(config, name, ctx.render(value, kind))
        if config.use_legacy_sql:
            config.flatten_results = ctx.render(self.flatten_results, bool)
        self._tables(ctx, config)
        return config

    def _tables(self, ctx: RunContext, config: bigquery.QueryJobConfig) -> None:
        """Destination, default dataset and partitioning."""
        project = ctx.render(self.project_id)
        if self.destination_table is not None:
            config.destination = bigquery.TableReference.from_string(ctx.render(self.destination_table), project)
        if self.default_dataset is not None:
            config.default_dataset = bigquery.DatasetReference.from_string(ctx.render(self.default_dataset), project)
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


def _cancel(job: Any) -> None:
    job.cancel()


def _plain_rows(rows: Any) -> Iterator[Mapping[str, object]]:
    """Rows as maps, read page by page; nested records stay maps, repeated fields lists."""
    for row in rows:
        yield dict(row.items())


def _measure(ctx: RunContext, job: Any) -> None:
    """What the job says of its cost, as metrics."""
    counters = {
        "total.bytes.processed": job.total_bytes_processed,
        "total.bytes.billed": job.total_bytes_billed,
        "estimated.bytes.processed": job.estimated_bytes_processed,
        "total.slot.ms": job.slot_millis,
        "num.dml.affected.rows": job.num_dml_affected_rows,
        "num.child.jobs": job.num_child_jobs,
        "referenced.tables": len(job.referenced_tables or ()),
    }
    for name, value in counters.items():
        if value is not None:
            ctx.metrics.counter(name, value)
    ctx.metrics.counter("cache.hit", 1 if job.cache_hit else 0)
    if job.started is not None and job.ended is not None:
        ctx.metrics.timer("duration", job.ended - job.started)
