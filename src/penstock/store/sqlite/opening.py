"""Opening the file: is it ours, is it sound, is its schema ours; migrations, forward only.

A file that is damaged or belongs to something else is never written to.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Literal

from penstock.errors import CorruptStore, StoreUnavailable
from penstock.store.sqlite.conditions import register
from penstock.store.sqlite.statements import migrations

APPLICATION_ID = 0x50656E73
"""Marks a database file as Penstock's (`Pens`)."""

HEADER = b"SQLite format 3\x00"

Durability = Literal["process", "power"]
"""What survives: the death of the process, or that of the machine too (each commit waits for the disk)."""

_SYNCHRONOUS = {"process": "NORMAL", "power": "FULL"}


def check_file(path: Path, *, busy_timeout: float) -> None:
    """Looks at the file without being able to change it; a file that is absent or empty is about to become ours.

    Raises:
        CorruptStore: it is damaged, no database, of another program or of a newer schema. It is left as it was.
        StoreUnavailable: it cannot be read.
    """
    if not _begins_as_database(path):
        return
    # Without a log to read, SQLite is told that the file cannot change: it then leaves no files of its own beside it.
    mode = "mode=ro" if _has_log(path) else "mode=ro&immutable=1"
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, timeout=busy_timeout)
    try:
        _check_owner(connection, path)
    except sqlite3.OperationalError as fault:
        raise StoreUnavailable(f"Cannot read the database {path}: {fault}") from fault
    except sqlite3.DatabaseError as fault:
        raise _corrupt(path, str(fault)) from fault
    finally:
        connection.close()


def open_writer(path: Path, *, durability: Durability, busy_timeout: float) -> sqlite3.Connection:
    """The one connection that writes, on a file that `check_file` accepted, migrated; it is made if it does not exist.

    Raises:
        StoreUnavailable: the file cannot be opened or its folder cannot be written.
    """
    try:
        connection = _connect(path, busy_timeout)
    except sqlite3.OperationalError as fault:
        raise StoreUnavailable(
            f"Cannot open the database {path}: {fault}. Check that its folder is writable"
        ) from fault
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {_SYNCHRONOUS[durability]}")
        _tune(connection, cache_kib=8192)
        _migrate(connection)
    except sqlite3.Error as fault:
        connection.close()
        raise StoreUnavailable(f"Cannot use the database {path}: {fault}") from fault
    except BaseException:
        connection.close()
        raise
    return connection


def open_reader(path: Path, *, busy_timeout: float) -> sqlite3.Connection:
    """A connection that can only read."""
    connection = _connect(path, busy_timeout)
    _tune(connection, cache_kib=2048)
    connection.execute("PRAGMA query_only = ON")
    register(connection)
    return connection


def _connect(path: Path, busy_timeout: float) -> sqlite3.Connection:
    return sqlite3.connect(
        path, timeout=busy_timeout, isolation_level=None, check_same_thread=False, cached_statements=256
    )


def _tune(connection: sqlite3.Connection, *, cache_kib: int) -> None:
    connection.execute(f"PRAGMA cache_size = -{cache_kib}")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute(f"PRAGMA journal_size_limit = {64 * 1024 * 1024}")


def _has_log(path: Path) -> bool:
    wal = path.with_name(path.name + "-wal")
    return wal.exists() and wal.stat().st_size > 0


def _begins_as_database(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            start = file.read(len(HEADER))
    except FileNotFoundError:
        return False
    except OSError as fault:
        raise StoreUnavailable(f"Cannot read the database {path}: {fault.strerror}") from fault
    if start and start != HEADER:
        raise _corrupt(path, "it does not begin as a SQLite database does")
    return bool(start)


def _check_owner(connection: sqlite3.Connection, path: Path) -> None:
    if _number(connection, "PRAGMA application_id") != APPLICATION_ID:
        if _number(connection, "SELECT count(*) FROM sqlite_schema"):
            raise _corrupt(path, "it is the database of another program")
        return
    newest, version = migrations()[-1][0], _number(connection, "PRAGMA user_version")
    if version > newest:
        raise CorruptStore(
            f"The database {path} has schema {version}, made by a newer Penstock; this one knows up to {newest}. "
            "Upgrade Penstock, or restore a backup made before the upgrade. The file was left as it is"
        )
    _check_sound(connection, path)


def _check_sound(connection: sqlite3.Connection, path: Path) -> None:
    """Reads the schema and the root of every table: damage there would otherwise show in the middle of a run."""
    pages, size = _number(connection, "PRAGMA page_count"), _number(connection, "PRAGMA page_size")
    if path.stat().st_size < pages * size and not _has_log(path):
        raise _corrupt(path, f"it should have {pages * size} bytes but has {path.stat().st_size}")
    for (table,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
        connection.execute(f'SELECT 1 FROM "{table}" LIMIT 1').fetchone()


def _migrate(connection: sqlite3.Connection) -> None:
    version = _number(connection, "PRAGMA user_version")
    for number, script in migrations():
        if number > version:
            _apply(connection, number, script)


def _apply(connection: sqlite3.Connection, number: int, script: str) -> None:
    """One migration in one transaction; two processes that start at once do not run it twice."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if _number(connection, "PRAGMA user_version") < number:
            for statement in _split(script):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _split(script: str) -> list[str]:
    """The statements of a script; `executescript` would end the transaction."""
    statements: list[str] = []
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            statements.append(pending)
            pending = ""
    return statements


def _number(connection: sqlite3.Connection, query: str) -> int:
    return int(connection.execute(query).fetchone()[0])


def _corrupt(path: Path, reason: str) -> CorruptStore:
    return CorruptStore(
        f"The file {path} cannot be used as Penstock's database: {reason}. It was left as it is; "
        "restore a backup, or name another file"
    )
