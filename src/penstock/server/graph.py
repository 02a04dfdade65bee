"""The topology of a flow, made from its document: nodes, edges and clusters as Kestra's views draw them.

A flowable is a cluster: a start, its own node, its children by their kind (in a row, side by side, as they depend on one
another), an end. `errors`, `finally` and `afterExecution` hang on the cluster they belong to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from penstock.ids import new_id
from penstock.server.shapes import Json

_H = "io.kestra.core.models.hierarchies."
_PARALLEL = frozenset({"Parallel", "EachParallel"})
_CHOICES = frozenset({"If", "Switch"})
_LOOPS = frozenset({"ForEach", "ForEachItem", "EachSequential", "EachParallel", "Loop", "LoopUntil", "WaitFor"})
_LISTS = ("tasks", "then", "else", "defaults")
_SUBFLOWS = frozenset({"Subflow", "ForEachItem"})


def graph_of(document: Mapping[str, object], runs: Mapping[str, Json] | None = None) -> Json:
    """The graph of a flow's document; `runs` are task runs to show, by task id."""
    made = _Graph(runs or {})
    start, end = made.frame("root")
    last = made.row(_maps(document.get("tasks")), "root", start, members=[])
    made.edge(last, end)
    made.branches(document, "root", start, end, members=[])
    made.triggers(_maps(document.get("triggers")), start)
    return {"nodes": made.nodes, "edges": made.edges, "clusters": made.clusters, "flowables": made.flowables}


