"""Starting: a server until it is healthy, its memory at rest, `penstock run` until its first task."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench import shapes
from bench.histories import first
from bench.measured import Measured, environment
from bench.report import Row


def starting() -> Iterator[Row]:
    """Seconds to healthy on a fresh home folder, and memory at rest; the median of three."""
    seconds, memory = [], []
    with Measured():
        pass  # the first start of all may have to compile what is measured
    for _ in range(3):
        with Measured() as server:
            seconds.append(server.seconds_to_healthy)
            time.sleep(2)
            memory.append(server.memory)
    bare = _bare()
    yield Row("cold start to healthy", statistics.median(seconds), "s", 1.0, floor=bare)
    yield Row("idle memory", statistics.median(memory), "MB", 120)


def run() -> Iterator[Row]:
    """`penstock run` of one trivial task: from the start of the process to RUNNING of the task run; median of five."""
    waits, whole = [], []
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as folder:
        flow = Path(folder) / "flow.yaml"
        flow.write_text(shapes.sequential(1))
        command = [sys.executable, "-m", "penstock", "run", str(flow), "--json"]
        subprocess.run(command, check=True, capture_output=True, env=environment())
        for _ in range(5):
            began = time.time()
            told = subprocess.run(command, check=True, capture_output=True, text=True, env=environment()).stdout
            whole.append(time.time() - began)
            waits.append(first(json.loads(told)["taskRunList"][0], "RUNNING") - began)
    parts = {"whole command s": statistics.median(whole)}
    yield Row("penstock run to first task", statistics.median(waits), "s", 0.4, floor=_bare(), parts=parts)


def _bare() -> float:
    """Seconds of a Python process that does nothing; the median of five."""
    rounds = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", ""], check=True)
        rounds.append(time.perf_counter() - began)
    return statistics.median(rounds)
