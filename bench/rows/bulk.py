"""Big data: outputs of 1 MB from task to task, one output of 200 MB, 1 GB of rows in a file."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

from bench import shapes
from bench.floors import write_ms
from bench.histories import took_ms
from bench.measured import Measured
from bench.report import Row

_TASKS = 100
_MB = 1_000_000


def outputs() -> Iterator[Row]:
    """100 tasks that hand on 1 MB, beside the same with 1 KB plus the raw write of 100 MB."""
    with Measured() as server:
        for size in (1000, _MB):
            server.wire.save(shapes.chain(_TASKS, size))
        small = statistics.median(took_ms(server.wire.execute("chain-1000")) for _ in range(3))
        large, body = [], 0
        for _ in range(3):
            execution = server.wire.execute(f"chain-{_MB}")
            large.append(took_ms(execution))
            body = len(str(execution))
    floor = small + write_ms(_TASKS, _MB)
    parts = {"1 KB ms": small, "raw write ms": floor - small, "execution by API KB": body / 1000}
    yield Row("100 tasks × 1 MB", statistics.median(large), "ms", 1.2 * floor, floor=floor, parts=parts)


def large_output() -> Iterator[Row]:
    """One output value of 200 MB: what the server's memory has grown by when it is over, and at the most."""
    peak, parts = _growth("Text", 200 * _MB)
    after = parts.pop("after MB")
    yield Row("one output of 200 MB: growth of memory", after, "MB", 50, parts={"peak MB": peak, **parts})


def stored_rows() -> Iterator[Row]:
    """1 GB of rows with `fetchType: STORE`."""
    peak, parts = _growth("Rows", 1000 * _MB)
    yield Row("STORE of 1 GB: growth of memory, peak", peak, "MB", 50, parts=parts)


def _growth(kind: str, size: int) -> tuple[float, dict[str, float]]:
    """MB that the server has grown by at the most, and what it took."""
    with Measured() as server:
        server.wire.save(shapes.one(kind, 1_000_000))
        server.wire.save(shapes.one(kind, size))
        server.wire.execute(f"{kind.lower()}-1000000")
        before = server.memory
        server.forget_peak()
        took = took_ms(server.wire.execute(f"{kind.lower()}-{size}"))
        peak = server.peak - before
        time.sleep(1)
        after = server.memory - before
    return peak, {"after MB": after, "took ms": took, "raw write ms": write_ms(1, size)}
