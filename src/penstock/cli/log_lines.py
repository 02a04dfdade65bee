"""Log lines of an execution in the terminal, as they come."""

from __future__ import annotations

import threading
from collections.abc import Callable

from penstock.model.entries import LogEntry
from penstock.model.task import LogLevel
from penstock.ports.reads import Filter, Reads

_RANK = {level: place for place, level in enumerate(LogLevel)}


class LogLines:
    """Prints the lines of `level` and above; `seen` counts all that came.

    Lines are told a moment after they are stored, so that some may still be on their way when an execution ends:
    `complete` waits for them.
    """

    def __init__(self, level: LogLevel, write: Callable[[str], object] = print) -> None:
        self._lowest = _RANK[level]
        self._write = write
        self._arrived = threading.Condition()
        self._seen = 0

    def __call__(self, entry: LogEntry) -> None:
        if _RANK[entry.level] >= self._lowest:
            time = entry.timestamp.strftime("%H:%M:%S.%f")[:-3]
            self._write(f"{time} {entry.level:5} {entry.task_id or '-'} | {entry.message}")
        with self._arrived:
            self._seen += 1
            self._arrived.notify_all()

    def complete(self, reads: Reads, execution_id: str, *, patience: float = 2.0) -> None:
        """Wait (at most `patience` seconds) until every stored line has come."""
        total = reads.logs("main", [Filter("executionId", "EQUALS", execution_id)], page=1, size=1).total
        with self._arrived:
            self._arrived.wait_for(lambda: self._seen >= total, patience)
