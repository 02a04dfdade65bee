"""What the scheduler's loops share, and the ports to whoever evaluates polling and realtime triggers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from penstock.clock import Clock
from penstock.ports.reads import StoredExecution
from penstock.ports.trigger_states import LiveExecutions, TriggerKey, TriggerStates
from penstock.scheduler.agenda import Agenda
from penstock.scheduler.declared import AnyTrigger, DeclaredFlow, DeclaredFlows
from penstock.scheduler.due import Defaults
from penstock.scheduler.fires import Fires
from penstock.scheduler.firing import Firing


class ExecutionReads(Protocol):
    """The question of `ports.reads.Reads` that the end of an execution raises."""

    def execution(self, tenant_id: str, execution_id: str) -> StoredExecution | None: ...


@dataclass(frozen=True, slots=True)
class TriggerWork:
    """A trigger that a worker evaluates or runs.

    execution_id: of the execution it may start, so that its files lie there already; unused by realtime triggers.
    """

    key: TriggerKey
    flow: DeclaredFlow
    trigger: AnyTrigger
    execution_id: str


@dataclass(frozen=True, slots=True)
class Polled:
    """What one evaluation found: the variables of an execution to start, or None; and the worker that looked."""

    variables: Mapping[str, object] | None = None
    worker_id: str | None = None


Emit = Callable[[Mapping[str, object]], str]
"""Called by a stream for each event: returns the id of its execution once that is stored; raises StoreUnavailable."""

Ended = Callable[[BaseException | None], None]
"""Called once when a stream has ended by itself, with what went wrong if anything did."""


class TriggerEvaluator(Protocol):
    """Evaluates polling triggers and runs realtime ones, on workers."""

    def evaluate(self, work: TriggerWork) -> Future[Polled]:
        """Look once. The future fails when the trigger did, or when its worker was lost."""
        ...

    def stream(self, work: TriggerWork, emit: Emit, ended: Ended) -> Callable[[], None]:
        """Run a realtime trigger; the returned function stops it, after which neither callback is called again.

        Raises:
            PenstockError: it could not be started.
        """
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What the loops share."""

    states: TriggerStates
    flows: DeclaredFlows
    live: LiveExecutions
    reads: ExecutionReads
    firing: Firing
    fires: Fires
    agenda: Agenda
    clock: Clock
    defaults: Defaults
    evaluator: TriggerEvaluator | None = None
