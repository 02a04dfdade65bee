"""Moments that executions wait for: a heap of what the journal keeps, fired by the executor's own loop."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from datetime import datetime

from penstock.engine.commands import WakeUp
from penstock.ports.journal import Timer


class Timers:
    """Pending timers, the earliest first. A later timer of the same key replaces the earlier one."""

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, str, str]] = []
        self._pending: dict[tuple[str, str], Timer] = {}

    def add(self, timers: Iterable[Timer]) -> None:
        """Take in timers that are committed."""
        for timer in timers:
            self._pending[timer.execution_id, timer.key] = timer
            heapq.heappush(self._heap, (timer.due, timer.execution_id, timer.key))

    def remove(self, keys: Iterable[tuple[str, str]]) -> None:
        """Forget timers by execution and key."""
        for key in keys:
            self._pending.pop(key, None)

    def next_due(self) -> datetime | None:
        """When the earliest is due."""
        while self._heap:
            due, execution_id, key = self._heap[0]
            timer = self._pending.get((execution_id, key))
            if timer is not None and timer.due == due:
                return due
            heapq.heappop(self._heap)
        return None

    def due(self, now: datetime) -> list[WakeUp]:
        """The wake-ups that are due; each is given once."""
        found: list[WakeUp] = []
        while (earliest := self.next_due()) is not None and earliest <= now:
            _, execution_id, key = heapq.heappop(self._heap)
            timer = self._pending.pop((execution_id, key))
            found.append(WakeUp(execution_id=execution_id, key=key, stamp=timer.stamp))
        return found

    def __len__(self) -> int:
        return len(self._pending)
