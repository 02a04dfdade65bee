"""New executions: who may start which flow, with which labels, and what the execution looks like before its first step.

`launch` is pure and cheap (webhooks call it for every request); a `Launcher` does the rest around it: the flow is
found, its inputs resolved, its checks evaluated (engine.md 1.8, 5.8, 5.9, 9.2, 9.3).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from penstock.catalog.checks import CheckFailure, evaluate_checks, outcome
from penstock.catalog.inputs import InputResolver, InputScope, Resolved
from penstock.catalog.labels import check_given_labels, execution_labels
from penstock.clock import Clock
from penstock.engine.commands import StartExecution
from penstock.errors import Conflict, NotFound
from penstock.ids import new_id
from penstock.model.execution import (
    Breakpoint,
    Execution,
    ExecutionContext,
    ExecutionKind,
    ExecutionTrigger,
    Label,
    Metadata,
    Scope,
)
from penstock.model.state import State, StateChange
from penstock.ports.platform import Caller

if TYPE_CHECKING:
    from penstock.catalog.flows import FlowShelf, Shelved
    from penstock.model.flow import Flow


def launch(
    flow: Flow,
    revision: int,
    *,
    now: datetime,
    tenant_id: str = "main",
    execution_id: str | None = None,
    inputs: dict[str, object] | None = None,
    labels: Sequence[Label] = (),
    trigger: ExecutionTrigger | None = None,
    kind: ExecutionKind = ExecutionKind.NORMAL,
    schedule_date: datetime | None = None,
    breakpoints: Sequence[Breakpoint] = (),
    correlation_id: str | None = None,
    system_from: str | None = "api",
    trace_parent: str | None = None,
) -> tuple[Execution, ExecutionContext]:
    """A new execution in state CREATED, and its context, from resolved `inputs`; checks nothing.

    `correlation_id` is that of whatever caused it; without one the execution's own id is it. `system_from` None sets
    no `system.from`.
    """
    identifier = execution_id or new_id()
    execution = Execution(
        id=identifier,
        tenant_id=tenant_id,
        namespace=flow.namespace,
        flow_id=flow.id,
        flow_revision=revision,
        state=State.CREATED,
        histories=[StateChange(State.CREATED, now)],
        scope=Scope(),
        original_id=identifier,
        metadata=Metadata(1, now),
        schedule_date=schedule_date,
        kind=kind,
        breakpoints=list(breakpoints),
        trace_parent=trace_parent,
    )
    context = ExecutionContext(
        labels=execution_labels(
            flow.labels or (), labels, execution_id=identifier, system_from=system_from, correlation_id=correlation_id
        ),
        inputs=inputs or {},
        variables=dict(flow.variables) if flow.variables else {},
        trigger=trigger,
    )
    return execution, context


@dataclass(frozen=True, slots=True)
class Prepared:
    """An execution that may be started, and what its caller or its log should hear.

    warnings: values that no input declares. checks: the checks that failed and did not stop it.
    """

    execution: Execution
    context: ExecutionContext
    final_state: State | None = None
    warnings: list[str] = field(default_factory=list)
    checks: list[CheckFailure] = field(default_factory=list)

    @property
    def command(self) -> StartExecution:
        """The command that starts it."""
        return StartExecution(
            execution_id=self.execution.id,
            execution=self.execution,
            context=self.context,
            final_state=self.final_state,
        )


@dataclass(frozen=True, slots=True)
class Wish:
    """What a caller asks for besides the flow: everything is optional.

    inputs: texts, files or typed values by input id. checks: whether the flow's checks are evaluated (API and UI).
    inherited: the labels come from another execution, so that system labels are among them.
    """

    inputs: Mapping[str, object] = field(default_factory=dict)
    labels: Sequence[Label] = ()
    trigger: ExecutionTrigger | None = None
    kind: ExecutionKind = ExecutionKind.NORMAL
    schedule_date: datetime | None = None
    breakpoints: Sequence[Breakpoint] = ()
    system_from: str | None = "api"
    correlation_id: str | None = None
    checks: bool = False
    execution_id: str | None = None
    trace_parent: str | None = None
    inherited: bool = False


@dataclass(frozen=True, slots=True)
class ParentRun:
    """The task run that starts a subflow, and the execution around it.

    loop_run_id, loop_index: the Loop iteration it stands in, if any.
    """

    execution: Execution
    context: ExecutionContext
    task_id: str
    task_run_id: str
    value: str | None = None
    iteration: int | None = None
    loop_run_id: str | None = None
    loop_index: int | None = None


@dataclass(frozen=True, slots=True)
class ChildWish:
    """What a Subflow task asks for (engine.md 9.1), rendered. `inputs` are texts or typed values."""

    namespace: str
    flow_id: str
    revision: int | None = None
    inputs: Mapping[str, object] = field(default_factory=dict)
    labels: Sequence[Label] = ()
    inherit_labels: bool = False
    schedule_date: datetime | None = None
    execution_id: str | None = None
    trigger_type: str = "io.kestra.plugin.core.flow.Subflow"
    variables: Mapping[str, object] = field(default_factory=dict)


class Launcher:
    """Prepares executions: finds the flow, resolves its inputs, evaluates its checks, makes the records."""

    def __init__(
        self, shelf: FlowShelf, resolver: InputResolver, *, clock: Clock, new_id: Callable[[], str] = new_id
    ) -> None:
        self._shelf = shelf
        self._resolver = resolver
        self._clock = clock
        self._new_id = new_id

    def prepare(
        self, tenant: str, namespace: str, flow_id: str, *, revision: int | None = None, wish: Wish | None = None
    ) -> Prepared:
        """An execution of a flow, of its latest runnable revision or of a given one.

        Raises:
            NotFound: no such flow or revision.
            Conflict: the flow is disabled or its source is not valid.
            Unprocessable: inputs, labels or a check with BLOCK_EXECUTION say no. Nothing has been created.
        """
        shelved = self._shelf.find(tenant, namespace, flow_id, revision=revision)
        if shelved is None:
            raise NotFound("Requested Flow is not found.")
        return self.start(shelved, wish or Wish())

    def start(self, shelved: Shelved, wish: Wish) -> Prepared:
        """The same for a flow that is at hand already. Raises Conflict and Unprocessable as `prepare`."""
        flow = runnable(shelved)
        if wish.labels and not wish.inherited:
            check_given_labels(wish.labels)
        identifier = wish.execution_id or self._new_id()
        resolved = self._resolve(shelved, identifier, wish.inputs)
        values = resolved.require() if resolved is not None else {}
        failures = self._failures(shelved, identifier, values) if wish.checks and flow.checks else []
        final_state = outcome(failures) if failures else None
        execution, context = launch(
            flow,
            shelved.row.revision,
            now=self._clock.now(),
            tenant_id=shelved.row.tenant_id,
            execution_id=identifier,
            inputs=values,
            labels=wish.labels,
            trigger=wish.trigger,
            kind=wish.kind,
            schedule_date=wish.schedule_date,
            breakpoints=wish.breakpoints,
            correlation_id=wish.correlation_id,
            system_from=wish.system_from,
            trace_parent=wish.trace_parent,
        )
        return Prepared(execution, context, final_state, resolved.warnings if resolved is not None else [], failures)

    def child(self, parent: ParentRun, wish: ChildWish) -> Prepared:
        """The execution that a Subflow task starts (engine.md 9.2, 9.3).

        Raises:
            NotFound, Conflict, Unprocessable: in Kestra's words for the log of the parent's task run.
        """
        tenant = parent.execution.tenant_id
        shelved = self._shelf.find(tenant, wish.namespace, wish.flow_id, revision=wish.revision)
        if shelved is None:
            raise NotFound(
                f"Unable to find flow '{wish.namespace}'.'{wish.flow_id}' with revision '{wish.revision or 0}'"
            )
        if shelved.row.disabled:
            raise Conflict("Cannot execute a flow which is disabled")
        if shelved.error is not None:
            raise Conflict(f"Cannot execute an invalid flow: {shelved.error}")
        if wish.labels:
            check_given_labels(wish.labels)
        labels = child_labels(parent.context.labels, shelved.flow, wish)
        return self.start(
            shelved,
            Wish(
                inputs=wish.inputs,
                labels=labels,
                trigger=ExecutionTrigger(parent.task_id, wish.trigger_type, _trigger_variables(parent, wish)),
                kind=_child_kind(parent.execution.kind),
                schedule_date=wish.schedule_date,
                system_from=None,
                execution_id=wish.execution_id,
                inherited=True,
            ),
        )

    def validate(
        self,
        tenant: str,
        namespace: str,
        flow_id: str,
        *,
        revision: int | None = None,
        inputs: Mapping[str, object] | None = None,
    ) -> tuple[Resolved, list[CheckFailure]]:
        """What the inputs of a flow would be, and which checks would fail (engine.md 6.4); nothing is stored.

        Raises:
            NotFound, Conflict: as `prepare`.
        """
        shelved = self._shelf.find(tenant, namespace, flow_id, revision=revision)
        if shelved is None:
            raise NotFound("Requested Flow is not found.")
        flow = runnable(shelved)
        resolved = self._resolver.resolve(flow.inputs or (), inputs or {}, self._scope(shelved, "", store_files=False))
        failures = [] if resolved.errors or not flow.checks else self._failures(shelved, "", resolved.values)
        return resolved, failures

    def _resolve(self, shelved: Shelved, identifier: str, inputs: Mapping[str, object]) -> Resolved | None:
        declared = shelved.flow.inputs
        if not declared and not inputs:
            return None
        return self._resolver.resolve(declared or (), inputs, self._scope(shelved, identifier))

    def _scope(self, shelved: Shelved, identifier: str, *, store_files: bool = True) -> InputScope:
        flow = shelved.flow
        return InputScope(
            caller=Caller(shelved.row.tenant_id, flow.namespace, flow.id, identifier or None),
            revision=shelved.row.revision,
            variables={"vars": flow.variables or {}},
            store_files=store_files,
        )

    def _failures(self, shelved: Shelved, identifier: str, values: Mapping[str, object]) -> list[CheckFailure]:
        return evaluate_checks(shelved.flow.checks or (), values, self._scope(shelved, identifier), self._resolver)


def runnable(shelved: Shelved) -> Flow:
    """The flow, once it is known that it may be executed.

    Raises:
        Conflict: it is disabled, or its source cannot be run.
    """
    if shelved.row.disabled:
        raise Conflict("Illegal state: Requested Flow is disabled.")
    if shelved.error is not None:
        raise Conflict(f"Illegal state: Requested Flow is not valid: {shelved.error}")
    return shelved.flow


def child_labels(parent: Sequence[Label], flow: Flow, wish: ChildWish) -> list[Label]:
    """The labels a child is given: its parent's system labels, with `inheritLabels` all of them, then the task's own.

    A label of the parent gives way to one that the child flow declares (2.0).
    """
    declared = {label.key for label in flow.labels or ()}
    kept = [
        label
        for label in parent
        if label.key.startswith("system.") or (wish.inherit_labels and label.key not in declared)
    ]
    return [*kept, *wish.labels]


def _child_kind(kind: ExecutionKind) -> ExecutionKind:
    return ExecutionKind.NORMAL if kind is ExecutionKind.LOOP else kind


def _trigger_variables(parent: ParentRun, wish: ChildWish) -> dict[str, object]:
    execution = parent.execution
    optional = {
        "taskRunValue": parent.value,
        "taskRunIteration": parent.iteration,
        "loopTaskRunId": parent.loop_run_id,
        "loopIndex": parent.loop_index,
    }
    return {
        "executionId": execution.id,
        "namespace": execution.namespace,
        "flowId": execution.flow_id,
        "flowRevision": execution.flow_revision,
        "taskRunId": parent.task_run_id,
        "taskId": parent.task_id,
        **{name: value for name, value in optional.items() if value is not None},
        **wish.variables,
    }
