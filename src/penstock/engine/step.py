"""One step: a command on a state gives a decision. Everything that happens to an execution goes through here.

Deterministic: the same state, command and moment give the same decision. No clock, no I/O, no ids of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from penstock.engine import changes, kill, lifecycle, restart, results, scopes, sla
from penstock.engine import commands as c
from penstock.engine import events as e
from penstock.engine.draft import Behaviour, Decision, Draft, Rules
from penstock.engine.flowables.choice import IfBehaviour, SwitchBehaviour
from penstock.engine.flowables.foreach import ForEachBehaviour
from penstock.engine.flowables.foreach_item import (
    ForEachItemBehaviour,
    ItemMergeBehaviour,
    ItemSplitBehaviour,
    ItemSubflowsBehaviour,
)
from penstock.engine.flowables.loop import IterationBehaviour, LoopBehaviour
from penstock.engine.flowables.loop_until import LoopUntilBehaviour
from penstock.engine.flowables.parallel import DagBehaviour, ParallelBehaviour
from penstock.engine.flowables.pause import ApprovalBehaviour, PauseBehaviour
from penstock.engine.flowables.sequential import SequentialBehaviour
from penstock.engine.flowables.subflow import SubflowBehaviour
from penstock.engine.flowables.updating import UpdatingBehaviour
from penstock.engine.flowables.working_directory import WorkingDirectoryBehaviour, directory_ended
from penstock.engine.holding import go_on
from penstock.engine.moment import Moment
from penstock.engine.plan import Kind
from penstock.engine.runs import enter, fail_run, job_of, prepare, stop_run
from penstock.engine.state import ExecutionState
from penstock.model.execution import Attempt, Branch, TaskRun
from penstock.model.job import Result, Started
from penstock.model.state import TERMINATED, State, StateChange
from penstock.model.task import LogLevel

_SEQUENTIAL = SequentialBehaviour()

BEHAVIOURS: dict[Kind, Behaviour] = {
    Kind.ROOT: _SEQUENTIAL,
    Kind.SEQUENTIAL: _SEQUENTIAL,
    Kind.PARALLEL: ParallelBehaviour(),
    Kind.DAG: DagBehaviour(),
    Kind.IF: IfBehaviour(),
    Kind.SWITCH: SwitchBehaviour(),
    Kind.FOR_EACH: ForEachBehaviour(),
    Kind.FOR_EACH_ITEM: ForEachItemBehaviour(),
    Kind.ITEM_SPLIT: ItemSplitBehaviour(),
    Kind.ITEM_SUBFLOWS: ItemSubflowsBehaviour(),
    Kind.ITEM_MERGE: ItemMergeBehaviour(),
    Kind.LOOP: LoopBehaviour(),
    Kind.ITERATION: IterationBehaviour(),
    Kind.LOOP_UNTIL: LoopUntilBehaviour(),
    Kind.PAUSE: PauseBehaviour(),
    Kind.APPROVAL: ApprovalBehaviour(),
    Kind.WORKING_DIRECTORY: WorkingDirectoryBehaviour(),
    Kind.SUBFLOW: SubflowBehaviour(),
    Kind.UPDATING: UpdatingBehaviour(),
}

RULES = Rules(
    behaviours=BEHAVIOURS,
    child_ended=scopes.child_ended,
    tasks_over=lifecycle.tasks_over,
    finish=lifecycle.finish,
    directory_ended=directory_ended,
)


def step(state: ExecutionState, command: c.AnyCommand, moment: Moment) -> Decision:
    """Decide what a command does and apply it to the state.

    Raises:
        CallerError: the command cannot be obeyed; nothing has changed.
    """
    draft = Draft(state, moment, RULES)
    _HANDLERS[type(command)](draft, command)
    decision = draft.finish()
    if state.plan.assertions and _moved(decision):
        sla.check_assertions(draft)
        decision = draft.finish()
    return decision


def _moved(decision: Decision) -> bool:
    return any(isinstance(event, e.TaskRunMoved | e.LabelsSet | e.VariablesSet) for event in decision.events)


def recover(state: ExecutionState, moment: Moment) -> Decision:
    """After a crash: send what was on its way again, and go on from the rows (engine.md 8.5).

    A task run that a worker had begun gets a RESUBMITTED attempt and another try; results of the lost try are late.
    """
    draft = Draft(state, moment, RULES)
    execution = state.execution
    if execution.state is State.KILLING:
        draft.decision.kills.append(None)
        kill.settle_after_recovery(draft)
        return draft.finish()
    if execution.awaiting is not None:
        draft.emit(e.EvaluationAnswered(""))
    for run in list(state.runs.values()):
        if run.id in state.runs and run.state not in TERMINATED:
            _take_up(draft, run)
    if execution.state is State.CREATED:
        lifecycle.set_out(draft)
    elif execution.state in (State.RUNNING, State.RETRYING) or execution.state in TERMINATED:
        go_on(draft)
    return draft.finish()


def _take_up(draft: Draft, run: TaskRun) -> None:
    """One live task run after a crash."""
    node = draft.plan.by_id.get(run.task_id)
    if draft.state.execution.state in TERMINATED and not run.force_execution:
        stop_run(draft, run, State.KILLED)  # it still ran after an Exit: nobody waits for it
    elif node is None:
        draft.emit(e.TaskRunRemoved(run.id))  # made by the lost worker: the task that made it runs again
    elif run.awaiting is not None:
        _ask_again(draft, run.id)
    elif run.state is State.SUBMITTED:
        draft.decision.jobs.append(job_of(draft, run, node))
    elif run.state is State.RUNNING and node.kind is Kind.RUNNABLE:
        _resubmit(draft, run.id)
    elif run.state is State.RUNNING and (node.kind is Kind.ITEM_SUBFLOWS or run.child_id is not None):
        draft.decision.continues.append(c.CheckChild(execution_id=draft.state.execution.id, task_run_id=run.id))


def _resubmit(draft: Draft, run_id: str) -> None:
    run = draft.state.runs[run_id]
    now = draft.moment.now
    if run.attempts:
        last = run.attempts[-1]
        lost = Attempt(
            state=State.RESUBMITTED,
            histories=[*last.histories, StateChange(State.RESUBMITTED, now)],
            worker_id=last.worker_id,
        )
        draft.emit(e.AttemptsSet(run_id, [*run.attempts[:-1], lost]))
    draft.emit(e.TaskRunSubmitted(run_id, now))
    draft.decision.jobs.append(job_of(draft, run, draft.state.node_of(run)))


def _ask_again(draft: Draft, run_id: str) -> None:
    run = draft.state.runs[run_id]
    node = draft.state.node_of(run)
    purpose = run.awaiting or ""
    draft.emit(e.EvaluationAnswered(run_id))
    if purpose == "working_directory":
        for removed in draft.moment.archive.descendants(draft.state.execution.id, run_id):
            draft.emit(e.TaskRunRemoved(removed))
        prepare(draft, run, node)
    elif purpose in ("start", "job") and draft.may_start(node):
        prepare(draft, run, node)
    elif run.scope is not None:
        draft.later(scopes.advance, run_id)


def _launch_once_more(draft: Draft, command: c.LaunchAgain) -> None:
    run = draft.state.runs.get(command.task_run_id)
    if run is not None and run.state is State.RUNNING:
        prepare(draft, run, draft.state.node_of(run))


def _wake(draft: Draft, command: c.WakeUp) -> None:
    kind, _, rest = command.key.partition(":")
    draft.emit(e.TimerCleared(command.key))
    if kind == "schedule":
        if draft.state.execution.state is State.CREATED:
            lifecycle.set_out(draft)
    elif kind == "sla":
        sla.deadline_due(draft, rest)
    elif kind == kill.GRACE:
        kill.grace_over(draft)
    elif kind == "replay":
        results.replay_due(draft)
    else:
        _wake_run(draft, kind, rest, command.stamp)


def _wake_run(draft: Draft, kind: str, run_id: str, stamp: int) -> None:
    run = draft.state.runs.get(run_id)
    if run is None or run.state in TERMINATED or draft.killing or run.stamp != stamp:
        return
    node = draft.state.node_of(run)
    if kind == "retry":
        _retry_due(draft, run_id)
    elif kind == "expire":
        behaviour = BEHAVIOURS[node.kind]
        assert isinstance(behaviour, PauseBehaviour)
        behaviour.expired(draft, run, node)
    else:
        BEHAVIOURS[node.kind].woken(draft, run, node, stamp)


def _retry_due(draft: Draft, run_id: str) -> None:
    run = draft.state.runs[run_id]
    if run.state is not State.RETRYING:
        return
    now = draft.moment.now
    draft.emit(e.TaskRunMoved(run_id, State.CREATED, now))
    execution = draft.state.execution
    if execution.state is State.RETRYING and not execution.retrying:
        draft.emit(e.ExecutionMoved(State.RUNNING, now))
    if execution.state in (State.RUNNING, State.RETRYING) or run.force_execution or run.branch is Branch.ASIDE:
        enter(draft, run, draft.state.node_of(run))


def _items_recounted(draft: Draft, command: c.RecountItems) -> None:
    run = draft.state.runs.get(command.task_run_id)
    if run is None or run.state is not State.RUNNING or run.awaiting is not None:
        return
    node = draft.state.node_of(run)
    behaviour = BEHAVIOURS[node.kind]
    if isinstance(behaviour, ItemSubflowsBehaviour):
        behaviour.recounted(draft, run, node, command)


def _start(draft: Draft, command: c.StartExecution) -> None:
    lifecycle.start(draft, command)


def _continue(draft: Draft, command: c.Continue) -> None:
    scopes.advance(draft, command.task_run_id or "")


def _abort(draft: Draft, command: c.Abort) -> None:
    draft.log(LogLevel.ERROR, command.reason)
    draft.decision.kills.append(None)
    for run in reversed(draft.state.live()):
        stop_run(draft, run, State.FAILED)
    lifecycle.finish(draft, State.KILLED if draft.killing else State.FAILED)
    draft.later(scopes.advance, "")


def _proceed(draft: Draft, command: c.Proceed) -> None:
    for run_id, (values, keys) in command.values.items():
        draft.emit(e.ValuesPlanned(run_id, values, keys))
    lifecycle.set_out_again(draft)


def _child_changed(draft: Draft, command: c.ChildChanged) -> None:
    run = draft.state.runs.get(command.task_run_id)
    if run is None or run.state in TERMINATED or run.state is State.RETRYING:
        return
    node = draft.state.node_of(run)
    behaviour = BEHAVIOURS[node.kind]
    if isinstance(behaviour, SubflowBehaviour | ItemSubflowsBehaviour):
        if isinstance(behaviour, SubflowBehaviour) and run.child_id != command.child_id:
            return
        behaviour.child_changed(draft, run, node, command)


def _child_refused(draft: Draft, command: c.ChildRefused) -> None:
    run = draft.state.runs.get(command.task_run_id)
    if run is None or run.state in TERMINATED:
        return
    fail_run(draft, run, draft.state.node_of(run), command.reason)


_HANDLERS: dict[type[Any], Callable[[Draft, Any], None]] = {
    c.StartExecution: _start,
    Started: results.started,
    Result: results.ended,
    c.ReportChild: results.child_reported,
    c.WakeUp: _wake,
    c.Continue: _continue,
    c.LaunchAgain: _launch_once_more,
    c.Proceed: _proceed,
    c.Abort: _abort,
    c.ChildChanged: _child_changed,
    c.RecountItems: _items_recounted,
    c.ChildRefused: _child_refused,
    c.KillExecution: lambda draft, command: kill.kill_asked(draft, cascade=command.cascade),
    c.PauseExecution: changes.pause,
    c.ResumeExecution: changes.resume_execution,
    c.ReviewApproval: changes.review,
    c.ResumeFromBreakpoint: changes.resume_from_breakpoint,
    c.RestartExecution: lambda draft, _: restart.restart(draft),
    c.ChangeTaskRunState: restart.change_task_run,
    c.ChangeStatus: changes.change_status,
    c.ForceRun: changes.force_run,
    c.Unqueue: changes.unqueue,
    c.SetLabels: changes.set_labels,
    c.AddSystemLabels: lambda draft, command: changes.add_system_labels(draft, command.labels),
}


def handled(command: msgspec.Struct) -> bool:
    """Whether the engine knows what to do with a command."""
    return type(command) in _HANDLERS
