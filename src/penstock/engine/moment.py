"""Time, ids, chance and the outside facts that a step may look at. They arrive with the command; the engine has none of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from penstock.engine.events import Event
from penstock.engine.outputs import OutputsReader
from penstock.expr import RenderContext
from penstock.model.entries import LogEntry
from penstock.model.execution import TaskRun
from penstock.model.flow import FlowOutput


class Archive(OutputsReader, Protocol):
    """What is stored of an execution: read only, and never needed by an ordinary transition."""

    def runs(self, execution_id: str) -> list[TaskRun]:
        """All task runs, ended ones too, in order of creation: for restarts and for `tasks.*`."""
        ...

    def iteration_outputs(self, execution_id: str, loop_run_id: str) -> list[tuple[int, Mapping[str, object]]]:
        """What each ended iteration of a Loop declared, in the order they ended: its index and `{item, outputs}`."""
        ...

    def loop_values(self, execution_id: str, run_id: str) -> tuple[list[str], list[str] | None]:
        """All values (and keys) of a loop that was planned before."""
        ...

    def descendants(self, execution_id: str, run_id: str) -> list[str]:
        """Ids of all stored task runs below one, those of the present batch included, children first."""
        ...

    def run(self, execution_id: str, run_id: str) -> TaskRun | None:
        """One task run."""
        ...

    def read_lines(self, execution_id: str, uri: str) -> list[str]:
        """The lines of a text file in internal storage."""
        ...

    def read_records(self, execution_id: str, uri: str) -> list[str]:
        """The records of a file of values, as text or JSON text."""
        ...


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What stays the same from step to step.

    chunk: how many children one step starts at the most. grace: how long a killed attempt may take to end.
    reveal: turns stored inputs into what templates see (secrets decrypted).
    type_outputs: checks flow outputs against their declared types; raises ValueError with Kestra's text.
    """

    envs: Mapping[str, str] = {}
    globals: Mapping[str, object] = {}
    kestra: Mapping[str, object] = {}
    timezone: str = "UTC"
    chunk: int = 250
    grace: timedelta = timedelta(seconds=30)
    reveal: Callable[[Mapping[str, object]], Mapping[str, object]] = lambda inputs: inputs
    type_outputs: Callable[[list[FlowOutput], Mapping[str, object]], dict[str, object]] = lambda _, values: dict(values)
    type_inputs: Callable[[object, Mapping[str, object]], Mapping[str, object]] = lambda _, values: values
    monotonic: Callable[[], float] = lambda: 0.0


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """The present: what a step may know beside the state and the command.

    slots_used: executions of the same flow that hold a slot of its concurrency limit.
    created_since: executions of the same flow created since a moment, this one included.
    witness: is shown each event before it is applied (to record what really happened).
    """

    now: datetime
    new_id: Callable[[], str]
    random: Callable[[], float]
    archive: Archive
    around: Surroundings
    slots_used: Callable[[], int] = lambda: 0
    created_since: Callable[[datetime], int] = lambda since: 0
    witness: Callable[[Event], None] | None = None

    def render_context(self, variables: Mapping[str, object]) -> RenderContext:
        """What templates are rendered in: no outside functions, no clock but `now`."""
        return RenderContext(
            variables,
            now=lambda: self.now,
            timezone=self.around.timezone,
            random=self.random,
            new_id=self.new_id,
            monotonic=self.around.monotonic,
        )


Logs = list[LogEntry]
