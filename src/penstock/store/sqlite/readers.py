"""Connections that only read: as many as there are readers at a time, kept for the next ones."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from penstock.errors import StoreUnavailable
from penstock.store.sqlite.writer import translated

KEPT = 8
"""Idle connections that are kept; each may hold 2 MiB of pages."""


class Readers:
    """A pool of read-only connections. Readers never wait for the writer nor it for them."""

    def __init__(self, path: Path, open_one: Callable[[], sqlite3.Connection]) -> None:
        self._path = path
        self._open_one = open_one
        self._idle: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self._closed = False

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """A connection for the length of the block; each statement sees what was committed when it began.

        Raises:
            StoreUnavailable: the database cannot be read, or was closed.
        """
        connection = self._take()
        try:
            yield connection
        except sqlite3.Error as fault:
            raise translated(fault, self._path) from fault
        finally:
            self._give_back(connection)

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """As `connection`, but all statements see the same commits."""
        with self.connection() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("COMMIT")

    def close(self) -> None:
        """Closes idle connections now and those in use when they come back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self) -> sqlite3.Connection:
        with self._lock:
            if self._closed:
                raise StoreUnavailable("The database has been closed")
            if self._idle:
                return self._idle.pop()
        try:
            return self._open_one()
        except sqlite3.Error as fault:
            raise translated(fault, self._path) from fault

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            if not self._closed and len(self._idle) < KEPT:
                self._idle.append(connection)
                return
        connection.close()
