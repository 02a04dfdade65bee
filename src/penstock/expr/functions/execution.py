"""Functions on the variables of an execution."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.expr.errors import EvaluationError, preview
from penstock.expr.functions.table import FUNCTIONS, need, need_text
from penstock.expr.registry import MISSING, given
from penstock.expr.text import java_text
from penstock.expr.values import UNDEFINED, as_list, as_map, is_map, items, look_up, settle, settled

if TYPE_CHECKING:
    from penstock.expr.frame import Frame


def _variable(frame: Frame, *path: str) -> object:
    """A variable of the context by its path; None where it does not exist."""
    value: object = frame.variables
    for name in path:
        value = look_up(value, name)
        if value is UNDEFINED:
            return None
        value = settle(frame, value)
    return value


@FUNCTIONS.add("env", "name", "default")
def env(frame: Frame, name: object, default: object) -> object:
    """An environment variable of `envs`; the default when it is missing or empty."""
    value = _variable(frame, "envs", need_text(frame, "env", "name", name))
    if value is not None and value != "":
        return value
    return default if default is not MISSING else value


@FUNCTIONS.add("loopOutputs", "outputs", "name")
def loop_outputs(frame: Frame, outputs: object, name: object) -> object:
    """The value of one output in every iteration of a Loop, null where it is missing."""
    if type(outputs) is not list:
        raise EvaluationError(
            "The 'loopOutputs' function expects 'outputs' to be a list.",
            hint="e.g. loopOutputs(outputs.myLoop.outputs, 'uri')",
        )
    wanted = need_text(frame, "loopOutputs", "name", name)
    frame.budget.items(len(outputs))
    return [_output(frame, item, wanted) for item in settled(frame, outputs)]


def _output(frame: Frame, item: object, name: str) -> object:
    found = look_up(item, "outputs")
    value = look_up(settle(frame, found), name) if found is not UNDEFINED else UNDEFINED
    return None if value is UNDEFINED else settle(frame, value)


@FUNCTIONS.add("tasksWithState", "state")
def tasks_with_state(frame: Frame, state: object) -> object:
    """The task runs in a state: their task ids, states, and values inside a loop."""
    wanted = need_text(frame, "tasksWithState", "state", state).strip().upper()
    found: list[object] = []
    tasks = _variable(frame, "tasks")
    for task_id, task in items(frame, tasks) if is_map(tasks) else ():
        if not is_map(task):
            continue
        own = look_up(task, "state")
        if isinstance(own, str):
            if own.upper() == wanted:
                found.append({"taskId": task_id, "state": str(own)})
            continue
        for value, run in items(frame, task):
            run_state = look_up(run, "state")
            if isinstance(run_state, str) and run_state.upper() == wanted:
                found.append({"taskId": task_id, "value": value, "state": str(run_state)})
    return found


@FUNCTIONS.add("currentEachOutput", "outputs")
def current_each_output(frame: Frame, outputs: object) -> object:
    """Up to 1.x: the output of a sibling task for the current value of ForEach, through all parents."""
    found = need("currentEachOutput", "outputs", outputs)
    if not is_map(found):
        raise EvaluationError(
            "The 'currentEachOutput' function expects 'outputs' to be a map.",
            hint="e.g. currentEachOutput(outputs.make)",
        )
    parents = _variable(frame, "parents")
    for parent in reversed(settled(frame, parents) if type(parents) is list else []):
        value = look_up(look_up(parent, "taskrun"), "value")
        if value is not UNDEFINED and value is not None:
            found = _in_iteration(frame, found, value)
    current = _variable(frame, "taskrun", "value")
    if current is None:
        raise EvaluationError(
            "The 'currentEachOutput' function can only be used inside a loop: there is no taskrun.value."
        )
    return _in_iteration(frame, found, current)


def _in_iteration(frame: Frame, outputs: object, value: object) -> object:
    found = look_up(outputs, java_text(frame, value))
    if found is UNDEFINED:
        raise EvaluationError(f"The 'currentEachOutput' function found no output for {preview(value)}")
    return settle(frame, found)


@FUNCTIONS.add("iterationOutput", "taskId", "iteration")
def iteration_output(frame: Frame, task_id: object, iteration: object) -> object:
    """1.x: the `value` output of an earlier iteration of a loop task; by default the current task's previous one."""
    current = _variable(frame, "taskrun", "iteration")
    if type(current) is not int:
        raise EvaluationError(
            "The 'iterationOutput' function can only be used inside a loop: there is no taskrun.iteration."
        )
    wanted = iteration if given(iteration) else current - 1
    name = java_text(frame, task_id) if given(task_id) else _variable(frame, "task", "id")
    outputs = _variable(frame, "outputs", java_text(frame, name))
    found = _numbered(outputs, java_text(frame, wanted))
    value = look_up(settle(frame, found), "value") if found is not UNDEFINED else UNDEFINED
    if value is UNDEFINED:
        raise EvaluationError(
            f"The 'iterationOutput' function found no output of task {preview(name)} for iteration {preview(wanted)}"
        )
    return settle(frame, value)


def _numbered(outputs: object, number: str) -> object:
    if type(outputs) is list:
        return look_up(as_list(outputs), number)
    return look_up(as_map(outputs), number) if is_map(outputs) else UNDEFINED
