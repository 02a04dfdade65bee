"""The scheduler on the real catalog and the real store: flows from their source to executions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from penstock.catalog.flows import FlowShelf
from penstock.catalog.inputs import InputResolver
from penstock.catalog.launch import Launcher
from penstock.catalog.rendering import Renderer
from penstock.clock import ManualClock
from penstock.definition import parse_flow
from penstock.errors import Bug
from penstock.model.execution import ExecutionTrigger, Label
from penstock.plugin.registry import installed
from penstock.ports.trigger_states import FlowKey, TriggerKey, TriggerKind
from penstock.scheduler import DeclaredFlow, FlowLauncher, Launch, Scheduler, ShelfFlows, renderers
from penstock.store.sqlite import SqliteStore

from .fakes import START, FakeExecutions, FakeStates

SOURCE = """
id: hello
namespace: company.team
labels:
  team: data
inputs:
  - id: day
    type: STRING
  - id: limit
    type: INT
    defaults: 3
variables:
  suffix: z
tasks:
  - id: one
    type: io.kestra.plugin.core.log.Log
    message: hello
triggers:
  - id: minutely
    type: io.kestra.plugin.core.trigger.Schedule
    cron: "* * * * *"
    inputs:
      day: "{{ trigger.date | date('yyyy-MM-dd') }}{{ vars.suffix }}"
    labels:
      by: "{{ flow.id }}"
  - id: hook
    type: io.kestra.plugin.core.trigger.Webhook
    key: k
"""


class Catalogued:
    """A scheduler on a database file, with executions that stand in for the executor."""

    def __init__(self, store: SqliteStore) -> None:
        types = installed()
        self.store, self.clock = store, ManualClock(START)
        self.shelf = FlowShelf(store.flows, lambda source: parse_flow(source, types=types), clock=self.clock)
        self.executions = FakeExecutions(FakeStates(), self.clock)
        renderer = Renderer(clock=self.clock)
        self.launcher = FlowLauncher(Launcher(self.shelf, InputResolver(renderer), clock=self.clock), self.clock)
        self.scheduler = Scheduler(
            states=store.trigger_states,
            flows=ShelfFlows(self.shelf, store.flows),
            live=store.trigger_states,
            reads=store.reads,
            read_uri=lambda tenant, uri: {},
            transitions=store.journal,
            commands=self.executions,
            launcher=self.launcher,
            renderer_of=renderers(renderer),
            clock=self.clock,
        )


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Catalogued]:
    store = SqliteStore(tmp_path / "penstock.db")
    yield Catalogued(store)
    store.close()


FLOW = FlowKey("main", "company.team", "hello")


def test_a_flow_s_source_becomes_rows_and_executions(house: Catalogued) -> None:
    house.shelf.create("main", SOURCE)
    house.scheduler.load()
    kinds = {row.trigger_id: row.kind for row in house.store.trigger_states.of_flow(FLOW)}
    assert kinds == {"minutely": TriggerKind.SCHEDULE, "hook": TriggerKind.WEBHOOK}
    house.clock.advance(timedelta(minutes=1))
    house.scheduler.step()
    execution = house.executions.started[0]
    context = house.executions.stored[execution.id].context
    assert context.inputs == {"day": "2026-01-01z", "limit": 3}
    assert context.labels[:3] == [Label("team", "data"), Label("by", "hello"), Label("system.from", "trigger")]
    assert context.variables == {"suffix": "z"}
    assert house.store.trigger_states.pending_fires() == []
    assert house.store.trigger_states.evaluations("main", []).total == 1


def test_disabling_and_deleting_the_flow_is_followed(house: Catalogued) -> None:
    house.shelf.on_saved(lambda new, old: house.scheduler.flow_saved(FLOW))
    house.shelf.on_deleted(lambda row: house.scheduler.flow_deleted(FLOW))
    house.scheduler.load()
    house.shelf.create("main", SOURCE)
    key = TriggerKey(*FLOW, "minutely")
    assert house.store.trigger_states.of_flow(FLOW)[1].next_date is not None
    house.shelf.set_disabled("main", "company.team", "hello", disabled=True)
    row = house.store.trigger_states.get(key)
    assert row is not None
    assert row.next_date is None
    house.shelf.delete("main", "company.team", "hello")
    assert house.store.trigger_states.of_flow(FLOW) == []


def test_a_source_that_no_longer_parses_keeps_its_rows(house: Catalogued) -> None:
    house.shelf.create("main", SOURCE)
    house.scheduler.load()
    broken = house.store.flows.latest(*FLOW)
    assert broken is not None
    house.shelf.forget(*FLOW)
    house.shelf._parse = lambda source: parse_flow("id: [", types=installed())  # type: ignore[assignment]
    house.scheduler.flow_saved(FLOW)
    assert len(house.store.trigger_states.of_flow(FLOW)) == 2
    house.clock.advance(timedelta(minutes=5))
    house.scheduler.step()
    assert house.executions.started == []


def test_an_execution_that_is_created_failed_needs_no_valid_inputs(house: Catalogued) -> None:
    shelved = house.shelf.create("main", SOURCE)
    flow = ShelfFlows(house.shelf, house.store.flows).get(FLOW)
    assert flow is not None
    assert flow.definition == shelved or flow.revision == shelved.row.revision
    launch = Launch(flow, ExecutionTrigger("minutely", "x"), "e1", labels=[Label("a", "b")], resolved=False)
    execution, context = house.launcher.start(launch)
    assert (execution.id, context.inputs) == ("e1", {})
    assert Label("a", "b") in context.labels
    with pytest.raises(Bug):
        house.launcher.start(Launch(DeclaredFlow(FLOW, 1, ()), ExecutionTrigger("t", "x"), "e2"))
