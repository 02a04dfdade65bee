"""What workers report: an attempt has begun, a task run of theirs has changed, an attempt has ended (engine.md 2.4, 3.3, 4.2).

One rule drops what is late: a report counts only for a live task run whose stamp it carries.
"""

from __future__ import annotations

from datetime import datetime

from penstock.engine import events as e
from penstock.engine.commands import ReportChild
from penstock.engine.draft import Draft, Replay
from penstock.engine.lifecycle import take_outputs
from penstock.engine.plan import Kind, Node
from penstock.engine.retry import next_attempt
from penstock.engine.runs import close_attempt, end_run, fail_run, pass_condition, refuse, settle, stop_run
from penstock.model.execution import Attempt, Branch, RunKind, TaskRun
from penstock.model.job import ChildRun, Result, Started
from penstock.model.state import TERMINATED, State, StateChange
from penstock.model.task import LogLevel, RetryBehavior

_RETRIED_KINDS = frozenset({Kind.RUNNABLE, Kind.SUBFLOW})


def _current(draft: Draft, run_id: str, stamp: int) -> TaskRun | None:
    """The live task run a report is about, or None when the report is late."""
    run = draft.state.runs.get(run_id)
    if run is None or run.stamp != stamp:
        return None
    return run if run.orphaned or run.state not in TERMINATED else None


def started(draft: Draft, report: Started) -> None:
    """A worker has begun an attempt."""
    run = _current(draft, report.task_run_id, report.stamp)
    if run is None or run.awaiting is not None or run.state is not State.SUBMITTED:
        return
    _begin_attempt(draft, run, report.worker_id, report.at)


def _begin_attempt(draft: Draft, run: TaskRun, worker_id: str, at: datetime) -> None:
    changes = [StateChange(State.CREATED, at), StateChange(State.RUNNING, at)]
    attempt = Attempt(state=State.RUNNING, histories=changes, worker_id=worker_id)
    draft.emit(e.TaskRunMoved(run.id, State.RUNNING, at))
    draft.emit(e.AttemptAdded(run.id, attempt))


def child_reported(draft: Draft, command: ReportChild) -> None:
    """A worker made a task run, or moved one it made."""
    take_child(draft, command.child)


def take_child(draft: Draft, child: ChildRun) -> None:
    """Take in a task run made by a worker; told again, it only moves on."""
    parent = draft.state.runs.get(child.run.parent_id or "")
    if parent is None or parent.state in TERMINATED:
        return
    known = draft.state.runs.get(child.run.id) or draft.moment.archive.run(draft.state.execution.id, child.run.id)
    if known is None:
        run = child.run
        run.owner = parent.owner
        run.sequence = draft.state.execution.sequence + 1
        draft.emit(e.TaskRunCreated(run))
    elif known.state not in TERMINATED:
        for change in child.run.histories[len(known.histories) :]:
            draft.emit(e.TaskRunMoved(known.id, change.state, change.date))
        draft.emit(e.AttemptsSet(known.id, child.run.attempts))
    if child.outputs:
        draft.emit(e.OutputsSet(child.run.id, child.outputs))


def ended(draft: Draft, result: Result) -> None:
    """An attempt has ended, or templates have been evaluated."""
    if not result.task_run_id:
        _flow_evaluated(draft, result)
        return
    run = _current(draft, result.task_run_id, result.stamp)
    if run is None:
        return
    node = draft.state.node_of(run)
    if run.awaiting is not None:
        _evaluated(draft, run, node, result)
        return
    if run.scope is not None:
        return
    if run.state is State.SUBMITTED:
        _begin_attempt(draft, run, result.worker_id, result.started_at)
    for child in result.children:
        take_child(draft, child)
    if result.outputs is not None:
        draft.emit(e.OutputsSet(run.id, result.outputs))
    if run.orphaned:
        close_attempt(draft, run, result.state, log_file=result.log_file)
        draft.emit(e.OrphanSettled(run.id, settle(node, result.state, run), draft.moment.now))
        return
    end_attempt(draft, run, node, result.state, log_file=result.log_file)


