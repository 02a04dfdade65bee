"""The 2.0 Loop: iterations with a life of their own, inside the run. What clients see as sub-executions is their projection."""

from __future__ import annotations

from collections.abc import Mapping

from penstock.engine import events as e
from penstock.engine.commands import Continue
from penstock.engine.draft import Draft
from penstock.engine.flowables.parallel import read_limit, room
from penstock.engine.flowables.sequential import SequentialBehaviour
from penstock.engine.flowables.values import BadValues, is_uri, loop_values
from penstock.engine.plan import Node
from penstock.engine.rendering import ask_worker, needs_outside, render_here
from penstock.engine.runs import as_condition, create_run, end_run, fail_run, settle
from penstock.engine.scopes import advance, end_scope
from penstock.engine.state import place_of
from penstock.errors import CallerError
from penstock.expr import ExpressionError, truthy
from penstock.model import flowables as f
from penstock.model.execution import Branch, RunKind, Scope, TaskRun
from penstock.model.state import FAILURES, State
from penstock.model.task import LogLevel, Task


class LoopBehaviour(SequentialBehaviour):
    """Starts iterations, `limit` at a time; each is a child of kind ITERATION."""

    def templates(self, task: Task) -> Mapping[str, object]:
        assert isinstance(task, f.Loop)
        return {"values": task.values, "limit": task.concurrency_limit}

    def start(self, draft: Draft, run: TaskRun, node: Node, values: Mapping[str, object]) -> None:
        try:
            limit = read_limit(values["limit"])
            rendered = values["values"]
            if is_uri(rendered):
                texts, keys = draft.moment.archive.read_records(draft.state.execution.id, str(rendered).strip()), None
            else:
                texts, keys = loop_values(rendered)
        except (BadValues, CallerError) as error:
            fail_run(draft, run, node, f"Failed to process flowable task {run.id}: {error}")
            return
        except ValueError as error:
            fail_run(draft, run, node, f"{node.id}: {error}")
            return
        draft.emit(e.ScopeOpened(run.id, Scope(planned=len(texts), limit=limit)))
        if not texts:
            draft.emit(e.OutputsSet(run.id, self.outputs(draft, run.id, node)))
            end_run(draft, run, settle(node, State.SUCCESS, run))
            return
        draft.emit(e.ValuesPlanned(run.id, texts, keys))
        draft.later(advance, run.id)

    def grow(self, draft: Draft, run_id: str, node: Node, scope: Scope) -> None:
        known = draft.state.values[run_id]
        body = draft.plan.body(node)
        stop = min(scope.planned, scope.cursor + draft.moment.around.chunk)
        over = scope.failed and getattr(node.task, "transmit_failed", True)
        while scope.cursor < stop and room(scope, scope.active) and not over and draft.may_start(node):
            index = scope.cursor
            draft.emit(e.CursorMoved(run_id, index + 1))
            key = known.keys[index] if known.keys else None
            create_run(
                draft, body, run_id,
                branch=Branch.TASKS, value=known.values[index], iteration=index, key=key, kind=RunKind.ITERATION,
            )  # fmt: skip
        if stop < scope.planned and scope.cursor == stop and room(scope, scope.active):
            draft.decision.continues.append(Continue(execution_id=draft.state.execution.id, task_run_id=run_id))

    def complete(self, draft: Draft, run_id: str, node: Node, scope: Scope) -> bool:
        # An iteration declared FAILED by hand sends no word of its end: the counters alone must say that it is over.
        failed = scope.failed and getattr(node.task, "transmit_failed", True)
        return failed or scope.done >= scope.planned or (scope.choice == "broken" and scope.active == 0)

    def child_ended(self, draft: Draft, run_id: str, node: Node, child: TaskRun) -> None:
        task = node.task
        assert isinstance(task, f.Loop)
        run = draft.state.runs[run_id]
        if task.transmit_failed and child.state in FAILURES and not draft.killing:
            self._end(draft, run, node, State.FAILED)
            return
        if task.break_when is None or draft.state.scope_at(run_id).choice == "broken":
            return
        facts = {"executionId": child.id, "state": str(child.state), "outputs": self._declared_by(draft, child)}
        try:
            answer = render_here(draft, {"breakWhen": task.break_when}, child, node, iteration=facts)["breakWhen"]
        except ExpressionError as error:
            draft.log(LogLevel.ERROR, f"Failed to evaluate breakWhen of Loop {node.id}: {error}", run)
            self._end(draft, run, node, State.FAILED)
            return
        if truthy(as_condition(answer)):
            draft.emit(e.ChoiceMade(run_id, "broken"))
            scope = draft.state.scope_at(run_id)
            draft.emit(e.CursorMoved(run_id, scope.planned))

    def _declared_by(self, draft: Draft, child: TaskRun) -> object:
        """What an iteration that has just ended declared."""
        entry = draft.state.recent.get(place_of(child), {})
        return entry.get("outputs", {})

    def before_end(self, draft: Draft, run: TaskRun, node: Node, state: State) -> State | None:
        """With `transmitFailed` a failed or killed iteration fails the Loop; WARNING and the rest leave it SUCCESS."""
        draft.emit(e.OutputsSet(run.id, self.outputs(draft, run.id, node)))
        task = node.task
        assert isinstance(task, f.Loop)
        return State.FAILED if task.transmit_failed and state in FAILURES else State.SUCCESS

    def _end(self, draft: Draft, run: TaskRun, node: Node, state: State) -> None:
        draft.emit(e.OutputsSet(run.id, self.outputs(draft, run.id, node)))
        end_scope(draft, run, settle(node, state, run))

    def outputs(self, draft: Draft, run_id: str, node: Node) -> dict[str, object]:
        """`iterationCount`, `runningIterations`, `terminatedIterations`, and what the iterations declared."""
        scope = draft.state.scope_at(run_id)
        found: dict[str, object] = {
            "iterationCount": scope.planned,
            "runningIterations": scope.active,
            "terminatedIterations": {str(state): count for state, count in scope.tally.items()},
        }
        if getattr(node.task, "outputs", None):
            found["outputs"] = self._declared(draft, run_id, node)
        return found

    def _declared(self, draft: Draft, run_id: str, node: Node) -> list[object]:
        """The entries of ended iterations in the order they ended: stored ones, then those of this batch."""
        stored = draft.moment.archive.iteration_outputs(draft.state.execution.id, run_id)
        entries: dict[str, object] = {str(index): entry for index, entry in stored}
        label = f"{node.id}#{run_id}"
        for (_, task_id, path), value in draft.state.recent.items():
            if task_id == label:
                entries.setdefault(path[0], value)
        return list(entries.values())


