"""The shared mechanism of query tasks: connect, run statements, deliver the rows as `fetchType` says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

from pydantic import Field

from penstock.model.authored import Authored, Dynamic, Free
from penstock.plugin import RunContext, RunnableTask, TaskFailed
from penstock.plugin.rows import FetchType, deliver, fetch_type
from penstock.plugin.staging import FilePatterns, collect_output_files
from penstock.plugin.trigger import PollingTrigger
from penstock.plugins.jdbc.session import Session
from penstock.plugins.jdbc.statements import split_statements

_GLOB = re.compile(r"[*?\[{]")


class Source(Authored):
    """Where the database is, and what is asked of it: the properties all query tasks and triggers share.

    A family's own record adds the `url` and `connect`. `connectionPooling` and its size are accepted and have no effect:
    a connection lives as long as the run.
    """

    username: str | None = None
    password: str | None = None
    time_zone_id: str | None = None
    connection_pooling: Dynamic[bool] = True
    connection_pool_size: Dynamic[int] = 10
    sql: str
    after_sql: str | None = Field(default=None, alias="afterSQL")
    fetch: Dynamic[bool] = False
    fetch_one: Dynamic[bool] = False
    store: Dynamic[bool] = False
    fetch_size: Dynamic[int] = 10_000
    parameters: Dynamic[Mapping[str, Free]] | None = None

    def connect(self, ctx: RunContext, extra: Mapping[str, object]) -> Session:
        """A connection of its own for one run; `extra` are variables for templates."""
        raise TypeError(f"{type(self).__name__} has no `connect`")

    def stage(self, ctx: RunContext) -> None:
        """Brings files into the working directory, before anything is rendered."""

    def stored(self, ctx: RunContext, session: Session) -> dict[str, object]:
        """Further outputs, once everything is committed and closed."""
        return {}


@dataclass(slots=True)
class Asked:
    """One run's question to a database: the rendered properties that every statement needs."""

    ctx: RunContext
    source: Source
    how: FetchType
    fetch_size: int
    parameters: Mapping[str, object]
    extra: Mapping[str, object] = field(default_factory=dict)

    def statements(self, written: str | None) -> list[str]:
        """The statements of a property, rendered."""
        return split_statements(self.ctx.render(written, str, **self.extra)) if written is not None else []

    def deliver(self, session: Session, sql: str, *, name: str) -> dict[str, object] | None:
        """Runs a statement and delivers its rows; None when it has none to give."""
        result = session.execute(sql, self.parameters)
        if result is None:
            return None
        delivered = deliver(result.rows(self.fetch_size), self.how, storage=self.ctx.storage, name=name)
        result.close()
        if delivered.size is not None:
            self.ctx.metrics.counter("fetch.size", delivered.size)
        return delivered.as_outputs()

    def follow(self, session: Session) -> None:
        """Runs `afterSQL`, whose rows nobody sees."""
        for statement in self.statements(self.source.after_sql):
            result = session.execute(statement, self.parameters)
            if result is not None:
                result.close()

    @contextmanager
    def session(self, *, transaction: bool) -> Iterator[Session]:
        """A connection; what happens on it is kept or, after an error, taken back (if `transaction`)."""
        with closing(self.source.connect(self.ctx, self.extra)) as session:
            self.ctx.on_kill(session.interrupt)
            if not transaction:
                yield session
                return
            session.begin()
            try:
                yield session
                session.commit()
            except BaseException:
                session.rollback()
                raise


def ask(ctx: RunContext, source: Source, *, chosen: object, output_files: object = None) -> Asked:
    """Stages files and renders what all statements share. `chosen` is the property `fetchType`."""
    source.stage(ctx)
    extra = _variables(ctx, source, output_files)
    size = ctx.render(source.fetch_size, int)
    if size < 1:
        raise TaskFailed(f"`fetchSize` must be at least 1, found {size}")
    how = fetch_type(
        ctx.render(chosen, FetchType),
        fetch=ctx.render(source.fetch, bool),
        fetch_one=ctx.render(source.fetch_one, bool),
        store=ctx.render(source.store, bool),
    )
    given = ctx.render(source.parameters, dict[str, object], **extra) if source.parameters is not None else {}
    return Asked(ctx, source, how, size, given, extra)


