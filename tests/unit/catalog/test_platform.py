"""What a running task may ask of the system."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from desks import FakeExecutor
from small_flows import flow_source

from penstock.blobs import MemoryBlobs
from penstock.catalog.launch import Wish
from penstock.catalog.platform import BoundPlatform, CatalogPlatform, Parts
from penstock.clock import ManualClock
from penstock.engine.commands import KillExecution, ResumeExecution
from penstock.errors import Conflict, NotFound, Timeout, Unprocessable
from penstock.model.entries import LogEntry
from penstock.model.execution import Scope, TaskRun
from penstock.model.state import State, StateChange
from penstock.model.task import LogLevel
from penstock.plugin.platform import Choice
from penstock.ports.journal import Batch
from penstock.ports.platform import Caller
from penstock.ports.trigger_states import TriggerBatch, TriggerKey, TriggerKind, TriggerState
from penstock.store.sqlite import SqliteStore

NS = "company.team"


@pytest.fixture
def platform(parts: Parts) -> BoundPlatform:
    return CatalogPlatform(parts).bind(Caller("main", NS, "hello", "exec1", "run1"))


def line(execution_id: str | None, message: str, level: LogLevel = LogLevel.INFO, *, clock: ManualClock) -> LogEntry:
    return LogEntry(
        namespace=NS,
        flow_id="hello",
        execution_id=execution_id,
        trigger_id=None if execution_id else "daily",
        timestamp=clock.now(),
        level=level,
        message=message,
    )


def test_keys(platform: BoundPlatform, parts: Parts) -> None:
    platform.kv.set("a", NS, value={"x": 1}, description="d", ttl=timedelta(hours=1))
    parts.key_values.put("main", "company", "b", value=2)
    found = platform.kv.get("a", NS)

    assert found is not None
    assert (found.value, found.description, found.version) == ({"x": 1}, "d", 1)
    assert platform.kv.get("b", NS) is None
    inherited = platform.kv.find("b")
    assert inherited is not None
    assert inherited.namespace == "company"
    assert platform.kv.keys(NS, prefix="a") == ["a"]
    assert platform.kv.purge([NS], keep=1) == 0
    assert platform.kv.delete("a", NS)
    assert not platform.kv.delete("a", NS)


def test_files(platform: BoundPlatform) -> None:
    written = platform.namespace_files.put("q/select.sql", NS, data=b"select 1")

    assert (written.path, written.size) == ("q/select.sql", 8)
    assert [f.path for f in platform.namespace_files.all(NS)] == ["q/select.sql"]
    assert platform.namespace_files.open("/q/select.sql", NS).read() == b"select 1"
    assert platform.namespace_files.stat("q", NS) is None
    assert platform.namespace_files.delete("q/select.sql", NS)
    assert platform.namespace_files.stat("q/select.sql", NS) is None
    assert not platform.namespace_files.delete("q/select.sql", NS)


def test_secrets(platform: BoundPlatform, parts: Parts) -> None:
    parts.secrets.put("main", "company", "KEY", value="v")

    assert platform.secrets.get("KEY") == "v"
    with pytest.raises(NotFound):
        platform.secrets.get("KEY", "other")
    assert platform.secrets.decrypt(platform.secrets.encrypt("plain")) == "plain"
    with pytest.raises(Conflict, match="encryption is not configured"):
        CatalogPlatform(replace(parts, vault=None)).bind(Caller("main", NS, "hello")).secrets.encrypt("x")


def test_flows(platform: BoundPlatform) -> None:
    assert platform.flows.put(flow_source()).revision == 1
    platform.flows.put(flow_source("deep", "company.team.sub"))

    found = platform.flows.get("hello", NS)
    assert found is not None
    assert found.source == flow_source()
    assert [f.id for f in platform.flows.all(NS)] == ["hello", "deep"]
    assert [f.id for f in platform.flows.all(NS, children=False)] == ["hello"]
    assert len(list(platform.flows.all())) == 2
    assert platform.flows.namespaces("company.team") == ["company.team", "company.team.sub"]
    assert platform.flows.namespaces() == ["company", "company.team", "company.team.sub", "system"]
    assert platform.flows.delete("hello", NS)
    assert not platform.flows.delete("hello", NS)
    assert platform.flows.get("hello", NS) is None


def test_an_execution_is_started_and_awaited(platform: BoundPlatform, parts: Parts, executor: FakeExecutor) -> None:
    parts.shelf.create("main", flow_source(extra="inputs:\n  - {id: n, type: INT}\n"))
    executor.outputs = {"rows": 3}

    ended = platform.executions.start("hello", NS, inputs={"n": "4"}, labels={"a": "b"}, wait=timedelta(seconds=5))
    assert (ended.state, ended.outputs, ended.labels["a"]) == (State.SUCCESS, {"rows": 3}, "b")
    assert platform.executions.get(ended.id) == ended
    assert platform.executions.count(Choice(namespace=NS)) == 1
    assert platform.executions.count(Choice(namespace="other")) == 0

    executor.hold = True
    running = platform.executions.start("hello", NS, inputs={"n": 1})
    assert running.state is State.CREATED
    with pytest.raises(Timeout):
        platform.executions.start("hello", NS, inputs={"n": 1}, wait=timedelta(milliseconds=1))
    platform.executions.kill(running.id)
    assert isinstance(executor.commands[-1], KillExecution)
    with pytest.raises(NotFound):
        platform.executions.kill("gone")
    with pytest.raises(Unprocessable):
        platform.executions.start("hello", NS)


PAUSED = """id: hello
namespace: company.team
tasks:
  - id: outer
    type: io.kestra.plugin.core.flow.Sequential
    tasks:
      - id: ask
        type: io.kestra.plugin.core.flow.Pause
        onResume:
          - {id: ok, type: BOOL}
