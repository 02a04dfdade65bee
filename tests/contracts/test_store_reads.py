"""What everybody who asks the store gets: searches with every operation, pages, orders, counts."""

from __future__ import annotations

import pytest
from store_samples import at, context, created, execution, iteration, log, metric, output, run

from penstock.errors import BadRequest
from penstock.model.execution import ExecutionKind
from penstock.model.state import State
from penstock.model.task import LogLevel
from penstock.ports.journal import Batch, OutputRow
from penstock.ports.reads import AllOf, AnyOf, Filter, Sort


@pytest.fixture
def populated(store):
    """Six executions that differ in everything one can search by."""
    store.journal.commit(
        created(
            execution(id="a1", flow_id="alpha", state=State.SUCCESS, started=10, took=5, closed=True),
            execution(id="a2", flow_id="alpha", state=State.FAILED, started=20, took=1, closed=True, flow_revision=2),
            execution(id="b1", flow_id="beta", namespace="company", state=State.RUNNING, started=30),
            execution(id="c1", flow_id="gamma", namespace="companyx", state=State.KILLED, started=40, took=9),
            execution(id="s1", flow_id="sys", namespace="system", started=50, kind=ExecutionKind.TEST, parent_id="a1"),
            execution(id="x1", flow_id="alpha", tenant_id="other", started=60),
            contexts={
                "a1": context({"team": "data", "env": "prod"}),
                "a2": context({"team": "ops"}, source="b1"),
                "b1": context({"Größe": "Ünicode"}),
            },
        )
    )
    return store


def found(store, *conditions, sort=(), page=1, size=100):
    """Ids of the executions that a search finds."""
    results = store.reads.search_executions("main", conditions, sort=sort, page=page, size=size)
    return [stored.execution.id for stored in results.results]