def query_once(asked: Asked) -> dict[str, object]:
    """What a Query does: one statement, and `afterSQL` in the same transaction."""
    found = asked.statements(asked.source.sql)
    if len(found) != 1:
        raise TaskFailed(
            f"expected one statement in `sql`, found {len(found)}" + (": use the task Queries" if found else "")
        )
    # Alone, a statement is its own transaction; some (VACUUM, PRAGMA) do not run inside of one that was begun.
    with asked.session(transaction=asked.source.after_sql is not None) as session:
        outputs = asked.deliver(session, found[0], name="rows.ion") or {}
        asked.follow(session)
    return {**outputs, **asked.source.stored(asked.ctx, session)}


class QueryTask(RunnableTask, Source):
    """One statement; its rows as an output, the first row, a file, or not at all."""

    fetch_type: Dynamic[FetchType] = FetchType.NONE
    output_files: FilePatterns | None = None

    def run(self, ctx: RunContext) -> dict[str, object]:
        outputs = query_once(ask(ctx, self, chosen=self.fetch_type, output_files=self.output_files))
        return {**outputs, **_collected(ctx, self.output_files)}


class QueriesTask(RunnableTask, Source):
    """Several statements, each with an entry in `outputs` if it gives rows; in one transaction unless told otherwise."""

    fetch_type: Dynamic[FetchType] = FetchType.NONE
    output_files: FilePatterns | None = None
    transaction: Dynamic[bool] = True

    def run(self, ctx: RunContext) -> dict[str, object]:
        asked = ask(ctx, self, chosen=self.fetch_type, output_files=self.output_files)
        statements = asked.statements(self.sql)
        if not statements:
            raise TaskFailed("`sql` is empty: expected statements, each ended by a semicolon")
        with asked.session(transaction=ctx.render(self.transaction, bool)) as session:
            found = [asked.deliver(session, text, name=f"rows-{n}.ion") for n, text in enumerate(statements)]
            asked.follow(session)
        entries = [entry for entry in found if entry is not None]
        return {"outputs": entries, **self.stored(ctx, session), **_collected(ctx, self.output_files)}


class QueryTrigger(PollingTrigger, Source):
    """Starts an execution when the query has rows; `trigger.*` holds what a Query would output."""

    fetch_type: Dynamic[FetchType] = FetchType.FETCH

    def evaluate(self, ctx: RunContext) -> Mapping[str, object] | None:
        asked = ask(ctx, self, chosen=self.fetch_type)
        if asked.how is FetchType.NONE:
            raise TaskFailed("`fetchType: NONE` makes no sense for a trigger: expected FETCH, FETCH_ONE or STORE")
        outputs = query_once(asked)
        return outputs if outputs.get("size") else None


def _collected(ctx: RunContext, output_files: object) -> dict[str, object]:
    return {} if output_files is None else {"outputFiles": collect_output_files(ctx, output_files)}


def _variables(ctx: RunContext, source: Source, output_files: object) -> dict[str, object]:
    """`workingDir` and `outputFiles.<name>` for templates; the folder is only made for texts that name one of them."""
    texts = f"{source.sql} {source.after_sql} {source.parameters} {getattr(source, 'url', '')}"
    if "workingDir" not in texts and "outputFiles" not in texts:
        return {}
    folder = ctx.working_directory.path
    names = output_files if isinstance(output_files, list) else []
    return {"workingDir": str(folder), "outputFiles": dict(_place(str(name), str(folder)) for name in names)}


def _place(name: str, folder: str) -> tuple[str, str]:
    """Where `outputFiles.<name>` has to be written; `*.csv` gives a place too, as `outputFiles.csv`."""
    if not _GLOB.search(name):
        return name, f"{folder}/{name}"
    extension = name.rpartition(".")[2]
    return extension, f"{folder}/output.{extension}"