class IterationBehaviour(SequentialBehaviour):
    """One iteration: the Loop's tasks, errors and finally; at the end its declared outputs are rendered."""

    def before_end(self, draft: Draft, run: TaskRun, node: Node, state: State) -> State | None:
        task = node.task
        assert isinstance(task, f.Loop)
        if not task.outputs or state in FAILURES:
            return state
        templates = {output.id: output.value for output in task.outputs}
        stored = self._stored(task, draft)
        if stored or needs_outside(templates):
            if run.awaiting is None:
                name = "outputs.ion" if stored else None
                ask_worker(draft, templates, run, node, purpose=f"outputs:{state}", store=name)
            return None
        try:
            values = render_here(draft, templates, run, node)
        except ExpressionError as error:
            draft.log(LogLevel.ERROR, f"Failed to render output values: {error}", run)
            return State.FAILED
        return self._keep(draft, run, node, state, values)

    def _stored(self, task: f.Loop, draft: Draft) -> bool:
        """STORE writes a file for each iteration; AUTO does when the values came from a file."""
        how = str(task.fetch_type).rpartition(".")[2]
        return how == "STORE" or (how == "AUTO" and is_uri(task.values))

    def _keep(self, draft: Draft, run: TaskRun, node: Node, state: State, values: Mapping[str, object]) -> State:
        task = node.task
        assert isinstance(task, f.Loop)
        try:
            stored = self._stored(task, draft)
            typed = values if stored else draft.moment.around.type_outputs(list(task.outputs or ()), values)
        except ValueError as error:
            draft.log(LogLevel.ERROR, f"Failed to render output values: {error}", run)
            return State.FAILED
        item: dict[str, object] = {"value": run.value, "iteration": run.iteration}
        if run.key is not None:
            item["key"] = run.key
        draft.emit(e.OutputsSet(run.id, {"item": item, "outputs": typed}))
        return state

    def evaluated(self, draft: Draft, run: TaskRun, node: Node, purpose: str, values: Mapping[str, object]) -> None:
        state = State(purpose.partition(":")[2])
        end_scope(draft, run, self._keep(draft, run, node, state, values))
