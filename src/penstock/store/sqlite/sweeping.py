"""Deleting executions: at once out of sight, their mass of rows in steps that hold the writer only briefly."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from penstock.ports.reads import Condition
from penstock.store.sqlite.conditions import where
from penstock.store.sqlite.numbers import Numbers, bounds
from penstock.store.sqlite.searched import LOGS, METRICS, READS
from penstock.store.sqlite.statements import Statements
from penstock.store.sqlite.writer import Writer

_SQL = Statements("sweeping.sql")

STEP = 2_000
"""Rows that one step removes at most."""

_HEADS = (_SQL.delete_head, _SQL.delete_context, _SQL.delete_labels, _SQL.delete_execution_outputs, _SQL.delete_timers)
_MASSES = (_SQL.sweep_runs, _SQL.sweep_outputs, _SQL.sweep_logs, _SQL.sweep_metrics, _SQL.sweep_loop_values)


class SqlitePurges:
    """`penstock.ports.purges.Purges` on SQLite."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def sweep(self, steps: int | None = None) -> bool:
        """Remove up to `steps` times `STEP` rows (all, by default), each step in its own transaction.

        Returns whether something is left.
        """
        while steps is None or steps > 0:
            with self._writer.transaction() as connection:
                if not sweep_step(connection, STEP):
                    return False
            steps = None if steps is None else steps - 1
        return True

    def delete_logs(self, tenant_id: str, filters: Sequence[Condition]) -> int:
        return self._delete(READS.delete_logs, tenant_id, where(filters, LOGS.columns))

    def delete_metrics(self, tenant_id: str, filters: Sequence[Condition]) -> int:
        return self._delete(READS.delete_metrics, tenant_id, where(filters, METRICS.columns))

    def _delete(self, statement: str, tenant_id: str, condition: tuple[str, list[object]]) -> int:
        statement = statement.replace("{where}", condition[0])
        removed = 0
        while True:
            with self._writer.transaction() as connection:
                count = connection.execute(statement, (tenant_id, *condition[1], STEP)).rowcount
            removed += count
            if count < STEP:
                return removed


def delete_executions(connection: sqlite3.Connection, execution_ids: Iterable[str], *, numbers: Numbers) -> None:
    """Take executions out of sight, and remove as many of their rows as fit into one step."""
    found = [numbers.get(connection, execution_id) for execution_id in execution_ids]
    doomed = [known.no for known in found if known is not None]
    for statement in (*_HEADS, _SQL.add_sweep):
        connection.executemany(statement, [(no,) for no in doomed])
    for execution_id in execution_ids:
        numbers.forget(execution_id)
    sweep_step(connection, STEP)


def sweep_step(connection: sqlite3.Connection, budget: int) -> bool:
    """Remove up to about `budget` rows; returns whether something is left."""
    while budget > 0:
        row = connection.execute(_SQL.next_sweep).fetchone()
        if row is None:
            return False
        removed = _sweep_one(connection, row[0], budget)
        if removed < budget:
            connection.execute(_SQL.end_sweep, (row[0],))
        budget -= removed + 1
    return True


def _sweep_one(connection: sqlite3.Connection, no: int, budget: int) -> int:
    removed = 0
    for statement in _MASSES:
        if removed < budget:
            removed += connection.execute(statement, (*bounds(no), budget - removed)).rowcount
    return removed
