"""Stand-ins for the ports of the scheduler, and flows written as Python records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta

from penstock.catalog.labels import execution_labels
from penstock.catalog.rendering import Renderer
from penstock.clock import ManualClock
from penstock.engine.commands import AnyCommand, StartExecution
from penstock.errors import Conflict, StoreUnavailable, Unprocessable
from penstock.model.conditions import CORE_CONDITIONS, Condition
from penstock.model.entries import LogEntry
from penstock.model.execution import Execution, ExecutionContext, Label, Metadata, Scope, TaskRun
from penstock.model.state import TERMINATED, State, StateChange
from penstock.model.triggers import FlowTrigger, Schedule, ScheduleOnDates, Trigger, Webhook
from penstock.ports.feed import Change
from penstock.ports.journal import OutputRow, Transition
from penstock.ports.reads import Page, StoredExecution
from penstock.ports.trigger_states import (
    Evaluation,
    FlowKey,
    PendingFire,
    TriggerBatch,
    TriggerKey,
    TriggerState,
    Window,
    WindowKey,
)
from penstock.scheduler import DeclaredFlow, Defaults, Launch, Scheduler, Triggers
from penstock.scheduler.catalogued import FlowRenderer

START = datetime(2026, 1, 1, 12, 0, 30, tzinfo=UTC)


class FakeStates:
    """`TriggerStates` in dictionaries, with the versions and the all-or-nothing that the port promises."""

    def __init__(self) -> None:
        self.rows: dict[TriggerKey, TriggerState] = {}
        self.kept_windows: dict[WindowKey, Window] = {}
        self.outbox: dict[int, Transition] = {}
        self.fires: dict[str, PendingFire] = {}
        self.journal: list[Evaluation] = []
        self.logs: list[LogEntry] = []
        self.down = False
        self.crash_after_commit = False

    def commit(self, batch: TriggerBatch) -> None:
        if self.down:
            raise StoreUnavailable("the disk is full")
        self._check(batch)
        for key in batch.removed_states:
            self.rows.pop(key, None)
        for window in batch.removed_windows:
            del self.kept_windows[window.key]
        self.rows.update((state.key, state) for state in batch.states)
        self.kept_windows.update((window.key, window) for window in batch.windows)
        for number in batch.consumed_transitions:
            del self.outbox[number]
        self.fires.update((fire.id, fire) for fire in batch.fires)
        for fire_id in batch.done_fires:
            self.fires.pop(fire_id, None)
        self.journal += batch.evaluations
        self.logs += batch.logs
        if self.crash_after_commit and batch.fires:
            raise KeyboardInterrupt

    def _check(self, batch: TriggerBatch) -> None:
        for state in batch.states:
            old = None if state.key in batch.removed_states else self.rows.get(state.key)
            if state.version != (old.version + 1 if old else 1):
                raise Conflict(f"row {state.key.uid}")
        for window in batch.removed_windows:
            if window.key not in self.kept_windows or self.kept_windows[window.key].version != window.version:
                raise Conflict("removed window")
        removed = {window.key for window in batch.removed_windows}
        for window in batch.windows:
            old = None if window.key in removed else self.kept_windows.get(window.key)
            if window.version != (old.version + 1 if old else 1):
                raise Conflict("window")
        if any(number not in self.outbox for number in batch.consumed_transitions):
            raise Conflict("transition")
        if any(fire.id in self.fires for fire in batch.fires):
            raise Conflict("fire")

    def all_states(self) -> Iterator[TriggerState]:
        yield from list(self.rows.values())

    def get(self, key: TriggerKey) -> TriggerState | None:
        return self.rows.get(key)

    def get_many(self, keys: Sequence[TriggerKey]) -> list[TriggerState]:
        return [self.rows[key] for key in keys if key in self.rows]

    def of_flow(self, flow: FlowKey) -> list[TriggerState]:
        return [state for key, state in sorted(self.rows.items()) if key.flow == flow]

    def search(self, tenant_id: str, filters: object, **_: object) -> Page[TriggerState]:
        found = [state for state in self.rows.values() if state.tenant_id == tenant_id]
        return Page(found, len(found))

    def windows(self, flow: FlowKey) -> list[Window]:
        return [window for key, window in self.kept_windows.items() if key[:3] == tuple(flow)]

    def expired_windows(self, before: datetime, limit: int) -> list[Window]:
        return sorted((w for w in self.kept_windows.values() if w.end < before), key=lambda w: w.end)[:limit]

    def next_window_end(self) -> datetime | None:
        return min((window.end for window in self.kept_windows.values()), default=None)

    def pending_fires(self) -> list[PendingFire]:
        return list(self.fires.values())

    def evaluations(self, tenant_id: str, filters: object, **_: object) -> Page[Evaluation]:
        found = [row for row in reversed(self.journal) if row.tenant_id == tenant_id]
        return Page(found, len(found))

    def purge_evaluations(self, before: datetime) -> int:
        kept = [row for row in self.journal if row.at >= before]
        gone = len(self.journal) - len(kept)
        self.journal = kept
        return gone

    def transitions(self, limit: int) -> list[Transition]:
        return list(self.outbox.values())[:limit]


class FakeExecutions:
    """Executions as the executor and the store would keep them: commands in, changes out, questions answered."""

    def __init__(self, states: FakeStates, clock: ManualClock) -> None:
        self.states = states
        self.clock = clock
        self.stored: dict[str, StoredExecution] = {}
        self.final: dict[str, State] = {}
        self.started: list[Execution] = []
        self.flow_outputs: dict[str, dict[str, object]] = {}
        self.task_outputs: dict[str, list[OutputRow]] = {}
        self.task_runs: dict[str, list[TaskRun]] = {}
        self.listeners: list[Callable[[Change], None]] = []
        self.refuse: Exception | None = None
        self._transitions = 0

    def submit(self, command: AnyCommand) -> Future[Execution | None]:
        assert isinstance(command, StartExecution)
        future: Future[Execution | None] = Future()
        if self.refuse is not None:
            future.set_exception(self.refuse)
            return future
        if command.execution_id not in self.stored:
            self.stored[command.execution_id] = StoredExecution(command.execution, command.context)
            self.started.append(command.execution)
            if command.final_state is not None:
                self.final[command.execution_id] = command.final_state
                self.end(command.execution_id, command.final_state)
        future.set_result(command.execution)
        return future

    def tell(self, command: AnyCommand) -> None:
        self.submit(command)

    def on_change(self, callback: Callable[[Change], None], execution_id: str | None = None) -> Callable[[], None]:
        self.listeners.append(callback)
        return lambda: self.listeners.remove(callback)

    def on_log(self, callback: Callable[[LogEntry], None], execution_id: str) -> Callable[[], None]:
        return lambda: None

    def end(self, execution_id: str, state: State = State.SUCCESS) -> None:
        """The execution is fully terminated."""
        self.move(execution_id, state, closed=True)

    def move(self, execution_id: str, state: State, *, closed: bool = False) -> None:
        """The execution comes into a state: an outbox row, then the feed."""
        execution = self.stored[execution_id].execution
        execution.state = state
        execution.histories.append(StateChange(state, self.clock.now()))
        execution.closed = closed
        self._transitions += 1
        self.states.outbox[self._transitions] = Transition(
            id=self._transitions,
            execution_id=execution_id,
            tenant_id=execution.tenant_id,
            namespace=execution.namespace,
            flow_id=execution.flow_id,
            state=state,
            at=self.clock.now(),
        )
        for listener in list(self.listeners):
            listener(
                Change(
                    execution_id=execution_id,
                    tenant_id=execution.tenant_id,
                    namespace=execution.namespace,
                    flow_id=execution.flow_id,
                    state=state,
                    closed=closed,
                )
            )

    def live(self, execution_ids: Iterable[str]) -> set[str]:
        known = {i for i in execution_ids if i in self.stored and not self.stored[i].execution.closed}
        return known | {i for i in execution_ids if i in self.states.fires}

    def execution(self, tenant_id: str, execution_id: str) -> StoredExecution | None:
        return self.stored.get(execution_id)

    def runs(
        self,
        execution_id: str,
        *,
        owner: str | None = "",
        states: Sequence[str] = (),
        page: int = 1,
        size: int | None = None,
    ) -> Page[TaskRun]:
        found = [run for run in self.task_runs.get(execution_id, []) if not states or run.state in states]
        first = (page - 1) * size if size else 0
        return Page(found[first : first + size if size else None], len(found))

    def outputs(self, execution_id: str, owner: str | None = "") -> list[OutputRow]:
        return self.task_outputs.get(execution_id, [])

    def output(self, execution_id: str, task_run_id: str) -> OutputRow | None:
        return next((row for row in self.outputs(execution_id) if row.task_run_id == task_run_id), None)

    def execution_outputs(self, execution_id: str) -> OutputRow | None:
        value = self.flow_outputs.get(execution_id)
        if value is None:
            return None
        return OutputRow(execution_id=execution_id, task_run_id="", task_id="", value=value)


class FakeFlows:
    """`DeclaredFlows` in a dictionary."""

    def __init__(self) -> None:
        self.flows: dict[FlowKey, DeclaredFlow] = {}
        self.explode: set[FlowKey] = set()

    def get(self, key: FlowKey) -> DeclaredFlow | None:
        if key in self.explode:
            raise RuntimeError("a bug in a plugin")
        return self.flows.get(key)

    def revisions(self) -> Iterator[tuple[FlowKey, int]]:
        for key, flow in self.flows.items():
            if flow.triggers:
                yield key, flow.revision


class FakeLauncher:
    """`Launcher` without a catalog; an input named `bad` is not valid."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock

    def start(self, launch: Launch) -> tuple[Execution, ExecutionContext]:
        if launch.resolved and "bad" in launch.inputs:
            raise Unprocessable("Invalid input for `bad`")
        now = self.clock.now()
        execution = Execution(
            id=launch.execution_id,
            tenant_id=launch.flow.key.tenant_id,
            namespace=launch.flow.key.namespace,
            flow_id=launch.flow.key.flow_id,
            flow_revision=launch.flow.revision,
            state=State.CREATED,
            histories=[StateChange(State.CREATED, now)],
            scope=Scope(),
            original_id=launch.execution_id,
            metadata=Metadata(1, now),
            schedule_date=launch.schedule_date,
        )
        labels = execution_labels(
            [Label(k, v) for k, v in launch.flow.labels.items()],
            launch.labels,
            execution_id=launch.execution_id,
            system_from=launch.system_from,
            correlation_id=launch.correlation_id,
        )
        return execution, ExecutionContext(labels=labels, inputs=dict(launch.inputs), trigger=launch.trigger)


