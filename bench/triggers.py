"""The scheduler with 100,000 scheduled flows on SQLite: start-up, a tick with 1,000 due triggers, push, idle CPU.

`python bench/triggers.py [--flows N] [--due N] [--json FILE]` prints a row per measurement beside its floor (the same
work without a scheduler: reading and decoding the rows, writing the same number of rows) and its budget.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import msgspec

from penstock.catalog.flows import FlowShelf
from penstock.catalog.inputs import InputResolver
from penstock.catalog.launch import Launcher
from penstock.catalog.rendering import Renderer
from penstock.clock import SystemClock
from penstock.definition import parse_flow
from penstock.engine.commands import AnyCommand, StartExecution
from penstock.model.execution import Execution
from penstock.model.state import State
from penstock.plugin.registry import installed
from penstock.ports.flows import FlowRow
from penstock.ports.journal import Batch, Transition
from penstock.ports.trigger_states import FlowKey, TriggerBatch, TriggerState
from penstock.scheduler import Defaults, FlowLauncher, Scheduler, ShelfFlows, declared_flow, renderers
from penstock.scheduler.rows import rows_of
from penstock.store.sqlite import SqliteStore

SOURCE = """\
id: {id}
namespace: company.team
labels:
  team: data
tasks:
  - id: hello
    type: io.kestra.plugin.core.log.Log
    message: "{{{{ trigger.date }}}}"
triggers:
  - id: daily
    type: io.kestra.plugin.core.trigger.Schedule
    cron: "{minute} {hour} * * *"
    timezone: Europe/Paris
"""
LISTENER = """\
id: {id}
namespace: company.team
tasks:
  - id: hello
    type: io.kestra.plugin.core.log.Log
    message: "{{{{ trigger.executionId }}}}"
triggers:
  - id: after
    type: io.kestra.plugin.core.trigger.Flow
    dependsOn:
      - namespace: company.team
        flowId: flow-0
