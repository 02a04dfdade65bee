"""SQLite, by Python's own driver. A relative file lies in the task's working directory."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from datetime import date, time
from pathlib import Path

from penstock.model.authored import Dynamic
from penstock.plugin import RunContext
from penstock.plugins.jdbc.files import MEMORY, database_file, fetched_file, name_in, stored_file
from penstock.plugins.jdbc.query import QueriesTask, QueryTask, QueryTrigger, Source
from penstock.plugins.jdbc.session import ResultSet, Session, dbapi_result
from penstock.plugins.jdbc.statements import bind

_PREFIX = "jdbc:sqlite:"
_SUFFIX = ".sqlite"
# A statement that meets another writer waits this long before it fails.
_BUSY_SECONDS = 30.0


class SqliteSession:
    """One connection to SQLite; a database without a file is a temporary one that spills to disk."""

    def __init__(self, file: Path | None) -> None:
        self.file = file
        place = str(file) if file is not None else ""
        self._connection = sqlite3.connect(place, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        self._closed = False

    def execute(self, sql: str, parameters: Mapping[str, object]) -> ResultSet | None:
        text, used = bind(sql, parameters, lambda name: f":{name}")
        return dbapi_result(self._connection.execute(text, {name: _bindable(value) for name, value in used.items()}))

    def begin(self) -> None:
        self._connection.execute("BEGIN")

    def commit(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("COMMIT")

    def rollback(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def interrupt(self) -> None:
        if not self._closed:
            self._connection.interrupt()

    def close(self) -> None:
        self._closed = True
        self._connection.close()


class SqliteSource(Source):
    """The properties of SQLite: `sqliteFile` brings a database from internal storage, `outputDbFile` stores it again."""

    url: str = _PREFIX
    sqlite_file: str | None = None
    output_db_file: Dynamic[bool] = False

    def connect(self, ctx: RunContext, extra: Mapping[str, object]) -> Session:
        url = name_in(ctx.render(self.url, str, **extra), _PREFIX)
        name = url.partition("?")[0].removeprefix("file:")
        if self.sqlite_file is not None:
            return SqliteSession(fetched_file(ctx, ctx.render(self.sqlite_file), name, suffix=_SUFFIX))
        if name in MEMORY and not ctx.render(self.output_db_file, bool):
            return SqliteSession(None)
        return SqliteSession(database_file(ctx, name, suffix=_SUFFIX))

    def stored(self, ctx: RunContext, session: Session) -> dict[str, object]:
        return stored_file(ctx, session, self.output_db_file)


class Query(QueryTask, SqliteSource):
    """One statement on a SQLite database."""

    TYPE = "io.kestra.plugin.jdbc.sqlite.Query"


class Queries(QueriesTask, SqliteSource):
    """Several statements on a SQLite database."""

    TYPE = "io.kestra.plugin.jdbc.sqlite.Queries"


class Trigger(QueryTrigger, SqliteSource):
    """Starts an execution when a query on a SQLite database has rows."""

    TYPE = "io.kestra.plugin.jdbc.sqlite.Trigger"


def _bindable(value: object) -> object:
    """A value of a template as SQLite stores it: lists and maps as JSON, decimals and times as text."""
    if value is None or isinstance(value, (int, float, str, bytes)):
        return value
    if isinstance(value, (Mapping, list, tuple)):
        return json.dumps(value, default=str)
    return value.isoformat() if isinstance(value, (date, time)) else str(value)
