"""The executions in memory: loaded when something happens to them, let go when they end."""

from __future__ import annotations

from collections.abc import Callable

from penstock.engine.plan import Kind, Plan
from penstock.engine.state import ExecutionState, LoopValueList
from penstock.errors import NotFound
from penstock.ports.journal import Journal

PlanOf = Callable[[str, str, str, int], Plan]
"""The plan of (tenant, namespace, flow id, revision). Raises NotFound or FlowInvalid."""

_STRETCH = 10_000


class Residents:
    """Live states by execution id. Idle ones beyond `most` are let go; the journal has all they know."""

    def __init__(self, journal: Journal, plan_of: PlanOf, *, most: int = 2_000) -> None:
        self._journal = journal
        self._plan_of = plan_of
        self._most = most
        self._states: dict[str, ExecutionState] = {}

    def get(self, execution_id: str) -> ExecutionState:
        """The state of an execution.

        Raises:
            NotFound: there is no such execution.
        """
        state = self._states.get(execution_id)
        if state is None:
            state = self._load(execution_id)
            if state is None:
                raise NotFound(f"Execution '{execution_id}' not found")
            self._states[execution_id] = state
        return state

    def peek(self, execution_id: str) -> ExecutionState | None:
        """The state if it is in memory."""
        return self._states.get(execution_id)

    def exists(self, execution_id: str) -> bool:
        """Whether an execution is known, in memory or in the journal."""
        return execution_id in self._states or self._journal.load(execution_id) is not None

    def add(self, state: ExecutionState) -> None:
        """Take in a new execution."""
        self._states[state.execution.id] = state

    def drop(self, execution_id: str) -> None:
        """Let an execution go; what was not committed of it is lost on purpose."""
        self._states.pop(execution_id, None)

    def trim(self) -> None:
        """Let go of the executions that have rested longest, once there are too many."""
        excess = len(self._states) - self._most
        if excess <= 0:
            return
        for execution_id in list(self._states)[:excess]:
            if not self._states[execution_id].touched.any():
                del self._states[execution_id]

    def touch(self, execution_id: str) -> None:
        """Move an execution to the end of the line of those that rest."""
        state = self._states.pop(execution_id, None)
        if state is not None:
            self._states[execution_id] = state

    def _load(self, execution_id: str) -> ExecutionState | None:
        loaded = self._journal.load(execution_id)
        if loaded is None:
            return None
        head = loaded.execution
        plan = self._plan_of(head.tenant_id, head.namespace, head.flow_id, head.flow_revision)
        state = ExecutionState(plan, head, loaded.context)
        state.adopt(loaded.runs)
        for run in loaded.runs:
            if run.scope is None:
                continue
            kind = state.node_of(run).kind
            if kind in (Kind.FOR_EACH, Kind.LOOP, Kind.ITEM_SUBFLOWS):
                found = self._journal.loop_values(execution_id, run.id, 0, max(run.scope.planned, 0))
                state.values[run.id] = LoopValueList(found.values, found.keys)
            elif kind is Kind.DAG:
                state.dag_done[run.id] = set(self._journal.ended_task_ids(execution_id, run.id))
        return state
