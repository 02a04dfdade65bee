"""What is kept for how long."""

from __future__ import annotations

from datetime import timedelta

import pytest
from desks import FakeExecutor
from small_flows import flow_source

from penstock.blobs import MemoryBlobs
from penstock.catalog.launch import Wish, launch
from penstock.catalog.platform import Parts
from penstock.catalog.retention import Due, Kept, Policy, Retention, parse_policies
from penstock.clock import ManualClock
from penstock.errors import BadRequest
from penstock.model.entries import LogEntry, MetricEntry, MetricKind
from penstock.model.execution import Label
from penstock.model.state import State
from penstock.model.task import LogLevel
from penstock.ports.journal import Batch
from penstock.ports.reads import Filter
from penstock.store.sqlite import SqliteStore

DAY = timedelta(days=1)


class House:
    """Executions of some namespaces, and retention over them."""

    def __init__(
        self, parts: Parts, store: SqliteStore, blobs: MemoryBlobs, executor: FakeExecutor, clock: ManualClock
    ) -> None:
        self.parts = parts
        self.store = store
        self.blobs = blobs
        self.executor = executor
        self.clock = clock

    def ended(self, name: str, namespace: str = "company.team", *, state: State = State.SUCCESS, **labels: str) -> None:
        """An execution that has ended now, with a log line, a metric and a file."""
        if self.parts.shelf.current("main", namespace, "hello") is None:
            self.parts.shelf.create("main", flow_source(namespace=namespace))
        shelved = self.parts.shelf.current("main", namespace, "hello")
        assert shelved is not None
        given = [Label(key, value) for key, value in labels.items()]
        execution, context = launch(shelved.flow, 1, now=self.clock.now(), execution_id=name, labels=given)
        self.executor.add(execution, context, state=state)
        self.store.journal.commit(Batch(logs=[self._line(namespace, name)], metrics=[self._metric(namespace, name)]))
        folder = namespace.replace(".", "/")
        self.blobs.put("main", f"/{folder}/hello/executions/{name}/tasks/t/r/f.txt", b"1")

    def trigger_line(self, namespace: str) -> None:
        """A log line of a trigger."""
        self.store.journal.commit(Batch(logs=[self._line(namespace, None)]))

    def keep(self, *policies: Policy) -> Retention:
        return Retention(
            policies,
            purger=self.parts.purger,
            purges=self.store.purges,
            reads=self.store.reads,
            blobs=self.blobs,
            clock=self.clock,
            batch=2,
        )

    def present(self) -> list[str]:
        found = self.store.reads.search_executions("main", [], sort=[], page=1, size=100).results
        return sorted(one.execution.id for one in found)

    def logs(self) -> list[str | None]:
        return [one.execution_id for one in self.store.reads.logs("main", []).results]

    def files(self) -> int:
        return len(list(self.blobs.list("main", "/")))

    def _line(self, namespace: str, execution_id: str | None) -> LogEntry:
        return LogEntry(
            namespace=namespace,
            flow_id="hello",
            execution_id=execution_id,
            trigger_id=None if execution_id else "t",
            timestamp=self.clock.now(),
            level=LogLevel.INFO,
            message="x",
        )

    def _metric(self, namespace: str, execution_id: str) -> MetricEntry:
        return MetricEntry(
            namespace=namespace,
            flow_id="hello",
            execution_id=execution_id,
            type=MetricKind.COUNTER,
            name="n",
            value=1,
            timestamp=self.clock.now(),
        )


@pytest.fixture
def house(parts: Parts, store: SqliteStore, blobs: MemoryBlobs, executor: FakeExecutor, clock: ManualClock) -> House:
    return House(parts, store, blobs, executor, clock)


def test_the_default_keeps_thirty_days_and_takes_everything_along(house: House) -> None:
    for number in range(5):
        house.ended(f"old{number}")
    house.clock.advance(DAY)
    house.ended("young")
    house.clock.advance(29 * DAY + timedelta(hours=1))
    retention = house.keep(Policy())

    assert retention.dry_run("main") == [Due(Policy(), Kept.EXECUTIONS, 5)]
    assert house.present() == ["old0", "old1", "old2", "old3", "old4", "young"]
    done = retention.run("main")
    assert (done.executions, done.logs, done.metrics, done.files) == (5, 5, 5, 5)
    assert house.present() == ["young"]
    assert (house.logs(), house.files()) == (["young"], 1)


