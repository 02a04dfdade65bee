"""What the scheduler keeps: rows of triggers, windows of Flow triggers, fires on their way, and the trigger journal.

Exactly once, for any number of schedulers: whatever makes an execution start is written in **one** transaction with the
`PendingFire` that starts it (a schedule's row moves to its next date; a transition of the outbox is consumed and the
windows change). The fire is then submitted as `StartExecution`, which does nothing when the execution's id exists, and
only then marked done. After a crash the fires that are not done are submitted again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Protocol

import msgspec

from penstock.model.entries import LogEntry
from penstock.model.execution import Execution, ExecutionContext, Label
from penstock.model.state import State
from penstock.ports.reads import Condition, Page, Sort


class FlowKey(NamedTuple):
    """Which flow, whatever its revision."""

    tenant_id: str
    namespace: str
    flow_id: str


class TriggerKey(NamedTuple):
    """Which trigger of which flow."""

    tenant_id: str
    namespace: str
    flow_id: str
    trigger_id: str

    @property
    def flow(self) -> FlowKey:
        """The flow that declares it."""
        return FlowKey(self.tenant_id, self.namespace, self.flow_id)

    @property
    def uid(self) -> str:
        """Kestra's composite key: `tenant_namespace_flowId_triggerId`."""
        return "_".join(self)


class TriggerKind(StrEnum):
    """How a trigger is driven. People see rows of the first four; the last two only tell which flows have which."""

    SCHEDULE = "SCHEDULE"
    SCHEDULE_ON_DATES = "SCHEDULE_ON_DATES"
    POLLING = "POLLING"
    REALTIME = "REALTIME"
    FLOW = "FLOW"
    WEBHOOK = "WEBHOOK"


VISIBLE_KINDS = (TriggerKind.SCHEDULE, TriggerKind.SCHEDULE_ON_DATES, TriggerKind.POLLING, TriggerKind.REALTIME)
"""Kinds whose rows people see (engine.md 7.2: Flow and Webhook triggers have none)."""


class Backfill(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A range of a schedule's dates that is run after the fact, one after another.

    current_date: the next date to run. previous_next_date: what the row's next date was before (Kestra's
    `previousNextExecutionDate`); deleting the backfill restores it.
    """

    start: datetime
    end: datetime
    current_date: datetime
    paused: bool = False
    inputs: dict[str, object] = {}
    labels: list[Label] = []
    previous_next_date: datetime | None = None


class Source(msgspec.Struct, frozen=True, omit_defaults=True):
    """Upstream executions a Flow trigger looks at; None matches every namespace or flow."""

    namespace: str | None = None
    flow_id: str | None = None


class TriggerState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The row of one trigger of one flow.

    version: raised by one with each change; a commit of a row whose stored version is not one less is a Conflict.
    definition: hash of the trigger as written, so that a changed trigger is noticed when the revision changes.
    next_date: when it is due (schedules: the planned date; polling: the next evaluation); None: never by itself.
    last_triggered: planned date of the latest fire. evaluated: when it was last looked at.
    execution_id: the latest execution it started. Whether the trigger is *busy* is a question to `LiveExecutions`.
    worker_id: the worker that evaluates a polling trigger or runs a realtime one.
    stop_after: as in the trigger, so that an execution's end can be judged without the flow.
    sources: of a FLOW trigger: the executions it looks at.
    """

    tenant_id: str
    namespace: str
    flow_id: str
    trigger_id: str
    kind: TriggerKind
    version: int = 1
    flow_revision: int = 1
    definition: str = ""
    disabled: bool = False
    next_date: datetime | None = None
    last_triggered: datetime | None = None
    evaluated: datetime | None = None
    updated: datetime
    backfill: Backfill | None = None
    execution_id: str | None = None
    worker_id: str | None = None
    stop_after: list[State] = []
    sources: list[Source] = []

    @property
    def key(self) -> TriggerKey:
        return TriggerKey(self.tenant_id, self.namespace, self.flow_id, self.trigger_id)


