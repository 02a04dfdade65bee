"""What every store of the scheduler does: a batch of the slower scheduler writes nothing."""

from __future__ import annotations

import msgspec
import pytest
from store_samples import at, created, execution, log

from penstock.errors import BadRequest, Conflict
from penstock.model.state import State
from penstock.ports.journal import Batch, Transition
from penstock.ports.reads import Filter, Sort
from penstock.ports.trigger_states import (
    Evaluation,
    FlowKey,
    Met,
    Outcome,
    PendingFire,
    TriggerBatch,
    TriggerKind,
    TriggerState,
    Window,
)

FLOW = FlowKey("main", "company.team", "hello")


def state(trigger_id="daily", **given):
    """A row of a trigger."""
    found = {
        "tenant_id": "main",
        "namespace": "company.team",
        "flow_id": "hello",
        "trigger_id": trigger_id,
        "kind": TriggerKind.SCHEDULE,
        "updated": at(0),
    }
    return TriggerState(**(found | given))


def window(condition_id="cond", **given):
    """A window of a Flow trigger."""
    found = {
        "tenant_id": "main",
        "namespace": "company.team",
        "flow_id": "hello",
        "condition_id": condition_id,
        "trigger_id": "flow",
        "start": at(0),
        "end": at(10),
    }
    return Window(**(found | given))


def fire(fire_id="f1", seconds=0.0):
    """An execution on its way."""
    from penstock.model.execution import ExecutionContext

    return PendingFire(
        id=fire_id,
        tenant_id="main",
        namespace="company.team",
        flow_id="hello",
        trigger_id="daily",
        at=at(seconds),
        execution=execution(id=fire_id),
        context=ExecutionContext(inputs={"n": 1}),
    )


def evaluation(seconds=0.0, **given):
    """A row of the trigger journal."""
    found = {
        "tenant_id": "main",
        "namespace": "company.team",
        "flow_id": "hello",
        "trigger_id": "daily",
        "at": at(seconds),
        "outcome": Outcome.FIRED,
    }
    return Evaluation(**(found | given))


def commit(store, **given):
    """Commit one batch."""
    store.trigger_states.commit(TriggerBatch(**given))


def test_rows_come_back_as_they_went_in(store):
    states = store.trigger_states
    row = state(next_date=at(60), last_triggered=at(1), stop_after=[State.FAILED], worker_id="w")
    commit(store, states=[row, state("other", kind=TriggerKind.WEBHOOK), state("third", flow_id="else")])
    assert states.get(row.key) == row
    assert states.get_many([row.key, state("nothing").key]) == [row]
    assert [s.trigger_id for s in states.of_flow(FLOW)] == ["daily", "other"]
    assert sorted(s.trigger_id for s in states.all_states()) == ["daily", "other", "third"]

    commit(store, removed_states=[row.key, state("nothing").key])
    assert states.get(row.key) is None


def test_only_the_next_version_is_taken(store):
    commit(store, states=[state()])
    commit(store, states=[state(version=2, next_date=at(5))])
    for late in (state(version=2), state(version=1), state(version=4), state("new", version=2)):
        with pytest.raises(Conflict):
            commit(store, states=[state("innocent"), late], evaluations=[evaluation()])
    assert [s.version for s in store.trigger_states.all_states()] == [2]
    assert store.trigger_states.evaluations("main", []).total == 0

    commit(store, removed_states=[state().key], states=[state(next_date=at(9))])
    assert store.trigger_states.get(state().key).next_date == at(9)


def test_windows_by_version(store):
    states = store.trigger_states
    first = window(results={"a": Met(execution_id="e", namespace="n", flow_id="f", at=at(1), outputs={"x": [1]})})
    commit(store, windows=[first, window("later", end=at(20))])
    assert states.windows(FLOW) == [first, window("later", end=at(20))]
    assert states.next_window_end() == at(10)
    assert [w.condition_id for w in states.expired_windows(at(15), 10)] == ["cond"]
    assert [w.condition_id for w in states.expired_windows(at(99), 1)] == ["cond"]

    changed = msgspec.structs.replace(first, version=2, fired=True, end=at(30))
    commit(store, windows=[changed])
    assert states.next_window_end() == at(20)
    for late in ({"windows": [changed]}, {"windows": [window()]}, {"removed_windows": [first]}):
        with pytest.raises(Conflict):
            commit(store, **late)
    commit(store, removed_windows=[changed], windows=[window(end=at(40))])
    assert [w.end for w in states.windows(FLOW)] == [at(40), at(20)]