@pytest.mark.parametrize(
    ("field", "operation", "value", "expected"),
    [
        ("namespace", "EQUALS", "company", "b1"),
        ("namespace", "NOT_EQUALS", "company.team", "b1 c1 s1"),
        ("namespace", "PREFIX", "company", "a1 a2 b1"),
        ("namespace", "STARTS_WITH", "company", "a1 a2 b1 c1"),
        ("namespace", "ENDS_WITH", "team", "a1 a2"),
        ("namespace", "ENDS_WITH", "", "a1 a2 b1 c1 s1"),
        ("namespace", "CONTAINS", "ystem", "s1"),
        ("namespace", "NOT_CONTAINS", "company", "s1"),
        ("namespace", "REGEX", "^comp.*y$", "b1"),
        ("namespace", "IN", "company,system", "b1 s1"),
        ("namespace", "IN", ["companyx"], "c1"),
        ("namespace", "NOT_IN", "company,system", "a1 a2 c1"),
        ("namespace", "CONTAINS", "%", ""),
        ("flowId", "EQUALS", "alpha", "a1 a2"),
        ("flowId", "EQUALS", "x' OR 1=1 --", ""),
        ("id", "EQUALS", "a1", "a1"),
        ("executionId", "IN", "a1,b1,nothing", "a1 b1"),
        ("flowRevision", "EQUALS", "2", "a2"),
        ("flowRevision", "NOT_IN", "2", "a1 b1 c1 s1"),
        ("kind", "EQUALS", "TEST", "s1"),
        ("kind", "NOT_EQUALS", "TEST", "a1 a2 b1 c1"),
        ("state", "EQUALS", "FAILED", "a2"),
        ("state", "IN", "FAILED,KILLED", "a2 c1"),
        ("state", "NOT_IN", ["RUNNING"], "a1 a2 c1"),
        ("state", "NOT_EQUALS", State.RUNNING, "a1 a2 c1"),
        ("startDate", "GREATER_THAN", at(20), "b1 c1 s1"),
        ("startDate", "GREATER_THAN_OR_EQUAL_TO", at(20).isoformat(), "a2 b1 c1 s1"),
        ("startDate", "LESS_THAN", "2026-03-02T09:30:20Z", "a1"),
        ("startDate", "LESS_THAN_OR_EQUAL_TO", "2026-03-02T10:30:20+01:00", "a1 a2"),
        ("startDate", "EQUALS", at(20), "a2"),
        ("endDate", "LESS_THAN", at(1000), "a1 a2 c1"),
        ("endDate", "IS_NULL", "", "b1 s1"),
        ("endDate", "IS_NOT_NULL", "", "a1 a2 c1"),
        ("parentId", "EQUALS", "a1", "s1"),
        ("triggerExecutionId", "EQUALS", "b1", "a2"),
        ("triggerId", "CONTAINS", "su", "a2"),
        ("childFilter", "EQUALS", "CHILD", "a2"),
        ("childFilter", "EQUALS", "MAIN", "a1 b1 c1 s1"),
        ("childFilter", "NOT_EQUALS", "MAIN", "a2"),
        ("scope", "EQUALS", "SYSTEM", "s1"),
        ("scope", "EQUALS", "user", "a1 a2 b1 c1"),
        ("scope", "NOT_EQUALS", "SYSTEM", "a1 a2 b1 c1"),
        ("scope", "IN", "USER,SYSTEM", "a1 a2 b1 c1 s1"),
        ("q", "EQUALS", "ALPHA", "a1 a2"),
        ("q", "EQUALS", "alp company.t", "a1 a2"),
        ("q", "EQUALS", "team:da", "a1"),
        ("q", "EQUALS", "ÜNICODE", "b1"),
        ("q", "EQUALS", "", "a1 a2 b1 c1 s1"),
        ("q", "NOT_EQUALS", "alpha", "b1 c1 s1"),
        ("labels", "EQUALS", {"team": "data"}, "a1"),
        ("labels", "EQUALS", {"team": "data", "env": "prod"}, "a1"),
        ("labels", "EQUALS", {"team": "data", "env": "dev"}, ""),
        ("labels", "EQUALS", "team:ops", "a2"),
        ("labels", "NOT_EQUALS", {"team": "data"}, "a2 b1 c1 s1"),
        ("labels", "IN", ["team:data", "team:ops"], "a1 a2"),
        ("labels", "NOT_IN", "team:data,team:ops", "b1 c1 s1"),
        ("labels", "CONTAINS", {"team": "at"}, "a1"),
        ("labels", "NOT_CONTAINS", {"team": "at"}, "a2 b1 c1 s1"),
    ],
)
def test_every_operation_of_a_search(populated, field, operation, value, expected):
    assert sorted(found(populated, Filter(field, operation, value))) == expected.split()


def test_labels_by_key(populated):
    assert found(populated, Filter("labels", "EQUALS", "ops", key="team")) == ["a2"]
    assert found(populated, Filter("labels", "IN", "ops,data", key="team")) == ["a2", "a1"]
    assert found(populated, Filter("labels", "CONTAINS", "ro", key="env")) == ["a1"]


def test_conditions_are_joined_by_and_and_groups_nest(populated):
    alpha, failed = Filter("flowId", "EQUALS", "alpha"), Filter("state", "EQUALS", "FAILED")
    running = Filter("state", "EQUALS", "RUNNING")

    assert found(populated, alpha, failed) == ["a2"]
    assert found(populated, AnyOf((failed, running))) == ["s1", "b1", "a2"]
    assert found(populated, AnyOf((AllOf((alpha, failed)), Filter("scope", "EQUALS", "SYSTEM")))) == ["s1", "a2"]
    assert found(populated, alpha, AnyOf((running,))) == []


