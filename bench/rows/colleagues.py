"""Rows that are programs of their own: expressions beside Jinja2, the scheduler with 100,000 flows."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.report import Row

_BENCH = Path(__file__).parents[1]


def expressions() -> Iterator[Row]:
    """Rendering beside Jinja2's compiled templates: how many times as fast (geometric mean)."""
    figures = _told("expressions.py")
    ratios = [t["jinja2_us"] / t["penstock_us"] for t in figures["templates"].values()]
    yield Row("expressions: speed beside Jinja2", figures["ratio"], "×", 1, at_least=True, parts={"least": min(ratios)})


def triggers() -> Iterator[Row]:
    """The scheduler's rows."""
    for found in _told("triggers.py"):
        share = found["name"].startswith("idle CPU")
        yield Row(
            f"scheduler: {found['name']}",
            found["value"],
            "cores" if share else "s",
            found.get("budget"),
            floor=found.get("floor"),
        )


def _told(program: str) -> dict | list:
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as folder:
        file = Path(folder) / "figures.json"
        subprocess.run(
            [sys.executable, str(_BENCH / program), "--json", str(file)], check=True, stdout=subprocess.DEVNULL
        )
        return json.loads(file.read_text())
