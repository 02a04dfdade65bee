"""Subflow: another execution, in isolation; its end becomes the end of the task run (engine.md 9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from penstock.engine import events as e
from penstock.engine.commands import ChildChanged
from penstock.engine.draft import Draft, Launch
from penstock.engine.flowables.sequential import SequentialBehaviour
from penstock.engine.flowables.values import as_text, shorten
from penstock.engine.plan import Node
from penstock.engine.results import end_attempt
from penstock.engine.runs import end_run, fail_run
from penstock.model import flowables as f
from penstock.model.execution import Label, TaskRun
from penstock.model.state import State
from penstock.model.task import LogLevel, Task

TAKEN_OVER = frozenset({State.FAILED, State.KILLED, State.WARNING, State.PAUSED})
"""States of a child that `transmitFailed` takes over; every other one, CANCELLED too, is SUCCESS (engine.md 9.4)."""


class SubflowBehaviour(SequentialBehaviour):
    """Asks for a child execution and waits for it; it has no children of its own."""

    def templates(self, task: Task) -> Mapping[str, object]:
        assert isinstance(task, f.Subflow)
        return {
            "namespace": task.namespace,
            "flowId": task.flow_id,
            "revision": task.revision,
            "inputs": task.inputs or {},
            "labels": raw_labels(task.labels),
            "inheritLabels": task.inherit_labels,
            "scheduleDate": task.schedule_date,
        }

    def start(self, draft: Draft, run: TaskRun, node: Node, values: Mapping[str, object]) -> None:
        task = node.task
        assert isinstance(task, f.Subflow)
        restart = run.child_id if restarts_child(task) else None
        child_id = restart or draft.moment.new_id()
        try:
            launch = launch_of(draft, run, task, values, child_id=child_id, restart=restart)
        except ValueError as error:
            fail_run(draft, run, node, str(error))
            return
        draft.emit(e.ChildLinked(run.id, child_id))
        draft.decision.launches.append(launch)

    def child_changed(self, draft: Draft, run: TaskRun, node: Node, command: ChildChanged) -> None:
        """The child moved or ended."""
        task = node.task
        assert isinstance(task, f.Subflow)
        if not task.wait and not command.ended:
            outputs = {"executionId": command.child_id, "state": str(State.CREATED)}
            end_run(draft, run, State.SUCCESS, outputs=outputs)
            return
        if not command.ended:
            return
        outputs: dict[str, object] = {"executionId": command.child_id, "state": str(command.state)}
        if command.outputs:
            outputs["outputs"] = dict(command.outputs)
        draft.emit(e.OutputsSet(run.id, outputs))
        _tell(draft, run, task, command)
        if command.error is not None:
            fail_run(draft, run, node, command.error)
            return
        state = command.state if task.transmit_failed and command.state in TAKEN_OVER else State.SUCCESS
        end_attempt(draft, run, node, state)


def restarts_child(task: Task) -> bool:
    """Whether a restart of the parent restarts the earlier child in place of starting a new one."""
    return str(getattr(task, "restart_behavior", "RETRY_FAILED")).rpartition(".")[2] != "NEW_EXECUTION"


def _tell(draft: Draft, run: TaskRun, task: f.Subflow, command: ChildChanged) -> None:
    levels = {State.FAILED: LogLevel.ERROR, State.WARNING: LogLevel.WARN}
    level = levels.get(command.state)
    if level is not None:
        link = f'[[link execution="{command.child_id}" flowId="{task.flow_id}" namespace="{task.namespace}"]]'
        draft.log(level, f"Subflow execution {link} ends in {command.state} state", run)


def launch_of(
    draft: Draft,
    run: TaskRun,
    task: Task,
    values: Mapping[str, object],
    *,
    child_id: str,
    restart: str | None = None,
    index: int | None = None,
) -> Launch:
    """What to start: the rendered properties, and what the child sees as its trigger (engine.md 9.3).

    Raises:
        ValueError: a property is not what it must be.
    """
    return Launch(
        task_run_id=run.id,
        child_id=child_id,
        namespace=str(values["namespace"]),
        flow_id=str(values["flowId"]),
        revision=_revision(values.get("revision")),
        inputs=_mapping(values.get("inputs")),
        labels=read_labels(values.get("labels")),
        inherit_labels=str(values.get("inheritLabels")).lower() == "true",
        schedule_date=values.get("scheduleDate"),
        trigger=trigger_variables(draft, run),
        task_id=task.id,
        type=task.type,
        wait=bool(getattr(task, "wait", True)),
        restart=restart,
        index=index,
    )


def _revision(value: object) -> int | None:
    if value is None or str(value).strip() == "":
        return None
    try:
        return int(str(value))
    except ValueError as error:
        raise ValueError(f"revision must be a whole number, found `{shorten(value)}`") from error


def trigger_variables(draft: Draft, run: TaskRun) -> dict[str, object]:
    """`trigger.*` of the child."""
    execution = draft.state.execution
    found: dict[str, object] = {
        "executionId": execution.id,
        "namespace": execution.namespace,
        "flowId": execution.flow_id,
        "flowRevision": execution.flow_revision,
        "taskRunId": run.id,
        "taskId": run.task_id,
    }
    if run.value is not None:
        found["taskRunValue"] = run.value
    if run.iteration is not None:
        found["taskRunIteration"] = run.iteration
    if run.owner:
        iteration = draft.state.runs.get(run.owner)
        if iteration is not None:
            found["loopTaskRunId"] = iteration.parent_id
            found["loopIndex"] = iteration.iteration
    return found


def raw_labels(labels: object) -> object:
    """Labels as a plain map, ready for rendering."""
    if isinstance(labels, Sequence) and not isinstance(labels, str):
        return {label.key: label.value for label in labels if isinstance(label, Label)} or [dict(x) for x in labels]
    return labels or {}


def read_labels(value: object) -> list[Label]:
    """Labels from a map, or a list of `{key, value}`."""
    if isinstance(value, Mapping):
        return [Label(str(k), as_text(v)) for k, v in value.items() if v is not None]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [Label(str(x["key"]), as_text(x.get("value"))) for x in value if isinstance(x, Mapping) and "key" in x]
    return []


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