class _Graph:
    """Collects; every method adds what it is asked for and says where to go on."""

    def __init__(self, runs: Mapping[str, Json]) -> None:
        self._runs = runs
        self._suffix = new_id()
        """Keeps the uids of starts and ends apart from those of tasks that are called `root` or `end`."""
        self.nodes: list[Json] = []
        self.edges: list[Json] = []
        self.clusters: list[Json] = []
        self.flowables: list[str] = []
        self._parents: list[str] = []

    def frame(self, place: str) -> tuple[str, str]:
        """The start and the end of a cluster."""
        start, end = f"{place}.root-{self._suffix}", f"{place}.end-{self._suffix}"
        self.nodes.append({"uid": start, "type": f"{_H}GraphClusterRoot"})
        self.nodes.append({"uid": end, "type": f"{_H}GraphClusterEnd"})
        return start, end

    def edge(self, source: str, target: str, kind: str | None = None, value: object = None) -> None:
        """A connection, with its kind and what chose it."""
        relation: Json = {}
        if kind is not None:
            relation["relationType"] = kind
        if value is not None:
            relation["value"] = value
        self.edges.append({"source": source, "target": target, "relation": relation})

    def row(
        self,
        tasks: Sequence[Mapping[str, object]],
        place: str,
        after: str,
        *,
        members: list[str],
        first: tuple[str | None, object] = (None, None),
    ) -> str:
        """Tasks one after another, `after` a node; the last node."""
        kind, value = first
        for task in tasks:
            start, end = self.task(task, place, kind or "SEQUENTIAL", members=members)
            self.edge(after, start, kind, value)
            kind, value, after = "SEQUENTIAL", None, end
        return after

    def task(self, task: Mapping[str, object], place: str, relation: str, *, members: list[str]) -> tuple[str, str]:
        """A task, where it begins and where it ends; a flowable is a cluster of its own."""
        uid = f"{place}.{task.get('id')}"
        name = str(task.get("type", "")).rpartition(".")[2]
        if not any(True for _ in _children(task)):
            kind = "SubflowGraphTask" if name in _SUBFLOWS else "GraphTask"
            self.nodes.append(self._node(uid, kind, task, relation))
            members.append(uid)
            return uid, uid
        return self._cluster(task, uid, name, relation)

    def _node(self, uid: str, kind: str, task: Mapping[str, object], relation: str) -> Json:
        own = {k: v for k, v in task.items() if k not in (*_LISTS, "cases", "errors", "finally")}
        node: Json = {"uid": uid, "type": _H + kind, "task": own, "relationType": relation}
        run = self._runs.get(str(task.get("id")))
        if run is not None:
            node["taskRun"] = run
            if "value" in run:
                node["values"] = [run["value"]]
        return node

    def _cluster(self, task: Mapping[str, object], uid: str, name: str, relation: str) -> tuple[str, str]:
        start, end = self.frame(uid)
        inside = [start, uid, end]
        self.flowables.append(uid)
        self.nodes.append(self._node(uid, "GraphTask", task, relation))
        self.edge(start, uid)
        entry: Json = {
            "cluster": {
                "uid": f"cluster_{uid}",
                "type": f"{_H}GraphCluster",
                "relationType": relation,
                "taskNode": {
                    "uid": uid,
                    "type": f"{_H}GraphTask",
                    "task": {"id": task.get("id"), "type": task.get("type")},
                },
            },
            "nodes": inside,
            "parents": list(self._parents),
            "start": start,
            "end": end,
        }
        self.clusters.append(entry)
        self._parents.append(f"cluster_{uid}")
        self._content(task, uid, name, end, inside)
        self.branches(task, uid, uid, end, members=inside)
        self._parents.pop()
        return start, end

    def _content(self, task: Mapping[str, object], uid: str, name: str, end: str, inside: list[str]) -> None:
        """The children of a flowable, between its own node and the end of its cluster."""
        if name == "Dag":
            self._dag(task, uid, end, inside)
        elif name in _PARALLEL:
            for child in _maps(task.get("tasks")):
                first, last = self.task(child, uid, "PARALLEL", members=inside)
                self.edge(uid, first, "PARALLEL")
                self.edge(last, end)
        elif name in _CHOICES:
            for value, tasks in _choices(task):
                last = self.row(tasks, uid, uid, members=inside, first=("CHOICE", value))
                self.edge(last, end)
        else:
            kind = "DYNAMIC" if name in _LOOPS else "SEQUENTIAL"
            last = self.row(_maps(task.get("tasks")), uid, uid, members=inside, first=(kind, None))
            self.edge(last, end)

    def _dag(self, task: Mapping[str, object], uid: str, end: str, inside: list[str]) -> None:
        ends: dict[str, tuple[str, str]] = {}
        waits: dict[str, list[str]] = {}
        for entry in _maps(task.get("tasks")):
            child = entry.get("task")
            if not isinstance(child, Mapping):
                continue
            name = str(child.get("id"))
            ends[name] = self.task(child, uid, "SEQUENTIAL", members=inside)
            wanted = entry.get("dependsOn")
            waits[name] = [str(w) for w in wanted] if isinstance(wanted, list) else []
        awaited = {w for wanted in waits.values() for w in wanted}
        for name, (first, last) in ends.items():
            for other in waits[name] or [""]:
                self.edge(ends[other][1] if other in ends else uid, first, "SEQUENTIAL")
            if name not in awaited:
                self.edge(last, end)

    def branches(self, owner: Mapping[str, object], place: str, start: str, end: str, *, members: list[str]) -> None:
        """What runs on errors, finally, and after the execution."""
        for key, kind in (("errors", "ERROR"), ("finally", "FINALLY"), ("afterExecution", "AFTER_EXECUTION")):
            tasks = _maps(owner.get(key))
            if not tasks:
                continue
            at = len(self.nodes)
            last = self.row(tasks, place, start if kind == "ERROR" else end, members=members, first=(kind, None))
            for node in self.nodes[at:]:
                node["branchType"] = kind
            if kind == "ERROR":
                self.edge(last, end)

    def triggers(self, triggers: Sequence[Mapping[str, object]], start: str) -> None:
        """The triggers of the flow, a cluster before its start."""
        if not triggers:
            return
        first, last = self.frame("root.Triggers")
        nodes = [first, last]
        for trigger in triggers:
            uid = f"root.Triggers.{trigger.get('id')}"
            self.nodes.append(
                {
                    "uid": uid,
                    "type": f"{_H}GraphTrigger",
                    "triggerDeclaration": dict(trigger),
                    "trigger": {"triggerId": trigger.get("id")},
                }
            )
            self.edge(first, uid)
            self.edge(uid, last)
            nodes.append(uid)
        self.edge(last, start)
        cluster = {"uid": "cluster_root.Triggers", "type": f"{_H}GraphCluster"}
        self.clusters.append({"cluster": cluster, "nodes": nodes, "parents": [], "start": first, "end": last})


def _maps(value: object) -> list[Mapping[str, object]]:
    return [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, list) else []


def _children(task: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    for key in _LISTS:
        yield from _maps(task.get(key))
    cases = task.get("cases")
    for tasks in cases.values() if isinstance(cases, Mapping) else ():
        yield from _maps(tasks)


def _choices(task: Mapping[str, object]) -> Iterator[tuple[object, list[Mapping[str, object]]]]:
    """The lists of an If or a Switch, each with the value that chooses it."""
    for key in ("then", "else", "defaults"):
        tasks = _maps(task.get(key))
        if tasks:
            yield key, tasks
    cases = task.get("cases")
    for value, tasks in cases.items() if isinstance(cases, Mapping) else ():
        yield value, _maps(tasks)
