"""From a trigger that fires to an execution that must be started."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Protocol

from penstock.ids import encode
from penstock.model.execution import Execution, ExecutionContext, ExecutionTrigger, Label
from penstock.ports.trigger_states import PendingFire, TriggerKey
from penstock.scheduler.conditions import FAULTS
from penstock.scheduler.declared import AnyTrigger, DeclaredFlow
from penstock.scheduler.fields import field_of, label_pairs
from penstock.scheduler.verdict import Renderer, render_all


@dataclass(frozen=True, slots=True)
class Launch:
    """An execution a trigger asks for.

    inputs: as given, not yet typed. system_from: value of `system.from`; Flow triggers set none.
    resolved: False for an execution that is created FAILED: its inputs are left out and nothing is checked.
    """

    flow: DeclaredFlow
    trigger: ExecutionTrigger
    execution_id: str
    inputs: Mapping[str, object] = field(default_factory=dict)
    labels: Sequence[Label] = ()
    schedule_date: datetime | None = None
    system_from: str | None = "trigger"
    correlation_id: str | None = None
    resolved: bool = True


class Launcher(Protocol):
    """Makes executions out of flows; joined to the catalog."""

    def start(self, launch: Launch) -> tuple[Execution, ExecutionContext]:
        """The execution in state CREATED and its context. Stores nothing.

        Raises:
            PenstockError: the inputs are not valid, or the flow cannot be executed.
        """
        ...


RendererOf = Callable[[DeclaredFlow], Renderer]
"""Renders templates of one flow's triggers."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """Labels and inputs of a trigger, rendered. warnings: labels that were left out."""

    inputs: Mapping[str, object]
    labels: Sequence[Label]
    warnings: Sequence[str] = ()


def rendered(trigger: AnyTrigger, render: Renderer, variables: Mapping[str, object]) -> Rendered:
    """What a trigger gives its execution. A label that cannot be rendered is left out with a warning (engine.md 7.1).

    Raises:
        PenstockError: an input cannot be rendered.
    """
    labels, warnings = _labels(trigger, render, variables)
    inputs = render_all(field_of(trigger, "inputs", {}), render, variables)
    return Rendered(inputs=dict(inputs) if isinstance(inputs, Mapping) else {}, labels=labels, warnings=warnings)


def _labels(trigger: AnyTrigger, render: Renderer, variables: Mapping[str, object]) -> tuple[list[Label], list[str]]:
    labels: list[Label] = []
    warnings: list[str] = []
    for key, value in label_pairs(field_of(trigger, "labels", {})).items():
        try:
            labels.append(Label(key, render.text(value, variables)))
        except FAULTS as fault:
            warnings.append(f"Failed to render label {key!r}, it is left out: {fault}")
    return labels, warnings


def execution_trigger(trigger: AnyTrigger, variables: Mapping[str, object]) -> ExecutionTrigger:
    """What the execution says of what started it."""
    return ExecutionTrigger(trigger.id, trigger.type, dict(variables))


def own_variables(trigger: AnyTrigger) -> dict[str, object]:
    """`trigger` before an execution exists (engine.md 7.10)."""
    return {"id": trigger.id, "type": trigger.type}


def fire_id(key: TriggerKey, *occasion: object) -> str:
    """The id of the execution for one occasion: always the same, whoever computes it and however often."""
    digest = blake2b("\x00".join([key.uid, *map(str, occasion)]).encode(), digest_size=16).digest()
    return encode(int.from_bytes(digest, "big"))


def pending(key: TriggerKey, started: tuple[Execution, ExecutionContext], *, at: datetime) -> PendingFire:
    """The record of an execution that must be started."""
    execution, context = started
    return PendingFire(
        id=execution.id,
        tenant_id=key.tenant_id,
        namespace=key.namespace,
        flow_id=key.flow_id,
        trigger_id=key.trigger_id,
        at=at,
        execution=execution,
        context=context,
    )