"""


class Counter:
    """`Commands` that count what they are told to start."""

    def __init__(self) -> None:
        self.started: dict[str, Execution] = {}
        self.told = Event()
        self.contexts: dict[str, object] = {}

    def submit(self, command: AnyCommand) -> Future[Execution | None]:
        assert isinstance(command, StartExecution)
        self.started[command.execution_id] = command.execution
        self.told.set()
        future: Future[Execution | None] = Future()
        future.set_result(command.execution)
        return future

    def tell(self, command: AnyCommand) -> None:
        self.submit(command)


@dataclass
class House:
    """A store with flows, and a scheduler on it."""

    store: SqliteStore
    shelf: FlowShelf
    scheduler: Scheduler
    commands: Counter


def open_house(folder: Path) -> House:
    store, clock, types = SqliteStore(folder / "penstock.db"), SystemClock(), installed()
    shelf = FlowShelf(store.flows, lambda source: parse_flow(source, types=types), clock=clock)
    renderer = Renderer(clock=clock)
    launcher = Launcher(shelf, InputResolver(renderer), clock=clock)
    commands = Counter()
    scheduler = Scheduler(
        states=store.trigger_states,
        flows=ShelfFlows(shelf, store.flows),
        live=store.trigger_states,
        reads=store.reads,
        read_uri=lambda tenant, uri: {},
        transitions=store.journal,
        commands=commands,
        launcher=FlowLauncher(launcher, clock),
        renderer_of=renderers(renderer),
        clock=clock,
    )
    return House(store, shelf, scheduler, commands)


def fill(house: House, flows: int) -> list[TriggerState]:
    """`flows` scheduled flows and their rows, as saving each of them would leave them."""
    now, renderer_of = datetime.now(UTC), renderers(Renderer())
    first = house.shelf.create("main", SOURCE.format(id="flow-0", minute=0, hour=3))
    declared = declared_flow(first)
    states: list[TriggerState] = []
    for number in range(flows):
        name, minute, hour = f"flow-{number}", number % 60, (number // 60 + 3) % 24
        if number:
            source = SOURCE.format(id=name, minute=minute, hour=hour)
            house.store.flows.save(_row(first.row, name, source))
        trigger = declared.triggers[0].model_copy(update={"cron": f"{minute} {hour} * * *"})  # pyright: ignore
        own = replace(declared, key=FlowKey("main", "company.team", name), triggers=[trigger])
        states += rows_of(own, [], now=now, renderer_of=renderer_of, defaults=Defaults()).states
    for start in range(0, flows, 1000):
        house.store.trigger_states.commit(TriggerBatch(states=states[start : start + 1000]))
    return states


def _row(first: FlowRow, name: str, source: str) -> FlowRow:
    return msgspec.structs.replace(first, id=name, source=source, document={**first.document, "id": name})


def make_due(house: House, count: int) -> None:
    """Let the first `count` triggers be due since a second ago, nothing of theirs being live."""
    due = datetime.now(UTC).replace(second=0, microsecond=0)
    keys = [FlowKey("main", "company.team", f"flow-{number}") for number in range(count)]
    rows = [house.store.trigger_states.of_flow(key)[0] for key in keys]
    changed = [
        msgspec.structs.replace(row, version=row.version + 1, next_date=_its_last_date(row, due), execution_id=None)
        for row in rows
    ]
    house.store.trigger_states.commit(TriggerBatch(states=changed))
    for row in changed:
        house.scheduler.state_changed(row)


def _its_last_date(row: TriggerState, now: datetime) -> datetime:
    """A date of its own that has come: a day before the next one."""
    assert row.next_date is not None
    date = row.next_date
    while date > now:
        date -= timedelta(days=1)
    return date


def timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def floor_of_start(folder: Path) -> float:
    """Reading and decoding every row, nothing else."""

    def read() -> None:
        connection = sqlite3.connect(folder / "penstock.db")
        decode = msgspec.json.Decoder(TriggerState).decode
        for (body,) in connection.execute("SELECT body FROM trigger_states"):
            decode(body)
        connection.close()

    return timed(read)


def floor_of_tick(house: House, count: int) -> float:
    """Writing as many rows as the tick writes (a row, a fire, a journal row each) in transactions of 500."""
    rows = [house.store.trigger_states.of_flow(FlowKey("main", "company.team", f"flow-{n}"))[0] for n in range(count)]
    changed = [msgspec.structs.replace(row, version=row.version + 1) for row in rows]

    def write() -> None:
        for start in range(0, count, 500):
            house.store.trigger_states.commit(TriggerBatch(states=changed[start : start + 500]))

    return timed(write)


def push_latency(house: House, rounds: int) -> float:
    """Seconds (median) from the commit of an upstream's end to the start of its Flow trigger's execution."""
    saved = house.shelf.create("main", LISTENER.format(id="listener"))
    house.scheduler.flow_saved(FlowKey("main", "company.team", "listener"))
    assert saved.error is None
    took: list[float] = []
    for number in range(rounds):
        upstream = _ended_execution(house, f"upstream{number}")
        house.commands.told.clear()
        begun = time.perf_counter()
        house.store.journal.commit(upstream)
        house.scheduler.wake()
        if not house.commands.told.wait(5):
            raise SystemExit("the Flow trigger did not fire")
        took.append(time.perf_counter() - begun)
    return sorted(took)[len(took) // 2]


def _ended_execution(house: House, identifier: str) -> Batch:
    template = next(iter(house.commands.started.values()))
    execution = msgspec.structs.replace(
        template, id=identifier, original_id=identifier, flow_id="flow-0", state=State.SUCCESS, closed=True
    )
    from penstock.model.execution import ExecutionContext

    transition = Transition(
        execution_id=identifier,
        tenant_id="main",
        namespace="company.team",
        flow_id="flow-0",
        state=State.SUCCESS,
        at=datetime.now(UTC),
    )
    return Batch(created_executions=[execution], contexts={identifier: ExecutionContext()}, transitions=[transition])


def idle(house: House, seconds: float) -> float:
    """Share of one core that the running scheduler takes while nothing is due."""
    Event().wait(0.5)
    cpu, wall = time.process_time(), time.perf_counter()
    Event().wait(seconds)
    return (time.process_time() - cpu) / (time.perf_counter() - wall)


def tick(house: House, due: int) -> float:
    make_due(house, due)
    before = len(house.commands.started)
    took = timed(house.scheduler.step)
    started = len(house.commands.started) - before
    if started != due:
        raise SystemExit(f"expected {due} executions, found {started}")
    return took


def measure(folder: Path, flows: int, due: int) -> list[dict[str, object]]:
    house = open_house(folder)
    print(f"saving {flows} flows …", file=sys.stderr)
    fill(house, flows)
    house.store.close()

    rows: list[dict[str, object]] = []
    house = open_house(folder)
    start = timed(house.scheduler.load)
    rows.append(_result(f"start-up, {flows} flows", start, floor=floor_of_start(folder), budget=5.0))
    cold = tick(house, due)
    floor = floor_of_tick(house, due)
    rows.append(_result(f"tick, {due} due, flows not parsed yet", cold, floor=floor, budget=None))
    rows.append(_result(f"tick, {due} due", tick(house, due), floor=floor, budget=1.0))
    house.scheduler.start()
    try:
        rows.append(_result("push of a Flow trigger (median)", push_latency(house, 50), floor=None, budget=0.01))
        rows.append({"name": "idle CPU, share of a core", "value": idle(house, 10.0), "budget": 0.02})
    finally:
        house.scheduler.stop()
        house.store.close()
    return rows


def _result(name: str, seconds: float, *, floor: float | None, budget: float | None) -> dict[str, object]:
    found: dict[str, object] = {"name": name, "value": seconds, "budget": budget}
    if floor is not None:
        found |= {"floor": floor, "ratio": seconds / floor}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flows", type=int, default=100_000)
    parser.add_argument("--due", type=int, default=1000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(Path(folder), options.flows, options.due)
    for row in rows:
        extra = "".join(
            f"  {name} {row[name]:.4g}" for name in ("floor", "ratio", "budget") if row.get(name) is not None
        )
        print(f"{row['name']:<45} {row['value']:.4g}{extra}")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
