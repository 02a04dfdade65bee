"""The one writer: a connection under a lock, used by whichever thread has something to write.

There is no thread of its own to hand work to: the thread that needs the commit makes it, so nothing is handed over and
nobody waits for a wake-up (docs/adr/0002). Checkpoints are made beside it, so that no commit waits for one.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from penstock.errors import Bug, PenstockError, StoreUnavailable
from penstock.store.sqlite.checkpoints import Checkpointer


@dataclass(slots=True)
class Counters:
    """What was written since the store was opened: commits, rows changed (as SQLite counts them), bytes of records."""

    commits: int = 0
    rows: int = 0
    bytes: int = 0


class Writer:
    """Owns the connection that writes; `transaction` is the only way to it."""

    def __init__(self, connection: sqlite3.Connection, path: Path, *, busy_timeout: float) -> None:
        self.counters = Counters()
        self._connection = connection
        self._path = path
        self._lock = threading.Lock()
        self._checkpointer = Checkpointer(path, writer_lock=self._lock, writer=connection, busy_timeout=busy_timeout)
        self._closed = False

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One transaction: committed when the block ends, rolled back when it raises.

        Raises:
            StoreUnavailable: the disk is full or fails, or another process holds the database for too long.
            Bug: a row contradicts a rule of the schema.
        """
        with self._lock:
            if self._closed:
                raise StoreUnavailable(f"The database {self._path} has been closed")
            connection = self._connection
            before = connection.total_changes
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            except BaseException as fault:
                self._roll_back()
                if isinstance(fault, sqlite3.Error):
                    raise translated(fault, self._path) from fault
                raise
            self.counters.commits += 1
            self.counters.rows += connection.total_changes - before
        self._checkpointer.committed()

    def close(self) -> None:
        """Waits for the running transaction; what the log still holds goes into the file. Closing twice is allowed."""
        self._checkpointer.stop()
        with self._lock:
            self._connection.close()
            self._closed = True

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


def translated(fault: sqlite3.Error, path: Path) -> PenstockError:
    """The error that SQLite's stands for: whether to try again or to look for a fault of ours."""
    if isinstance(fault, sqlite3.IntegrityError):
        return Bug(f"The database refused a row: {fault}")
    if isinstance(fault, (sqlite3.OperationalError, sqlite3.DatabaseError)):
        return StoreUnavailable(f"The database {path} cannot be written or read: {fault}")
    return Bug(f"The database was used wrongly: {fault}")
