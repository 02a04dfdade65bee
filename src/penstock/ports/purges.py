"""Deleting what people no longer want to keep: log lines, metrics, and what deleted executions left behind.

Executions themselves are deleted by a batch of the journal (`deleted_executions`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from penstock.ports.reads import Condition


class Purges(Protocol):
    """Deletions. Every one is made in steps, so that commits of executors never wait for a whole one."""

    def delete_logs(self, tenant_id: str, filters: Sequence[Condition]) -> int:
        """Delete the log lines that satisfy all filters (as `Reads.logs`); returns how many."""
        ...

    def delete_metrics(self, tenant_id: str, filters: Sequence[Condition]) -> int:
        """Delete the metrics that satisfy all filters (as `Reads.metrics`); returns how many."""
        ...

    def sweep(self, steps: int | None = None) -> bool:
        """Remove rows that deleted executions left behind, in up to `steps` steps; whether something is left."""
        ...
