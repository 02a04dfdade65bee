"""DuckDB, inside the process of the worker."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from penstock.model.authored import Dynamic
from penstock.plugin import RunContext, TaskFailed
from penstock.plugin.staging import InputFiles, write_input_files
from penstock.plugins.jdbc.query import Connection, QueriesTask, QueryTask, QueryTrigger, Source

_PREFIX = "jdbc:duckdb:"


class _Cursor:
    """A DuckDB cursor that takes named parameters as `:name` too."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    @property
    def description(self) -> Any:
        return self._cursor.description

    @property
    def rowcount(self) -> int:
        return self._cursor.rowcount

    def execute(self, sql: str, parameters: Mapping[str, object] | None = None) -> object:
        for name in sorted(parameters or {}, key=len, reverse=True):
            sql = sql.replace(f":{name}", f"${name}")
        return self._cursor.execute(sql, dict(parameters) if parameters else None)

    def fetchmany(self, size: int = 1000) -> list[Any]:
        return self._cursor.fetchmany(size)

    def close(self) -> None:
        """Nothing: a cursor is the connection itself here, and shares its transaction."""


class _Connection:
    """A DuckDB connection in one transaction, as the other databases have it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        connection.begin()

    def cursor(self) -> _Cursor:
        return _Cursor(self._connection)

    def commit(self) -> None:
        self._connection.commit()
        self._connection.begin()

    def rollback(self) -> None:
        self._connection.rollback()

    def close(self) -> None:
        self._connection.close()


class DuckDbSource(Source):
    """The properties of DuckDB: `databaseUri` brings a database from internal storage, `outputDbFile` stores it again."""

    url: str = _PREFIX
    input_files: InputFiles | None = None
    database_uri: str | None = None
    output_db_file: Dynamic[bool] = False
    community_extensions: Dynamic[list[str]] = ["ion"]

    def connect(self, ctx: RunContext) -> Connection:
        folder = ctx.working_directory.path
        if self.input_files is not None:
            write_input_files(ctx, self.input_files)
        place = self._place(ctx)
        if self.database_uri is not None:
            with ctx.storage.open(ctx.render(self.database_uri)) as source, place.open("wb") as target:
                while chunk := source.read(1 << 20):
                    target.write(chunk)
        connection = duckdb.connect(str(place))
        quoted = str(folder).replace("'", "''")
        connection.execute(f"SET file_search_path = '{quoted}'")
        return _Connection(connection)

    def _place(self, ctx: RunContext) -> Path:
        url = ctx.render(self.url).strip()
        if not url.startswith(_PREFIX):
            raise TaskFailed(f"expected a url that begins with {_PREFIX}, found `{url}`")
        name = url.removeprefix(_PREFIX)
        if name in ("", ":memory:"):
            return ctx.working_directory.file("database.duckdb")
        path = Path(name)
        return path if path.is_absolute() else ctx.working_directory.file(name)

    def finished(self, ctx: RunContext) -> dict[str, object]:
        if not ctx.render(self.output_db_file, bool):
            return {}
        return {"databaseUri": ctx.storage.put_file(self._place(ctx))}


class Query(QueryTask, DuckDbSource):
    """One statement on a DuckDB database."""

    TYPE = "io.kestra.plugin.jdbc.duckdb.Query"


class Queries(QueriesTask, DuckDbSource):
    """Several statements on a DuckDB database."""

    TYPE = "io.kestra.plugin.jdbc.duckdb.Queries"


class Trigger(QueryTrigger, DuckDbSource):
    """Starts an execution when a query on a DuckDB database has rows."""

    TYPE = "io.kestra.plugin.jdbc.duckdb.Trigger"
