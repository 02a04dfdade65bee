"""Many executions: the webhook flow and the five-If flow under load, and the latency of an idle server."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from bench import shapes
from bench.floors import commit_ms
from bench.histories import first, moment, took_ms
from bench.measured import Measured
from bench.report import Row

_LOAD = Path(__file__).parents[1] / "load.py"
_WARM, _SECONDS = 2.0, 10.0
_WEBHOOK = "/api/v1/main/executions/webhook/bench/webhook-two-tasks/benchkey"
_IFS = "/api/v1/main/executions/bench/five-ifs"


def webhook() -> Iterator[Row]:
    """The two-task flow: executions ended per second while every connection is busy; p99 at half of that."""
    floor = 1000 / commit_ms()
    rates, tails, medians = [], [], []
    for _ in range(3):
        with Measured() as server:
            server.wire.save(shapes.kept("webhook-two-tasks"))
            rate = _sustained(server, "webhook-two-tasks", _WEBHOOK)
        rates.append(rate["ended/s"])
        with Measured() as server:
            server.wire.save(shapes.kept("webhook-two-tasks"))
            spread = _at_rate(server, "webhook-two-tasks", _WEBHOOK, rate["ended/s"] / 2)
        tails.append(spread[1])
        medians.append(spread[0])
    parts = {"lowest": min(rates), "highest": max(rates), **rate}
    yield Row("webhook flow, sustained", statistics.median(rates), "/s", 500, at_least=True, floor=floor, parts=parts)
    yield Row(
        "webhook flow, p99 at half of that",
        statistics.median(tails),
        "ms",
        100,
        parts={"p50": statistics.median(medians)},
    )


def five_ifs() -> Iterator[Row]:
    """Five Ifs, ten task runs, started by the API."""
    rates = []
    for _ in range(3):
        with Measured() as server:
            server.wire.save(shapes.kept("five-ifs"))
            rate = _sustained(server, "five-ifs", _IFS)
            rates.append(rate["ended/s"])
    yield Row(
        "five-If flow, sustained",
        statistics.median(rates),
        "/s",
        150,
        at_least=True,
        floor=1000 / commit_ms(),
        parts=rate,
    )


def idle_latency() -> Iterator[Row]:
    """A call every 0.2 s to a server that has nothing else to do: from the call to RUNNING of its task run."""
    with Measured() as server:
        server.wire.save(shapes.sequential(1))
        for _ in range(5):
            server.wire.execute("sequential-1")
        waits = []
        for _ in range(200):
            called = time.time()
            found = server.wire.start("sequential-1")
            time.sleep(0.2)
            waits.append(1000 * (first(server.wire.execution(found)["taskRunList"][0], "RUNNING") - called))
    waits.sort()
    yield Row("idle latency, p50", statistics.median(waits), "ms", 5, floor=commit_ms())
    yield Row(
        "idle latency, p99", waits[int(len(waits) * 0.99)], "ms", 30, floor=commit_ms(), parts={"worst": waits[-1]}
    )


def _sustained(server: Measured, flow: str, path: str) -> dict[str, float]:
    """Executions ended per second in the middle of a closed loop of 32 connections, and what was still open at its end."""
    began = time.time()
    told = _drive(server, path, "--seconds", str(_WARM + _SECONDS), "--connections", "32")
    stopped = time.time()
    ends = [moment(e["state"]["histories"][-1]["date"]) for e in _all_ended(server, flow, told["sent"])]
    window = (began + _WARM, began + _WARM + _SECONDS)
    inside = sum(window[0] <= end < window[1] for end in ends)
    return {
        "ended/s": inside / _SECONDS,
        "open at the end": sum(end > stopped for end in ends),
        "answer p99 ms": told["p99_ms"],
        "client cpu s": told["cpu_s"],
        "memory MB": server.memory,
    }


def _at_rate(server: Measured, flow: str, path: str, rate: float) -> tuple[float, float]:
    """p50 and p99 in ms from CREATED to the end, at a given rate."""
    _drive(server, path, "--seconds", "2", "--rate", str(rate))
    warm = len(_all_ended(server, flow, None))
    told = _drive(server, path, "--seconds", str(_SECONDS), "--rate", str(rate))
    took = sorted(took_ms(e) for e in _all_ended(server, flow, warm + told["sent"])[warm:])
    return took[len(took) // 2], took[int(len(took) * 0.99)]


def _drive(server: Measured, path: str, *options: str) -> dict[str, float]:
    command = [sys.executable, str(_LOAD), str(server.port), path, *options]
    if path == _WEBHOOK:
        command.append("--body")
    told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    if told["errors"] or told["answered"] != told["sent"]:
        raise RuntimeError(f"the load met errors: {told}")
    return told


def _all_ended(server: Measured, flow: str, expected: float | None) -> list[dict]:
    """Every execution of the flow, once all have ended. Raises RuntimeError when one is missing or did not succeed."""
    for _ in range(600):
        found = server.wire.ended(flow)
        if all(e["state"]["current"] == "SUCCESS" for e in found):
            break
        time.sleep(0.1)
    else:
        raise RuntimeError("executions did not end")
    if expected is not None and len(found) != expected:
        raise RuntimeError(f"{expected} executions were asked for, {len(found)} are there")
    return found
