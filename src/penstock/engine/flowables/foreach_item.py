"""ForEachItem: a file in batches, a subflow for each (engine.md 3.8). Three hidden children: split, items, merge."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from penstock.engine import events as e
from penstock.engine.commands import ChildChanged, Continue, RecountItems
from penstock.engine.draft import Draft
from penstock.engine.flowables.sequential import SequentialBehaviour
from penstock.engine.flowables.subflow import launch_of, raw_labels
from penstock.engine.plan import Node
from penstock.engine.rendering import ask_worker, needs_outside, render_here
from penstock.engine.runs import end_run, fail_run, job_of, settle
from penstock.expr import ExpressionError
from penstock.model import flowables as f
from penstock.model.execution import Scope, TaskRun
from penstock.model.job import JobKind
from penstock.model.state import TERMINATED, State
from penstock.model.task import Task

_WORST = (State.FAILED, State.KILLED, State.WARNING)


def _templates(task: Task) -> dict[str, object]:
    """What is rendered for each batch."""
    assert isinstance(task, f.ForEachItem)
    return {
        "namespace": task.namespace,
        "flowId": task.flow_id,
        "revision": task.revision,
        "inputs": task.inputs or {},
        "labels": raw_labels(task.labels),
        "inheritLabels": task.inherit_labels,
        "scheduleDate": task.schedule_date,
    }


class ForEachItemBehaviour(SequentialBehaviour):
    """Its three steps, one after another."""


class ItemSplitBehaviour(SequentialBehaviour):
    """A worker writes the batches to internal storage; outputs: `splits`, the URI of a file that lists them."""

    def start(self, draft: Draft, run: TaskRun, node: Node, values: Mapping[str, object]) -> None:
        draft.emit(e.EvaluationAsked(run.id, "job"))
        draft.decision.jobs.append(job_of(draft, run, node, JobKind.SPLIT))


class ItemMergeBehaviour(SequentialBehaviour):
    """A worker joins the subflows' outputs in order of iteration; outputs: `subflowOutputs`, or nothing."""

    def start(self, draft: Draft, run: TaskRun, node: Node, values: Mapping[str, object]) -> None:
        items_id = node.id.removesuffix("_merge") + "_items"
        view = draft.variables(run, node.task)["outputs"]
        assert isinstance(view, Mapping)
        items = view.get(items_id)
        draft.emit(e.EvaluationAsked(run.id, "job"))
        job = job_of(draft, run, node, JobKind.MERGE)
        job.templates = {"executions": _children_of(items)}
        draft.decision.jobs.append(job)


def _children_of(items: object) -> list[str]:
    """Ids of the subflows' executions, in order of iteration."""
    if not isinstance(items, Mapping):
        return []
    level: Mapping[str, object] = items
    base, count = level.get("executionBase"), level.get("numberOfBatches")
    return [f"{base}{index}" for index in range(int(str(count or 0)))] if base else []


