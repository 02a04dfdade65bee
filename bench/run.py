"""Measures the budgets: `uv run python bench/run.py [row …] [--json FILE] [--markdown FILE]`.

Every figure stands beside its floor from the same run, so that what counts is a ratio, not the machine. Figures of
executions come from their own state history.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.floors import commit_ms
from bench.report import HEADER, Row, as_json, line, markdown
from bench.rows import bulk, colleagues, growth, load, starting


def floors() -> Iterator[Row]:
    """The smallest durable commit at both levels of durability."""
    yield Row("floor: empty durable commit, process", commit_ms("process"), "ms")
    yield Row("floor: empty durable commit, power", commit_ms("power"), "ms")


ROWS: dict[str, Callable[[], Iterator[Row]]] = {
    "floors": floors,
    "growth": growth.growth,
    "webhook": load.webhook,
    "five-ifs": load.five_ifs,
    "idle-latency": load.idle_latency,
    "starting": starting.starting,
    "run": starting.run,
    "outputs": bulk.outputs,
    "large-output": bulk.large_output,
    "stored-rows": bulk.stored_rows,
    "expressions": colleagues.expressions,
    "triggers": colleagues.triggers,
}


def main() -> None:
    """Measure the rows asked for, all by default, and print each as it comes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", choices=[*ROWS, []], metavar="row", help=f"of {', '.join(ROWS)}")
    parser.add_argument("--json", type=Path, help="also write every figure to this file")
    parser.add_argument("--markdown", type=Path, help="also write the table to this file")
    options = parser.parse_args()
    found: list[Row] = []
    print(HEADER, flush=True)
    for name in options.rows or ROWS:
        for row in ROWS[name]():
            found.append(row)
            print(line(row), flush=True)
    if options.json:
        options.json.write_text(as_json(found))
    if options.markdown:
        options.markdown.write_text(markdown(found) + "\n")


if __name__ == "__main__":
    main()
