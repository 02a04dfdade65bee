"""The shared mechanism of query tasks: connect, run statements, deliver the rows as `fetchType` says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

from penstock.model.authored import Authored, Dynamic, Free
from penstock.plugin import RunContext, RunnableTask, TaskFailed
from penstock.plugin.rows import FetchType, deliver, fetch_type
from penstock.plugin.staging import collect_output_files
from penstock.plugin.trigger import PollingTrigger
from penstock.plugins.jdbc.statements import split_statements, used_parameters


Connection = Any
"""A DB-API connection of whatever driver: `cursor`, `commit`, `rollback`, `close`. Drivers agree in use, not in their types."""


class Source(Authored):
    """Where the database is, and what is asked of it; the properties all query tasks and triggers share."""

    username: str | None = None
    password: str | None = None
    time_zone_id: str | None = None
    connection_pooling: Dynamic[bool] = True
    connection_pool_size: Dynamic[int] = 10
    sql: str | None = None
    after_sql: str | None = None
    fetch: Dynamic[bool] = False
    fetch_one: Dynamic[bool] = False
    store: Dynamic[bool] = False
    fetch_size: Dynamic[int] = 10_000
    parameters: Dynamic[Mapping[str, Free]] | None = None

    def connect(self, ctx: RunContext) -> Connection:
        """A connection of its own for one run."""
        raise TypeError(f"{type(self).__name__} has no `connect`")

    def finished(self, ctx: RunContext) -> dict[str, object]:
        """Further outputs, once everything is committed and closed."""
        return {}

    def how(self, ctx: RunContext, chosen: object) -> FetchType:
        """The fetch type, the older flags before it."""
        return fetch_type(
            ctx.render(chosen, FetchType),
            fetch=ctx.render(self.fetch, bool),
            fetch_one=ctx.render(self.fetch_one, bool),
            store=ctx.render(self.store, bool),
        )

    def given(self, ctx: RunContext) -> dict[str, object]:
        """The rendered parameters."""
        return ctx.render(self.parameters, dict[str, object]) if self.parameters is not None else {}


def rows_of(cursor: Any, size: int) -> Iterator[Mapping[str, object]]:
    """The rows of a cursor, `size` read at a time."""
    names = [column[0] for column in cursor.description or ()]
    while batch := cursor.fetchmany(size):
        for row in batch:
            yield dict(zip(names, row, strict=True))


def run_statement(
    ctx: RunContext, connection: Connection, sql: str, source: Source, *, how: FetchType, name: str
) -> dict[str, object]:
    """Run one statement and deliver its rows."""
    with closing(connection.cursor()) as cursor:
        cursor.execute(sql, used_parameters(sql, source.given(ctx)))
        if cursor.description is None:
            return {}
        rows = rows_of(cursor, ctx.render(source.fetch_size, int))
        delivered = deliver(rows, how, storage=ctx.storage, name=name)
        if delivered.size is not None:
            ctx.metrics.counter("fetch.size", delivered.size)
        return delivered.as_outputs()


def query_once(ctx: RunContext, source: Source, how: FetchType) -> dict[str, object]:
    """A Query: one statement in a transaction, `afterSQL` with it."""
    sql = ctx.render(source.sql) if source.sql is not None else ""
    if not sql.strip():
        raise TaskFailed("`sql` is empty: expected a statement")
    with closing(source.connect(ctx)) as connection:
        try:
            outputs = run_statement(ctx, connection, sql.strip().rstrip(";"), source, how=how, name="rows.ion")
            _after(ctx, connection, source)
            connection.commit()
        except BaseException:
            connection.rollback()
            raise
    return {**outputs, **source.finished(ctx)}


def _after(ctx: RunContext, connection: Connection, source: Source) -> None:
    if source.after_sql is None:
        return
    with closing(connection.cursor()) as cursor:
        for statement in split_statements(ctx.render(source.after_sql)):
            cursor.execute(statement, used_parameters(statement, source.given(ctx)))


class QueryTask(RunnableTask, Source):
    """One statement; its rows as an output, the first row, a file, or not at all."""

    fetch_type: Dynamic[FetchType] = FetchType.NONE
    output_files: Free = None

    def run(self, ctx: RunContext) -> dict[str, object]:
        outputs = query_once(ctx, self, self.how(ctx, self.fetch_type))
        if self.output_files is not None:
            outputs["outputFiles"] = collect_output_files(ctx, self.output_files)
        return outputs


class QueriesTask(RunnableTask, Source):
    """Several statements, each with outputs of its own if it has rows; in one transaction unless told otherwise."""

    fetch_type: Dynamic[FetchType] = FetchType.NONE
    transaction: Dynamic[bool] = True

    def run(self, ctx: RunContext) -> dict[str, object]:
        statements = split_statements(ctx.render(self.sql) if self.sql is not None else "")
        if not statements:
            raise TaskFailed("`sql` is empty: expected statements, each ended by a semicolon")
        together = ctx.render(self.transaction, bool)
        with closing(self.connect(ctx)) as connection:
            try:
                outputs = self._all(ctx, connection, statements, together=together)
                _after(ctx, connection, self)
                connection.commit()
            except BaseException:
                connection.rollback()
                raise
        return {"outputs": outputs, **self.finished(ctx)}

    def _all(
        self, ctx: RunContext, connection: Connection, statements: Sequence[str], *, together: bool
    ) -> list[dict[str, object]]:
        how = self.how(ctx, self.fetch_type)
        found: list[dict[str, object]] = []
        for place, statement in enumerate(statements):
            outputs = run_statement(ctx, connection, statement, self, how=how, name=f"rows-{place}.ion")
            if outputs:
                found.append(outputs)
            if not together:
                connection.commit()
        return found


class QueryTrigger(PollingTrigger, Source):
    """Starts an execution when the query has rows."""

    fetch_type: Dynamic[FetchType] = FetchType.FETCH

    def evaluate(self, ctx: RunContext) -> Mapping[str, object] | None:
        how = self.how(ctx, self.fetch_type)
        if how is FetchType.NONE:
            raise TaskFailed("`fetchType: NONE` makes no sense for a trigger: expected FETCH, FETCH_ONE or STORE")
        outputs = query_once(ctx, self, how)
        return outputs if outputs.get("size") else None
