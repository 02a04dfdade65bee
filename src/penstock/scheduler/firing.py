"""Making the execution of a trigger that fires, or the FAILED one that tells why it could not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from msgspec.structs import replace

from penstock.model.entries import LogEntry
from penstock.model.execution import Label, merge_labels
from penstock.model.state import State
from penstock.model.task import LogLevel
from penstock.ports.trigger_states import PendingFire, TriggerKey
from penstock.scheduler.declared import AnyTrigger, DeclaredFlow, key_of
from penstock.scheduler.launching import (
    Launch,
    Launcher,
    RendererOf,
    execution_trigger,
    own_variables,
    pending,
    rendered,
)
from penstock.scheduler.notes import log


@dataclass(frozen=True, slots=True)
class Occasion:
    """One reason to start an execution.

    variables: what `trigger.*` will show. scope: what else inputs and labels are rendered with (the upstream execution
    of a Flow trigger). inputs, labels: those of a backfill, over the trigger's own.
    """

    flow: DeclaredFlow
    trigger: AnyTrigger
    execution_id: str
    at: datetime
    variables: Mapping[str, object]
    scope: Mapping[str, object] = field(default_factory=dict)
    inputs: Mapping[str, object] = field(default_factory=dict)
    labels: Sequence[Label] = ()
    schedule_date: datetime | None = None
    system_from: str | None = "trigger"
    correlation_id: str | None = None

    @property
    def key(self) -> TriggerKey:
        return key_of(self.flow, self.trigger)


@dataclass(frozen=True, slots=True)
class Fired:
    """An execution to be started, and log lines that go with it."""

    fire: PendingFire
    logs: list[LogEntry] = field(default_factory=list)


class Firing:
    """Turns occasions into pending fires; stores nothing."""

    def __init__(self, launcher: Launcher, renderer_of: RendererOf) -> None:
        self._launcher = launcher
        self.renderer_of = renderer_of

    def fire(self, occasion: Occasion) -> Fired:
        """The execution of an occasion.

        Raises:
            PenstockError: its inputs cannot be rendered or are not valid, or its flow cannot be executed.
        """
        trigger, key = occasion.trigger, occasion.key
        seen = {**occasion.scope, "trigger": {**own_variables(trigger), **occasion.variables}}
        given = rendered(trigger, self.renderer_of(occasion.flow), seen)
        launch = Launch(
            flow=occasion.flow,
            trigger=execution_trigger(trigger, occasion.variables),
            execution_id=occasion.execution_id,
            inputs={**given.inputs, **occasion.inputs},
            labels=merge_labels(list(given.labels), list(occasion.labels)),
            schedule_date=occasion.schedule_date,
            system_from=occasion.system_from,
            correlation_id=occasion.correlation_id,
        )
        started = self._launcher.start(launch)
        logs = [log(key, LogLevel.WARN, text, at=occasion.at) for text in given.warnings]
        return Fired(pending(key, started, at=occasion.at), logs)

    def failed(self, occasion: Occasion, message: str) -> Fired:
        """A FAILED execution of an occasion, whose log says why. Raises PenstockError where not even that can be."""
        launch = Launch(
            flow=occasion.flow,
            trigger=execution_trigger(occasion.trigger, occasion.variables),
            execution_id=occasion.execution_id,
            labels=occasion.labels,
            schedule_date=occasion.schedule_date,
            system_from=occasion.system_from,
            correlation_id=occasion.correlation_id,
            resolved=False,
        )
        fire = replace(pending(occasion.key, self._launcher.start(launch), at=occasion.at), final_state=State.FAILED)
        line = log(occasion.key, LogLevel.ERROR, message, at=occasion.at, execution_id=fire.id)
        return Fired(fire, [line])
