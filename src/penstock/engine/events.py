"""What happened to an execution. `apply` turns each event into state; nothing else changes state.

`run_id` is the id of a task run, or "" for the execution itself where an event speaks of a scope.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from penstock.model.execution import (
    Attempt,
    Branch,
    Breakpoint,
    Execution,
    ExecutionContext,
    Label,
    Scope,
    TaskRun,
)
from penstock.model.state import State


class Event(msgspec.Struct, frozen=True):
    """The root of all events."""


class ExecutionCreated(Event, frozen=True):
    """The execution exists."""

    execution: Execution
    context: ExecutionContext


class ExecutionMoved(Event, frozen=True):
    """The execution has another state."""

    state: State
    at: datetime


class ExecutionRetried(Event, frozen=True):
    """Another execution takes the place of this one: its history shows FAILED, then RETRIED."""

    at: datetime


class ExecutionClosed(Event, frozen=True):
    """Fully terminated."""


class ExecutionReopened(Event, frozen=True):
    """A closed execution goes on (restart, change of a task run's state); its attempt number grows."""

    scope: Scope


class AttemptNumberRaised(Event, frozen=True):
    """The execution's attempt number grew by one."""


class SlotTaken(Event, frozen=True):
    """The execution holds a slot of its flow's concurrency limit."""


class SlotFreed(Event, frozen=True):
    """The slot is free again."""


class BreakpointsSet(Event, frozen=True):
    """The execution has another list of breakpoints."""

    breakpoints: list[Breakpoint]


class LabelsSet(Event, frozen=True):
    """The execution has these labels."""

    labels: list[Label]


class VariablesSet(Event, frozen=True):
    """The execution has these variables."""

    variables: dict[str, object]


class ExecutionOutputsSet(Event, frozen=True):
    """The flow's outputs."""

    outputs: Mapping[str, object]


class EvaluationAsked(Event, frozen=True):
    """Templates of a task run (or of the flow) are evaluated by a worker; the stamp grows."""

    run_id: str
    purpose: str


class EvaluationAnswered(Event, frozen=True):
    """The evaluation has come back."""

    run_id: str


class TaskRunCreated(Event, frozen=True):
    """A task run exists; it counts in its parent's scope, unless it stands aside."""

    run: TaskRun


class TaskRunMoved(Event, frozen=True):
    """A task run has another state."""

    run_id: str
    state: State
    at: datetime


class TaskRunRetrying(Event, frozen=True):
    """A task run failed and waits for its retry: its history shows FAILED, then RETRYING, and it stays active."""

    run_id: str
    at: datetime


class TaskRunRetried(Event, frozen=True):
    """A task run failed and another execution takes its place: its history shows FAILED, then RETRIED."""

    run_id: str
    at: datetime


class TaskRunSubmitted(Event, frozen=True):
    """A job was sent for a task run: it is SUBMITTED and its stamp grows."""

    run_id: str
    at: datetime


class TaskRunOrphaned(Event, frozen=True):
    """A task run's parent ended while it ran; it takes the parent's state and one late result."""

    run_id: str
    state: State
    at: datetime


class OrphanSettled(Event, frozen=True):
    """The late result of an orphan."""

    run_id: str
    state: State
    at: datetime


class TaskRunRemoved(Event, frozen=True):
    """A task run is forgotten, with its outputs (another round of LoopUntil, a restart)."""

    run_id: str


class TaskRunRevived(Event, frozen=True):
    """An ended task run is active again (restart), or moved by hand; `scope` holds its counters as they are now.

    ended_tasks: for a Dag, the ids of its tasks that have ended.
    """

    run: TaskRun
    state: State
    at: datetime
    scope: Scope | None = None
    ended_tasks: frozenset[str] = frozenset()


class AttemptAdded(Event, frozen=True):
    """A new attempt of a task run."""

    run_id: str
    attempt: Attempt


class AttemptMoved(Event, frozen=True):
    """The last attempt of a task run has another state."""

    run_id: str
    state: State
    at: datetime
    log_file: str | None = None


class AttemptsSet(Event, frozen=True):
    """The attempts of a task run that a worker made itself."""

    run_id: str
    attempts: list[Attempt]


class ChildLinked(Event, frozen=True):
    """A task run waits for the execution it starts."""

    run_id: str
    child_id: str | None


class OutputsSet(Event, frozen=True):
    """The outputs of a task run."""

    run_id: str
    outputs: Mapping[str, object]


class ScopeOpened(Event, frozen=True):
    """A flowable begins (again): its counters start anew."""

    run_id: str
    scope: Scope


class BranchEntered(Event, frozen=True):
    """A scope turns to another list."""

    run_id: str
    branch: Branch
    planned: int


class CursorMoved(Event, frozen=True):
    """The next child to start."""

    run_id: str
    cursor: int


class ReadySet(Event, frozen=True):
    """The places a scope may go on from."""

    run_id: str
    ready: list[tuple[int, int]]


class GroupEnded(Event, frozen=True):
    """All tasks of one iteration of a ForEach have ended."""

    run_id: str


class RoundBegun(Event, frozen=True):
    """LoopUntil begins another round."""

    run_id: str
    iteration: int


class ChoiceMade(Event, frozen=True):
    """Which list an If or Switch took, or how far a Pause has come."""

    run_id: str
    choice: str


class ItemsCounted(Event, frozen=True):
    """How many subflows of a ForEachItem are in which state."""

    run_id: str
    tally: dict[State, int]


class ValuesPlanned(Event, frozen=True):
    """The values a loop goes over (and their keys, for a map)."""

    run_id: str
    values: list[str]
    keys: list[str] | None = None


class TimerSet(Event, frozen=True):
    """A moment to wake up at."""

    key: str
    due: datetime
    stamp: int = 0


class TimerCleared(Event, frozen=True):
    """A wait that is over."""

    key: str


class ExecutionDeleted(Event, frozen=True):
    """The execution is forgotten."""
