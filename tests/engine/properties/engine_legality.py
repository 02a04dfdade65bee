"""What must hold of any execution: counters that equal a recount, transitions that exist, an end with nothing left."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from penstock.engine.plan import Kind
from penstock.model.execution import Branch
from penstock.model.state import TERMINATED, State
from penstock.testing.harness import replay

S = State
_ENDS = frozenset({S.SUCCESS, S.WARNING, S.FAILED, S.KILLED, S.CANCELLED})
_EXECUTION = {
    S.CREATED: {S.RUNNING, S.QUEUED, S.CANCELLED, S.FAILED, S.KILLING},
    S.QUEUED: {S.RUNNING, S.CANCELLED, S.FAILED, S.KILLING},
    S.RUNNING: {S.PAUSED, S.RETRYING, S.RETRIED, S.BREAKPOINT, S.KILLING, *_ENDS},
    S.PAUSED: {S.RESTARTED, S.RUNNING, S.CANCELLED, S.KILLING, S.FAILED, S.RETRIED},
    # Exit, an SLA or a Pause in another branch may end or hold an execution that waits for a retry.
    S.RETRYING: {S.RUNNING, S.KILLING, S.PAUSED, S.BREAKPOINT, S.RETRIED, *_ENDS},
    S.BREAKPOINT: {S.RUNNING, S.KILLING, S.CANCELLED, S.FAILED, S.RETRIED},
    S.RESTARTED: {S.RUNNING, S.QUEUED, S.CANCELLED, S.FAILED},
    S.KILLING: {S.KILLED},
    S.KILLED: set(),
    **dict.fromkeys(_ENDS - {S.KILLED}, _ENDS | {S.RESTARTED}),
    S.FAILED: _ENDS | {S.RESTARTED, S.RETRIED},  # CREATE_NEW_EXECUTION passes through FAILED (4.2)
    S.RETRIED: _ENDS | {S.RESTARTED},
}
_RUN = {
    S.CREATED: {S.SUBMITTED, S.RUNNING, S.SKIPPED, S.BREAKPOINT, S.RETRIED, *_ENDS},
    S.SUBMITTED: {S.RUNNING, S.RETRIED, *_ENDS},
    S.RUNNING: {S.PAUSED, S.SUBMITTED, S.RETRIED, S.RESTARTED, *_ENDS},
    S.PAUSED: {S.RUNNING, S.RESTARTED, S.RETRIED, *_ENDS},
    S.BREAKPOINT: {S.CREATED, S.RETRIED, *_ENDS},
    S.RETRYING: {S.CREATED, S.RETRIED, *_ENDS},
    S.RESTARTED: {S.SUBMITTED, S.RUNNING, S.SKIPPED, S.BREAKPOINT, S.RETRIED, *_ENDS},
    S.FAILED: {S.RETRYING, S.RETRIED, S.RESTARTED, S.RUNNING, *_ENDS},
    S.SKIPPED: {S.RESTARTED, S.RUNNING, *_ENDS},
    S.RETRIED: {S.RESTARTED, S.RUNNING, *_ENDS},
    **dict.fromkeys(_ENDS - {S.FAILED}, _ENDS | {S.RESTARTED, S.RUNNING}),
}


def check_counters(harness):
    """Every scope's counters equal a recount over its children; the execution's over all task runs."""
    state, runs = harness.state, harness.task_runs()
    execution = state.execution
    live = [run for run in runs if run.state not in TERMINATED]
    assert execution.held == sum(run.state in (S.PAUSED, S.BREAKPOINT) for run in live), "held"
    assert execution.retrying == sum(run.state is S.RETRYING for run in live), "retrying"
    assert {run.id for run in live} == {run.id for run in state.live()}, "live task runs"
    _check_scope(runs, None, execution.scope)
    for run in live:
        if run.scope is not None and state.node_of(run).kind is not Kind.ITEM_SUBFLOWS:
            _check_scope(runs, run, run.scope, open_ended=state.node_of(run).kind is Kind.WORKING_DIRECTORY)


def _check_scope(runs, parent, scope, *, open_ended=False):
    name = parent.task_id if parent is not None else "flow"
    parent_id = parent.id if parent is not None else None
    children = [r for r in runs if r.parent_id == parent_id and r.branch is not Branch.ASIDE and not r.dynamic]
    live = [r for r in children if r.state not in TERMINATED]
    here = [r for r in children if r.branch is scope.branch]
    assert scope.active == sum(r.branch is scope.branch for r in live), f"active of {name}"
    assert scope.stragglers == sum(r.branch is not scope.branch for r in live), f"stragglers of {name}"
    if not open_ended:
        ended = [r for r in here if r.state in TERMINATED]
        assert scope.done == len(ended), f"done of {name}"
    if parent is not None and not open_ended:
        tally = Counter(r.state for r in children if r.branch is Branch.TASKS and r.state in TERMINATED)
        assert {k: v for k, v in scope.tally.items() if v} == tally or scope.failed, f"tally of {name}"


def check_histories(harness):
    """Only transitions that exist (engine.md 2.3)."""
    _check_history("execution", harness.state.execution.histories, _EXECUTION)
    for run in harness.task_runs():
        _check_history(run.task_id, run.histories, _RUN)
        assert run.state is run.histories[-1].state


def _check_history(name, histories, allowed):
    states = [change.state for change in histories]
    assert states[0] is S.CREATED
    for before, after in pairwise(states):
        assert after in allowed[before], f"{name}: {before} -> {after} in {[str(s) for s in states]}"


def check_end(harness):
    """Terminated and closed; nothing runs, nothing waits, no attempt is open but an orphan's."""
    execution = harness.state.execution
    assert execution.state in TERMINATED, f"ends {execution.state}: {harness.trace()}"
    assert execution.closed, f"not closed: {harness.trace()}"
    assert not execution.slot
    assert execution.awaiting is None
    left = [run for run in harness.task_runs() if run.state not in TERMINATED]
    assert not left, f"left: {[(r.task_id, str(r.state)) for r in left]}"
    pending = set(harness.timers) - ({"replay"} if execution.state is S.RETRIED else set())
    assert not pending, f"timers left: {pending}"
    for run in harness.task_runs():
        if not run.orphaned:
            assert all(a.state in TERMINATED for a in run.attempts), f"open attempt of {run.task_id}"
        assert run.awaiting is None


def check_results(harness):
    """No result counts twice: a task run never has more attempts than jobs were sent for it."""
    for run in harness.task_runs():
        node = harness.plan.by_id.get(run.task_id)
        if node is None or node.kind is not Kind.RUNNABLE:
            continue
        tries = sum(a.state is not S.SKIPPED for a in run.attempts)
        assert tries <= run.stamp, f"{run.task_id}: {tries} attempts, {run.stamp} jobs"


def check_replay(harness):
    """The recorded events, applied from the start, give the state as it is."""
    again = replay(harness)
    assert again.execution == harness.state.execution
    assert again.context == harness.state.context
    live = {run.id: run for run in harness.task_runs()}
    assert again.runs.keys() == live.keys()
    for run_id, run in live.items():
        assert again.runs[run_id] == run, f"{run.task_id}: {again.runs[run_id]} is not {run}"
