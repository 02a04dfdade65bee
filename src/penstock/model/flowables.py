"""The tasks that the engine itself runs: flowables, subflows, and tasks that change the execution.

A field that holds child tasks is named in `CHILDREN` with its shape: `list`, `one`, `map` (name -> list) or `dag`
(list of `{task, dependsOn}`). `definition` parses the children first and hands the finished tasks in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field, SerializeAsAny, model_validator

from penstock.model.authored import DEPRECATED, UPPER, Authored, Dynamic, Free, Word
from penstock.model.duration import IsoDuration
from penstock.model.flow_values import FlowOutput, Labels
from penstock.model.inputs import Input
from penstock.model.task import Task

Tasks = Sequence[SerializeAsAny[Task]]
_CORE = "io.kestra.plugin.core."


class Flowable(Task):
    """A task that has child tasks."""

    TYPE: ClassVar[str] = ""
    ALIASES: ClassVar[tuple[str, ...]] = ()
    CHILDREN: ClassVar[Mapping[str, str]] = {"tasks": "list", "errors": "list", "finally": "list"}

    errors: Tasks | None = None
    finally_: Tasks | None = Field(default=None, alias="finally")


class Sequential(Flowable):
    """Child tasks one after another."""

    TYPE: ClassVar[str] = _CORE + "flow.Sequential"
    ALIASES: ClassVar[tuple[str, ...]] = ("io.kestra.core.tasks.flows.Sequential",)

    tasks: Tasks = Field(min_length=1)


class AllowFailure(Sequential):
    """Child tasks one after another; a failure inside is a WARNING outside."""

    TYPE: ClassVar[str] = _CORE + "flow.AllowFailure"
    ALIASES: ClassVar[tuple[str, ...]] = ("io.kestra.core.tasks.flows.AllowFailure",)


class Parallel(Flowable):
    """Child tasks at the same time, at most `concurrent` of them (0: all)."""

    TYPE: ClassVar[str] = _CORE + "flow.Parallel"
    ALIASES: ClassVar[tuple[str, ...]] = ("io.kestra.core.tasks.flows.Parallel",)

    tasks: Tasks = Field(min_length=1)
    concurrent: Dynamic[int] = 0


class DagTask(Authored):
    """A task of a Dag and the ids of those it waits for."""

    task: SerializeAsAny[Task]
    depends_on: list[str] = []


class Dag(Flowable):
    """Child tasks as soon as those they depend on have ended."""

    TYPE: ClassVar[str] = _CORE + "flow.Dag"
    ALIASES: ClassVar[tuple[str, ...]] = ("io.kestra.core.tasks.flows.Dag",)
    CHILDREN: ClassVar[Mapping[str, str]] = {"tasks": "dag", "errors": "list", "finally": "list"}

    tasks: list[DagTask] = Field(min_length=1)
    concurrent: Dynamic[int] = 0


class If(Flowable):
    """`then` or `else`, as `condition` says."""

    TYPE: ClassVar[str] = _CORE + "flow.If"
    ALIASES: ClassVar[tuple[str, ...]] = ("io.kestra.core.tasks.flows.If",)
    CHILDREN: ClassVar[Mapping[str, str]] = {"then": "list", "else": "list", "errors": "list", "finally": "list"}

    condition: str
    then: Tasks = Field(min_length=1)
    else_: Tasks | None = Field(default=None, alias="else")


class Switch(Flowable):
    """The case whose key equals `value`, else `defaults`."""

    TYPE: ClassVar[str] = _CORE + "flow.Switch"
    ALIASES: ClassVar[tuple[str, ...]] = ("io.kestra.core.tasks.flows.Switch",)
    CHILDREN: ClassVar[Mapping[str, str]] = {"cases": "map", "defaults": "list", "errors": "list", "finally": "list"}

    value: str
    cases: Mapping[str, Tasks] | None = None
    defaults: Tasks | None = None


class EachSequential(Flowable):
    """1.x: all tasks for one value after another."""

    TYPE: ClassVar[str] = _CORE + "flow.EachSequential"
    ALIASES: ClassVar[tuple[str, ...]] = ("io.kestra.core.tasks.flows.EachSequential",)

    value: Free
    tasks: Tasks = Field(min_length=1)


class EachParallel(Flowable):
    """1.x: all values at the same time, at most `concurrent` (0: all)."""

    TYPE: ClassVar[str] = _CORE + "flow.EachParallel"
    ALIASES: ClassVar[tuple[str, ...]] = ("io.kestra.core.tasks.flows.EachParallel",)

    value: Free
    concurrent: Dynamic[int] = 0
    tasks: Tasks = Field(min_length=1)


class ForEach(Flowable):
    """1.x: tasks for each of `values`, `concurrency_limit` at a time (0: all)."""

    TYPE: ClassVar[str] = _CORE + "flow.ForEach"

    values: Free
    concurrency_limit: Dynamic[int] = 1
    tasks: Tasks = Field(min_length=1)


class RestartBehavior(Word):
    """What restarting the parent does to a subflow that failed."""

    RETRY_FAILED = "RETRY_FAILED"
    NEW_EXECUTION = "NEW_EXECUTION"


class Batch(Authored):
    """How ForEachItem cuts its file."""

    rows: Dynamic[int] | None = None
    partitions: Dynamic[int] | None = None
    bytes: str | None = None
    separator: str = "\n"
    regex_pattern: str | None = None


class ForEachItem(Flowable):
    """1.x: a file in batches, a subflow for each."""

    TYPE: ClassVar[str] = _CORE + "flow.ForEachItem"
    ALIASES: ClassVar[tuple[str, ...]] = ("io.kestra.core.tasks.flows.ForEachItem",)
    CHILDREN: ClassVar[Mapping[str, str]] = {"errors": "list", "finally": "list"}

    items: str
    batch: Batch = Batch(rows=1)
    namespace: str
    flow_id: str
    revision: Dynamic[int] | None = None
    inputs: Mapping[str, Free] | None = None
    labels: Labels = []
    wait: bool = True
    transmit_failed: bool = True
    inherit_labels: Dynamic[bool] = False
    schedule_date: str | None = None
    restart_behavior: RestartBehavior = RestartBehavior.RETRY_FAILED


class LoopFetch(Word):
    """Where a Loop keeps what its iterations declare."""

    AUTO = "AUTO"
    FETCH = "FETCH"
    STORE = "STORE"


class Loop(Flowable):
    """2.0: iterations with a life of their own over a list, a map or a file."""

    TYPE: ClassVar[str] = _CORE + "flow.Loop"

    values: Free
    concurrency_limit: Dynamic[int] = 1
    transmit_failed: bool = True
    outputs: list[FlowOutput] | None = None
    fetch_type: LoopFetch = LoopFetch.AUTO
    break_when: str | None = None
    tasks: Tasks = Field(min_length=1)


class CheckFrequency(Authored):
    """How often LoopUntil repeats; durations and numbers may be templates."""

    interval: Dynamic[IsoDuration] | None = None
    max_iterations: Dynamic[int] | None = None
    max_duration: Dynamic[IsoDuration] | None = None


class LoopUntil(Flowable):
    """The child tasks again and again until `condition` holds."""

    TYPE: ClassVar[str] = _CORE + "flow.LoopUntil"
    ALIASES: ClassVar[tuple[str, ...]] = (_CORE + "flow.WaitFor", "io.kestra.core.tasks.flows.WaitFor")

    condition: str
    fail_on_max_reached: Dynamic[bool] = False
    check_frequency: CheckFrequency = CheckFrequency()
    tasks: Tasks = Field(min_length=1)


class DirectoryCache(Authored):
    """Files of a WorkingDirectory kept between executions."""

    patterns: list[str]
    ttl: Dynamic[IsoDuration] | None = None


class WorkingDirectory(Flowable):
    """Child tasks one after another on one worker, in one folder."""

    TYPE: ClassVar[str] = _CORE + "flow.WorkingDirectory"
    ALIASES: ClassVar[tuple[str, ...]] = (
        "io.kestra.core.tasks.flows.Worker",
        "io.kestra.core.tasks.flows.WorkingDirectory",
    )

    tasks: Tasks = Field(min_length=1)
    cache: DirectoryCache | None = None
    namespace_files: Free = None
    input_files: Free = None
    output_files: Free = None


class PauseBehavior(Word):
    """What follows when `pauseDuration` is over."""

    RESUME = "RESUME"
    WARN = "WARN"
    CANCEL = "CANCEL"
    FAIL = "FAIL"


class Pause(Flowable):
    """Holds the execution until a person resumes it, or for a time."""

    TYPE: ClassVar[str] = _CORE + "flow.Pause"
    ALIASES: ClassVar[tuple[str, ...]] = ("io.kestra.core.tasks.flows.Pause",)
    CHILDREN: ClassVar[Mapping[str, str]] = {
        "tasks": "list", "onPause": "one", "errors": "list", "finally": "list",
    }  # fmt: skip

    pause_duration: Dynamic[IsoDuration] | None = None
    delay: Dynamic[IsoDuration] | None = Field(default=None, json_schema_extra=DEPRECATED)
    behavior: Dynamic[PauseBehavior] = PauseBehavior.RESUME
    on_pause: SerializeAsAny[Task] | None = None
    on_resume: list[Input] | None = None
    tasks: Tasks | None = Field(default=None, json_schema_extra=DEPRECATED)


class ApprovalBehavior(Word):
    """What a decision does to the task and the execution."""

    CONTINUE = "CONTINUE"
    WARN = "WARN"
    FAIL = "FAIL"
    SUCCEED = "SUCCEED"
    CANCEL = "CANCEL"
    KILL = "KILL"


class Approval(Flowable):
    """Holds the execution until a reviewer decides."""

    TYPE: ClassVar[str] = _CORE + "flow.Approval"
    CHILDREN: ClassVar[Mapping[str, str]] = {
        "onWait": "list", "onApprove": "list", "onDeny": "list", "errors": "list", "finally": "list",
    }  # fmt: skip

    inputs: list[Input] | None = None
    decisions: Mapping[str, str] | None = None
    comment_required: Annotated[Literal["NEVER", "ALWAYS", "ON_DENY", "ON_APPROVE"], UPPER] = "NEVER"
    auto_approve: Dynamic[bool] = False
    approve_behavior: ApprovalBehavior = ApprovalBehavior.CONTINUE
    deny_behavior: ApprovalBehavior = ApprovalBehavior.CANCEL
    expire_behavior: ApprovalBehavior = ApprovalBehavior.CANCEL
    on_wait: Tasks | None = None
    on_approve: Tasks | None = None
    on_deny: Tasks | None = None


class Executable(Task):
    """A task that starts other executions."""

    TYPE: ClassVar[str] = ""
    ALIASES: ClassVar[tuple[str, ...]] = ()
    CHILDREN: ClassVar[Mapping[str, str]] = {}


class Subflow(Executable):
    """Another flow, as an execution of its own."""

    TYPE: ClassVar[str] = _CORE + "flow.Subflow"
    ALIASES: ClassVar[tuple[str, ...]] = (
        _CORE + "flow.Flow",
        "io.kestra.core.tasks.flows.Flow",
        "io.kestra.core.tasks.flows.Subflow",
    )

    namespace: str
    flow_id: str
    revision: Dynamic[int] | None = None
    inputs: Mapping[str, Free] | None = None
    labels: Labels = []
    wait: bool = True
    transmit_failed: bool = True
    inherit_labels: Dynamic[bool] = False
    schedule_date: str | None = None
    restart_behavior: RestartBehavior = RestartBehavior.RETRY_FAILED
    outputs: Mapping[str, Free] | None = Field(default=None, json_schema_extra=DEPRECATED)


class ExecutionUpdating(Task):
    """A task that changes the execution itself; it runs in the executor."""

    TYPE: ClassVar[str] = ""
    ALIASES: ClassVar[tuple[str, ...]] = ()
    CHILDREN: ClassVar[Mapping[str, str]] = {}


class LabelsTask(ExecutionUpdating):
    """Adds labels to the execution."""

    TYPE: ClassVar[str] = _CORE + "execution.Labels"
    ALIASES: ClassVar[tuple[str, ...]] = ("io.kestra.core.tasks.executions.Labels",)

    labels: Free


class SetVariables(ExecutionUpdating):
    """Sets variables of the execution."""

    TYPE: ClassVar[str] = _CORE + "execution.SetVariables"

    variables: Dynamic[Mapping[str, Free]]
    overwrite: Dynamic[bool] = True


class UnsetVariables(ExecutionUpdating):
    """Removes variables of the execution."""

    TYPE: ClassVar[str] = _CORE + "execution.UnsetVariables"

    variables: Dynamic[list[str]]
    ignore_missing: Dynamic[bool] = False


class Exit(ExecutionUpdating):
    """Ends the execution at once in a state."""

    TYPE: ClassVar[str] = _CORE + "execution.Exit"

    state: str = "SUCCESS"

    @model_validator(mode="after")
    def _known_state(self) -> Exit:
        known = ("SUCCESS", "WARNING", "KILLED", "FAILED", "CANCELLED", "CANCELED")
        if "{{" not in self.state and self.state.upper() not in known:
            raise ValueError(f"state must be one of {', '.join(known[:-1])}, found {self.state}")
        return self


CORE_TASKS: tuple[type[Task], ...] = (
    Sequential, AllowFailure, Parallel, Dag, If, Switch, EachSequential, EachParallel, ForEach, ForEachItem, Loop,
    LoopUntil, WorkingDirectory, Pause, Approval, Subflow, LabelsTask, SetVariables, UnsetVariables, Exit,
)  # fmt: skip
"""Every task type that the engine runs by itself."""