"""


def test_resuming_types_the_inputs_the_pause_asks_for(
    platform: BoundPlatform, parts: Parts, store: SqliteStore, executor: FakeExecutor, clock: ManualClock
) -> None:
    parts.shelf.create("main", PAUSED)
    executor.hold = True
    started = platform.executions.start("hello", NS)
    with pytest.raises(Conflict, match=r"is not paused, can't resume it"):
        platform.executions.resume(started.id)
    loaded = store.journal.load(started.id)
    assert loaded is not None
    loaded.execution.state = State.PAUSED
    history = [StateChange(State.PAUSED, clock.now())]
    run = TaskRun(id="run9", task_id="ask", state=State.PAUSED, histories=history, scope=Scope())
    store.journal.commit(Batch(changed_executions=[loaded.execution], created_runs=[(started.id, run)]))

    with pytest.raises(Unprocessable, match="Invalid entity: Missing required input:ok"):
        platform.executions.resume(started.id)
    platform.executions.resume(started.id, inputs={"ok": "true"})
    command = executor.commands[-1]
    assert isinstance(command, ResumeExecution)
    assert (command.inputs, command.task_run_id) == ({"ok": True}, "run9")


def test_a_purge_removes_executions_with_their_files_in_batches(
    platform: BoundPlatform, parts: Parts, blobs: MemoryBlobs, executor: FakeExecutor, clock: ManualClock
) -> None:
    parts.shelf.create("main", flow_source())
    ids = [platform.executions.start("hello", NS).id for _ in range(5)]
    for one in ids:
        blobs.put("main", f"/company/team/hello/executions/{one}/tasks/x/y/f.txt", b"1")
        executor.write(line(one, "hi", clock=clock))
    executor.hold = True
    running = platform.executions.start("hello", NS).id
    clock.advance(timedelta(days=1))

    done = platform.executions.purge(
        Choice(namespace=NS, end=clock.now()), executions=True, logs=True, metrics=True, files=True, batch=2
    )
    assert (done.executions, done.files, done.logs) == (5, 5, 5)
    assert [platform.executions.get(one) for one in ids] == [None] * 5
    assert platform.executions.get(running) is not None
    assert list(blobs.list("main", "/")) == []


def test_log_lines_stream_and_are_purged(
    platform: BoundPlatform, parts: Parts, executor: FakeExecutor, clock: ManualClock
) -> None:
    parts.shelf.create("main", flow_source())
    one = platform.executions.start("hello", NS).id
    executor.write(line(one, "trace", LogLevel.TRACE, clock=clock))
    executor.write(line(one, "error", LogLevel.ERROR, clock=clock))
    executor.write(line(None, "trigger", clock=clock))

    assert [entry.message for entry in platform.logs.fetch(one)] == ["trace", "error"]
    assert [entry.message for entry in platform.logs.fetch(one, level=LogLevel.WARN)] == ["error"]
    assert list(platform.logs.fetch(one, task_ids=["other"])) == []
    assert platform.logs.purge(Choice(namespace=NS), of_executions=False, of_others=True) == (0, 1)
    assert platform.logs.purge(Choice(namespace=NS), of_executions=True, of_others=True) == (2, 0)


def test_triggers_are_switched(platform: BoundPlatform, store: SqliteStore, clock: ManualClock) -> None:
    state = TriggerState(
        tenant_id="main",
        namespace=NS,
        flow_id="hello",
        trigger_id="daily",
        kind=TriggerKind.SCHEDULE,
        updated=clock.now(),
    )
    store.trigger_states.commit(TriggerBatch(states=[state]))

    assert platform.triggers.toggle("daily", "hello", NS, enabled=False)
    assert platform.triggers.toggle("daily", "hello", NS, enabled=False)
    found = store.trigger_states.get(TriggerKey("main", NS, "hello", "daily"))
    assert found is not None
    assert (found.disabled, found.version) == (True, 2)
    assert not platform.triggers.toggle("gone", "hello", NS, enabled=True)


def test_a_wish_for_an_execution_id_is_kept(parts: Parts) -> None:
    parts.shelf.create("main", flow_source())

    assert parts.desk.start("main", NS, "hello", wish=Wish(execution_id="mine")).id == "mine"
