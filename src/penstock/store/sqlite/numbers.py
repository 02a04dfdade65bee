"""Numbers of executions and of the rows that belong to them, remembered between commits.

Everything in here is used under the writer's lock only.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

from penstock.store.sqlite.statements import Statements

SHIFT = 32
"""An execution's rows have keys from its number << SHIFT on."""

REMEMBERED = 20_000
"""Executions remembered at once; past that all are forgotten, which costs a query each when they come again."""

_JOURNAL = Statements("journal.sql")


@dataclass(slots=True)
class Known:
    """What is remembered of an execution: its number, the indexed columns as last written, the counters of its rows.

    head: (state, closed, slot, flow revision) or None while unknown. logs, metrics: keys last given, -1 while unknown.
    live: keys of task runs that are known to be marked as live.
    """

    no: int
    live: set[int] = field(default_factory=set)
    head: tuple[str, bool, bool, int] | None = None
    logs: int = -1
    metrics: int = -1


class Numbers:
    """Finds the number of an execution, mostly without asking the database."""

    def __init__(self) -> None:
        self._known: dict[str, Known] = {}

    def get(self, connection: sqlite3.Connection, execution_id: str) -> Known | None:
        """What is known of an execution, or None when there is no such execution."""
        known = self._known.get(execution_id)
        if known is None:
            row = connection.execute(_JOURNAL.execution_no, (execution_id,)).fetchone()
            if row is None:
                return None
            known = self.add(execution_id, Known(no=row[0]))
        return known

    def of_triggers(self) -> Known:
        """The counters of what belongs to no execution: number 0."""
        return self._known.get("") or self.add("", Known(no=0))

    def add(self, execution_id: str, known: Known) -> Known:
        """Remember a new execution."""
        self._known[execution_id] = known
        return known

    def forget(self, execution_id: str) -> None:
        """Nothing more is expected of an execution, or it is gone."""
        self._known.pop(execution_id, None)

    def forget_all(self) -> None:
        """What was remembered may not have been written."""
        self._known.clear()

    def trim(self) -> None:
        """Called between commits: keeps the memory bounded."""
        if len(self._known) > REMEMBERED:
            self._known.clear()


def bounds(no: int) -> tuple[int, int]:
    """The first and the last key that rows of an execution may have."""
    return no << SHIFT, ((no + 1) << SHIFT) - 1


def next_key(connection: sqlite3.Connection, no: int, last: int, query: str) -> int:
    """The key after `last`; the database is asked (with `query`) only when `last` is unknown."""
    if last >= 0:
        return last + 1
    found = connection.execute(query, bounds(no)).fetchone()[0]
    return (no << SHIFT) + 1 if found is None else found + 1
