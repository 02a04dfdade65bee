"""Restart in place, replay as a new execution, and changing one task run's state (engine.md 5.4-5.6).

These are operators' commands: they look at all task runs of the execution, which an ordinary transition never does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import msgspec

from penstock.engine import commands as c
from penstock.engine import events as e
from penstock.engine.apply import fresh
from penstock.engine.draft import Draft
from penstock.engine.lifecycle import reach_end, set_out_again
from penstock.engine.plan import Kind, Node, Plan
from penstock.engine.runs import end_wait
from penstock.errors import Conflict, Unprocessable
from penstock.model.execution import (
    Attempt,
    Branch,
    Execution,
    ExecutionContext,
    Label,
    Metadata,
    RunKind,
    Scope,
    TaskRun,
    merge_labels,
)
from penstock.model.state import TERMINATED, State, StateChange

_OVER_VALUES = frozenset({Kind.FOR_EACH, Kind.LOOP})

_WHOLE = frozenset({Kind.WORKING_DIRECTORY, Kind.LOOP_UNTIL, Kind.RUNNABLE, Kind.SUBFLOW})
"""Task runs that begin anew as a whole: what lies below them is made again."""


def restart(draft: Draft) -> None:
    """Run FAILED and PAUSED task runs again, under the same ids.

    Raises:
        Conflict: the execution is neither FAILED nor PAUSED.
        Unprocessable: no task run failed.
    """
    execution = draft.state.execution
    if execution.state not in (State.FAILED, State.PAUSED):
        raise Conflict(
            f"Cannot restart execution: current state is '{execution.state}', expected terminated or paused."
        )
    runs = _all_runs(draft)
    by_id = {r.id: r for r in runs}
    failed = [
        r for r in runs
        if r.state in (State.FAILED, State.PAUSED) and r.task_id in draft.plan.by_id and not _handler(r, by_id)
    ]  # fmt: skip
    if runs and not failed:
        raise Unprocessable("No task found to restart execution from!")
    leaves = _leaves(draft.plan, failed, by_id)
    _reopen(draft, runs, leaves, restarted=State.RESTARTED)


def change_task_run(draft: Draft, command: c.ChangeTaskRunState) -> None:
    """Give one task run another state; the flow goes on from there.

    Raises:
        Conflict: the execution has not ended, or was killed.
        Unprocessable: there is no such task run.
    """
    execution = draft.state.execution
    if execution.state not in TERMINATED or execution.state is State.KILLED:
        raise Conflict(f"Cannot change a task run of execution '{execution.id}': it is {execution.state}")
    runs = _all_runs(draft)
    chosen = next((r for r in runs if r.id == command.task_run_id), None)
    if chosen is None:
        raise Unprocessable(f"Task run id '{command.task_run_id}' not found in execution '{execution.id}'")
    if _handler(chosen, {r.id: r for r in runs}):
        raise Unprocessable(
            f"Task run '{chosen.id}' of {chosen.task_id} belongs to errors, finally or afterExecution: these run anew "
            "when the state of a task run of `tasks` is changed"
        )
    _reopen(draft, runs, [chosen], restarted=command.state)


def _all_runs(draft: Draft) -> list[TaskRun]:
    known = {r.id: r for r in draft.moment.archive.runs(draft.state.execution.id)}
    known.update(draft.state.runs)
    return sorted(known.values(), key=lambda r: r.sequence)


def _handler(run: TaskRun, by_id: Mapping[str, TaskRun]) -> bool:
    """Whether a task run belongs to errors, finally or afterExecution, at any depth."""
    return any(r.branch is not Branch.TASKS for r in _line(run, by_id))


def _leaves(plan: Plan, failed: Sequence[TaskRun], by_id: Mapping[str, TaskRun]) -> list[TaskRun]:
    """The failed task runs that begin anew: the deepest ones, or the block that is restarted as a whole."""
    whole = {r.id for r in failed if _kind(plan, r) in _WHOLE}
    own = [r for r in failed if not any(a.id in whole for a in _line(r, by_id)[1:])]
    above = {a.id for r in own for a in _line(r, by_id)[1:]}
    return [r for r in own if r.id in whole or r.id not in above]


def _kind(plan: Plan, run: TaskRun) -> Kind:
    """The kind of a task run; those a worker made itself are in no plan."""
    return _node(plan, run).kind if run.task_id in plan.by_id else Kind.RUNNABLE


def _node(plan: Plan, run: TaskRun) -> Node:
    return plan.by_id[f"{run.task_id}#" if run.kind is RunKind.ITERATION else run.task_id]


def _reopen(draft: Draft, runs: Sequence[TaskRun], leaves: Sequence[TaskRun], *, restarted: State) -> None:
    """Bring `leaves` and their ancestors back to life, forget what came after, and go on."""
    execution = draft.state.execution
    by_id = {r.id: r for r in runs}
    now = draft.moment.now
    alive = _ancestors(leaves, by_id)
    restarting = {r.id for r in leaves}
    removed = _superseded(draft.plan, runs, restarting)
    for run in runs:
        if run.id in removed:
            _forget(draft, run)
    kept = [r for r in runs if r.id not in removed]
    assumed = dict.fromkeys(restarting, restarted) if restarted in TERMINATED else {}
    active = restarting - assumed.keys()
    going_on = {} if restarted is State.CANCELLED else alive
    draft.emit(e.ExecutionReopened(rebuilt_scope(draft.plan.root, None, kept, active, going_on, assumed)))
    draft.emit(e.AttemptNumberRaised())
    labels = merge_labels(draft.state.context.labels, [Label("system.restarted", "true")])
    draft.emit(e.LabelsSet(labels))
    if restarted is State.CANCELLED:
        _bring_back(draft, leaves[0], restarted, now)
        reach_end(draft, State.CANCELLED)
        return
    draft.emit(e.ExecutionMoved(State.RESTARTED, now))
    for run in sorted(alive.values(), key=lambda r: r.sequence):
        node = _node(draft.plan, run)
        scope = rebuilt_scope(node, run, kept, active, alive, assumed)
        done = frozenset(r.task_id for r in kept if r.parent_id == run.id and _over(r, active, alive, assumed))
        values = draft.moment.archive.loop_values(execution.id, run.id) if node.kind in _OVER_VALUES else None
        if values is not None:
            scope.planned = len(values[0])  # in its errors or finally the scope had another number
        draft.emit(e.TaskRunRevived(run, State.RUNNING, now, scope, done))
        if values is not None:
            draft.emit(e.ValuesPlanned(run.id, values[0], values[1]))
    for run in leaves:
        _bring_back(draft, run, restarted, now)
    set_out_again(draft)


def _forget(draft: Draft, run: TaskRun) -> None:
    if run.id in draft.state.runs and run.state not in TERMINATED:
        end_wait(draft, run)
        draft.decision.kills.append(run.id)
    draft.emit(e.TaskRunRemoved(run.id))


def _over(run: TaskRun, active: set[str], alive: Mapping[str, TaskRun], assumed: Mapping[str, State]) -> bool:
    """Whether a kept task run counts as ended."""
    if run.id in assumed:
        return True
    return run.state in TERMINATED and run.id not in active and run.id not in alive


def _bring_back(draft: Draft, run: TaskRun, restarted: State, now: datetime) -> None:
    if restarted in TERMINATED:
        draft.emit(e.TaskRunRevived(run, restarted, now))
        if run.attempts:
            last = Attempt(state=restarted, histories=[*run.attempts[-1].histories, StateChange(restarted, now)])
            draft.emit(e.AttemptsSet(run.id, [*run.attempts[:-1], last]))
        return
    end_wait(draft, run)
    if run.state is State.PAUSED and _kind(draft.plan, run) is Kind.PAUSE and run.scope is not None:
        # Kestra's rule (engine.md 3.11, 5.4): a Pause that has been PAUSED is not paused a second time.
        scope = msgspec.structs.replace(run.scope, choice=str(State.RUNNING))
        draft.emit(e.TaskRunRevived(run, State.RUNNING, now, scope))
        return
    draft.emit(e.TaskRunRevived(run, State.RESTARTED, now))


def _ancestors(leaves: Sequence[TaskRun], by_id: Mapping[str, TaskRun]) -> dict[str, TaskRun]:
    found: dict[str, TaskRun] = {}
    for leaf in leaves:
        parent_id = leaf.parent_id
        while parent_id and parent_id not in found:
            parent = by_id[parent_id]
            found[parent_id] = parent
            parent_id = parent.parent_id
    return found


def _superseded(plan: Plan, runs: Sequence[TaskRun], restarting: set[str]) -> set[str]:
    """Task runs that are forgotten: all handlers, and whatever lies below a block restarted as a whole."""
    gone: set[str] = set()
    for run in runs:  # in order of creation: parents come before their children
        below = run.parent_id in gone or run.parent_id in restarting
        if run.branch is not Branch.TASKS or below:
            gone.add(run.id)
    return gone - restarting


def rebuilt_scope(
    node: Node,
    parent: TaskRun | None,
    runs: Sequence[TaskRun],
    restarting: set[str],
    alive: Mapping[str, TaskRun],
    assumed: Mapping[str, State] | None = None,
) -> Scope:
    """The counters of a scope from the task runs that are kept: what restarts and revives counts as active."""
    parent_id = parent.id if parent is not None else None
    old = parent.scope if parent is not None else None
    children = [r for r in runs if r.parent_id == parent_id and r.branch is Branch.TASKS and not r.dynamic]
    over = [r for r in children if _over(r, restarting, alive, assumed or {})]
    ended = {r.id for r in over}
    active = [r for r in children if r.id not in ended]
    tally: dict[State, int] = {}
    for run in over:
        state = (assumed or {}).get(run.id, run.state)
        tally[state] = tally.get(state, 0) + 1
    choice = old.choice if old is not None else None
    scope = Scope(
        planned=old.planned if old is not None and node.kind in (Kind.FOR_EACH, Kind.LOOP)
        else len(node.list_of(Branch.TASKS, choice)),
        active=len(active),
        done=len(over),
        tally=tally,
        choice=choice,
        limit=old.limit if old is not None else 0,
        iteration=old.iteration if old is not None else None,
        since=old.since if old is not None else None,
        failed=bool(tally.get(State.FAILED)),
    )  # fmt: skip
    _rebuild_place(node, scope, children, over)
    return scope


def _rebuild_place(node: Node, scope: Scope, children: Sequence[TaskRun], over: Sequence[TaskRun]) -> None:
    if node.kind is Kind.FOR_EACH:
        size = len(node.lists["tasks"])
        by_group: dict[int, list[TaskRun]] = {}
        for run in children:
            by_group.setdefault(run.iteration or 0, []).append(run)
        ended = {r.id for r in over}
        scope.cursor = max(by_group, default=-1) + 1
        scope.groups = sum(1 for g in by_group.values() if len(g) == size and all(r.id in ended for r in g))
        scope.ready = [(i, len(g)) for i, g in by_group.items() if len(g) < size and all(r.id in ended for r in g)]
        return
    if node.kind is Kind.DAG:
        started = {r.task_id for r in children}
        scope.cursor = sum(1 for child in node.lists["roots"] if child.id in started)
        return
    scope.cursor = len(children)


def replay(
    plan: Plan,
    source: Execution,
    context: ExecutionContext,
    *,
    runs: Sequence[TaskRun],
    task_run_id: str | None,
    inputs: Mapping[str, object] | None,
    now: datetime,
    new_id: Callable[[], str],
    retry: bool = False,
) -> Replayed:
    """A new execution from an old one: from the start, or from one task run on with what came before it.

    Raises:
        Unprocessable: there is no such task run.
    """
    label = Label("system.replay", "true")
    execution = Execution(
        id=new_id(),
        tenant_id=source.tenant_id,
        namespace=source.namespace,
        flow_id=source.flow_id,
        flow_revision=plan.revision,
        state=State.CREATED,
        histories=[StateChange(State.CREATED, now)],
        scope=Scope(),
        original_id=source.original_id,
        parent_id=source.id,
        metadata=Metadata(source.metadata.attempt_number + 1, source.metadata.original_created_date if retry else now),
        kind=source.kind,
    )
    renewed = ExecutionContext(
        labels=merge_labels(context.labels, [label]),
        inputs=dict(inputs if inputs is not None else context.inputs),
        variables=dict(plan.flow.variables or {}) if plan.revision != source.flow_revision else dict(context.variables),
        trigger=context.trigger,
    )
    if task_run_id is None:
        return Replayed(execution, renewed, [], {})
    return _from_task_run(plan, execution, renewed, runs=runs, task_run_id=task_run_id, now=now, new_id=new_id)


class Replayed:
    """A replay: the new execution, the task runs it begins with, and which old task run each came from."""

    def __init__(
        self, execution: Execution, context: ExecutionContext, runs: list[TaskRun], origins: dict[str, str]
    ) -> None:
        self.execution = execution
        self.context = context
        self.runs = runs
        self.origins = origins


def _from_task_run(
    plan: Plan,
    execution: Execution,
    context: ExecutionContext,
    *,
    runs: Sequence[TaskRun],
    task_run_id: str,
    now: datetime,
    new_id: Callable[[], str],
) -> Replayed:
    by_id = {r.id: r for r in runs}
    chosen = by_id.get(task_run_id)
    if chosen is None:
        raise Unprocessable(f"Task run id '{task_run_id}' not found in execution '{execution.parent_id}'")
    while chosen.task_id not in plan.by_id and chosen.parent_id:
        chosen = by_id[chosen.parent_id]  # made by a worker: the task that made it runs again
    alive = _ancestors([chosen], by_id)
    kept = [r for r in runs if not _after(plan, r, chosen, by_id, alive)]
    alive |= {r.id: r for r in kept if r.id != chosen.id and _goes_on(plan, r)}
    restarting = {chosen.id} | {r.id for r in kept if r.state not in TERMINATED and r.id not in alive}
    below = {r.id for r in kept if any(line.id in restarting for line in _line(r, by_id)[1:])}
    kept = [r for r in kept if r.id not in below]
    ids = {r.id: new_id() for r in kept}
    copies = [_renewed(plan, run, kept, restarting, alive, ids=ids, now=now) for run in kept]
    execution.scope = rebuilt_scope(plan.root, None, kept, restarting, alive)
    execution.sequence = max((r.sequence for r in copies), default=0)
    execution.state = State.RESTARTED
    execution.histories = [*execution.histories, StateChange(State.RESTARTED, now)]
    copies.sort(key=lambda r: r.sequence)
    return Replayed(execution, context, copies, {new: old for old, new in ids.items()})


_SCOPES_THAT_GO_ON = frozenset(
    {
        Kind.SEQUENTIAL, Kind.PARALLEL, Kind.DAG, Kind.IF, Kind.SWITCH, Kind.FOR_EACH, Kind.FOR_EACH_ITEM, Kind.LOOP,
        Kind.ITERATION,
    }
)  # fmt: skip


def _goes_on(plan: Plan, run: TaskRun) -> bool:
    """Whether a copy of a running flowable goes on from its children; whatever else runs begins anew."""
    return run.state is State.RUNNING and run.scope is not None and _kind(plan, run) in _SCOPES_THAT_GO_ON


def _renewed(
    plan: Plan,
    run: TaskRun,
    kept: Sequence[TaskRun],
    restarting: set[str],
    alive: Mapping[str, TaskRun],
    *,
    ids: Mapping[str, str],
    now: datetime,
) -> TaskRun:
    """The copy of one task run: as it ended, going on, or RESTARTED (with a RESUBMITTED attempt if it still ran)."""
    copy = _copy(run, ids)
    if run.id in alive:
        copy.scope = rebuilt_scope(_node(plan, run), run, kept, restarting, alive)
        _turn(copy, State.RUNNING, now)
    elif run.id in restarting:
        if copy.attempts and copy.attempts[-1].state not in TERMINATED:
            copy.attempts[-1].state = State.RESUBMITTED
            copy.attempts[-1].histories.append(StateChange(State.RESUBMITTED, now))
        copy.scope = copy.child_id = copy.awaiting = None
        _turn(copy, State.RESTARTED, now)
    return copy


def _turn(copy: TaskRun, state: State, now: datetime) -> None:
    if copy.state is not state:
        copy.state = state
        copy.histories.append(StateChange(state, now))


def _copy(run: TaskRun, ids: Mapping[str, str]) -> TaskRun:
    copy = fresh(run)
    copy.id = ids[run.id]
    copy.parent_id = ids.get(run.parent_id or "") if run.parent_id else None
    copy.owner = ids.get(run.owner, run.owner) if run.owner else ""
    copy.orphaned = False
    return copy


def _after(
    plan: Plan, run: TaskRun, chosen: TaskRun, by_id: Mapping[str, TaskRun], alive: Mapping[str, TaskRun]
) -> bool:
    """Whether a task run lies below the chosen one, or follows it in the flow's graph."""
    line = _line(run, by_id)
    if any(r.branch is not Branch.TASKS for r in line):
        return True
    ids = [r.id for r in line]
    if chosen.id in ids:
        return run.id != chosen.id
    if run.id in alive:
        return False
    chosen_line = [None, *(r.id for r in _line(chosen, by_id)[::-1])]
    run_line = [None, *ids[::-1]]
    depth = 0
    while depth < min(len(chosen_line), len(run_line)) and chosen_line[depth] == run_line[depth]:
        depth += 1
    mine, other = by_id[str(chosen_line[depth])], by_id[str(run_line[depth])]
    return _follows(plan, other, mine)


