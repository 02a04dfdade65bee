"""Flows as the scheduler sees them: which triggers they declare, and what rows these need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Protocol

from penstock.model.state import State
from penstock.ports.trigger_states import FlowKey, TriggerKey, TriggerKind
from penstock.scheduler.fields import field_of, list_of, text_of


class AnyTrigger(Protocol):
    """What every trigger has; its own properties are read by those who know its type."""

    @property
    def id(self) -> str: ...

    @property
    def type(self) -> str: ...


@dataclass(frozen=True, slots=True)
class DeclaredFlow:
    """The latest revision of a flow.

    labels, variables: as the flow declares them, for templates of its triggers. definition: whatever the launcher
    needs of the flow; nobody here looks inside. runnable: not disabled and valid. readable: False when its source does
    not parse (any longer): then nothing is known of its triggers, and their rows stay as they are.
    """

    key: FlowKey
    revision: int
    triggers: Sequence[AnyTrigger]
    labels: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, object] = field(default_factory=dict)
    runnable: bool = True
    readable: bool = True
    definition: object = None

    def trigger(self, trigger_id: str) -> AnyTrigger | None:
        """The trigger of that id, if it is declared."""
        return next((trigger for trigger in self.triggers if trigger.id == trigger_id), None)


class DeclaredFlows(Protocol):
    """Where the scheduler finds flows."""

    def get(self, key: FlowKey) -> DeclaredFlow | None:
        """The latest revision, parsed; None when there is none or it is deleted."""
        ...

    def revisions(self) -> Iterator[tuple[FlowKey, int]]:
        """Key and latest revision of every flow that declares triggers, read without parsing any source."""
        ...


_CORE_KINDS = {
    "Schedule": TriggerKind.SCHEDULE,
    "ScheduleOnDates": TriggerKind.SCHEDULE_ON_DATES,
    "Flow": TriggerKind.FLOW,
    "Webhook": TriggerKind.WEBHOOK,
}
_CORE_PACKAGES = ("io.kestra.plugin.core.trigger.", "io.kestra.core.models.triggers.types.")


def kind_of(trigger: AnyTrigger) -> TriggerKind | None:
    """How a trigger is driven; None for one that nothing drives (an MCP tool, say)."""
    package, _, short = trigger.type.rpartition(".")
    if f"{package}." in _CORE_PACKAGES and short in _CORE_KINDS:
        return _CORE_KINDS[short]
    if hasattr(trigger, "stream"):
        return TriggerKind.REALTIME
    if hasattr(trigger, "evaluate") or field_of(trigger, "interval") is not None:
        return TriggerKind.POLLING
    return None


def key_of(flow: DeclaredFlow, trigger: AnyTrigger) -> TriggerKey:
    """The key of a trigger of a flow."""
    return TriggerKey(*flow.key, trigger.id)


def definition_hash(trigger: AnyTrigger) -> str:
    """A short hash of a trigger as written: another one means that it was changed."""
    dump = getattr(trigger, "model_dump_json", None)
    text = dump(exclude_unset=True) if dump is not None else repr(trigger)
    return blake2b(str(text).encode(), digest_size=8).hexdigest()


def is_disabled(trigger: AnyTrigger) -> bool:
    """Whether the trigger's own `disabled` says so."""
    return field_of(trigger, "disabled", False) is True


def stop_states(trigger: AnyTrigger) -> list[State]:
    """Its `stopAfter`."""
    return [State.read(text_of(state) or "") for state in list_of(field_of(trigger, "stop_after"))]


def allows_concurrent(trigger: AnyTrigger) -> bool:
    """Whether it may start an execution while an earlier one still lives."""
    return field_of(trigger, "allow_concurrent", False) is True


def fails_on_error(trigger: AnyTrigger) -> bool:
    """Whether an evaluation that fails makes a FAILED execution."""
    return field_of(trigger, "fail_on_trigger_error", False) is True
