"""What is due when: a heap of dates, one per trigger."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from heapq import heapify, heappop, heappush
from threading import Lock

from penstock.ports.trigger_states import TriggerKey


class Agenda:
    """The next date of each trigger. Safe to use from any thread; putting and taking cost O(log n)."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, TriggerKey]] = []
        self._dates: dict[TriggerKey, float] = {}
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._dates)

    def __contains__(self, key: TriggerKey) -> bool:
        return key in self._dates

    def fill(self, dates: Iterable[tuple[TriggerKey, datetime]]) -> None:
        """Take many dates at once, in linear time."""
        stamped = {key: date.timestamp() for key, date in dates}
        with self._lock:
            self._dates.update(stamped)
            self._rebuild()

    def put(self, key: TriggerKey, date: datetime | None) -> None:
        """Set the date of a trigger in place of an earlier one; None takes it off."""
        with self._lock:
            if date is None:
                self._dates.pop(key, None)
                return
            due = date.timestamp()
            if self._dates.get(key) == due:
                return
            self._dates[key] = due
            heappush(self._heap, (due, key))
            if len(self._heap) > 1000 + 4 * len(self._dates):
                self._rebuild()

    def take(self, now: datetime, limit: int) -> list[TriggerKey]:
        """Up to `limit` triggers that are due, oldest date first; they are off the agenda until put again."""
        limit_stamp = now.timestamp()
        taken: list[TriggerKey] = []
        with self._lock:
            while self._heap and len(taken) < limit and self._heap[0][0] <= limit_stamp:
                due, key = heappop(self._heap)
                if self._dates.get(key) == due:
                    del self._dates[key]
                    taken.append(key)
        return taken

    def next(self) -> datetime | None:
        """The earliest date on the agenda."""
        with self._lock:
            while self._heap and self._dates.get(self._heap[0][1]) != self._heap[0][0]:
                heappop(self._heap)
            return datetime.fromtimestamp(self._heap[0][0], UTC) if self._heap else None

    def _rebuild(self) -> None:
        """Drop entries of dates that were replaced."""
        self._heap = [(due, key) for key, due in self._dates.items()]
        heapify(self._heap)