def end_attempt(draft: Draft, run: TaskRun, node: Node, state: State, *, log_file: str | None = None) -> None:
    """End an attempt: a retry when one is due, else the end of the task run."""
    if draft.killing and not run.force_execution:
        end_run(draft, run, State.KILLED if state is not State.SUCCESS else state, log_file=log_file)
        return
    if state is State.FAILED and node.retry is not None and node.kind in _RETRIED_KINDS:
        chance = draft.moment.random()
        due = next_attempt(node.retry, run, draft.state.execution, now=draft.moment.now, chance=chance)
        if due is not None and _may_retry(draft, run, node.retry.behavior):
            close_attempt(draft, run, state, log_file=log_file)
            if node.retry.behavior is RetryBehavior.CREATE_NEW_EXECUTION:
                _retry_anew(draft, run, due)
            else:
                _retry(draft, run, due)
            return
    # the attempt keeps what the task itself said; allowFailure speaks of the task run (recorded on 2.0.0)
    close_attempt(draft, run, state, log_file=log_file)
    end_run(draft, run, settle(node, state, run))


def _may_retry(draft: Draft, run: TaskRun, behavior: RetryBehavior) -> bool:
    """After the end of an execution only afterExecution tasks are tried again, and never as a new execution."""
    if draft.state.execution.state not in TERMINATED:
        return True
    return run.force_execution and behavior is RetryBehavior.RETRY_FAILED_TASK


def _retry(draft: Draft, run: TaskRun, due: datetime) -> None:
    draft.emit(e.TaskRunRetrying(run.id, draft.moment.now))
    if draft.state.execution.state is State.RUNNING:
        draft.emit(e.ExecutionMoved(State.RETRYING, draft.moment.now))
    if run.child_id is not None:
        draft.emit(e.ChildLinked(run.id, None))  # a Subflow starts a new child for each attempt (engine.md 9.5)
    draft.emit(e.TimerSet(f"retry:{run.id}", due, run.stamp))


def _retry_anew(draft: Draft, run: TaskRun, due: datetime) -> None:
    """The task run, its ancestors and the execution are RETRIED; a new execution follows when it is due."""
    now = draft.moment.now
    draft.emit(e.TimerSet("replay", due))
    draft.emit(e.TaskRunRetried(run.id, now))
    ancestors: list[TaskRun] = []
    parent_id = run.parent_id
    while parent_id:
        parent = draft.state.runs[parent_id]
        ancestors.append(parent)
        parent_id = parent.parent_id
    others = [r for r in draft.state.live() if r not in ancestors]
    for other in [*reversed(others), *ancestors]:
        stop_run(draft, other, State.RETRIED)
    draft.decision.kills.append(None)
    draft.rules.finish(draft, State.RETRIED)


def replay_due(draft: Draft) -> None:
    """The new execution of a RETRIED one is due."""
    draft.decision.replays.append(Replay(source_id=draft.state.execution.id))


def _evaluated(draft: Draft, run: TaskRun, node: Node, result: Result) -> None:
    purpose = run.awaiting or ""
    draft.emit(e.EvaluationAnswered(run.id))
    if purpose == "working_directory":
        for child in result.children:
            take_child(draft, child)
        draft.rules.directory_ended(draft, run, result)
        return
    if draft.killing:
        end_run(draft, run, State.KILLED)
        return
    if purpose == "job":
        end_run(draft, run, settle(node, result.state, run), outputs=result.outputs)
        return
    if result.state is not State.SUCCESS or result.values is None:
        _evaluation_failed(draft, run, node, purpose, result.error or "the evaluation failed")
        return
    if purpose in ("run_if", "start") and run.branch is not Branch.ASIDE and not draft.may_start(node):
        return  # held meanwhile: it is entered anew when the execution goes on
    if purpose == "run_if":
        pass_condition(draft, run, node, result.values["runIf"])
    elif purpose == "start":
        draft.behaviours[node.kind].start(draft, run, node, result.values)
    else:
        draft.behaviours[node.kind].evaluated(draft, run, node, purpose, result.values)


def _evaluation_failed(draft: Draft, run: TaskRun, node: Node, purpose: str, cause: str) -> None:
    if purpose == "run_if":
        refuse(draft, run, node, cause)
        return
    if run.kind is RunKind.ITERATION:
        draft.log(LogLevel.ERROR, f"Failed to render output values: {cause}", run)
        end_run(draft, run, State.FAILED)
        return
    fail_run(draft, run, node, cause)


def _flow_evaluated(draft: Draft, result: Result) -> None:
    execution = draft.state.execution
    if execution.awaiting is None or execution.stamp != result.stamp or execution.state in TERMINATED:
        return
    state = State(execution.awaiting.partition(":")[2])
    draft.emit(e.EvaluationAnswered(""))
    if not draft.may_start(draft.plan.root):
        return  # held meanwhile: asked for again when the execution goes on
    if result.state is not State.SUCCESS or result.values is None:
        draft.log(LogLevel.ERROR, f"Failed to render output values: {result.error}")
        draft.rules.finish(draft, State.FAILED)
        return
    take_outputs(draft, state, result.values)
