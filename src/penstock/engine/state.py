"""The live state of one execution: its records, and the few indexes that spare everybody a walk.

Finished task runs leave memory once they are stored; their parents keep counters. What changed since the last commit is
noted here, so that a commit writes just that.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from penstock.engine.plan import Kind, Node, Plan
from penstock.model.execution import Branch, Execution, ExecutionContext, RunKind, Scope, TaskRun
from penstock.model.state import TERMINATED


class LoopValueList:
    """The values of a live loop."""

    __slots__ = ("keys", "values")

    def __init__(self, values: list[str], keys: list[str] | None = None) -> None:
        self.values = values
        self.keys = keys


class DagMemory:
    """What a live Dag knows of its tasks: how many each still waits for, and which are free to start.

    It follows from what has ended and what has begun, so it is never stored: a step writes the same few bytes whether
    one task or ten thousand are waiting.
    """

    __slots__ = ("_left", "ready")

    def __init__(self, node: Node, done: set[str], begun: set[str]) -> None:
        children = node.lists["tasks"]
        self._left = [sum(children[d].id not in done for d in child.depends) for child in children]
        self.ready = deque(
            child.index for child in children if child.depends and not self._left[child.index] and child.id not in begun
        )

    def ended(self, child: Node) -> None:
        """A task has ended: those that waited for it alone are free."""
        for index in child.dependents:
            self._left[index] -= 1
            if not self._left[index]:
                self.ready.append(index)

    def begun(self, child: Node) -> None:
        """A task has its task run."""
        if self.ready and self.ready[0] == child.index:
            self.ready.popleft()


class Touched:
    """What must be written at the next commit."""

    __slots__ = ("context", "created", "created_runs", "execution", "removed_runs", "runs")

    def __init__(self) -> None:
        self.created = False
        self.execution = False
        self.context = False
        self.created_runs: dict[str, TaskRun] = {}
        self.runs: dict[str, TaskRun] = {}
        self.removed_runs: list[str] = []

    def any(self) -> bool:
        """Whether anything is to be written."""
        return self.execution or self.context or bool(self.created_runs or self.runs or self.removed_runs)


def place_of(run: TaskRun) -> tuple[str, str, tuple[str, ...]]:
    """Where the outputs of a task run lie: owner, task id, path. Iterations keep theirs where no template looks."""
    if run.kind is RunKind.ITERATION:
        return (run.owner, f"{run.task_id}#{run.parent_id}", (str(run.iteration),))
    return (run.owner, run.task_id, run.path)


class ExecutionState:
    """One execution in memory.

    runs: live task runs by id (and ended ones until the next `forget`).
    children: ids of the not terminated children by parent id ("" for the top), whatever their branch.
    dag_done: for Dags, the ids of the tasks that have ended, by the Dag's run id; dags: what follows from them.
    values: for live loops, their values by run id.
    recent: outputs by place, of this step and a bounded number before it: what templates ask for most.
    """

    __slots__ = (
        "cache",
        "children",
        "context",
        "dag_done",
        "dags",
        "execution",
        "plan",
        "recent",
        "runs",
        "touched",
        "values",
    )

    def __init__(self, plan: Plan, execution: Execution, context: ExecutionContext) -> None:
        self.plan = plan
        self.execution = execution
        self.context = context
        self.runs: dict[str, TaskRun] = {}
        self.children: dict[str, dict[str, None]] = {}
        self.dag_done: dict[str, set[str]] = {}
        self.dags: dict[str, DagMemory] = {}
        self.values: dict[str, LoopValueList] = {}
        self.recent: dict[tuple[str, str, tuple[str, ...]], Mapping[str, object]] = {}
        self.touched = Touched()
        self.cache: dict[str, object] = {}

    def adopt(self, runs: Iterable[TaskRun]) -> None:
        """Take loaded task runs in, in order of creation."""
        for run in runs:
            self.runs[run.id] = run
            if run.state not in TERMINATED:
                self.children.setdefault(run.parent_id or "", {})[run.id] = None

    def node_of(self, run: TaskRun) -> Node:
        """The node a task run stands for."""
        if run.kind is RunKind.ITERATION:
            return self.plan.by_id[f"{run.task_id}#"]
        return self.plan.by_id[run.task_id]

    def node_at(self, run_id: str) -> Node:
        """The node of a scope."""
        return self.node_of(self.runs[run_id]) if run_id else self.plan.root

    def scope_at(self, run_id: str) -> Scope:
        """The counters of a scope."""
        if not run_id:
            return self.execution.scope
        scope = self.runs[run_id].scope
        assert scope is not None, f"task run {run_id} has no scope"
        return scope

    def ancestors(self, run: TaskRun) -> list[TaskRun]:
        """The parents of a task run, closest first."""
        found: list[TaskRun] = []
        parent_id = run.parent_id
        while parent_id:
            parent = self.runs[parent_id]
            found.append(parent)
            parent_id = parent.parent_id
        return found

    def live(self) -> list[TaskRun]:
        """Task runs that have not terminated, in order of creation."""
        return [r for r in self.runs.values() if r.state not in TERMINATED]

    def forget(self) -> None:
        """Let go of ended task runs whose rows are stored, and of old outputs."""
        ended = [r.id for r in self.touched.runs.values() if r.state in TERMINATED and not r.orphaned]
        ended += [r.id for r in self.touched.created_runs.values() if r.state in TERMINATED and not r.orphaned]
        for run_id in ended:
            if self.runs.pop(run_id, None) is not None:
                self.children.pop(run_id, None)
                self.forget_dag(run_id)
                self.values.pop(run_id, None)
        self.touched = Touched()
        while len(self.recent) > 64:
            del self.recent[next(iter(self.recent))]

    def dag(self, run_id: str) -> DagMemory:
        """What a live Dag knows, worked out when it is first asked for."""
        found = self.dags.get(run_id)
        if found is None:
            done = self.dag_done.get(run_id, set())
            begun = done | {self.runs[child_id].task_id for child_id in self.children.get(run_id, ())}
            found = self.dags[run_id] = DagMemory(self.node_at(run_id), done, begun)
        return found

    def forget_dag(self, run_id: str) -> None:
        """A Dag has ended, or begins anew."""
        self.dag_done.pop(run_id, None)
        self.dags.pop(run_id, None)

    def needs_dag_memory(self, run_id: str) -> bool:
        """Whether the scope is a Dag, which must know which of its tasks have ended."""
        return self.node_at(run_id).kind is Kind.DAG

    def counts_in_parent(self, run: TaskRun) -> bool:
        """Whether a task run counts in its parent's scope."""
        return run.branch is not Branch.ASIDE and not run.dynamic
