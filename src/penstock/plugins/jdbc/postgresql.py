"""PostgreSQL, by psycopg (the optional extra `postgresql`). Rows stream from the server, a chunk at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from penstock.model.authored import Dynamic, Free, Word
from penstock.plugin import RunContext, TaskFailed
from penstock.plugins.jdbc.query import QueriesTask, QueryTask, QueryTrigger, Source
from penstock.plugins.jdbc.session import ResultSet, Session
from penstock.plugins.jdbc.statements import bind

if TYPE_CHECKING:
    from psycopg import Connection, Cursor

if find_spec("psycopg") is None:  # found out now, as a flow is checked; imported when a task runs
    raise ModuleNotFoundError("No module named 'psycopg'", name="psycopg")

_PREFIX = "jdbc:postgresql:"
_STREAMED_ROWS = 500
# What psycopg reads into classes of its own is text here, as PostgreSQL writes it.
_AS_TEXT = ("inet", "cidr", "int4range", "int8range", "numrange", "tsrange", "tstzrange", "daterange", "uuid")
_OPTIONS = {
    "user": "user",
    "password": "password",
    "sslmode": "sslmode",
    "sslrootcert": "sslrootcert",
    "sslcert": "sslcert",
    "sslkey": "sslkey",
    "sslpassword": "sslpassword",
    "connectTimeout": "connect_timeout",
    "ApplicationName": "application_name",
    "options": "options",
}


class SslMode(Word):
    """How far the server's certificate is checked."""

    DISABLE = "DISABLE"
    ALLOW = "ALLOW"
    PREFER = "PREFER"
    REQUIRE = "REQUIRE"
    VERIFY_CA = "VERIFY_CA"
    VERIFY_FULL = "VERIFY_FULL"


class PostgresSession:
    """One connection to PostgreSQL; outside of `begin` … `commit` each statement commits by itself."""

    file: Path | None = None

    def __init__(self, options: Mapping[str, str]) -> None:
        import psycopg
        from psycopg.types.string import TextLoader

        self._connection: Connection[Any] = psycopg.connect(autocommit=True, **dict(options))  # pyright: ignore[reportArgumentType]
        for name in _AS_TEXT:
            self._connection.adapters.register_loader(name, TextLoader)
        self._chunked = psycopg.capabilities.has_stream_chunked()

    def use_zone(self, zone: str) -> None:
        """Timestamps with a zone are given in this one."""
        self._connection.execute("SELECT set_config('TimeZone', %s, false)", (zone,))

    def execute(self, sql: str, parameters: Mapping[str, object]) -> ResultSet | None:
        text, used = bind(sql, parameters, lambda name: f"%({name})s", escape=lambda part: part.replace("%", "%%"))
        given = {name: _bindable(value) for name, value in used.items()}
        cursor = self._connection.cursor()
        # A text from a flow, in which values are bound and nothing is put together.
        rows = cursor.stream(text, given, size=_STREAMED_ROWS if self._chunked else 1)  # pyright: ignore[reportArgumentType]
        return _result(cursor, rows)

    def begin(self) -> None:
        self._connection.execute("BEGIN")

    def commit(self) -> None:
        self._connection.execute("COMMIT")

    def rollback(self) -> None:
        if self._connection.info.transaction_status:  # 0 is idle
            self._connection.execute("ROLLBACK")

    def interrupt(self) -> None:
        if not self._connection.closed:
            self._connection.cancel_safe(timeout=5.0)

    def close(self) -> None:
        self._connection.close()


