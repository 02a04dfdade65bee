"""DuckDB, inside the process of the worker (the optional extra `duckdb`)."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from penstock.model.authored import Dynamic
from penstock.plugin import RunContext
from penstock.plugin.staging import FilePatterns, InputFiles, collect_output_files, write_input_files
from penstock.plugins.jdbc.files import MEMORY, database_file, fetched_file, name_in, stored_file
from penstock.plugins.jdbc.query import QueriesTask, QueryTask, QueryTrigger, Source
from penstock.plugins.jdbc.session import ResultSet, Session
from penstock.plugins.jdbc.statements import bind

if find_spec("duckdb") is None:  # found out now, as a flow is checked; imported when a task runs
    raise ModuleNotFoundError("No module named 'duckdb'", name="duckdb")

_PREFIX = "jdbc:duckdb:"
_SUFFIX = ".duckdb"
_MOTHERDUCK = "md:"


class DuckDbSession:
    """One connection to DuckDB: in memory (spilling into `folder`), a file, or MotherDuck."""

    def __init__(self, place: str, folder: Path, *, file: Path | None, options: Mapping[str, str]) -> None:
        import duckdb

        self.file = file
        self._nothing_open = duckdb.TransactionException
        self._connection = duckdb.connect(place, config=dict(options))
        self._set("file_search_path", str(folder))
        self._set("temp_directory", str(folder / ".duckdb-spill"))
        self._closed = False

    def use_zone(self, zone: str) -> None:
        """Timestamps with a zone are given in this one."""
        self._set("TimeZone", zone)

    def execute(self, sql: str, parameters: Mapping[str, object]) -> ResultSet | None:
        text, used = bind(sql, parameters, lambda name: f"${name}")
        connection = self._connection
        kinds = {
            kind.name for statement in connection.extract_statements(text) for kind in statement.expected_result_type
        }
        connection.execute(text, used or None)
        columns = [str(column[0]) for column in connection.description or ()]
        # What changes rows answers with their `Count`, which is no result, unless it was asked to return rows.
        if "QUERY_RESULT" not in kinds or (len(kinds) > 1 and columns == ["Count"]):
            return None
        return ResultSet(columns, connection.fetchmany, _nothing)

    def begin(self) -> None:
        self._connection.begin()

    def commit(self) -> None:
        self._connection.commit()

    def rollback(self) -> None:
        with suppress(self._nothing_open):  # the flow's own statements may have ended it
            self._connection.rollback()

    def interrupt(self) -> None:
        if not self._closed:
            self._connection.interrupt()

    def close(self) -> None:
        self._closed = True
        self._connection.close()

    def _set(self, name: str, value: str) -> None:
        quoted = value.replace("'", "''")
        self._connection.execute(f"SET {name} = '{quoted}'")


class DuckDbSource(Source):
    """The properties of DuckDB: `databaseUri` brings a database from internal storage, `outputDbFile` stores it again.

    Files are found relative to the working directory. Of `communityExtensions` only those that the flow itself names are
    installed and loaded; Kestra's default (`ion`) is not needed here.
    """

    url: str = _PREFIX
    input_files: InputFiles | None = None
    database_uri: str | None = None
    output_db_file: Dynamic[bool] = False
    community_extensions: Dynamic[list[str]] = ["ion"]

    def stage(self, ctx: RunContext) -> None:
        if self.input_files is not None:
            write_input_files(ctx, self.input_files)

    def connect(self, ctx: RunContext, extra: Mapping[str, object]) -> Session:
        session = self._open(ctx, name_in(ctx.render(self.url, str, **extra), _PREFIX))
        zone = ctx.render(self.time_zone_id)
        if zone:
            session.use_zone(zone)
        for extension in self._extensions(ctx):
            session.execute(f"INSTALL {extension} FROM community", {})
            session.execute(f"LOAD {extension}", {})
        return session

    def _open(self, ctx: RunContext, url: str) -> DuckDbSession:
        folder = ctx.working_directory.path
        if url.startswith(_MOTHERDUCK):
            return DuckDbSession(url, folder, file=None, options={})
        name, _, rest = url.partition(";")
        options = dict(pair.split("=", 1) for pair in rest.split(";") if "=" in pair)
        file = self._file(ctx, name)
        return DuckDbSession(str(file) if file else ":memory:", folder, file=file, options=options)

    def _file(self, ctx: RunContext, name: str) -> Path | None:
        if self.database_uri is not None:
            return fetched_file(ctx, ctx.render(self.database_uri), name, suffix=_SUFFIX)
        if name in MEMORY and not ctx.render(self.output_db_file, bool):
            return None
        return database_file(ctx, name, suffix=_SUFFIX)

    def _extensions(self, ctx: RunContext) -> list[str]:
        if "community_extensions" not in self.model_fields_set:
            return []
        return ctx.render(self.community_extensions, list[str])

    def stored(self, ctx: RunContext, session: Session) -> dict[str, object]:
        return stored_file(ctx, session, self.output_db_file)


class Query(QueryTask, DuckDbSource):
    """One statement on a DuckDB database."""

    TYPE = "io.kestra.plugin.jdbc.duckdb.Query"


class Queries(QueriesTask, DuckDbSource):
    """Several statements on a DuckDB database."""

    TYPE = "io.kestra.plugin.jdbc.duckdb.Queries"


class Trigger(QueryTrigger, DuckDbSource):
    """Starts an execution when a query on a DuckDB database has rows."""

    TYPE = "io.kestra.plugin.jdbc.duckdb.Trigger"

    output_files: FilePatterns | None = None

    def evaluate(self, ctx: RunContext) -> Mapping[str, object] | None:
        found = super().evaluate(ctx)
        if found is None or self.output_files is None:
            return found
        return {**found, "outputFiles": collect_output_files(ctx, self.output_files)}


def _nothing() -> None:
    """A result of DuckDB belongs to its connection; the next statement replaces it."""