def test_no_windows_no_end(store):
    assert store.trigger_states.next_window_end() is None
    assert store.trigger_states.windows(FLOW) == []


def test_a_transition_is_consumed_once(store):
    rows = [
        Transition(execution_id=str(n), tenant_id="main", namespace="a", flow_id="f", state=State.SUCCESS, at=at(n))
        for n in range(2)
    ]
    store.journal.commit(Batch(transitions=rows))
    first, second = (t.id for t in store.journal.transitions(5))

    commit(store, consumed_transitions=[first], fires=[fire()])
    with pytest.raises(Conflict):
        commit(store, consumed_transitions=[second, first], windows=[window()])
    assert [t.id for t in store.journal.transitions(5)] == [second]
    assert store.trigger_states.windows(FLOW) == []


def test_fires_wait_until_they_are_done(store):
    states = store.trigger_states
    commit(store, fires=[fire("f1"), fire("f2")])
    assert [f.id for f in states.pending_fires()] == ["f1", "f2"]
    assert states.pending_fires()[0] == fire("f1")
    with pytest.raises(Conflict):
        commit(store, fires=[fire("f3"), fire("f1")])
    commit(store, done_fires=["f1", "unknown"])
    assert [f.id for f in states.pending_fires()] == ["f2"]


def test_what_is_live(store):
    store.journal.commit(created(execution(id="open"), execution(id="over", closed=True)))
    commit(store, fires=[fire("coming")])
    assert store.trigger_states.live(["open", "over", "coming", "unknown"]) == {"open", "coming"}
    assert store.trigger_states.live([]) == set()


def test_searches_show_only_visible_kinds(store):
    commit(
        store,
        states=[
            state("a", next_date=at(5), worker_id="w1"),
            state("b", kind=TriggerKind.POLLING, disabled=True, last_triggered=at(3)),
            state("c", kind=TriggerKind.FLOW),
            state("d", namespace="other", execution_id="e1"),
            state("a", tenant_id="elsewhere"),
        ],
    )

    def found(*conditions, **more):
        return [s.trigger_id for s in store.trigger_states.search("main", conditions, **more).results]

    assert found() == ["a", "b", "d"]
    assert found(Filter("q", "EQUALS", "OTHER")) == ["d"]
    assert found(Filter("namespace", "PREFIX", "company")) == ["a", "b"]
    assert found(Filter("flowId", "EQUALS", "hello"), Filter("triggerId", "IN", "b,d")) == ["b", "d"]
    assert found(Filter("workerId", "EQUALS", "w1")) == ["a"]
    assert found(Filter("disabled", "EQUALS", "true")) == ["b"]
    assert found(Filter("triggerState", "EQUALS", "ENABLED")) == ["a", "d"]
    assert found(Filter("kind", "EQUALS", "POLLING")) == ["b"]
    assert found(Filter("lastTriggeredDate", "LESS_THAN", at(4))) == ["b"]
    assert found(Filter("nextExecutionDate", "GREATER_THAN", at(4))) == ["a"]
    assert found(Filter("nextEvaluationDate", "IS_NULL", "")) == ["b", "d"]
    assert found(Filter("executionId", "EQUALS", "e1")) == ["d"]
    assert found(sort=[Sort("triggerId", descending=True)], page=1, size=2) == ["d", "b"]
    assert store.trigger_states.search("main", [], page=2, size=2).total == 3
    with pytest.raises(BadRequest):
        found(Filter("body", "EQUALS", "x"))


def test_the_journal_of_triggers(store):
    commit(
        store,
        evaluations=[
            evaluation(1, planned=at(0), execution_id="e1", values={"x": [1]}),
            evaluation(2, outcome=Outcome.SKIPPED, reason="no", trigger_id="other"),
        ],
        logs=[log("evaluated", trigger_id="daily")],
    )
    page = store.trigger_states.evaluations("main", [])
    assert [(e.at, e.outcome) for e in page.results] == [(at(2), Outcome.SKIPPED), (at(1), Outcome.FIRED)]
    assert page.results[0].id > page.results[1].id
    assert page.results[1].values == {"x": [1]}
    assert store.reads.logs("main", [Filter("triggerId", "EQUALS", "daily")]).results[0].message == "evaluated"

    found = store.trigger_states.evaluations
    assert found("main", [Filter("outcome", "IN", "SKIPPED,LATE")]).total == 1
    assert found("main", [Filter("executionId", "EQUALS", "e1")], page=1, size=1).total == 1
    assert store.trigger_states.purge_evaluations(at(2)) == 1
    assert found("main", []).total == 1
