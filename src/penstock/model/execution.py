"""Executions, task runs and attempts: the records the engine moves and the stores keep.

They are plain mutable structs owned by one engine state at a time; whatever leaves that owner is encoded first.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from penstock.model.state import State, StateChange


class Label(msgspec.Struct, frozen=True):
    """A key and its value on a flow or an execution."""

    key: str
    value: str


class ExecutionKind(StrEnum):
    """What an execution is for; `LOOP` is the projection of one iteration of a Loop."""

    NORMAL = "NORMAL"
    TEST = "TEST"
    PLAYGROUND = "PLAYGROUND"
    LOOP = "LOOP"


class ExecutionTrigger(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """What started an execution; `variables` is what `trigger.*` shows (engine.md 7.10)."""

    id: str
    type: str
    variables: dict[str, object] = {}
    log_file: str | None = None


class Metadata(msgspec.Struct, frozen=True, rename="camel"):
    """`attempt_number` counts from 1; `original_created_date` is that of the first execution of a retry chain."""

    attempt_number: int
    original_created_date: datetime


class Breakpoint(msgspec.Struct, frozen=True, omit_defaults=True):
    """Hold the execution before the task run of `id` (and of loop value `value`)."""

    id: str
    value: str | None = None


class Branch(StrEnum):
    """Which list of a scope is being worked on (engine.md 3.4); `ASIDE` runs (a Pause's `onPause`) count nowhere."""

    TASKS = "TASKS"
    ERRORS = "ERRORS"
    FINALLY = "FINALLY"
    AFTER = "AFTER"
    ASIDE = "ASIDE"


class Scope(msgspec.Struct, omit_defaults=True):
    """The counters of a flowable's children; the whole knowledge a parent keeps of them.

    A transition costs the size of its events because a scope is all that is looked at: nobody walks through siblings.

    planned: children (for loops: iterations) planned in the current branch; -1 while unknown.
    cursor: index of the next child (or iteration) to start in the current branch.
    active: children of the current branch that were created and have not terminated.
    done: children of the current branch that terminated.
    groups: for ForEach, iterations whose tasks have all ended.
    stragglers: children of an earlier branch that still run.
    ready: places to go on from, (iteration, index): the next task of a ForEach group, a Dag task that may start.
    tally: how many children of the TASKS branch (iterations, for loops) ended in each state.
    failed: a child of TASKS failed for good.
    choice: the list chosen by If or Switch (`then`, `else`, a case's key, `defaults`), or a Pause's progress.
    iteration: the present round of LoopUntil, from 0.
    since: when the present loop or pause began (bounds of LoopUntil).
    limit: how many children may be active at once, 0 for all.
    """

    branch: Branch = Branch.TASKS
    planned: int = -1
    cursor: int = 0
    active: int = 0
    done: int = 0
    tally: dict[State, int] = {}
    failed: bool = False
    choice: str | None = None
    iteration: int | None = None
    since: datetime | None = None
    limit: int = 0
    stragglers: int = 0
    groups: int = 0
    ready: list[tuple[int, int]] = []


class Attempt(msgspec.Struct, omit_defaults=True, rename="camel"):
    """One try of a task run, with a state history of its own."""

    state: State
    histories: list[StateChange]
    worker_id: str | None = None
    log_file: str | None = None


class RunKind(StrEnum):
    """What a task-run row stands for: a task of the flow, or one iteration of a 2.0 Loop."""

    TASK = "TASK"
    ITERATION = "ITERATION"


class TaskRun(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One run of one task at one place of the flow.

    owner: id of the nearest enclosing Loop iteration (empty at the top): task runs of one owner see one another.
    path: loop values of the ForEach-like ancestors inside that owner, outermost first, and the own `value` last
        when it has one: where its outputs lie below `outputs[task_id]` (engine.md 3.6.2).
    value, iteration, key: the loop value as text, its zero-based index, the key for iterations over a map.
    stamp: number of the latest job sent for it; a result with another stamp is late and dropped.
    sequence: order of creation inside the execution.
    branch: in which list of its parent it stands.
    child_id: execution started by a Subflow task.
    awaiting: what a pending EVALUATE job is for (`start`, `run_if`, `condition`, `outputs`).
    orphaned: its parent ended before it: one late result is still recorded, nothing follows from it.
    """

    id: str
    task_id: str
    kind: RunKind = RunKind.TASK
    parent_id: str | None = None
    owner: str = ""
    path: tuple[str, ...] = ()
    value: str | None = None
    iteration: int | None = None
    key: str | None = None
    branch: Branch = Branch.TASKS
    state: State
    histories: list[StateChange]
    attempts: list[Attempt] = []
    scope: Scope | None = None
    stamp: int = 0
    sequence: int = 0
    dynamic: bool = False
    force_execution: bool = False
    child_id: str | None = None
    awaiting: str | None = None
    orphaned: bool = False


class Execution(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The head of an execution: what changes while it runs. Its inputs, labels and variables are in its context.

    sequence: number of task runs created so far.
    held: task runs that are PAUSED or BREAKPOINT and so hold the whole execution.
    retrying: task runs that wait for their retry.
    closed: fully terminated: afterExecution has ended too, waiters are answered, the slot is free.
    slot: holds a slot of its flow's concurrency limit.
    stamp, awaiting: as in `TaskRun`, for templates of the flow itself (its outputs).
    """

    id: str
    tenant_id: str
    namespace: str
    flow_id: str
    flow_revision: int
    state: State
    histories: list[StateChange]
    scope: Scope
    original_id: str
    metadata: Metadata
    parent_id: str | None = None
    schedule_date: datetime | None = None
    kind: ExecutionKind = ExecutionKind.NORMAL
    breakpoints: list[Breakpoint] = []
    trace_parent: str | None = None
    sequence: int = 0
    held: int = 0
    retrying: int = 0
    closed: bool = False
    slot: bool = False
    stamp: int = 0
    awaiting: str | None = None


class ExecutionContext(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What an execution was given and what it set: written only when it changes, never with a transition."""

    labels: list[Label] = []
    inputs: dict[str, object] = {}
    variables: dict[str, object] = {}
    trigger: ExecutionTrigger | None = None


def label_map(labels: list[Label]) -> dict[str, str]:
    """Labels by key; the last of a key wins."""
    return {label.key: label.value for label in labels}


def merge_labels(*groups: list[Label]) -> list[Label]:
    """Labels of all groups in order of first appearance; the last value of a key wins, empty values are dropped."""
    merged: dict[str, str] = {}
    for group in groups:
        for label in group:
            merged[label.key] = label.value
    return [Label(k, v) for k, v in merged.items() if v != ""]
