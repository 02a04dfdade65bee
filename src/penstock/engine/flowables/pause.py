"""Pause and Approval: wait for a person or a date (engine.md 3.11, plugins.md 4)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from penstock.engine import events as e
from penstock.engine.draft import Draft
from penstock.engine.flowables.sequential import SequentialBehaviour
from penstock.engine.holding import hold, let_go, release
from penstock.engine.lifecycle import end_now
from penstock.engine.plan import Node
from penstock.engine.runs import create_run, end_run, end_wait, fail_run, settle, stop_run
from penstock.engine.scopes import advance
from penstock.model import flowables as f
from penstock.model.duration import parse_duration
from penstock.model.execution import Branch, Scope, TaskRun
from penstock.model.state import TERMINATED, State
from penstock.model.task import Task

_AFTER_WAIT = {"RESUME": State.RUNNING, "WARN": State.WARNING, "FAIL": State.FAILED, "CANCEL": State.CANCELLED}

_AFTER_DECISION = {
    "CANCEL": State.CANCELLED,
    "KILL": State.KILLED,
    "SUCCEED": State.SUCCESS,
    "WARN": State.WARNING,
    "FAIL": State.FAILED,
}


class PauseBehaviour(SequentialBehaviour):
    """PAUSED until resumed or due; then its old-style tasks, its errors and finally, then the end.

    `scope.choice` remembers the state it resumed into, which its end takes unless its children made a worse one.
    """

    def templates(self, task: Task) -> Mapping[str, object]:
        assert isinstance(task, f.Pause)
        return {"pauseDuration": task.pause_duration or task.delay, "timeout": task.timeout, "behavior": task.behavior}

    def start(self, draft: Draft, run: TaskRun, node: Node, values: Mapping[str, object]) -> None:
        try:
            wait, limit = _length(values["pauseDuration"]), _length(values["timeout"])
        except ValueError as error:
            fail_run(draft, run, node, f"{node.id}: {error}")
            return
        self.open(draft, run, node, since=draft.moment.now, choice=str(values["behavior"]).rpartition(".")[2])
        hold(draft, run)
        due = wait if wait is not None else limit
        if due is not None:
            key = f"pause:{run.id}" if wait is not None else f"expire:{run.id}"
            draft.emit(e.TimerSet(key, draft.moment.now + due, run.stamp))
        task = node.task
        assert isinstance(task, f.Pause)
        if task.on_pause is not None:
            aside = draft.plan.by_id.get(task.on_pause.id)
            if aside is not None:
                create_run(draft, aside, "", branch=Branch.ASIDE)

    def woken(self, draft: Draft, run: TaskRun, node: Node, stamp: int) -> None:
        """`pauseDuration` is over: go on as `behavior` says."""
        if run.state is not State.PAUSED:
            return
        behavior = draft.state.scope_at(run.id).choice or "RESUME"
        resume(draft, run, node, to=_AFTER_WAIT.get(behavior, State.RUNNING), inputs=None, by=None)

    def expired(self, draft: Draft, run: TaskRun, node: Node) -> None:
        """`timeout` is over: FAILED."""
        if run.state is State.PAUSED:
            resume(draft, run, node, to=State.FAILED, inputs=None, by=None)

    def before_end(self, draft: Draft, run: TaskRun, node: Node, state: State) -> State | None:
        chosen = draft.state.scope_at(run.id).choice
        if chosen in ("WARNING", "FAILED") and state is State.SUCCESS:
            return State(chosen)
        return state


def resume(
    draft: Draft, run: TaskRun, node: Node, *, to: State, inputs: Mapping[str, object] | None, by: str | None
) -> None:
    """A PAUSED Pause goes on into `to`: RUNNING, or the end its behaviour chose."""
    now = draft.moment.now
    end_wait(draft, run)
    has_blocks = any(node.lists.get(name) for name in ("tasks", "errors", "finally"))
    reached = State.SUCCESS if to is State.RUNNING and not has_blocks else to
    resumed: dict[str, object] = {"on": now.isoformat().replace("+00:00", "Z"), "to": str(reached)}
    if by is not None:
        resumed["by"] = by
    outputs: dict[str, object] = {"resumed": resumed}
    if inputs is not None:
        outputs["onResume"] = dict(inputs)
    draft.emit(e.OutputsSet(run.id, outputs))
    draft.emit(e.AttemptNumberRaised())
    if to is State.CANCELLED and draft.state.execution.state not in TERMINATED:
        stop_run(draft, run, to)
        end_now(draft, State.CANCELLED)
        return
    if not has_blocks:
        end_run(draft, run, settle(node, reached, run))
        let_go(draft, through=State.RESTARTED)
        return
    draft.emit(e.ChoiceMade(run.id, str(to)))
    if to is State.FAILED:
        _fail_scope(draft, run)
    release(draft, run, State.RUNNING, through=State.RESTARTED)
    draft.later(advance, run.id)


def _fail_scope(draft: Draft, run: TaskRun) -> None:
    """Mark the scope failed, so that its errors run."""
    old = draft.state.scope_at(run.id)
    scope = Scope(planned=old.planned, choice=old.choice, since=old.since, failed=True, tally={State.FAILED: 1})
    draft.emit(e.ScopeOpened(run.id, scope))


def _length(value: object) -> timedelta | None:
    if value is None or isinstance(value, timedelta):
        return value
    return parse_duration(str(value))


class ApprovalBehaviour(PauseBehaviour):
    """PAUSED until a reviewer decides; `onApprove` or `onDeny` follows, then the behaviour of the decision."""

    def templates(self, task: Task) -> Mapping[str, object]:
        assert isinstance(task, f.Approval)
        return {"timeout": task.timeout, "autoApprove": task.auto_approve}

    def start(self, draft: Draft, run: TaskRun, node: Node, values: Mapping[str, object]) -> None:
        try:
            limit = _length(values["timeout"])
        except ValueError as error:
            fail_run(draft, run, node, f"{node.id}: {error}")
            return
        draft.emit(e.ScopeOpened(run.id, Scope(planned=0, choice="wait", since=draft.moment.now)))
        if str(values["autoApprove"]).strip().lower() == "true":
            decide_approval(draft, run, node, "APPROVED", by=None, comment=None, inputs={}, auto=True)
            return
        hold(draft, run)
        if limit is not None:
            draft.emit(e.TimerSet(f"expire:{run.id}", draft.moment.now + limit, run.stamp))
        for child in node.lists.get("wait", ()):
            create_run(draft, child, "", branch=Branch.ASIDE)

    def expired(self, draft: Draft, run: TaskRun, node: Node) -> None:
        if run.state is State.PAUSED:
            decide_approval(draft, run, node, "EXPIRED", by=None, comment=None, inputs={})

    def before_end(self, draft: Draft, run: TaskRun, node: Node, state: State) -> State | None:
        """A failure inside a branch is never hidden by the behaviour."""
        if state is not State.SUCCESS:
            return state
        scope = draft.state.scope_at(run.id)
        behavior = _behavior_of(node.task, scope.choice or "deny")
        final = _AFTER_DECISION.get(behavior, State.SUCCESS)
        if behavior in ("CANCEL", "KILL", "SUCCEED") and draft.state.execution.state not in TERMINATED:
            stop_run(draft, run, final)
            end_now(draft, final)
            return None
        return final


def _behavior_of(task: Task, choice: str) -> str:
    assert isinstance(task, f.Approval)
    chosen = {"approve": task.approve_behavior, "deny": task.deny_behavior, "expire": task.expire_behavior}[choice]
    return str(chosen).rpartition(".")[2]


def decide_approval(
    draft: Draft,
    run: TaskRun,
    node: Node,
    decision: str,
    *,
    by: str | None,
    comment: str | None,
    inputs: Mapping[str, object],
    auto: bool = False,
) -> None:
    """Take the decision: its outputs, then its branch."""
    choice = {"APPROVED": "approve", "DENIED": "deny", "EXPIRED": "expire"}[decision]
    outputs: dict[str, object] = {"decision": decision, "auto": auto, "inputs": dict(inputs)}
    outputs["on"] = draft.moment.now.isoformat().replace("+00:00", "Z")
    outputs.update({k: v for k, v in {"by": by, "comment": comment}.items() if v is not None})
    draft.emit(e.OutputsSet(run.id, outputs))
    end_wait(draft, run)
    draft.emit(e.ScopeOpened(run.id, Scope(planned=len(node.lists.get(choice, ())), choice=choice)))
    if run.state is State.PAUSED:
        draft.emit(e.AttemptNumberRaised())
        release(draft, run, State.RUNNING, through=State.RESTARTED)
    draft.later(advance, run.id)