def _follows(plan: Plan, other: TaskRun, mine: TaskRun) -> bool:
    """Whether sibling `other` comes after `mine`."""
    node, mine_node = _node(plan, other), _node(plan, mine)
    parent = mine_node.parent
    if parent is None or parent.kind is Kind.PARALLEL:
        return False
    if parent.kind is Kind.DAG:
        return _depends_on(parent, node.index, mine_node.index)
    if parent.kind is Kind.FOR_EACH:
        same_group = other.iteration == mine.iteration
        later = (other.iteration or 0) > (mine.iteration or 0)
        sequential = parent.task.type.endswith("EachSequential") or getattr(parent.task, "concurrency_limit", 0) == 1
        return node.index > mine_node.index if same_group else (sequential and later)
    if other.kind is RunKind.ITERATION:
        return (other.iteration or 0) > (mine.iteration or 0)
    return node.index > mine_node.index


def _depends_on(dag: Node, index: int, on: int) -> bool:
    waiting = [index]
    seen: set[int] = set()
    while waiting:
        current = waiting.pop()
        if current == on:
            return index != on
        if current not in seen:
            seen.add(current)
            waiting.extend(dag.lists["tasks"][current].depends)
    return False


def _line(run: TaskRun, by_id: Mapping[str, TaskRun]) -> list[TaskRun]:
    line = [run]
    while line[-1].parent_id:
        line.append(by_id[line[-1].parent_id])
    return line
