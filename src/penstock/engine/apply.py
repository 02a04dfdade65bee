"""Events into state. The same functions run live and on replay; they decide nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from penstock.engine import events as e
from penstock.engine.state import ExecutionState, LoopValueList, place_of
from penstock.model.execution import Branch, Metadata, Scope, TaskRun
from penstock.model.state import TERMINATED, State, StateChange

_HOLDING = frozenset({State.PAUSED, State.BREAKPOINT})


def apply(state: ExecutionState, event: e.Event) -> None:
    """Change `state` as `event` says."""
    _APPLY[type(event)](state, event)


def _execution_created(state: ExecutionState, event: e.ExecutionCreated) -> None:
    state.execution = event.execution
    state.context = event.context
    state.touched.created = state.touched.execution = state.touched.context = True


def _execution_moved(state: ExecutionState, event: e.ExecutionMoved) -> None:
    execution = state.execution
    execution.state = event.state
    execution.histories.append(StateChange(event.state, event.at))
    state.touched.execution = True
    state.cache.pop("execution", None)


def _execution_retried(state: ExecutionState, event: e.ExecutionRetried) -> None:
    state.execution.histories.append(StateChange(State.FAILED, event.at))
    _execution_moved(state, e.ExecutionMoved(State.RETRIED, event.at))


def _execution_closed(state: ExecutionState, event: e.ExecutionClosed) -> None:
    state.execution.closed = True
    state.touched.execution = True


def _execution_reopened(state: ExecutionState, event: e.ExecutionReopened) -> None:
    execution = state.execution
    execution.closed = False
    execution.scope = event.scope
    state.touched.execution = True


def _attempt_number_raised(state: ExecutionState, event: e.AttemptNumberRaised) -> None:
    old = state.execution.metadata
    state.execution.metadata = Metadata(old.attempt_number + 1, old.original_created_date)
    state.touched.execution = True


def _slot_taken(state: ExecutionState, event: e.SlotTaken) -> None:
    state.execution.slot = True
    state.touched.execution = True


def _slot_freed(state: ExecutionState, event: e.SlotFreed) -> None:
    state.execution.slot = False
    state.touched.execution = True


def _breakpoints_set(state: ExecutionState, event: e.BreakpointsSet) -> None:
    state.execution.breakpoints = event.breakpoints
    state.touched.execution = True


def _labels_set(state: ExecutionState, event: e.LabelsSet) -> None:
    state.context.labels = event.labels
    state.touched.context = True
    state.cache.pop("labels", None)


def _variables_set(state: ExecutionState, event: e.VariablesSet) -> None:
    state.context.variables = event.variables
    state.touched.context = True


def _execution_outputs_set(state: ExecutionState, event: e.ExecutionOutputsSet) -> None:
    state.cache["execution_outputs"] = event.outputs
    state.cache.pop("execution", None)


def _evaluation_asked(state: ExecutionState, event: e.EvaluationAsked) -> None:
    if event.run_id:
        run = state.runs[event.run_id]
        run.awaiting = event.purpose
        run.stamp += 1
        _touch(state, run)
        return
    state.execution.awaiting = event.purpose
    state.execution.stamp += 1
    state.touched.execution = True


def _evaluation_answered(state: ExecutionState, event: e.EvaluationAnswered) -> None:
    if event.run_id:
        run = state.runs[event.run_id]
        run.awaiting = None
        _touch(state, run)
        return
    state.execution.awaiting = None
    state.touched.execution = True


def _touch(state: ExecutionState, run: TaskRun) -> None:
    if run.id not in state.touched.created_runs:
        state.touched.runs[run.id] = run


def _touch_scope(state: ExecutionState, run_id: str) -> Scope:
    if not run_id:
        state.touched.execution = True
        return state.execution.scope
    run = state.runs[run_id]
    _touch(state, run)
    scope = run.scope
    assert scope is not None, f"task run {run_id} has no scope"
    return scope


def _task_run_created(state: ExecutionState, event: e.TaskRunCreated) -> None:
    run = event.run
    state.runs[run.id] = run
    state.execution.sequence = max(state.execution.sequence, run.sequence)
    state.touched.created_runs[run.id] = run
    if run.state in TERMINATED:
        _tally_ended(state, run)
        return
    parent = run.parent_id or ""
    if parent in state.dags and run.branch is Branch.TASKS:
        state.dags[parent].begun(state.plan.by_id[run.task_id])
    state.children.setdefault(parent, {})[run.id] = None
    if state.counts_in_parent(run):
        _count_in(state, run)


def _tally_ended(state: ExecutionState, run: TaskRun) -> None:
    """A task run that comes into being ended (made by a worker) counts in its parent's tally alone."""
    if not state.counts_in_parent(run) or _parent_is_over(state, run):
        return
    scope = _touch_scope(state, run.parent_id or "")
    scope.tally[run.state] = scope.tally.get(run.state, 0) + 1
    scope.failed = scope.failed or run.state is State.FAILED


def _count_in(state: ExecutionState, run: TaskRun) -> None:
    scope = _touch_scope(state, run.parent_id or "")
    if run.branch is scope.branch:
        scope.active += 1
    else:
        scope.stragglers += 1