class ItemSubflowsBehaviour(SequentialBehaviour):
    """One subflow per batch. `scope.tally` counts them by state; their ids are the task run's id and the iteration."""

    def templates(self, task: Task) -> Mapping[str, object]:
        assert isinstance(task, f.ForEachItem)
        return {"namespace": task.namespace, "flowId": task.flow_id}

    def start(self, draft: Draft, run: TaskRun, node: Node, values: Mapping[str, object]) -> None:
        uris = self._batches(draft, run, node)
        draft.emit(e.ScopeOpened(run.id, Scope(planned=len(uris))))
        draft.emit(e.ValuesPlanned(run.id, uris))
        if not uris:
            self._report(draft, run)
            end_run(draft, run, settle(node, State.SUCCESS, run))
            return
        draft.emit(e.ItemsCounted(run.id, {State.CREATED: len(uris)}))
        self._report(draft, run)
        self.grow(draft, run.id, node, draft.state.scope_at(run.id))

    def _batches(self, draft: Draft, run: TaskRun, node: Node) -> list[str]:
        split_id = node.id.removesuffix("_items") + "_split"
        view = draft.variables(run, node.task)["outputs"]
        assert isinstance(view, Mapping)
        split = view[split_id]
        assert isinstance(split, Mapping)
        return (
            draft.moment.archive.read_lines(draft.state.execution.id, str(split["splits"]))
            if split.get("splits")
            else []
        )

    def grow(self, draft: Draft, run_id: str, node: Node, scope: Scope) -> None:
        run = draft.state.runs[run_id]
        if run.awaiting is not None or scope.cursor >= scope.planned:
            return
        stop = min(scope.planned, scope.cursor + draft.moment.around.chunk)
        templates = _templates(node.task)
        overrides = {
            str(index): {"taskrun": self._taskrun(draft, run, node, index)} for index in range(scope.cursor, stop)
        }
        if needs_outside(templates):
            wanted = dict.fromkeys(overrides, templates)
            ask_worker(draft, wanted, run, node, purpose="items", overrides=overrides)
            return
        values: dict[str, object] = {}
        for name, extra in overrides.items():
            try:
                values[name] = render_here(draft, templates, run, node, **extra)
            except ExpressionError as error:
                fail_run(draft, run, node, str(error))
                return
        self._launch(draft, run, node, values)

    def evaluated(self, draft: Draft, run: TaskRun, node: Node, purpose: str, values: Mapping[str, object]) -> None:
        self._launch(draft, run, node, values)

    def _taskrun(self, draft: Draft, run: TaskRun, node: Node, index: int) -> dict[str, object]:
        taskrun = draft.variables(run, node.task)["taskrun"]
        assert isinstance(taskrun, dict)
        return {**taskrun, "items": draft.state.values[run.id].values[index], "iteration": index}

    def _launch(self, draft: Draft, run: TaskRun, node: Node, values: Mapping[str, object]) -> None:
        """Ask for the subflows whose properties have been rendered, by iteration, and go on with the next ones."""
        for name, rendered in values.items():
            assert isinstance(rendered, Mapping)
            index = int(name)
            try:
                launch = launch_of(draft, run, node.task, rendered, child_id=f"{run.id}{index}", index=index)
            except ValueError as error:
                fail_run(draft, run, node, str(error))
                return
            trigger = {**launch.trigger, "taskRunIteration": index}
            draft.decision.launches.append(msgspec.structs.replace(launch, trigger=trigger))
        scope = draft.state.scope_at(run.id)
        draft.emit(e.CursorMoved(run.id, scope.cursor + len(values)))
        if scope.cursor < scope.planned:
            draft.decision.continues.append(Continue(execution_id=draft.state.execution.id, task_run_id=run.id))
        elif not getattr(node.task, "wait", True):
            end_run(draft, run, settle(node, State.SUCCESS, run))

    def complete(self, draft: Draft, run_id: str, node: Node, scope: Scope) -> bool:
        return False

    def child_changed(self, draft: Draft, run: TaskRun, node: Node, command: ChildChanged) -> None:
        """A subflow moved: count it; when all have ended, so has this."""
        if not getattr(node.task, "wait", True):
            return
        scope = draft.state.scope_at(run.id)
        tally = dict(scope.tally)
        if not command.ended:
            return
        pending = State.CREATED if tally.get(State.CREATED) else State.RUNNING
        tally[pending] = tally.get(pending, 0) - 1
        tally[command.state] = tally.get(command.state, 0) + 1
        self._count(draft, run, node, tally)

    def recounted(self, draft: Draft, run: TaskRun, node: Node, command: RecountItems) -> None:
        """After a crash: the count as it is; subflows that were never made are asked for again."""
        if command.missing is not None:
            draft.emit(e.CursorMoved(run.id, command.missing))
        if getattr(node.task, "wait", True):
            self._count(draft, run, node, command.tally)
        if run.state not in TERMINATED:
            self.grow(draft, run.id, node, draft.state.scope_at(run.id))

    def _count(self, draft: Draft, run: TaskRun, node: Node, tally: Mapping[State, int]) -> None:
        draft.emit(e.ItemsCounted(run.id, {state: count for state, count in tally.items() if count}))
        self._report(draft, run)
        ended = sum(count for state, count in tally.items() if state in TERMINATED)
        if ended >= draft.state.scope_at(run.id).planned:
            end_run(draft, run, settle(node, self._verdict(node, tally), run))

    def _verdict(self, node: Node, tally: Mapping[State, int]) -> State:
        if not getattr(node.task, "transmit_failed", True):
            return State.SUCCESS
        return next((state for state in _WORST if tally.get(state)), State.SUCCESS)

    def _report(self, draft: Draft, run: TaskRun) -> None:
        scope = draft.state.scope_at(run.id)
        outputs: dict[str, object] = {
            "numberOfBatches": scope.planned,
            "iterations": {
                **dict.fromkeys(("CREATED", "RUNNING"), 0),
                **{str(state): count for state, count in scope.tally.items()},
            },
            "executionBase": run.id,
        }
        draft.emit(e.OutputsSet(run.id, outputs))
