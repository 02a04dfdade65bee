"""Removing executions, their files, log lines and metrics in bounded batches: for tasks, the API and retention."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from penstock.catalog.runs import ExecutionDesk
from penstock.plugin.platform import Purged
from penstock.ports.blob_paths import execution_prefix
from penstock.ports.blobs import Blobs
from penstock.ports.purges import Purges
from penstock.ports.reads import Condition, Filter


class Purger:
    """Removes things for good; what was removed is counted."""

    def __init__(self, desk: ExecutionDesk, *, purges: Purges, blobs: Blobs) -> None:
        self._desk = desk
        self._purges = purges
        self._blobs = blobs

    def executions(
        self,
        tenant: str,
        ids: Iterable[str],
        *,
        executions: bool = True,
        logs: bool = True,
        metrics: bool = True,
        files: bool = True,
        batch: int = 100,
    ) -> Purged:
        """Removes what is asked of the given executions, `batch` of them at a time.

        An execution that is removed takes its outputs, log lines and metrics along, whatever is asked of those.
        Files go last: a crash in between leaves files without an execution, which `Retention.sweep_orphans` finds,
        never an execution whose files are missing.
        """
        total = Purged()
        for group in _batches(ids, batch):
            folders = [f for f in (self._folder(tenant, one) for one in group) if files and f is not None]
            of_group: list[Condition] = [Filter("executionId", "IN", list(group))]
            made = Purged(
                logs=self.logs(tenant, of_group) if logs else 0,
                metrics=self.metrics(tenant, of_group) if metrics else 0,
                executions=self._desk.delete(group) if executions else 0,
                files=sum(self._blobs.delete_prefix(tenant, folder) for folder in folders),
            )
            total = add_up(total, made)
        return total

    def logs(self, tenant: str, filters: Sequence[Condition]) -> int:
        """Removes log lines; returns how many."""
        return self._purges.delete_logs(tenant, filters)

    def metrics(self, tenant: str, filters: Sequence[Condition]) -> int:
        """Removes metrics; returns how many."""
        return self._purges.delete_metrics(tenant, filters)

    def _folder(self, tenant: str, execution_id: str) -> str | None:
        stored = self._desk.stored(tenant, execution_id)
        if stored is None:
            return None
        return execution_prefix(stored.execution.namespace, stored.execution.flow_id, execution_id)


def _batches(ids: Iterable[str], size: int) -> Iterator[list[str]]:
    stream = iter(ids)
    while group := list(islice(stream, max(size, 1))):
        yield group


def add_up(one: Purged, other: Purged) -> Purged:
    """Both counts together."""
    return Purged(
        executions=one.executions + other.executions,
        outputs=one.outputs + other.outputs,
        logs=one.logs + other.logs,
        metrics=one.metrics + other.metrics,
        files=one.files + other.files,
    )