def _parent_is_over(state: ExecutionState, run: TaskRun) -> bool:
    """An ended parent counts no more, whether it is still in memory or not."""
    if not run.parent_id:
        return False
    parent = state.runs.get(run.parent_id)
    return parent is None or parent.state in TERMINATED


def _count_out(state: ExecutionState, run: TaskRun, final: State) -> None:
    parent_id = run.parent_id or ""
    children = state.children.get(parent_id)
    if children is not None:
        children.pop(run.id, None)
    if not state.counts_in_parent(run) or _parent_is_over(state, run):
        return
    scope = _touch_scope(state, parent_id)
    if run.branch is scope.branch:
        scope.active -= 1
        scope.done += 1
    else:
        scope.stragglers -= 1
    if run.branch is Branch.TASKS:
        scope.tally[final] = scope.tally.get(final, 0) + 1
        if final is State.FAILED:
            scope.failed = True
    if state.needs_dag_memory(parent_id):
        state.dag_done.setdefault(parent_id, set()).add(run.task_id)
        if parent_id in state.dags and run.branch is Branch.TASKS:
            state.dags[parent_id].ended(state.plan.by_id[run.task_id])


def _move(state: ExecutionState, run: TaskRun, new: State, at: Any) -> None:
    _hold(state, run.state, new)
    run.state = new
    run.histories.append(StateChange(new, at))
    _touch(state, run)


def _hold(state: ExecutionState, old: State, new: State) -> None:
    """Keep the counts of task runs that hold the execution or wait for a retry."""
    execution = state.execution
    if (old in _HOLDING) != (new in _HOLDING):
        execution.held += 1 if new in _HOLDING else -1
        state.touched.execution = True
    if (old is State.RETRYING) != (new is State.RETRYING):
        execution.retrying += 1 if new is State.RETRYING else -1
        state.touched.execution = True


def _task_run_moved(state: ExecutionState, event: e.TaskRunMoved) -> None:
    run = state.runs[event.run_id]
    _move(state, run, event.state, event.at)
    if event.state in TERMINATED:
        run.awaiting = None
        _count_out(state, run, event.state)


def _task_run_retrying(state: ExecutionState, event: e.TaskRunRetrying) -> None:
    run = state.runs[event.run_id]
    run.histories.append(StateChange(State.FAILED, event.at))
    _move(state, run, State.RETRYING, event.at)


def _task_run_retried(state: ExecutionState, event: e.TaskRunRetried) -> None:
    run = state.runs[event.run_id]
    run.histories.append(StateChange(State.FAILED, event.at))
    _move(state, run, State.RETRIED, event.at)
    _count_out(state, run, State.RETRIED)


def _task_run_submitted(state: ExecutionState, event: e.TaskRunSubmitted) -> None:
    run = state.runs[event.run_id]
    run.stamp += 1
    _move(state, run, State.SUBMITTED, event.at)


def _task_run_orphaned(state: ExecutionState, event: e.TaskRunOrphaned) -> None:
    run = state.runs[event.run_id]
    run.orphaned = True
    _move(state, run, event.state, event.at)
    _count_out(state, run, event.state)


def _orphan_settled(state: ExecutionState, event: e.OrphanSettled) -> None:
    run = state.runs[event.run_id]
    run.orphaned = False
    if run.state is not event.state:
        _move(state, run, event.state, event.at)
    _touch(state, run)


def _task_run_removed(state: ExecutionState, event: e.TaskRunRemoved) -> None:
    run = state.runs.pop(event.run_id, None)
    state.touched.runs.pop(event.run_id, None)
    created = state.touched.created_runs.pop(event.run_id, None)
    if created is None:
        state.touched.removed_runs.append(event.run_id)
    state.children.pop(event.run_id, None)
    state.values.pop(event.run_id, None)
    state.forget_dag(event.run_id)
    if run is None:
        return
    _hold(state, run.state, State.SUCCESS)
    state.recent.pop(place_of(run), None)
    children = state.children.get(run.parent_id or "")
    if children is not None:
        children.pop(run.id, None)


def _task_run_revived(state: ExecutionState, event: e.TaskRunRevived) -> None:
    run = event.run
    state.runs[run.id] = run
    run.orphaned = False
    if event.scope is not None:
        run.scope = event.scope
    elif event.state is State.RESTARTED:
        run.scope = None  # it begins anew
        state.forget_dag(run.id)
        state.values.pop(run.id, None)
    if event.scope is not None and state.needs_dag_memory(run.id):
        state.forget_dag(run.id)
        state.dag_done[run.id] = set(event.ended_tasks)
    if run.state is event.state:
        _touch(state, run)
    else:
        _move(state, run, event.state, event.at)
    if event.state not in TERMINATED:
        state.children.setdefault(run.parent_id or "", {})[run.id] = None


def _attempt_added(state: ExecutionState, event: e.AttemptAdded) -> None:
    run = state.runs[event.run_id]
    run.attempts = [*run.attempts, event.attempt]
    _touch(state, run)


