"""Checkpoints: moving what commits appended to the write-ahead log into the database file, beside the commits.

The bulk is moved by a connection and a thread of their own while commits go on; only the last few pages, without which
the log cannot begin anew, are moved under the writer's lock.
"""

from __future__ import annotations

import logging
import sqlite3
import struct
import threading
from pathlib import Path

LOG_PAGES = 6_000
"""Pages in the log (4 KiB each) from which it is worth a checkpoint."""

EVERY = 64
"""How many commits pass between two looks at the length of the log."""

_FRAMES = struct.Struct("=I")
_FRAMES_AT = 16

_log = logging.getLogger(__name__)


class Checkpointer:
    """Watches the length of the log; its thread exists only from the first checkpoint on."""

    def __init__(
        self, path: Path, *, writer_lock: threading.Lock, writer: sqlite3.Connection, busy_timeout: float
    ) -> None:
        self._path = path
        self._index = path.with_name(path.name + "-shm")
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
        if not self._stopped and self.log_pages() > LOG_PAGES:
            self._start()
            self._wanted.set()

    def stop(self) -> None:
        """Ends the thread after the checkpoint it may be at."""
        self._stopped = True
        self._wanted.set()
        if self._thread is not None:
            self._thread.join()

    def log_pages(self) -> int:
        """How many pages the log holds; 0 when it has begun anew.

        The log's file keeps its size when it begins anew, so the number is read where SQLite keeps it: `mxFrame` in the
        header of the index beside the file (sqlite.org/walformat.html, 2.1).
        """
        try:
            with self._index.open("rb") as file:
                start = file.read(_FRAMES_AT + _FRAMES.size)
        except OSError:
            return 0
        return _FRAMES.unpack_from(start, _FRAMES_AT)[0] if len(start) >= _FRAMES_AT + _FRAMES.size else 0

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
            _, pages, moved = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if moved < pages:
                with self._writer_lock:
                    self._writer.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except sqlite3.Error as fault:
            _log.warning("checkpoint failed", extra={"event": "checkpoint_failed", "error": str(fault)})