class PostgresSource(Source):
    """The properties of PostgreSQL. Certificates and keys are PEM texts."""

    url: str
    ssl: Dynamic[bool] = False
    ssl_mode: Dynamic[SslMode] | None = None
    ssl_root_cert: str | None = None
    ssl_cert: str | None = None
    ssl_key: str | None = None
    ssl_key_password: str | None = None

    def connect(self, ctx: RunContext, extra: Mapping[str, object]) -> Session:
        options = connection_options(ctx.render(self.url, str, **extra))
        for name, value in (("user", self.username), ("password", self.password)):
            if value is not None:
                options[name] = ctx.render(value, str, **extra)
        session = PostgresSession({**options, **self._ssl_options(ctx)})
        zone = ctx.render(self.time_zone_id)
        if zone:
            session.use_zone(zone)
        return session

    def _ssl_options(self, ctx: RunContext) -> dict[str, str]:
        if not ctx.render(self.ssl, bool):
            return {}
        mode = ctx.render(self.ssl_mode, SslMode) if self.ssl_mode is not None else SslMode.REQUIRE
        options = {"sslmode": mode.value.lower().replace("_", "-")}
        for name, text in (("sslrootcert", self.ssl_root_cert), ("sslcert", self.ssl_cert), ("sslkey", self.ssl_key)):
            if text is not None:
                options[name] = str(_pem_file(ctx, name, ctx.render(text)))
        if self.ssl_key_password is not None:
            options["sslpassword"] = ctx.render(self.ssl_key_password)
        return options


class Query(QueryTask, PostgresSource):
    """One statement on a PostgreSQL database."""

    TYPE = "io.kestra.plugin.jdbc.postgresql.Query"


class Queries(QueriesTask, PostgresSource):
    """Several statements on a PostgreSQL database."""

    TYPE = "io.kestra.plugin.jdbc.postgresql.Queries"


class Trigger(QueryTrigger, PostgresSource):
    """Starts an execution when a query on a PostgreSQL database has rows."""

    TYPE = "io.kestra.plugin.jdbc.postgresql.Trigger"


def connection_options(url: str) -> dict[str, str]:
    """What libpq is told for a JDBC URL: `jdbc:postgresql://host:port/database?user=…&currentSchema=…`.

    Options that only the Java driver knows are left out.

    Raises:
        TaskFailed: another database is named.
    """
    url = url.strip()
    if not url.startswith(_PREFIX):
        raise TaskFailed(f"expected a url that begins with `{_PREFIX}`, found `{url}`")
    rest = url.removeprefix(_PREFIX)
    parts = urlsplit("pg:" + (rest if rest.startswith("/") else f"///{rest}"))
    given = dict(parse_qsl(parts.query))
    options = {_OPTIONS[name]: value for name, value in given.items() if name in _OPTIONS}
    if parts.hostname:
        options["host"] = parts.hostname
    if parts.port:
        options["port"] = str(parts.port)
    if parts.path.strip("/"):
        options["dbname"] = unquote(parts.path.strip("/"))
    if given.get("ssl") == "true":
        options.setdefault("sslmode", "require")
    if "currentSchema" in given:
        options["options"] = f"{options.get('options', '')} -c search_path={given['currentSchema']}".strip()
    return options


def _result(cursor: Cursor[Any], rows: Iterator[Sequence[object]]) -> ResultSet | None:
    """The rows of a stream, whose statement only runs when the first of them is asked for."""
    from psycopg import ProgrammingError

    try:
        first = list(islice(rows, 1))
    except ProgrammingError as problem:
        # So psycopg says that a statement was executed and has no rows to give; the server's own errors have a state.
        if problem.sqlstate is None and "produce a result" in str(problem):
            return None
        raise
    remaining = chain(first, rows)

    def close() -> None:
        # To end a stream early is to cancel its statement, and with it the transaction: the rest is read and dropped.
        deque(remaining, maxlen=0)
        cursor.close()

    columns = [column.name for column in cursor.description or ()]
    return ResultSet(columns, lambda size: list(islice(remaining, size)), close)


def _pem_file(ctx: RunContext, name: str, text: str) -> Path:
    path = ctx.working_directory.put(f".{name}-{ctx.new_id()}.pem", text.encode())
    path.chmod(0o600)  # libpq refuses keys that others may read
    return path


def _bindable(value: Free) -> object:
    """A value of a template as psycopg takes it: maps as JSON."""
    from psycopg.types.json import Jsonb

    return Jsonb(value) if isinstance(value, Mapping) else value