def _attempt_moved(state: ExecutionState, event: e.AttemptMoved) -> None:
    run = state.runs[event.run_id]
    attempt = run.attempts[-1]
    attempt.state = event.state
    attempt.histories.append(StateChange(event.state, event.at))
    if event.log_file is not None:
        attempt.log_file = event.log_file
    _touch(state, run)


def _attempts_set(state: ExecutionState, event: e.AttemptsSet) -> None:
    run = state.runs[event.run_id]
    run.attempts = event.attempts
    _touch(state, run)


def _child_linked(state: ExecutionState, event: e.ChildLinked) -> None:
    run = state.runs[event.run_id]
    run.child_id = event.child_id
    _touch(state, run)


def _outputs_set(state: ExecutionState, event: e.OutputsSet) -> None:
    run = state.runs[event.run_id]
    place = place_of(run)
    state.recent.pop(place, None)
    state.recent[place] = event.outputs


def _scope_opened(state: ExecutionState, event: e.ScopeOpened) -> None:
    if not event.run_id:
        state.execution.scope = event.scope
        state.touched.execution = True
        return
    run = state.runs[event.run_id]
    run.scope = event.scope
    _touch(state, run)


def _branch_entered(state: ExecutionState, event: e.BranchEntered) -> None:
    scope = _touch_scope(state, event.run_id)
    scope.stragglers += scope.active
    scope.active = scope.done = scope.cursor = 0
    scope.ready = []
    scope.branch = event.branch
    scope.planned = event.planned


def _cursor_moved(state: ExecutionState, event: e.CursorMoved) -> None:
    _touch_scope(state, event.run_id).cursor = event.cursor


def _ready_set(state: ExecutionState, event: e.ReadySet) -> None:
    _touch_scope(state, event.run_id).ready = event.ready


def _group_ended(state: ExecutionState, event: e.GroupEnded) -> None:
    _touch_scope(state, event.run_id).groups += 1


def _round_begun(state: ExecutionState, event: e.RoundBegun) -> None:
    scope = _touch_scope(state, event.run_id)
    scope.iteration = event.iteration
    scope.cursor = scope.done = scope.active = 0
    scope.tally = {}
    scope.failed = False


def _choice_made(state: ExecutionState, event: e.ChoiceMade) -> None:
    _touch_scope(state, event.run_id).choice = event.choice


def _items_counted(state: ExecutionState, event: e.ItemsCounted) -> None:
    _touch_scope(state, event.run_id).tally = event.tally


def _values_planned(state: ExecutionState, event: e.ValuesPlanned) -> None:
    state.values[event.run_id] = LoopValueList(event.values, event.keys)


def _nothing(state: ExecutionState, event: e.Event) -> None:
    """Timers live in the journal and in the executor; the state need not know them."""


_APPLY: dict[type[e.Event], Callable[[ExecutionState, Any], None]] = {
    e.ExecutionCreated: _execution_created,
    e.ExecutionMoved: _execution_moved,
    e.ExecutionRetried: _execution_retried,
    e.ExecutionClosed: _execution_closed,
    e.ExecutionReopened: _execution_reopened,
    e.AttemptNumberRaised: _attempt_number_raised,
    e.SlotTaken: _slot_taken,
    e.SlotFreed: _slot_freed,
    e.BreakpointsSet: _breakpoints_set,
    e.LabelsSet: _labels_set,
    e.VariablesSet: _variables_set,
    e.ExecutionOutputsSet: _execution_outputs_set,
    e.EvaluationAsked: _evaluation_asked,
    e.EvaluationAnswered: _evaluation_answered,
    e.TaskRunCreated: _task_run_created,
    e.TaskRunMoved: _task_run_moved,
    e.TaskRunRetrying: _task_run_retrying,
    e.TaskRunRetried: _task_run_retried,
    e.TaskRunSubmitted: _task_run_submitted,
    e.TaskRunOrphaned: _task_run_orphaned,
    e.OrphanSettled: _orphan_settled,
    e.TaskRunRemoved: _task_run_removed,
    e.TaskRunRevived: _task_run_revived,
    e.AttemptAdded: _attempt_added,
    e.AttemptMoved: _attempt_moved,
    e.AttemptsSet: _attempts_set,
    e.ChildLinked: _child_linked,
    e.OutputsSet: _outputs_set,
    e.ScopeOpened: _scope_opened,
    e.BranchEntered: _branch_entered,
    e.CursorMoved: _cursor_moved,
    e.ReadySet: _ready_set,
    e.GroupEnded: _group_ended,
    e.RoundBegun: _round_begun,
    e.ChoiceMade: _choice_made,
    e.ItemsCounted: _items_counted,
    e.ValuesPlanned: _values_planned,
    e.TimerSet: _nothing,
    e.TimerCleared: _nothing,
    e.ExecutionDeleted: _nothing,
}

EVENT_TYPES = frozenset(_APPLY)
"""Every event that can be applied; a test holds it against the events module."""


def fresh(record: TaskRun) -> TaskRun:
    """A copy of a task run that shares nothing with it."""
    return msgspec.json.decode(msgspec.json.encode(record), type=TaskRun)
