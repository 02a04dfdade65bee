"""The tree of an execution's task runs in the terminal, with states and durations."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from penstock.model.duration import format_duration
from penstock.model.execution import RunKind, TaskRun
from penstock.model.state import TERMINATED, State
from penstock.ports.reads import Reads, StoredExecution

if TYPE_CHECKING:
    from rich.text import Text

_MARKS = {
    State.SUCCESS: "✔", State.WARNING: "!", State.FAILED: "✘", State.KILLED: "☠", State.CANCELLED: "⊘",
    State.SKIPPED: "–", State.RUNNING: "▶", State.PAUSED: "⏸", State.RETRYING: "↻",
}  # fmt: skip
_COLOURS = {
    State.SUCCESS: "32", State.WARNING: "33", State.FAILED: "31", State.KILLED: "31", State.CANCELLED: "90",
    State.RUNNING: "34", State.PAUSED: "35", State.RETRYING: "33",
}  # fmt: skip
_MOST = 200
"""Task runs that are shown; the rest is counted."""


def print_tree(reads: Reads, stored: StoredExecution) -> None:
    """The whole tree, once."""
    for text in tree_lines(reads, stored, colour=sys.stdout.isatty()):
        print(text)


class LiveTree:
    """The tree of one execution at the foot of the terminal, redrawn while it grows; log lines go by above it."""

    def __init__(self, reads: Reads) -> None:
        from rich.console import Console

        self._reads = reads
        self._console = Console()

    def write(self, line: str) -> None:
        """A line above the tree."""
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def of(self, execution_id: str) -> Iterator[None]:
        """Shows the tree until left; what it then shows stays."""
        from rich.live import Live

        with Live(console=self._console, get_renderable=lambda: self._drawn(execution_id), refresh_per_second=8):
            yield

    def _drawn(self, execution_id: str) -> Text:
        from rich.text import Text

        stored = self._reads.execution("main", execution_id)
        if stored is None:
            return Text("…")
        return Text.from_ansi("\n".join(tree_lines(self._reads, stored, colour=True)))


def tree_lines(reads: Reads, stored: StoredExecution, *, colour: bool) -> Iterator[str]:
    """A line for the execution and one for each task run, children below their parents."""
    execution = stored.execution
    length = execution.histories[-1].date - execution.histories[0].date
    yield _line(execution.state, f"{execution.namespace}.{execution.flow_id}", format_duration(length), colour=colour)
    page = reads.runs(execution.id, owner=None, page=1, size=_MOST)
    iterations = reads.runs(execution.id, owner=None, iterations=True, page=1, size=_MOST)
    runs = sorted([*page.results, *iterations.results], key=lambda run: run.sequence)
    children: dict[str, list[TaskRun]] = {}
    for run in runs:
        children.setdefault(run.parent_id or "", []).append(run)
    yield from _below(children, "", "  ", colour=colour)
    hidden = page.total - len(page.results)
    if hidden > 0:
        yield f"  … and {hidden} more task runs"


def _below(children: dict[str, list[TaskRun]], parent_id: str, indent: str, *, colour: bool) -> Iterator[str]:
    for run in children.get(parent_id, ()):
        yield indent + _line(run.state, _name(run), _length(run), colour=colour)
        yield from _below(children, run.id, indent + "  ", colour=colour)


def _name(run: TaskRun) -> str:
    if run.kind is RunKind.ITERATION:
        return f"iteration {run.iteration}: {run.value}"
    name = run.task_id if run.value is None else f"{run.task_id} [{run.value}]"
    return f"{name} ({len(run.attempts)} attempts)" if len(run.attempts) > 1 else name


def _length(run: TaskRun) -> str:
    if run.state not in TERMINATED:
        return ""
    return format_duration(run.histories[-1].date - run.histories[0].date)


def _line(state: State, name: str, length: str, *, colour: bool) -> str:
    mark = _MARKS.get(state, "·")
    if colour:
        code = _COLOURS.get(state, "0")
        return f"\x1b[{code}m{mark} {state:8}\x1b[0m {name} \x1b[90m{length}\x1b[0m"
    return f"{mark} {state:8} {name} {length}".rstrip()