@pytest.mark.parametrize(
    "condition",
    [
        Filter("nonsense", "EQUALS", "x"),
        Filter("namespace", "LIKE", "x"),
        Filter("namespace", "GREATER_THAN", "x"),
        Filter("startDate", "CONTAINS", "x"),
        Filter("startDate", "LESS_THAN", "yesterday"),
        Filter("flowRevision", "EQUALS", "two"),
        Filter("namespace", "REGEX", "("),
        Filter("scope", "EQUALS", "NOBODY"),
        Filter("labels", "EQUALS", "no colon"),
        AnyOf((Filter("nonsense", "EQUALS", "x"),)),
    ],
)
def test_what_cannot_be_asked_is_said(populated, condition):
    with pytest.raises(BadRequest):
        found(populated, condition)


def test_order_and_pages(populated):
    assert found(populated) == ["s1", "c1", "b1", "a2", "a1"]
    assert found(populated, sort=[Sort("state.startDate")]) == ["a1", "a2", "b1", "c1", "s1"]
    assert found(populated, sort=[Sort("flowId"), Sort("startDate", descending=True)])[:2] == ["a2", "a1"]
    assert found(populated, sort=[Sort("state.duration", descending=True)])[:3] == ["c1", "a1", "a2"]
    assert found(populated, page=2, size=2) == ["b1", "a2"]
    assert found(populated, page=9, size=2) == []
    with pytest.raises(BadRequest):
        found(populated, sort=[Sort("nonsense")])

    for number in (1, 2, 3, 9):
        page = populated.reads.search_executions("main", [], sort=[], page=number, size=2)
        assert page.total == 5


def test_one_execution_of_its_tenant(populated):
    stored = populated.reads.execution("main", "a1")
    assert (stored.execution.id, stored.context.labels[0].value) == ("a1", "data")
    assert populated.reads.execution("main", "x1") is None
    assert populated.reads.execution("other", "x1").execution.tenant_id == "other"
    assert populated.reads.execution("main", "nothing") is None


def test_searches_follow_changes(populated):
    changed = populated.reads.execution("main", "b1").execution
    changed.state = State.SUCCESS
    changed.closed = True
    populated.journal.commit(Batch(changed_executions=[changed], contexts={"b1": context({"new": "label"})}))

    assert found(populated, Filter("state", "EQUALS", "SUCCESS")) == ["b1", "a1"]
    assert found(populated, Filter("labels", "EQUALS", {"new": "label"})) == ["b1"]
    assert found(populated, Filter("q", "EQUALS", "ünicode")) == []
    assert "b1" in found(populated, Filter("endDate", "IS_NOT_NULL", ""))


def test_distinct_values(populated):
    reads = populated.reads
    assert reads.distinct_executions("main", "namespace", [], 10) == ["company", "company.team", "companyx", "system"]
    assert reads.distinct_executions("main", "flowId", [Filter("namespace", "PREFIX", "company")], 1) == ["alpha"]
    assert reads.distinct_executions("main", "triggerId", [], 10) == ["sub"]
    with pytest.raises(BadRequest):
        reads.distinct_executions("main", "body", [], 10)


def test_latest_executions(populated):
    flows = [("company.team", "alpha"), ("company", "beta"), ("company", "nothing")]
    assert [e.id for e in populated.reads.latest_executions("main", flows)] == ["a2", "b1"]


def test_retained_are_closed_and_old(populated):
    retained = populated.reads.retained
    assert list(retained("main", at(1_000), [])) == ["a1", "a2"]
    assert list(retained("main", at(21), [])) == ["a1"]
    assert list(retained("main", at(1_000), [Filter("state", "EQUALS", "FAILED")])) == ["a2"]


