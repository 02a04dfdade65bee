"""A flow compiled once per revision: where each task stands, which retry it follows, what its templates read.

`engine` walks nodes, never YAML. Disabled tasks are not in a plan: they have no task runs (engine.md 3.3).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum, auto

from penstock.engine.listeners import conditional_tasks
from penstock.model import flowables as f
from penstock.model.execution import Branch
from penstock.model.flow import Flow
from penstock.model.task import Retry, Task


class Kind(Enum):
    """How a node behaves."""

    ROOT = auto()
    RUNNABLE = auto()
    SEQUENTIAL = auto()
    PARALLEL = auto()
    DAG = auto()
    IF = auto()
    SWITCH = auto()
    FOR_EACH = auto()
    FOR_EACH_ITEM = auto()
    ITEM_SPLIT = auto()
    ITEM_SUBFLOWS = auto()
    ITEM_MERGE = auto()
    LOOP = auto()
    ITERATION = auto()
    LOOP_UNTIL = auto()
    PAUSE = auto()
    APPROVAL = auto()
    WORKING_DIRECTORY = auto()
    SUBFLOW = auto()
    UPDATING = auto()


_KINDS: list[tuple[type[Task], Kind]] = [
    (f.AllowFailure, Kind.SEQUENTIAL),
    (f.Sequential, Kind.SEQUENTIAL),
    (f.Parallel, Kind.PARALLEL),
    (f.Dag, Kind.DAG),
    (f.If, Kind.IF),
    (f.Switch, Kind.SWITCH),
    (f.EachSequential, Kind.FOR_EACH),
    (f.EachParallel, Kind.FOR_EACH),
    (f.ForEachItem, Kind.FOR_EACH_ITEM),
    (f.ForEach, Kind.FOR_EACH),
    (f.Loop, Kind.LOOP),
    (f.LoopUntil, Kind.LOOP_UNTIL),
    (f.Pause, Kind.PAUSE),
    (f.Approval, Kind.APPROVAL),
    (f.WorkingDirectory, Kind.WORKING_DIRECTORY),
    (f.Subflow, Kind.SUBFLOW),
    (f.ExecutionUpdating, Kind.UPDATING),
]

LOOPS_WITH_VALUE = frozenset({Kind.FOR_EACH})
"""Kinds whose children carry a `value` that is a level of `outputs` (engine.md 3.6.2)."""

BRANCH_LISTS = {Branch.TASKS: "tasks", Branch.ERRORS: "errors", Branch.FINALLY: "finally", Branch.AFTER: "after"}


class Node:
    """One task at its place in the flow.

    lists: child nodes by list name (`tasks`, `errors`, `finally`, `then`, `else`, `case:<key>`, `defaults`, `after`).
    depth: levels of loop values above its outputs inside its owner.
    in_loop: stands inside a 2.0 Loop, so its run belongs to an iteration.
    depends: for children of a Dag, indexes of the siblings it waits for.
    """

    __slots__ = (
        "after",
        "branch",
        "dependents",
        "depends",
        "depth",
        "id",
        "in_loop",
        "index",
        "kind",
        "lists",
        "parent",
        "retry",
        "run_if",
        "task",
    )

    def __init__(self, task: Task, kind: Kind, parent: Node | None, branch: Branch, index: int) -> None:
        self.task = task
        self.id = task.id
        self.kind = kind
        self.parent = parent
        self.branch = branch
        self.index = index
        self.lists: dict[str, tuple[Node, ...]] = {}
        self.depth = 0
        self.in_loop = False
        self.retry: Retry | None = None
        self.run_if: str | None = None
        self.depends: tuple[int, ...] = ()
        self.dependents: tuple[int, ...] = ()
        self.after = False

    def list_of(self, branch: Branch, choice: str | None) -> tuple[Node, ...]:
        """The child nodes of a branch; what TASKS means for If and Switch depends on the choice made."""
        if branch is Branch.TASKS and choice is not None and self.kind in (Kind.IF, Kind.SWITCH, Kind.APPROVAL):
            return self.lists.get(choice, ())
        return self.lists.get(BRANCH_LISTS[branch], ())

    def __repr__(self) -> str:
        return f"Node({self.id}, {self.kind.name})"


class _RootTask(Task):
    """Stands for the flow itself where a node is expected."""


class Plan:
    """A compiled flow.

    root: the node of the flow itself. by_id: every node by its task id (Loop bodies under `<loop id>` + `#`).
    """

    def __init__(self, flow: Flow, revision: int, tenant_id: str = "main") -> None:
        self.flow = flow
        self.revision = revision
        self.tenant_id = tenant_id
        self.by_id: dict[str, Node] = {}
        self.root = _build_root(self, flow)
        self.flow_variables = {
            "id": flow.id,
            "namespace": flow.namespace,
            "revision": revision,
            "tenantId": tenant_id,
        }
        self.depths = {node.id: node.depth for node in self.by_id.values()}
        self.assertions = [s for s in flow.sla or () if s.type == "EXECUTION_ASSERTION"]
        self.deadlines = [s for s in flow.sla or () if s.type == "MAX_DURATION"]
        self.secret_inputs = any(i.type == "SECRET" for i in flow.inputs or ())

    def node(self, task_id: str) -> Node | None:
        """The node of a task id."""
        return self.by_id.get(task_id)

    def body(self, loop: Node) -> Node:
        """The node of one iteration of a Loop."""
        return self.by_id[f"{loop.id}#"]

    def walk(self) -> Iterator[Node]:
        """All nodes."""
        return iter(self.by_id.values())


def _build_root(plan: Plan, flow: Flow) -> Node:
    root = Node(_RootTask.model_construct(id="", type=""), Kind.ROOT, None, Branch.TASKS, 0)
    builder = _Builder(plan, flow)
    root.lists["tasks"] = builder.children(flow.tasks, root, Branch.TASKS)
    root.lists["errors"] = builder.children(flow.errors or (), root, Branch.ERRORS)
    root.lists["finally"] = builder.children(flow.finally_ or (), root, Branch.FINALLY)
    after = list(flow.after_execution or ())
    for listener in flow.listeners or ():
        after.extend(conditional_tasks(listener))
    root.lists["after"] = builder.children(after, root, Branch.AFTER)
    return root


class _Builder:
    """Turns task lists into nodes; one pass, in order of appearance."""

    def __init__(self, plan: Plan, flow: Flow) -> None:
        self._plan = plan
        self._flow = flow

    def children(self, tasks: Sequence[Task], parent: Node, branch: Branch) -> tuple[Node, ...]:
        enabled = [t for t in tasks if not t.disabled]
        return tuple(self.node(task, parent, branch, index) for index, task in enumerate(enabled))

    def node(self, task: Task, parent: Node, branch: Branch, index: int) -> Node:
        node = Node(task, kind_of(task), parent, branch, index)
        node.depth = parent.depth
        if parent.kind in LOOPS_WITH_VALUE and branch is Branch.TASKS:
            node.depth += 1
        node.in_loop = parent.in_loop
        node.after = parent.after or branch is Branch.AFTER
        node.retry = task.retry or (parent.retry if parent.kind is not Kind.ROOT else self._flow.retry)
        node.run_if = task.run_if
        self._plan.by_id[node.id] = node
        self._descend(node, task)
        return node

    def _descend(self, node: Node, task: Task) -> None:
        if node.kind is Kind.LOOP:
            self._loop_body(node, task)
            return
        if node.kind is Kind.DAG:
            self._dag(node, task)
        elif node.kind is Kind.FOR_EACH_ITEM:
            self._item_steps(node, task)
        elif node.kind is not Kind.WORKING_DIRECTORY:
            for name, tasks in child_lists(task).items():
                node.lists[name] = self.children(tasks, node, Branch.TASKS)
        else:
            node.lists["tasks"] = ()
        self._handlers(node, task)

    def _handlers(self, node: Node, task: Task) -> None:
        if not isinstance(task, f.Flowable):
            return
        node.lists["errors"] = self.children(task.errors or (), node, Branch.ERRORS)
        node.lists["finally"] = self.children(task.finally_ or (), node, Branch.FINALLY)

    def _loop_body(self, node: Node, task: Task) -> None:
        body = Node(task, Kind.ITERATION, node, Branch.TASKS, 0)
        body.in_loop = True
        body.after = node.after
        body.retry = node.retry
        node.lists["tasks"] = node.lists["errors"] = node.lists["finally"] = ()
        self._plan.by_id[f"{node.id}#"] = body
        body.lists["tasks"] = self.children(getattr(task, "tasks", ()), body, Branch.TASKS)
        self._handlers(body, task)

    def _dag(self, node: Node, task: Task) -> None:
        assert isinstance(task, f.Dag)
        entries = [e for e in task.tasks if not e.task.disabled]
        node.lists["tasks"] = self.children([e.task for e in entries], node, Branch.TASKS)
        places = {e.task.id: i for i, e in enumerate(entries)}
        dependents: dict[int, list[int]] = {}
        for i, entry in enumerate(entries):
            wanted = [places[d] for d in entry.depends_on or () if d in places]
            node.lists["tasks"][i].depends = tuple(wanted)
            for w in wanted:
                dependents.setdefault(w, []).append(i)
        for i, waiting in dependents.items():
            node.lists["tasks"][i].dependents = tuple(waiting)
        node.lists["roots"] = tuple(child for child in node.lists["tasks"] if not child.depends)

    def _item_steps(self, node: Node, task: Task) -> None:
        """ForEachItem runs as three hidden children in sequence (engine.md 3.8)."""
        steps = (("_split", Kind.ITEM_SPLIT), ("_items", Kind.ITEM_SUBFLOWS), ("_merge", Kind.ITEM_MERGE))
        children: list[Node] = []
        for index, (suffix, kind) in enumerate(steps):
            step = task.model_copy(
                update={
                    "id": task.id + suffix,
                    "errors": None,
                    "finally_": None,
                    "run_if": None,
                    "allow_failure": False,
                }
            )
            child = Node(step, kind, node, Branch.TASKS, index)
            child.depth, child.in_loop, child.after = node.depth, node.in_loop, node.after
            self._plan.by_id[child.id] = child
            children.append(child)
        node.lists["tasks"] = tuple(children)


def kind_of(task: Task) -> Kind:
    """How a task behaves; whatever is no flowable of the core runs on a worker."""
    for cls, kind in _KINDS:
        if isinstance(task, cls):
            return kind
    return Kind.RUNNABLE


def child_lists(task: Task) -> Mapping[str, Sequence[Task]]:
    """The task lists of a flowable by name, without its errors and finally."""
    if isinstance(task, f.If):
        return {"then": task.then or (), "else": task.else_ or ()}
    if isinstance(task, f.Switch):
        cases = {f"case:{key}": tasks for key, tasks in (task.cases or {}).items()}
        return {**cases, **({"defaults": task.defaults} if task.defaults is not None else {})}
    if isinstance(task, f.Approval):
        return {"approve": task.on_approve or (), "deny": task.on_deny or (), "wait": task.on_wait or ()}
    if isinstance(task, f.Pause):
        return {"tasks": task.tasks or (), "on_pause": [task.on_pause] if task.on_pause else ()}
    if isinstance(task, f.Subflow | f.ExecutionUpdating):
        return {}
    tasks = getattr(task, "tasks", None)
    return {"tasks": tasks or ()}
