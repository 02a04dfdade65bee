"""What the same work costs without Penstock: the floor beside each figure."""

from __future__ import annotations

import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from msgspec import structs

from penstock.ids import new_id
from penstock.model.execution import Execution, Metadata, Scope
from penstock.model.state import State, StateChange
from penstock.ports.journal import Batch
from penstock.store.sqlite import SqliteStore

Durability = Literal["process", "power"]


def commit_ms(durability: Durability = "process", commits: int = 2000) -> float:
    """Milliseconds of the smallest durable commit: one head that changes, nothing else. The median of three rounds."""
    with tempfile.TemporaryDirectory(prefix="penstock-floor-") as folder:
        store = SqliteStore(Path(folder) / "penstock.db", durability=durability)
        execution = _execution()
        store.journal.commit(Batch(created_executions=[execution]))
        rounds = []
        for _ in range(3):
            # A head that stays the same would not be written at all.
            batches = [Batch(changed_executions=[_changed(execution, n)]) for n in range(commits)]
            began = time.perf_counter()
            for batch in batches:
                store.journal.commit(batch)
            rounds.append(1000 * (time.perf_counter() - began) / commits)
        store.close()
    return statistics.median(rounds)


def write_ms(files: int, size: int) -> float:
    """Milliseconds to write so many files of so many bytes, without waiting for the disk. The median of three rounds."""
    content = b"x" * size
    rounds = []
    for _ in range(3):
        with tempfile.TemporaryDirectory(prefix="penstock-floor-") as folder:
            began = time.perf_counter()
            for number in range(files):
                (Path(folder) / str(number)).write_bytes(content)
            rounds.append(1000 * (time.perf_counter() - began))
    return statistics.median(rounds)


def _changed(execution: Execution, number: int) -> Execution:
    return structs.replace(execution, scope=Scope(planned=number))


def _execution() -> Execution:
    now = datetime.now(UTC)
    return Execution(
        id=new_id(),
        tenant_id="main",
        namespace="bench",
        flow_id="floor",
        flow_revision=1,
        state=State.RUNNING,
        histories=[StateChange(State.CREATED, now), StateChange(State.RUNNING, now)],
        scope=Scope(planned=1),
        original_id="floor",
        metadata=Metadata(1, now),
    )