def test_counts_by_group(populated):
    tallies = populated.reads.count_executions("main", [], by=["flowId", "state"])
    assert [(t.group, t.count, t.ended, t.duration) for t in tallies][:3] == [
        (("alpha", "FAILED"), 1, 1, 1.0),
        (("alpha", "SUCCESS"), 1, 1, 5.0),
        (("beta", "RUNNING"), 1, 0, 0.0),
    ]
    (everything,) = populated.reads.count_executions("main", [], by=[])
    assert (everything.group, everything.count, everything.ended, everything.duration) == ((), 5, 3, 15.0)


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("minute", [at(0), at(60)]),
        ("hour", [at(0).replace(minute=0)]),
        ("day", [at(0).replace(hour=0, minute=0)]),
        ("week", [at(0).replace(hour=0, minute=0)]),
        ("month", [at(0).replace(day=1, hour=0, minute=0)]),
    ],
)
def test_counts_by_time(store, unit, expected):
    store.journal.commit(created(execution(started=1), execution(started=59), execution(started=61)))
    tallies = store.reads.count_executions("main", [], by=["startDate"], unit=unit)
    assert [t.group[0] for t in tallies] == expected
    assert sum(t.count for t in tallies) == 3


def test_a_week_begins_on_monday(store):
    store.journal.commit(created(*[execution(started=day * 86_400) for day in range(8)]))
    tallies = store.reads.count_executions("main", [], by=["startDate"], unit="week")
    assert [t.count for t in tallies] == [7, 1]


@pytest.fixture
def looped(store):
    """An execution with a loop of three iterations, one of which loops again."""
    loop = run(1, id="loop", task_id="each")
    outer = [iteration(n + 2, id=f"i{n}", task_id="each", parent_id="loop", iteration=n) for n in range(3)]
    outer[1].state = State.SUCCESS
    inner_loop = run(5, id="inner", task_id="again", owner="i0", parent_id="i0")
    inner = iteration(6, id="i0-0", task_id="again", owner="i0", parent_id="inner", iteration=0)
    tasks = [
        run(7, id="t0", task_id="log", owner="i0", parent_id="i0", state=State.FAILED),
        run(8, id="t1", task_id="log", owner="i1", parent_id="i1", state=State.SUCCESS),
    ]
    runs = [loop, *outer, inner_loop, inner, *tasks]
    store.journal.commit(
        created(
            execution(id="e1"),
            execution(id="e2"),
            contexts={"e1": context({"team": "data"})},
            created_runs=[("e1", r) for r in runs],
            outputs=[output("e1", r) for r in tasks],
            execution_outputs=[OutputRow(execution_id="e1", task_run_id="", task_id="", value={"sum": 3}, size=9)],
        )
    )
    return store


def ids(page):
    """Ids of the task runs of a page."""
    return [getattr(item, "run", item).id for item in page.results]


def test_runs_by_owner_parent_and_state(looped):
    runs = looped.reads.runs
    assert ids(runs("e1")) == ["loop"]
    assert ids(runs("e1", owner="i0")) == ["inner", "t0"]
    assert ids(runs("e1", owner=None)) == ["loop", "inner", "t0", "t1"]
    assert ids(runs("e1", owner=None, parent_id="i0")) == ["inner", "t0"]
    assert ids(runs("e1", owner=None, parent_id="")) == ["loop"]
    assert ids(runs("e1", owner=None, states=["FAILED", "KILLED"])) == ["t0"]
    assert ids(runs("e1", iterations=True)) == ["i0", "i1", "i2"]
    assert ids(runs("e1", iterations=True, owner=None)) == ["i0", "i1", "i2", "i0-0"]
    assert ids(runs("e2")) == []
    assert ids(runs("nothing")) == []


def test_pages_of_runs(looped):
    page = looped.reads.runs("e1", iterations=True, page=2, size=2)
    assert (ids(page), page.total) == (["i2"], 3)
    page = looped.reads.runs("e1", iterations=True, page=1, size=2)
    assert (ids(page), page.total) == (["i0", "i1"], 3)


def test_one_run_by_its_id_alone(looped):
    stored = looped.reads.run("i0-0")
    assert (stored.execution_id, stored.run.task_id) == ("e1", "again")
    assert looped.reads.run("nothing") is None


