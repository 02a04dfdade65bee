"""The step in progress: events are applied as they are written, work that follows waits in a queue.

A draft is the only thing deciding code writes to. `Decision` is what comes out: data, nothing has happened yet.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

import msgspec

from penstock.engine import events as e
from penstock.engine.apply import apply
from penstock.engine.commands import Command
from penstock.engine.moment import Moment
from penstock.engine.plan import Kind, Node, Plan
from penstock.engine.state import ExecutionState
from penstock.engine.variables import variables_of
from penstock.model.entries import LogEntry
from penstock.model.execution import Label, Scope, TaskRun
from penstock.model.job import Job, Result
from penstock.model.state import TERMINATED, State
from penstock.model.task import LogLevel

if TYPE_CHECKING:
    from penstock.model.task import Task

_HELD = frozenset({State.PAUSED, State.BREAKPOINT, State.QUEUED, State.KILLING, State.CREATED})


class Launch(msgspec.Struct, kw_only=True, frozen=True):
    """An execution that a task run wants started; its id is fixed so that starting it twice is the same as once.

    trigger: what `trigger.*` shows in it. restart: an earlier child to restart in its stead, when it FAILED.
    """

    task_run_id: str
    child_id: str
    namespace: str
    flow_id: str
    revision: int | None
    inputs: Mapping[str, object]
    labels: list[Label]
    inherit_labels: bool
    schedule_date: object = None
    trigger: Mapping[str, object]
    task_id: str
    type: str
    wait: bool = True
    restart: str | None = None
    index: int | None = None


class Replay(msgspec.Struct, kw_only=True, frozen=True):
    """A new execution of the same flow in the stead of one that is RETRIED (engine.md 4.2)."""

    source_id: str


class Decision(msgspec.Struct):
    """What a step decided.

    kills: task run ids whose attempts workers must end; None for all of the execution.
    cascade: kill the executions this one started, too. continues: commands it sends to itself.
    closed: it is fully terminated now. slot_freed: a slot of the concurrency limit is free.
    """

    events: list[e.Event] = []
    jobs: list[Job] = []
    launches: list[Launch] = []
    replays: list[Replay] = []
    kills: list[str | None] = []
    child_kills: list[str] = []
    cascade: bool = False
    continues: list[Command] = []
    logs: list[LogEntry] = []
    closed: bool = False
    slot_freed: bool = False


class Behaviour(Protocol):
    """What a kind of flowable does. Knowing one, you know all.

    `run_id` is the flowable's task run, "" for the flow itself.
    """

    def templates(self, task: Task) -> Mapping[str, object]:
        """The values that must be rendered before it starts, by name."""
        ...

    def start(self, draft: Draft, run: TaskRun, node: Node, values: Mapping[str, object]) -> None:
        """Begin, its values rendered: open the scope and start what can start."""
        ...

    def grow(self, draft: Draft, run_id: str, node: Node, scope: Scope) -> None:
        """Start the children of the TASKS branch that can start now."""
        ...

    def complete(self, draft: Draft, run_id: str, node: Node, scope: Scope) -> bool:
        """Whether every planned child of TASKS has ended."""
        ...

    def child_ended(self, draft: Draft, run_id: str, node: Node, child: TaskRun) -> None:
        """A child of the TASKS branch has ended: note what it makes possible."""
        ...

    def before_end(self, draft: Draft, run: TaskRun, node: Node, state: State) -> State | None:
        """Last word before the end: the final state, or None when it goes on (another round, a wait)."""
        ...

    def evaluated(self, draft: Draft, run: TaskRun, node: Node, purpose: str, values: Mapping[str, object]) -> None:
        """Templates asked for on the way (`purpose`) have been rendered by a worker."""
        ...

    def woken(self, draft: Draft, run: TaskRun, node: Node, stamp: int) -> None:
        """Its timer is due."""
        ...


class Rules(msgspec.Struct, frozen=True):
    """Where the modules of the engine meet: runs end in scopes, scopes start runs, the flow's own scope ends the flow."""

    behaviours: Mapping[Kind, Behaviour]
    child_ended: Callable[[Draft, str, TaskRun], None]
    tasks_over: Callable[[Draft, State], None]
    finish: Callable[[Draft, State], None]
    directory_ended: Callable[[Draft, TaskRun, Result], None]


class Draft:
    """One step on one execution."""

    __slots__ = ("_queue", "behaviours", "decision", "moment", "plan", "rules", "state")

    def __init__(self, state: ExecutionState, moment: Moment, rules: Rules) -> None:
        self.state = state
        self.plan: Plan = state.plan
        self.moment = moment
        self.rules = rules
        self.behaviours = rules.behaviours
        self.decision = Decision()
        self._queue: deque[tuple[Callable[..., None], tuple[object, ...]]] = deque()

    def emit(self, event: e.Event) -> None:
        """Write an event: it is applied at once."""
        if self.moment.witness is not None:
            self.moment.witness(event)
        apply(self.state, event)
        self.decision.events.append(event)

    def later(self, work: Callable[..., None], *args: object) -> None:
        """Do this after what is being done."""
        self._queue.append((work, args))

    def finish(self) -> Decision:
        """Do all that follows, then hand out the decision."""
        queue = self._queue
        while queue:
            work, args = queue.popleft()
            work(self, *args)
        return self.decision

    @property
    def killing(self) -> bool:
        """Whether the execution is being killed."""
        return self.state.execution.state is State.KILLING

    def may_start(self, node: Node) -> bool:
        """Whether new task runs may come into being: not while the execution is held, killed or over.

        After its end only afterExecution tasks start (engine.md 3.2, 3.12).
        """
        current = self.state.execution.state
        if current in TERMINATED:
            return node.after or (node.kind is Kind.ROOT)
        return current not in _HELD

    def variables(self, run: TaskRun | None = None, task: Task | None = None) -> dict[str, object]:
        """What templates see."""
        return variables_of(self.state, self.moment, run, task)

    def log(self, level: LogLevel, message: str, run: TaskRun | None = None) -> None:
        """A line in the execution's log."""
        execution = self.state.execution
        self.decision.logs.append(
            LogEntry(
                tenant_id=execution.tenant_id,
                namespace=execution.namespace,
                flow_id=execution.flow_id,
                execution_id=execution.id,
                task_id=run.task_id if run else None,
                task_run_id=run.id if run else None,
                attempt_number=max(len(run.attempts) - 1, 0) if run else None,
                timestamp=self.moment.now,
                level=level,
                message=message,
            )
        )
