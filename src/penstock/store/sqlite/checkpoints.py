"""Checkpoints: moving what commits appended to the write-ahead log into the database file, beside the commits.

The bulk is moved by a connection and a thread of their own while commits go on; only the last few pages, without which
the log cannot begin anew, are moved under the writer's lock.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from pathlib import Path

LOG_BYTES = 24 * 1024 * 1024
"""Size of the log from which it is worth a checkpoint."""

EVERY = 64
"""How many commits pass between two looks at the size of the log."""

_log = logging.getLogger(__name__)


class Checkpointer:
    """Watches the size of the log; its thread exists only from the first checkpoint on."""

    def __init__(
        self, path: Path, *, writer_lock: threading.Lock, writer: sqlite3.Connection, busy_timeout: float
    ) -> None:
        self._path = path
        self._wal = path.with_name(path.name + "-wal")
        self._writer_lock = writer_lock
        self._writer = writer
        self._busy_timeout = busy_timeout
        self._wanted = threading.Event()
        self._stopped = False
        self._thread: threading.Thread | None = None
        self._countdown = EVERY

    def committed(self) -> None:
        """Called after every commit; nearly always only counts."""
        self._countdown -= 1
        if self._countdown > 0:
            return
        self._countdown = EVERY
        if not self._stopped and self._log_size() > LOG_BYTES:
            self._start()
            self._wanted.set()

    def stop(self) -> None:
        """Ends the thread after the checkpoint it may be at."""
        self._stopped = True
        self._wanted.set()
        if self._thread is not None:
            self._thread.join()

    def _start(self) -> None:
        with self._writer_lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="penstock-checkpoints", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        connection = sqlite3.connect(
            self._path, timeout=self._busy_timeout, isolation_level=None, check_same_thread=False
        )
        try:
            while not self._stopped:
                self._wanted.wait()
                self._wanted.clear()
                if not self._stopped:
                    self._checkpoint(connection)
        finally:
            connection.close()

    def _checkpoint(self, connection: sqlite3.Connection) -> None:
        try:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            with self._writer_lock:
                self._writer.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except sqlite3.Error as fault:
            _log.warning("checkpoint failed", extra={"event": "checkpoint_failed", "error": str(fault)})

    def _log_size(self) -> int:
        try:
            return self._wal.stat().st_size
        except OSError:
            return 0
