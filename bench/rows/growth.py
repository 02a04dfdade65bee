"""Cost of one execution as it grows: sequential, Parallel, Loop, ForEach, the nested loop."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator

from bench import shapes
from bench.floors import commit_ms
from bench.histories import took_ms
from bench.measured import Measured
from bench.report import Row

SIZES = (10, 100, 1_000, 10_000)
_SEQUENTIAL_MS = 0.5
_PARALLEL_MS = {100: 50.0, 1_000: 500.0}
_LOOP_MS = {100: 60.0, 10_000: 5_000.0}


def growth() -> Iterator[Row]:
    """Every size of every shape, the median of three runs each, and the growth per task."""
    floor = commit_ms()
    with Measured() as server:
        yield from _shape(server, "sequential", shapes.sequential, floor, lambda n: _SEQUENTIAL_MS * n)
        yield from _shape(server, "Parallel", shapes.parallel, floor, _PARALLEL_MS.get)
        yield from _shape(server, "Loop", shapes.loop, floor, _LOOP_MS.get)
        yield from _shape(server, "ForEach", shapes.foreach, floor, _LOOP_MS.get)
        server.wire.save(shapes.kept("nested-each-20x20"))
        yield Row("nested EachSequential 20 × 20", _median(server, "nested-each-20x20"), "ms", 250, floor=400 * floor)


def _shape(
    server: Measured, name: str, make: Callable[[int], str], floor: float, budget: Callable[[int], float | None]
) -> Iterator[Row]:
    each: dict[int, float] = {}
    cpu: dict[int, float] = {}
    for size in SIZES:
        source, rounds = make(size), max(3, 1_000 // size)
        server.wire.save(source)
        before = server.cpu_seconds
        took = _median(server, _id(source), rounds=rounds)
        each[size] = took / size
        cpu[size] = 1000 * (server.cpu_seconds - before) / rounds / size
        parts = {"per task ms": each[size], "processor ms": cpu[size]}
        yield Row(f"{name}, N = {size:,}", took, "ms", budget(size), floor=floor * size, parts=parts)
    # Processor time says what the code does even while others use the machine.
    parts = {"in processor time": cpu[10_000] / cpu[100]}
    yield Row(f"{name}: per task, 10,000 to 100", each[10_000] / each[100], "×", 1.2, parts=parts)


def _id(source: str) -> str:
    return next(text.removeprefix("id: ") for text in source.splitlines() if text.startswith("id: "))


def _median(server: Measured, flow: str, *, rounds: int = 3) -> float:
    """Of three runs; of more where one takes milliseconds only."""
    return statistics.median(took_ms(server.wire.execute(flow)) for _ in range(rounds))
