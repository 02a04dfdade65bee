"""LoopUntil (WaitFor): the same tasks again and again until a condition holds (engine.md 3.9)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from penstock.engine import events as e
from penstock.engine.draft import Draft
from penstock.engine.flowables.sequential import SequentialBehaviour
from penstock.engine.holding import hold, release
from penstock.engine.plan import Node
from penstock.engine.rendering import ask_worker, needs_outside, render_here
from penstock.engine.runs import as_condition, end_wait, settle
from penstock.engine.scopes import advance, end_scope
from penstock.expr import ExpressionError, truthy
from penstock.model import flowables as f
from penstock.model.duration import parse_duration
from penstock.model.execution import TaskRun
from penstock.model.state import State
from penstock.model.task import LogLevel, Task


class LoopUntilBehaviour(SequentialBehaviour):
    """`scope.iteration` is the present round from 0; `iterationCount` in the outputs is one more, as Kestra counts."""

    def templates(self, task: Task) -> Mapping[str, object]:
        assert isinstance(task, f.LoopUntil)
        often = task.check_frequency
        return {
            "interval": often.interval,
            "maxIterations": often.max_iterations,
            "maxDuration": often.max_duration,
            "failOnMaxReached": task.fail_on_max_reached,
        }

    def start(self, draft: Draft, run: TaskRun, node: Node, values: Mapping[str, object]) -> None:
        self.open(draft, run, node, iteration=0, since=draft.moment.now)
        draft.emit(e.OutputsSet(run.id, {"iterationCount": 1}))
        draft.later(advance, run.id)

    def before_end(self, draft: Draft, run: TaskRun, node: Node, state: State) -> State | None:
        scope = draft.state.scope_at(run.id)
        if scope.failed or state is State.KILLED:
            return state
        if run.awaiting is not None:
            return None
        task = node.task
        assert isinstance(task, f.LoopUntil)
        if needs_outside(task.condition):
            ask_worker(draft, {"condition": task.condition}, run, node, purpose="condition")
            return None
        try:
            answer = render_here(draft, {"condition": task.condition}, run, node)["condition"]
        except ExpressionError as error:
            draft.log(LogLevel.ERROR, str(error), run)
            return State.FAILED
        return self._decide(draft, run, node, answer=answer, state=state)

    def evaluated(self, draft: Draft, run: TaskRun, node: Node, purpose: str, values: Mapping[str, object]) -> None:
        scope = draft.state.scope_at(run.id)
        state = State.WARNING if scope.tally.get(State.WARNING) else State.SUCCESS
        final = self._decide(draft, run, node, answer=values["condition"], state=state)
        if final is not None:
            end_scope(draft, run, settle(node, final, run))

    def _decide(self, draft: Draft, run: TaskRun, node: Node, *, answer: object, state: State) -> State | None:
        if truthy(as_condition(answer)):
            return state
        task = node.task
        assert isinstance(task, f.LoopUntil)
        try:
            values = render_here(draft, self.templates(task), run, node)
            interval, reached = self._limits(draft, run, values)
        except (ExpressionError, ValueError) as error:
            draft.log(LogLevel.ERROR, str(error), run)
            return State.FAILED
        count = (draft.state.scope_at(run.id).iteration or 0) + 2
        draft.emit(e.OutputsSet(run.id, {"iterationCount": count}))
        if reached:
            draft.log(LogLevel.WARN, reached, run)
            return State.FAILED if truthy(as_condition(values["failOnMaxReached"])) else state
        key = f"loop:{run.id}"
        draft.emit(e.TimerSet(key, draft.moment.now + interval, run.stamp))
        hold(draft, run)
        return None

    def _limits(self, draft: Draft, run: TaskRun, values: Mapping[str, object]) -> tuple[timedelta, str | None]:
        """The wait before the next round, and which maximum is reached, if any."""
        scope = draft.state.scope_at(run.id)
        count = (scope.iteration or 0) + 1
        most = values["maxIterations"]
        longest = values["maxDuration"]
        interval = _length(values["interval"]) or timedelta(minutes=1)
        reached = None
        if most is not None and count >= int(str(most)):
            reached = "Max iterations reached"
        began = scope.since or run.histories[0].date
        length = _length(longest)
        if length is not None and draft.moment.now - began > length:
            reached = reached or "Max duration reached"
        return interval, reached

    def woken(self, draft: Draft, run: TaskRun, node: Node, stamp: int) -> None:
        """Another round: the task runs of the last one are forgotten, with all below them."""
        if run.state is not State.PAUSED:
            return
        end_wait(draft, run)
        for removed in draft.moment.archive.descendants(draft.state.execution.id, run.id):
            draft.emit(e.TaskRunRemoved(removed))
        scope = draft.state.scope_at(run.id)
        draft.emit(e.RoundBegun(run.id, (scope.iteration or 0) + 1))
        release(draft, run, State.RUNNING)
        draft.later(advance, run.id)


def _length(value: object) -> timedelta | None:
    if value is None or isinstance(value, timedelta):
        return value
    return parse_duration(str(value))
