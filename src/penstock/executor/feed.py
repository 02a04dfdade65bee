"""Live news of executions for whoever listens in this process."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable

from penstock.model.entries import LogEntry
from penstock.ports.feed import Change

_log = logging.getLogger(__name__)


class LocalFeed:
    """Subscriptions in memory; publishing costs nothing when nobody listens."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: list[Callable[[Change], None]] = []
        self._changes: dict[str, list[Callable[[Change], None]]] = {}
        self._logs: dict[str, list[Callable[[LogEntry], None]]] = {}

    def on_change(self, callback: Callable[[Change], None], execution_id: str | None = None) -> Callable[[], None]:
        with self._lock:
            if execution_id is None:
                self._all = [*self._all, callback]
            else:
                self._changes[execution_id] = [*self._changes.get(execution_id, ()), callback]
        return lambda: self._stop(self._changes, execution_id, callback)

    def on_log(self, callback: Callable[[LogEntry], None], execution_id: str) -> Callable[[], None]:
        with self._lock:
            self._logs[execution_id] = [*self._logs.get(execution_id, ()), callback]
        return lambda: self._stop(self._logs, execution_id, callback)

    def _stop(self, listeners: dict[str, list], execution_id: str | None, callback: Callable[..., None]) -> None:
        with self._lock:
            if execution_id is None:
                self._all = [c for c in self._all if c is not callback]
                return
            left = [c for c in listeners.get(execution_id, ()) if c is not callback]
            if left:
                listeners[execution_id] = left
            else:
                listeners.pop(execution_id, None)

    def publish(self, change: Change) -> None:
        """Tell of a change that is committed."""
        for callback in (*self._all, *self._changes.get(change.execution_id, ())):
            _call(callback, change)

    def publish_logs(self, entries: Iterable[LogEntry]) -> None:
        """Tell of log lines that are stored."""
        if not self._logs:
            return
        for entry in entries:
            for callback in self._logs.get(entry.execution_id or "", ()):
                _call(callback, entry)


def _call(callback: Callable[..., None], news: object) -> None:
    try:
        callback(news)
    except Exception:
        _log.exception("a listener failed", extra={"event": "feed"})
