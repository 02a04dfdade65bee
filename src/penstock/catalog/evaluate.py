"""Expressions that people try out: in a finished or running execution, in one of its task runs, or in a flow.

Templates see the same variables as the engine gives them. Secret texts are masked in what comes out.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from penstock.catalog.rendering import Renderer, flow_variables
from penstock.engine.moment import Archive, Moment, Surroundings
from penstock.engine.plan import Plan
from penstock.engine.state import ExecutionState
from penstock.engine.variables import nest, variables_of
from penstock.errors import NotFound, PenstockError
from penstock.expr import RenderContext, Secret, compile_template, mask
from penstock.ids import new_id
from penstock.model.execution import RunKind, TaskRun
from penstock.ports.platform import Caller
from penstock.ports.reads import Reads, StoredExecution

if TYPE_CHECKING:
    from penstock.catalog.flows import FlowShelf
    from penstock.clock import Clock

PlanOf = Callable[[str, str, str, int], Plan]


class Evaluated(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """The text of an expression, or what is wrong with it."""

    result: str | None = None
    error: str | None = None
    stack_trace: str | None = None


class Evaluator:
    """Renders single expressions for people."""

    def __init__(
        self,
        renderer: Renderer,
        *,
        shelf: FlowShelf,
        reads: Reads,
        archive: Archive,
        around: Surroundings,
        plan_of: PlanOf,
        clock: Clock,
    ) -> None:
        self._renderer = renderer
        self._shelf = shelf
        self._reads = reads
        self._archive = archive
        self._around = around
        self._plan_of = plan_of
        self._clock = clock

    def in_execution(
        self, tenant: str, execution_id: str, expression: str, *, task_run_id: str | None = None
    ) -> Evaluated:
        """An expression where a task run of an execution, or the execution itself, would render it.

        Raises:
            NotFound: there is no such execution, or it has no such task run.
        """
        return _evaluate(expression, self._context_in(tenant, execution_id, task_run_id))

    def in_flow(self, tenant: str, namespace: str, flow_id: str, expressions: Sequence[str]) -> dict[str, Evaluated]:
        """Expressions where the inputs of a flow would be rendered: no execution exists.

        Raises:
            NotFound: there is no such flow. Conflict: its source does not parse.
        """
        shelved = self._shelf.current(tenant, namespace, flow_id)
        if shelved is None:
            raise NotFound("Requested Flow is not found.")
        caller = Caller(tenant, namespace, flow_id)
        variables = {
            "flow": flow_variables(caller, shelved.row.revision),
            "vars": shelved.flow.variables or {},
            "labels": nest({label.key: label.value for label in shelved.flow.labels or ()}),
        }
        return {one: _evaluate(one, self._renderer.context(variables, caller)) for one in expressions}

    def in_namespace(self, tenant: str, namespace: str, expressions: Sequence[str]) -> dict[str, Evaluated]:
        """Expressions that need no flow: `envs`, `globals`, `kv()`, `secret()` of a namespace."""
        caller = Caller(tenant, namespace, "")
        variables = {"flow": {"namespace": namespace, "tenantId": tenant}}
        return {one: _evaluate(one, self._renderer.context(variables, caller)) for one in expressions}

    def _context_in(self, tenant: str, execution_id: str, task_run_id: str | None) -> RenderContext:
        stored = self._reads.execution(tenant, execution_id)
        if stored is None:
            raise NotFound(f"Execution '{execution_id}' not found")
        execution = stored.execution
        plan = self._plan_of(tenant, execution.namespace, execution.flow_id, execution.flow_revision)
        state = ExecutionState(plan, execution, stored.context)
        run = self._adopt(state, task_run_id) if task_run_id is not None else None
        node = plan.node(run.task_id) if run is not None and run.kind is RunKind.TASK else None
        variables = variables_of(state, self._moment(), run, node.task if node is not None else None)
        return self._renderer.context(variables, _caller(stored, task_run_id))

    def _adopt(self, state: ExecutionState, task_run_id: str) -> TaskRun:
        """Loads a task run and those around it."""
        execution_id = state.execution.id
        chain: list[TaskRun] = []
        wanted: str | None = task_run_id
        while wanted:
            found = self._archive.run(execution_id, wanted)
            if found is None:
                raise NotFound(f"TaskRun '{wanted}' not found in execution '{execution_id}'")
            chain.append(found)
            wanted = found.parent_id
        state.adopt(reversed(chain))
        return chain[0]

    def _moment(self) -> Moment:
        return Moment(
            now=self._clock.now(),
            new_id=new_id,
            random=random.random,
            archive=self._archive,
            around=self._around,
        )


def _caller(stored: StoredExecution, task_run_id: str | None) -> Caller:
    execution = stored.execution
    return Caller(execution.tenant_id, execution.namespace, execution.flow_id, execution.id, task_run_id)


def _evaluate(expression: str, context: RenderContext) -> Evaluated:
    try:
        text = compile_template(expression).render(context)
    except PenstockError as fault:
        message = mask(str(fault), context.secrets or ())
        cause = f"\nCaused by: {mask(str(fault.__cause__), context.secrets or ())}" if fault.__cause__ else ""
        return Evaluated(error=message, stack_trace=f"{type(fault).__name__}: {message}{cause}")
    secrets = set(context.secrets or ())
    if isinstance(text, Secret):
        secrets |= text.sources
    return Evaluated(result=mask(text, secrets))