@pytest.mark.parametrize(
    ("field", "operation", "value", "expected"),
    [
        ("parentId", "EQUALS", "e1", "i0 i1 i2"),
        ("parentId", "EQUALS", "i0", "i0-0"),
        ("parentId", "IN", "i0,e1", "i0 i0-0 i1 i2"),
        ("parentId", "EQUALS", "", ""),
        ("taskId", "EQUALS", "each", "i0 i1 i2"),
        ("state", "EQUALS", "SUCCESS", "i1"),
        ("namespace", "PREFIX", "company", "i0 i0-0 i1 i2"),
        ("flowId", "EQUALS", "other", ""),
        ("executionId", "EQUALS", "e1", "i0 i0-0 i1 i2"),
        ("executionId", "EQUALS", "e2", ""),
        ("startDate", "LESS_THAN", at(4), "i0 i1"),
        ("labels", "EQUALS", {"team": "data"}, "i0 i0-0 i1 i2"),
        ("q", "EQUALS", "AGAIN", "i0-0"),
    ],
)
def test_searches_for_iterations(looped, field, operation, value, expected):
    page = looped.reads.search_iterations("main", [Filter(field, operation, value)], sort=[], page=1, size=10)
    assert sorted(ids(page)) == expected.split()


def test_order_of_iterations(looped):
    search = looped.reads.search_iterations
    parent = [Filter("parentId", "EQUALS", "e1")]
    assert ids(search("main", parent, sort=[], page=1, size=10)) == ["i2", "i1", "i0"]
    assert ids(search("main", parent, sort=[Sort("iteration")], page=1, size=2)) == ["i0", "i1"]
    assert search("main", parent, sort=[], page=1, size=2).total == 3


def test_outputs_come_without_values_in_lists(looped):
    reads = looped.reads
    assert [(row.task_run_id, row.value, row.size) for row in reads.outputs("e1", None)] == [
        ("t0", None, 12),
        ("t1", None, 12),
    ]
    assert [row.task_run_id for row in reads.outputs("e1", "i1")] == ["t1"]
    assert reads.outputs("e1") == []
    assert reads.output("e1", "t0").value == {"value": "log"}
    assert reads.output("e2", "t0") is None
    assert reads.output("e1", "nothing") is None
    assert reads.execution_outputs("e1").value == {"sum": 3}
    assert reads.execution_outputs("e2") is None


@pytest.fixture
def logged(store):
    """Log lines of two executions and of a trigger."""
    lines = [
        log("three", execution_id="e1", task_id="a", task_run_id="r1", timestamp=at(3), level=LogLevel.WARN),
        log("one", execution_id="e1", task_id="a", task_run_id="r1", timestamp=at(1), level=LogLevel.DEBUG),
        log("two Größe", execution_id="e2", timestamp=at(2), level=LogLevel.ERROR, attempt_number=1, namespace="other"),
        log("daily", trigger_id="daily", timestamp=at(4)),
    ]
    store.journal.commit(created(execution(id="e1"), execution(id="e2", namespace="other"), logs=lines[:2]))
    store.journal.commit(Batch(logs=lines[2:]))
    return store


@pytest.mark.parametrize(
    ("field", "operation", "value", "expected"),
    [
        ("executionId", "EQUALS", "e1", "one three"),
        ("executionId", "EQUALS", "nothing", ""),
        ("executionId", "IN", "e1,e2", "one two three"),
        ("taskRunId", "EQUALS", "r1", "one three"),
        ("taskId", "NOT_EQUALS", "a", "two daily"),
        ("triggerId", "EQUALS", "daily", "daily"),
        ("attemptNumber", "EQUALS", "1", "two"),
        ("level", "EQUALS", "WARN", "two three"),
        ("level", "NOT_EQUALS", "WARN", "one daily"),
        ("level", "GREATER_THAN_OR_EQUAL_TO", "INFO", "two three daily"),
        ("level", "LESS_THAN_OR_EQUAL_TO", "INFO", "one daily"),
        ("level", "IN", "DEBUG,ERROR", "one two"),
        ("level", "NOT_IN", "DEBUG,ERROR", "three daily"),
        ("startDate", "GREATER_THAN_OR_EQUAL_TO", at(3), "three daily"),
        ("endDate", "LESS_THAN", at(2), "one"),
        ("namespace", "EQUALS", "other", "two"),
        ("q", "EQUALS", "THREE", "three"),
        ("q", "EQUALS", "GRÖSSE", "two"),
        ("q", "EQUALS", "größe two", "two"),
        ("message", "CONTAINS", "thr", "three"),
    ],
)
def test_searches_for_log_lines(logged, field, operation, value, expected):
    found = logged.reads.logs("main", [Filter(field, operation, value)])
    assert [entry.message.split()[0] for entry in found.results] == expected.split()