class Met(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How one condition of a window was met: by which execution, and its flow outputs."""

    execution_id: str
    namespace: str
    flow_id: str
    at: datetime
    outputs: dict[str, object] = {}


class Window(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a Flow trigger has seen of its dependencies between `start` and `end`, both inclusive.

    condition_id: the id of the preconditions, or `depends_on_<triggerId>`.
    results: condition id -> how it was met. fired: it has fired in this window already.
    version: as in `TriggerState`.
    """

    tenant_id: str
    namespace: str
    flow_id: str
    condition_id: str
    trigger_id: str
    start: datetime
    end: datetime
    results: dict[str, Met] = {}
    fired: bool = False
    version: int = 1

    @property
    def key(self) -> WindowKey:
        return WindowKey(self.tenant_id, self.namespace, self.flow_id, self.condition_id)


class WindowKey(NamedTuple):
    """Which window of which flow."""

    tenant_id: str
    namespace: str
    flow_id: str
    condition_id: str


class PendingFire(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An execution that must be started, recorded together with what justifies it.

    id: the execution's id. final_state: the execution is created ended (a trigger's evaluation failed).
    """

    id: str
    tenant_id: str
    namespace: str
    flow_id: str
    trigger_id: str
    at: datetime
    execution: Execution
    context: ExecutionContext
    final_state: State | None = None


class Outcome(StrEnum):
    """What an evaluation of a trigger came to."""

    FIRED = "FIRED"
    SKIPPED = "SKIPPED"
    """A condition did not hold; the row names it and the values it saw."""
    LIMITED = "LIMITED"
    """An execution of this trigger was still live."""
    LATE = "LATE"
    """Later than `lateMaximumDelay` allows, or a missed date that is not recovered."""
    ERROR = "ERROR"


class Evaluation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A row of the trigger journal: what one evaluation came to and why.

    id: given by the store. at: when it was evaluated. planned: the planned date. condition: which condition failed
    (its type, or the expression). values: what it saw. reason: a sentence for people.
    source_id: the upstream execution of a Flow trigger.
    """

    id: int = 0
    tenant_id: str
    namespace: str
    flow_id: str
    trigger_id: str
    at: datetime
    outcome: Outcome
    planned: datetime | None = None
    reason: str = ""
    condition: str | None = None
    values: dict[str, object] = {}
    execution_id: str | None = None
    source_id: str | None = None


class TriggerBatch(msgspec.Struct):
    """Everything one commit of the scheduler writes; records are encoded inside `commit`.

    removed_windows: as they were read: their version must still be the stored one.
    consumed_transitions: ids of outbox rows; `logs` are trigger logs (they carry `trigger_id`).
    """

    states: list[TriggerState] = []
    removed_states: list[TriggerKey] = []
    windows: list[Window] = []
    removed_windows: list[Window] = []
    consumed_transitions: list[int] = []
    fires: list[PendingFire] = []
    done_fires: list[str] = []
    evaluations: list[Evaluation] = []
    logs: list[LogEntry] = []

    def empty(self) -> bool:
        """Whether there is nothing to write."""
        return not any(getattr(self, name) for name in self.__struct_fields__)


class TriggerStates(Protocol):
    """Where the scheduler's records are kept; every method is synchronous and safe to call from any thread."""

    def commit(self, batch: TriggerBatch) -> None:
        """Write the batch in one transaction. Removals come first; states to be removed and fires may be gone already.

        Raises:
            Conflict: the stored version of a state or window is not one less than the given one (a new one has
                version 1), that of a removed window is not the given one, a transition to be consumed is gone, or a
                fire of that id is pending: another scheduler was faster. Nothing of the batch is written.
            StoreUnavailable: the disk is full or the database cannot be reached; nothing is written.
        """
        ...

    def all_states(self) -> Iterator[TriggerState]:
        """Every row of every kind, in no order; 100,000 rows take about a second."""
        ...

    def get(self, key: TriggerKey) -> TriggerState | None:
        """One row, or None."""
        ...

    def get_many(self, keys: Sequence[TriggerKey]) -> list[TriggerState]:
        """Several rows at once, in no order; those that are missing are left out."""
        ...

    def of_flow(self, flow: FlowKey) -> list[TriggerState]:
        """The rows of one flow, of every kind, by trigger id."""
        ...

    def search(
        self,
        tenant_id: str,
        filters: Sequence[Condition],
        *,
        sort: Sequence[Sort] = (),
        page: int = 1,
        size: int | None = None,
    ) -> Page[TriggerState]:
        """Rows of the visible kinds that satisfy all filters: `q`, `namespace`, `flowId`, `triggerId`, `workerId`,
        `disabled`, `triggerState` (ENABLED, DISABLED), `kind`, `lastTriggeredDate`, `nextExecutionDate` (also as
        `nextEvaluationDate`), `executionId`; default order: namespace, flow, trigger. `page` counts from 1.
        """
        ...

    def windows(self, flow: FlowKey) -> list[Window]:
        """The windows of one flow, expired ones included."""
        ...

    def expired_windows(self, before: datetime, limit: int) -> list[Window]:
        """Windows that ended before a moment, oldest first."""
        ...

    def next_window_end(self) -> datetime | None:
        """When the window that ends first ends."""
        ...

    def pending_fires(self) -> list[PendingFire]:
        """Fires that are not done, oldest first."""
        ...

    def evaluations(
        self, tenant_id: str, filters: Sequence[Condition], *, page: int = 1, size: int | None = None
    ) -> Page[Evaluation]:
        """Rows of the trigger journal, newest first; filters `namespace`, `flowId`, `triggerId`, `outcome`, `at`,
        `executionId`.
        """
        ...

    def purge_evaluations(self, before: datetime) -> int:
        """Delete journal rows older than a moment; returns how many."""
        ...


class LiveExecutions(Protocol):
    """The question whether a trigger is busy, asked of the store each time; no flag can stay behind."""

    def live(self, execution_ids: Iterable[str]) -> set[str]:
        """Those of the ids whose execution exists and is not closed (not fully terminated), or is a pending fire."""
        ...