class World:
    """A whole scheduler on stand-ins and a clock that is moved by hand."""

    def __init__(self, now: datetime = START, *, defaults: Defaults | None = None, evaluator: object = None) -> None:
        self.clock = ManualClock(now)
        self.states = FakeStates()
        self.executions = FakeExecutions(self.states, self.clock)
        self.flows = FakeFlows()
        self.defaults = defaults or Defaults()
        self.evaluator = evaluator
        self.renderer = Renderer(clock=self.clock, chance=lambda: 0.5)
        self.scheduler = self.new_scheduler()

    def new_scheduler(self) -> Scheduler:
        return Scheduler(
            states=self.states,
            flows=self.flows,
            live=self.executions,
            reads=self.executions,
            read_uri=lambda tenant, uri: {},
            transitions=self.states,
            commands=self.executions,
            launcher=FakeLauncher(self.clock),
            renderer_of=self.renderer_of,
            clock=self.clock,
            defaults=self.defaults,
            evaluator=self.evaluator,  # pyright: ignore[reportArgumentType]
        )

    def renderer_of(self, flow: DeclaredFlow) -> FlowRenderer:
        return FlowRenderer(self.renderer, flow)

    @property
    def triggers(self) -> Triggers:
        return Triggers(
            self.states,
            self.flows,
            self.executions,
            renderer_of=self.renderer_of,
            clock=self.clock,
            defaults=self.defaults,
            changed=self.scheduler.state_changed,
            restarted=self.scheduler.restart,
            removed=self.scheduler.flow_saved,
        )

    def restart(self) -> None:
        """The scheduler's process ends and another one starts; the feed goes to the new one."""
        self.scheduler = self.new_scheduler()
        self.load()

    def load(self) -> None:
        self.executions.listeners = [self.scheduler._changed]
        self.scheduler.load()

    def save(self, flow_id: str, *triggers: Trigger, **more: object) -> FlowKey:
        """Save a flow of `company.team` with these triggers."""
        key = FlowKey("main", "company.team", flow_id)
        before = self.flows.flows.get(key)
        revision = before.revision + 1 if before else 1
        self.flows.flows[key] = DeclaredFlow(key, revision, triggers, **more)  # pyright: ignore[reportArgumentType]
        self.executions.listeners = [self.scheduler._changed]
        self.scheduler.flow_saved(key)
        return key

    def delete(self, flow_id: str) -> None:
        key = FlowKey("main", "company.team", flow_id)
        del self.flows.flows[key]
        self.scheduler.flow_deleted(key)

    def pass_time(self, by: timedelta, *, every: timedelta = timedelta(seconds=1), end: bool = True) -> None:
        """Let time pass in small steps; executions end as soon as they have started when `end`."""
        until = self.clock.now() + by
        while self.clock.now() < until:
            self.clock.advance(min(every, until - self.clock.now()))
            self.settle(end=end)

    def settle(self, *, end: bool = True) -> None:
        """Everything that is due now, until nothing is."""
        while True:
            self.scheduler.step()
            live = [e for e in self.executions.started if not e.closed] if end else []
            if not live:
                return
            for execution in live:
                self.executions.end(execution.id)

    def run_flow(
        self,
        flow_id: str,
        state: State = State.SUCCESS,
        *,
        namespace: str = "company.team",
        labels: Mapping[str, str] | None = None,
        outputs: dict[str, object] | None = None,
    ) -> str:
        """An execution of some flow, started by somebody else, that ends in `state`."""
        number = len(self.executions.stored) + 1
        identifier = f"run{number}"
        execution = Execution(
            id=identifier,
            tenant_id="main",
            namespace=namespace,
            flow_id=flow_id,
            flow_revision=1,
            state=State.CREATED,
            histories=[StateChange(State.CREATED, self.clock.now())],
            scope=Scope(),
            original_id=identifier,
            metadata=Metadata(1, self.clock.now()),
        )
        given = [Label("system.correlationId", identifier), *(Label(k, v) for k, v in (labels or {}).items())]
        self.executions.stored[identifier] = StoredExecution(execution, ExecutionContext(labels=given))
        if outputs is not None:
            self.executions.flow_outputs[identifier] = outputs
        self.executions.move(identifier, State.RUNNING)
        self.executions.move(identifier, state, closed=state in TERMINATED)
        return identifier

    def fired(self, flow_id: str) -> list[Execution]:
        """Executions that triggers have started of a flow."""
        return [e for e in self.executions.started if e.flow_id == flow_id]

    def variables(self, execution: Execution) -> dict[str, object]:
        trigger = self.executions.stored[execution.id].context.trigger
        assert trigger is not None
        return trigger.variables

    def context(self, execution: Execution) -> ExecutionContext:
        return self.executions.stored[execution.id].context

    def dates(self, flow_id: str) -> list[str]:
        """`trigger.date` of a flow's executions, in order of their start."""
        return [str(self.variables(e)["date"]) for e in self.fired(flow_id)]

    def outcomes(self, flow_id: str) -> list[str]:
        return [str(row.outcome) for row in self.states.journal if row.flow_id == flow_id]

    def row(self, flow_id: str, trigger_id: str = "t") -> TriggerState:
        return self.states.rows[key_of(flow_id, trigger_id)]


def key_of(flow_id: str, trigger_id: str = "t") -> TriggerKey:
    return TriggerKey("main", "company.team", flow_id, trigger_id)


_CONDITIONS = {cls.__name__: cls for cls in CORE_CONDITIONS}


def condition(name: str, **properties: object) -> Condition:
    """A condition by the short name of its type."""
    cls = _CONDITIONS[name]
    return cls.model_validate({"type": cls.TYPE, **properties})


def schedule(cron: str, **properties: object) -> Schedule:
    return Schedule.model_validate({"id": "t", "type": Schedule.TYPE, "cron": cron, **properties})


def on_dates(*dates: str, **properties: object) -> ScheduleOnDates:
    return ScheduleOnDates.model_validate({"id": "t", "type": ScheduleOnDates.TYPE, "dates": list(dates), **properties})


def flow_trigger(**properties: object) -> FlowTrigger:
    return FlowTrigger.model_validate({"id": "t", "type": FlowTrigger.TYPE, **properties})


def webhook(key: str = "secret", **properties: object) -> Webhook:
    return Webhook.model_validate({"id": "t", "type": Webhook.TYPE, "key": key, **properties})