def test_log_lines_come_back_whole_in_order_and_by_page(logged):
    lines = logged.reads.logs("main", [])
    assert [entry.message for entry in lines.results] == ["one", "two Größe", "three", "daily"]
    assert lines.results[0] == log(
        "one", execution_id="e1", task_id="a", task_run_id="r1", timestamp=at(1), level=LogLevel.DEBUG
    )
    page = logged.reads.logs("main", [], sort=[Sort("timestamp", descending=True)], page=2, size=3)
    assert ([entry.message for entry in page.results], page.total) == (["one"], 4)
    assert logged.reads.logs("other", []).total == 0


def test_log_lines_are_purged(logged):
    purges = logged.purges
    assert purges.delete_logs("main", [Filter("executionId", "EQUALS", "e1"), Filter("level", "EQUALS", "WARN")]) == 1
    assert purges.delete_logs("other", []) == 0
    assert [entry.message for entry in logged.reads.logs("main", []).results] == ["one", "two Größe", "daily"]
    logged.journal.commit(Batch(logs=[log("again", execution_id="e1", timestamp=at(9))]))
    assert logged.reads.logs("main", []).results[-1].message == "again"


@pytest.fixture
def measured(store):
    """Metrics of two tasks over two days."""
    store.journal.commit(
        created(
            execution(id="e1"),
            metrics=[
                metric("rows", 2, execution_id="e1", task_id="a", tags={"t": "x"}),
                metric("rows", 4, execution_id="e1", task_id="b", timestamp=at(60)),
                metric("rows", 8, execution_id="e1", task_id="b", timestamp=at(86_400)),
                metric("time", 1.5, execution_id="e1", task_run_id="r1"),
                metric("elsewhere", 9, flow_id="other"),
            ],
        )
    )
    return store


def test_metrics(measured):
    reads = measured.reads
    page = reads.metrics("main", [Filter("executionId", "EQUALS", "e1")], sort=[Sort("value", descending=True)], size=2)
    assert ([m.value for m in page.results], page.total) == ([8, 4], 4)
    assert reads.metrics("main", [Filter("taskId", "EQUALS", "a")]).results == [
        metric("rows", 2, execution_id="e1", task_id="a", tags={"t": "x"})
    ]
    assert reads.metric_names("main", "company.team", "hello") == ["rows", "time"]
    assert reads.metric_names("main", "company.team", "hello", "a") == ["rows"]
    assert reads.metric_tasks("main", "company.team", "hello") == ["a", "b"]
    assert measured.purges.delete_metrics("main", [Filter("name", "EQUALS", "rows")]) == 3
    assert reads.metric_names("main", "company.team", "hello") == ["time"]


@pytest.mark.parametrize(
    ("aggregation", "expected"), [("sum", [6, 8]), ("avg", [3, 8]), ("min", [2, 8]), ("max", [4, 8]), ("count", [2, 1])]
)
def test_aggregated_metrics(measured, aggregation, expected):
    buckets = measured.reads.aggregate_metrics("main", [Filter("name", "EQUALS", "rows")], aggregation=aggregation)
    assert [bucket.value for bucket in buckets] == expected
    assert buckets[0].date == at(0).replace(hour=0, minute=0)


def test_an_unknown_aggregation_is_refused(measured):
    with pytest.raises(BadRequest):
        measured.reads.aggregate_metrics("main", [], aggregation="median")
