"""SQLite, by Python's own driver. A relative file lies in the task's working directory."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from penstock.model.authored import Dynamic
from penstock.plugin import RunContext, TaskFailed
from penstock.plugins.jdbc.query import Connection, QueriesTask, QueryTask, QueryTrigger, Source

_PREFIX = "jdbc:sqlite:"


class SqliteSource(Source):
    """The properties of SQLite: `sqliteFile` brings a database from internal storage, `outputDbFile` stores it again."""

    url: str = _PREFIX
    sqlite_file: str | None = None
    output_db_file: Dynamic[bool] = False

    def connect(self, ctx: RunContext) -> Connection:
        place = self._place(ctx)
        if self.sqlite_file is not None:
            with ctx.storage.open(ctx.render(self.sqlite_file)) as source, place.open("wb") as target:
                while chunk := source.read(1 << 20):
                    target.write(chunk)
        # A statement that waits for another writer is not a failure at once.
        return sqlite3.connect(place, timeout=30, check_same_thread=False)

    def _place(self, ctx: RunContext) -> Path:
        url = ctx.render(self.url).strip()
        if not url.startswith(_PREFIX):
            raise TaskFailed(f"expected a url that begins with {_PREFIX}, found `{url}`")
        name = url.removeprefix(_PREFIX).partition("?")[0].removeprefix("file:")
        if name in ("", ":memory:"):
            return ctx.working_directory.file("database.sqlite")
        path = Path(name)
        return path if path.is_absolute() else ctx.working_directory.file(name)

    def finished(self, ctx: RunContext) -> dict[str, object]:
        if not ctx.render(self.output_db_file, bool):
            return {}
        return {"databaseUri": ctx.storage.put_file(self._place(ctx))}


class Query(QueryTask, SqliteSource):
    """One statement on a SQLite database."""

    TYPE = "io.kestra.plugin.jdbc.sqlite.Query"


class Queries(QueriesTask, SqliteSource):
    """Several statements on a SQLite database."""

    TYPE = "io.kestra.plugin.jdbc.sqlite.Queries"


class Trigger(QueryTrigger, SqliteSource):
    """Starts an execution when a query on a SQLite database has rows."""

    TYPE = "io.kestra.plugin.jdbc.sqlite.Trigger"
