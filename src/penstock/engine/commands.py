"""What can be asked of an execution. A command says what is wanted; events tell what happened.

Time, ids and chance are not in a command: the executor hands them to `step` with it (`engine.moment`).
Workers' `Started` and `Result` (`model.job`) are commands too.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from penstock.model.execution import Breakpoint, Execution, ExecutionContext, Label
from penstock.model.job import ChildRun, Result, Started
from penstock.model.state import State


class Command(msgspec.Struct, kw_only=True, frozen=True):
    """The root of all commands, addressed to one execution."""

    execution_id: str


class StartExecution(Command, frozen=True, kw_only=True):
    """Start an execution whose inputs are resolved already; `final_state` creates it ended (FAIL_EXECUTION checks)."""

    execution: Execution
    context: ExecutionContext
    final_state: State | None = None


class KillExecution(Command, frozen=True, kw_only=True):
    """Kill, and with `cascade` every execution it started."""

    cascade: bool = True


class PauseExecution(Command, frozen=True, kw_only=True):
    """Hold a RUNNING execution: running tasks finish, nothing new starts."""


class ResumeExecution(Command, frozen=True, kw_only=True):
    """Let a PAUSED execution go on; `inputs` are those of the Pause's `onResume`, typed already.

    task_run_id: which Pause; without it the first PAUSED task run.
    to: the state it resumes into (RUNNING unless a Pause's behaviour says otherwise).
    """

    inputs: Mapping[str, object] = {}
    by: str | None = None
    task_run_id: str | None = None
    to: State = State.RUNNING


class ReviewApproval(Command, frozen=True, kw_only=True):
    """Decide an Approval: `decision` is APPROVED or DENIED."""

    decision: str
    comment: str | None = None
    inputs: Mapping[str, object] = {}
    by: str | None = None
    task_run_id: str | None = None


class ResumeFromBreakpoint(Command, frozen=True, kw_only=True):
    """Go on from a breakpoint with a new list of breakpoints."""

    breakpoints: list[Breakpoint] = []


class RestartExecution(Command, frozen=True, kw_only=True):
    """Run FAILED or PAUSED task runs again in place (engine.md 5.4)."""


class ChangeTaskRunState(Command, frozen=True, kw_only=True):
    """Give one task run of a terminated execution another state and go on from there (engine.md 5.6)."""

    task_run_id: str
    state: State


class ChangeStatus(Command, frozen=True, kw_only=True):
    """Give a terminated execution another terminal state."""

    state: State


class ForceRun(Command, frozen=True, kw_only=True):
    """Run now whatever holds it: a schedule date, the concurrency limit, a pause."""


class Unqueue(Command, frozen=True, kw_only=True):
    """Take out of the concurrency queue into RUNNING, CANCELLED or FAILED."""

    state: State = State.RUNNING
    freed: bool = False
    """A slot has become free and goes to it (as against a person's wish)."""


class SetLabels(Command, frozen=True, kw_only=True):
    """Replace the labels of a terminated execution; its system labels stay."""

    labels: list[Label]


class AddSystemLabels(Command, frozen=True, kw_only=True):
    """Add labels that Kestra itself sets (`system.replayed`), whatever the state."""

    labels: list[Label]


class WakeUp(Command, frozen=True, kw_only=True):
    """A timer is due: `key` names it, `stamp` tells whether it is still the same wait."""

    key: str
    stamp: int = 0


class ChildChanged(Command, frozen=True, kw_only=True):
    """An execution that a Subflow or ForEachItem started has changed state.

    ended: fully terminated, so `outputs` (its flow outputs) are final.
    """

    task_run_id: str
    child_id: str
    state: State
    ended: bool
    outputs: Mapping[str, object] | None = None
    error: str | None = None
    index: int | None = None


class ChildRefused(Command, frozen=True, kw_only=True):
    """An execution that a Subflow wanted could not be created; `reason` is for its log."""

    task_run_id: str
    stamp: int
    reason: str


class ReportChild(Command, frozen=True, kw_only=True):
    """A worker tells of a task run it made itself, while its parent still runs."""

    child: ChildRun


class CheckChild(Command, frozen=True, kw_only=True):
    """After a crash: look at the execution a task run waits for, start it when it does not exist."""

    task_run_id: str


class RecountItems(Command, frozen=True, kw_only=True):
    """After a crash: the subflows of a ForEachItem as they are; those from `missing` on were never made."""

    task_run_id: str
    tally: dict[State, int]
    missing: int | None = None


class LaunchAgain(Command, frozen=True, kw_only=True):
    """After a crash: the execution a task run waits for was never made, ask for it again."""

    task_run_id: str


class Continue(Command, frozen=True, kw_only=True):
    """The execution asks itself to go on with a long list, so that no single step grows with it."""

    task_run_id: str | None = None


class ReplayExecution(Command, frozen=True, kw_only=True):
    """A new execution from this one (engine.md 5.5), from the start or from one task run on.

    new_id: the id of the new execution. revision: another revision of the flow. inputs: others than those of the source.
    restart: in place of a chosen task run, the one that failed (restart with another revision).
    """

    new_id: str
    task_run_id: str | None = None
    revision: int | None = None
    inputs: Mapping[str, object] | None = None
    breakpoints: list[Breakpoint] | None = None
    restart: bool = False


class Proceed(Command, frozen=True, kw_only=True):
    """A replayed execution sets out from the task runs it was given.

    values: what its loops go over, with their keys, by task run id.
    """

    values: Mapping[str, tuple[list[str], list[str] | None]] = {}


class Abort(Command, frozen=True, kw_only=True):
    """End the execution FAILED because Penstock itself cannot go on with it; `reason` is for its log."""

    reason: str


class Delete(Command, frozen=True, kw_only=True):
    """Forget the execution: it is deleted (engine.md 5.6)."""


AnyCommand = Command | Started | Result