def test_the_first_policy_that_claims_an_execution_decides(house: House) -> None:
    house.ended("audit", hold="yes")
    house.ended("prod", "company.prod.etl")
    house.ended("failed", state=State.FAILED)
    house.ended("plain")
    policies = (
        Policy(keep=None, labels={"hold": "yes"}),
        Policy(keep=90 * DAY, namespace="company.prod"),
        Policy(keep=60 * DAY, states=frozenset({State.FAILED})),
        Policy(keep=30 * DAY),
    )
    retention = house.keep(*policies)
    kept: list[list[str]] = []
    for _ in range(3):
        house.clock.advance(30 * DAY + timedelta(hours=1))
        retention.run("main")
        kept.append(house.present())

    assert kept == [["audit", "failed", "prod"], ["audit", "prod"], ["audit"]]


def test_logs_and_files_may_go_before_their_execution(house: House) -> None:
    house.ended("one")
    retention = house.keep(
        Policy(keep=7 * DAY, kinds=frozenset({Kept.LOGS})),
        Policy(keep=7 * DAY, kinds=frozenset({Kept.FILES})),
        Policy(),
    )
    house.clock.advance(8 * DAY)
    done = retention.run("main")

    assert (done.executions, done.logs, done.files, done.metrics) == (0, 1, 1, 0)
    assert (house.present(), house.logs(), house.files()) == (["one"], [], 0)
    house.ended("two")
    house.clock.advance(8 * DAY)
    assert retention.run("main").logs == 1


def test_lines_of_triggers_go_by_namespace(house: House) -> None:
    house.trigger_line("company.prod.etl")
    house.trigger_line("company.team")
    house.clock.advance(31 * DAY)

    assert house.keep(Policy(keep=None, namespace="company.prod"), Policy()).run("main").logs == 1
    assert [one.namespace for one in house.store.reads.logs("main", []).results] == ["company.prod.etl"]


def test_a_run_that_is_stopped_is_taken_up_again(house: House) -> None:
    for number in range(5):
        house.ended(f"old{number}")
    house.clock.advance(31 * DAY)
    answers = iter([False, True, True, True])
    retention = house.keep(Policy())

    assert retention.run("main", stop=lambda: next(answers, True)).executions == 2
    assert len(house.present()) == 3
    assert retention.run("main").executions == 3


def test_running_executions_stay(house: House) -> None:
    house.executor.hold = True
    house.parts.shelf.create("main", flow_source())
    house.parts.desk.start("main", "company.team", "hello", wish=Wish(execution_id="running"))
    house.clock.advance(365 * DAY)

    assert house.keep(Policy()).run("main").executions == 0
    assert house.present() == ["running"]


def test_a_forecast_names_the_day_on_which_executions_go(house: House) -> None:
    house.ended("a")
    house.clock.advance(10 * DAY)
    house.ended("b")
    house.ended("c")
    today = house.clock.now().date()
    retention = house.keep(Policy())

    assert retention.forecast("main", days=25) == {today + 20 * DAY: 1}
    assert retention.forecast("main", days=31) == {today + 20 * DAY: 1, today + 30 * DAY: 2}
    house.clock.advance(25 * DAY)
    assert retention.forecast("main", days=1) == {house.clock.now().date(): 1}


def test_orphan_files_are_swept_once_they_are_old_enough(house: House) -> None:
    house.ended("alive")
    house.blobs.put("main", "/company/team/hello/executions/ghost/inputs/f/a.csv", b"1")
    house.blobs.put("main", "/company/team/_files/main.py", b"1")
    house.clock.set(max(blob.modified for blob in house.blobs.list("main", "/")))
    retention = house.keep(Policy())

    assert retention.sweep_orphans("main") == 0
    house.clock.advance(DAY + timedelta(hours=1))
    assert retention.sweep_orphans("main") == 1
    assert house.files() == 2


def test_policies_are_read_from_settings() -> None:
    written = [
        {"keep": "P90D", "namespace": "company.prod", "states": ["failed"], "labels": {"a": 1}},
        {"keep": "forever", "kinds": "logs"},
    ]

    assert parse_policies(written, default=None) == [
        Policy(90 * DAY, namespace="company.prod", states=frozenset({State.FAILED}), labels={"a": "1"}),
        Policy(None, kinds=frozenset({Kept.LOGS})),
        Policy(None),
    ]
    for wrong in ({"keep": "soon"}, {"keep": "P1D", "x": 1}, {}, {"keep": "P1D", "labels": "a"}):
        with pytest.raises(BadRequest, match=r"retention\[0\]"):
            parse_policies([wrong])


def test_a_policy_is_also_a_search() -> None:
    policy = Policy(namespace="a", labels={"k": "v"}, states=frozenset({State.FAILED}))

    assert policy.filters() == [
        Filter("namespace", "PREFIX", "a"),
        Filter("state", "IN", ["FAILED"]),
        Filter("labels", "EQUALS", "v", key="k"),
    ]
