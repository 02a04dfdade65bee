"""Flow triggers in both dialects, driven by the whole scheduler."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.model.execution import ExecutionKind, Label
from penstock.model.state import State
from penstock.ports.journal import OutputRow
from penstock.ports.trigger_states import FlowKey, Outcome, Source
from penstock.scheduler.index import TriggerIndex

from .fakes import World, condition, flow_trigger, key_of

HOUR = timedelta(hours=1)


def up(flow_id: str = "up", **more: object) -> dict[str, object]:
    return {"namespace": "company.team", "flowId": flow_id, **more}


def preconditions(*flows: dict[str, object], **more: object) -> dict[str, object]:
    return {"id": "p", "flows": list(flows), **more}


OPTIONS = {
    "states in flows": {"preconditions": preconditions(up(states=["SUCCESS"]))},
    "states of the trigger": {"preconditions": preconditions(up()), "states": ["SUCCESS"]},
    "conditions": {
        "conditions": [
            condition("ExecutionFlow", **up()),
            condition("ExecutionStatus", **{"in": ["SUCCESS"]}),
        ]
    },
    "multiple": {
        "conditions": [
            condition(
                "MultipleCondition",
                id="m",
                window="P1D",
                windowAdvance="P0D",
                conditions={
                    "flow": condition("ExecutionFlow", **up()),
                    "ok": condition("ExecutionStatus", **{"in": ["SUCCESS"]}),
                },
            )
        ],
        "states": ["SUCCESS"],
    },
    "dependsOn": {"dependsOn": [up(states=["SUCCESS"])]},
    "dependsOn with states of the trigger": {"dependsOn": [up()], "states": ["SUCCESS"]},
    "when": {"when": "{{ execution.state == 'SUCCESS' and trigger.flowId == 'up' }}"},
}


@pytest.mark.parametrize("written", OPTIONS.values(), ids=list(OPTIONS))
def test_every_way_of_writing_it_fires_once_per_match(written: dict[str, object]) -> None:
    world = World()
    world.save("down", flow_trigger(**written))
    world.run_flow("up", State.FAILED)
    world.run_flow("other")
    world.settle()
    assert world.fired("down") == []
    upstream = world.run_flow("up")
    world.settle()
    assert len(world.fired("down")) == 1
    assert world.variables(world.fired("down")[0])["executionId"] == upstream
    world.run_flow("up")
    world.settle()
    assert len(world.fired("down")) == 2
    assert world.states.outbox == {}
    assert world.states.fires == {}


def test_variables_labels_and_inputs_of_the_execution() -> None:
    world = World()
    inputs = {"flow output": "{{ trigger.outputs.rows }}", "task output": "{{ outputs.one.value }}"}
    world.save("down", flow_trigger(dependsOn=[up()], inputs=inputs, labels={"by": "{{ trigger.flowId }}"}))
    upstream = world.run_flow("up", outputs={"rows": 3}, labels={"team": "data"})
    row = OutputRow(execution_id=upstream, task_run_id="r", task_id="one", value={"value": "made"})
    world.executions.task_outputs[upstream] = [row]
    world.settle()
    fired = world.fired("down")[0]
    variables = world.variables(fired)
    assert variables["executionLabels"] == {"system": {"correlationId": upstream}, "team": "data"}
    assert (variables["namespace"], variables["flowId"], variables["flowRevision"]) == ("company.team", "up", 1)
    assert (variables["state"], variables["endDate"]) == ("SUCCESS", "2026-01-01T12:00:30Z")
    context = world.context(fired)
    assert context.inputs == {"flow output": 3, "task output": "made"}
    assert context.labels == [Label("by", "up"), Label("system.correlationId", upstream)]


def test_outputs_of_each_dependency_are_found_by_all_three_paths() -> None:
    world = World()
    world.save("down", flow_trigger(dependsOn=[up("a"), up("b")]))
    world.run_flow("a", outputs={"x": 1})
    world.run_flow("unrelated", outputs={"x": 99})
    world.run_flow("b", outputs={"y": 2})
    world.settle()
    outputs = world.variables(world.fired("down")[0])["outputs"]
    assert isinstance(outputs, dict)
    assert outputs["y"] == 2
    assert outputs["a"] == {"x": 1}
    assert outputs["company"]["team"]["a"] == {"x": 1}
    assert outputs["company.team"]["b"] == {"y": 2}


@pytest.mark.parametrize(
    ("mode", "fires_after"), [({}, 3), ({"mode": "ANY"}, 1), ({"mode": "AT_LEAST", "minSatisfied": 2}, 2)]
)
def test_modes_say_how_many_dependencies_are_needed(mode: dict[str, object], fires_after: int) -> None:
    world = World()
    world.save("down", flow_trigger(dependsOn=[up("a"), up("b"), up("c")], **mode))
    for number, flow in enumerate("abc", 1):
        world.run_flow(flow)
        world.settle()
        assert len(world.fired("down")) == number // fires_after
        if number == fires_after:
            break
    assert world.states.kept_windows == {}


def test_the_same_dependency_twice_counts_once() -> None:
    world = World()
    world.save("down", flow_trigger(dependsOn=[up("a"), up("b")]))
    world.run_flow("a")
    world.run_flow("a")
    world.settle()
    assert world.fired("down") == []
    waiting = [row for row in world.states.journal if row.outcome is Outcome.SKIPPED]
    assert waiting[-1].values["met"] == 1
    assert waiting[-1].values["needed"] == 2


def test_a_dependency_s_own_labels_and_when() -> None:
    world = World()
    world.save(
        "down",
        flow_trigger(dependsOn=[up(labels={"env": "prod"}, when="{{ execution.outputs.rows > 1 }}")]),
    )
    world.run_flow("up", outputs={"rows": 5})
    world.run_flow("up", labels={"env": "prod"}, outputs={"rows": 1})
    world.settle()
    assert world.fired("down") == []
    world.run_flow("up", labels={"env": "prod"}, outputs={"rows": 2})
    world.settle()
    assert len(world.fired("down")) == 1


def test_without_states_a_dependency_means_success_or_warning() -> None:
    world = World()
    world.save("down", flow_trigger(dependsOn=[up()]))
    for state in (State.FAILED, State.PAUSED, State.KILLED):
        world.run_flow("up", state)
    world.settle()
    assert world.fired("down") == []
    world.run_flow("up", State.WARNING)
    world.settle()
    assert len(world.fired("down")) == 1


def test_where_filters() -> None:
    world = World()
    where = [
        {
            "id": "w",
            "filters": [
                {"field": "NAMESPACE", "type": "STARTS_WITH", "value": "company"},
                {"field": "FLOW_ID", "type": "REGEX", "value": "u."},
                {"field": "STATE", "type": "NOT_IN", "values": ["FAILED"]},
                {"field": "EXPRESSION", "type": "IS_TRUE", "value": "{{ labels.env == 'prod' }}"},
            ],
        }
    ]
    world.save("down", flow_trigger(preconditions={"id": "p", "where": where}))
    world.run_flow("up", State.FAILED, labels={"env": "prod"})
    world.run_flow("upper", labels={"env": "prod"})
    world.run_flow("up", labels={"env": "dev"})
    world.settle()
    assert world.fired("down") == []
    world.run_flow("up", labels={"env": "prod"})
    world.settle()
    assert len(world.fired("down")) == 1


@pytest.mark.parametrize(
    ("filter_type", "value", "values", "holds"),
    [
        ("EQUAL_TO", "up", None, True),
        ("NOT_EQUAL_TO", "up", None, False),
        ("IN", None, ["up", "b"], True),
        ("NOT_IN", None, ["up"], False),
        ("STARTS_WITH", "u", None, True),
        ("ENDS_WITH", "x", None, False),
        ("REGEX", "u", None, False),
        ("CONTAINS", "p", None, True),
        ("IS_NULL", None, None, False),
        ("IS_NOT_NULL", None, None, True),
        ("IS_TRUE", None, None, True),
        ("IS_FALSE", None, None, False),
    ],
)
def test_each_filter_type(filter_type: str, value: str | None, values: list[str] | None, holds: bool) -> None:
    world = World()
    one = {"field": "FLOW_ID", "type": filter_type, "value": value, "values": values}
    world.save("down", flow_trigger(preconditions={"id": "p", "where": [{"id": "w", "filters": [one]}]}))
    world.run_flow("up")
    world.settle()
    assert (len(world.fired("down")) == 1) is holds


def test_states_filter_before_preconditions() -> None:
    """A dependency cannot listen to a state that the trigger's own `states` leave out (engine.md 7.4)."""
    world = World()
    world.save("down", flow_trigger(preconditions=preconditions(up(states=["RUNNING"]))))
    world.save("both", flow_trigger(preconditions=preconditions(up(states=["RUNNING"])), states=["RUNNING"]))
    world.run_flow("up")
    world.settle()
    assert len(world.fired("down")) == 0
    assert len(world.fired("both")) == 1


def test_by_default_it_reacts_to_ends_and_pauses() -> None:
    world = World()
    world.save("down", flow_trigger(conditions=[condition("ExecutionFlow", **up())]))
    for state in (State.PAUSED, State.QUEUED, State.FAILED, State.KILLED):
        world.run_flow("up", state)
    world.settle()
    assert [world.variables(e)["state"] for e in world.fired("down")] == ["PAUSED", "FAILED", "KILLED"]


def test_neither_its_own_flow_nor_test_runs_trigger_it() -> None:
    world = World()
    world.save("down", flow_trigger(states=["SUCCESS"]))
    own = world.run_flow("down")
    test_run = world.run_flow("up", State.RUNNING)
    world.executions.stored[test_run].execution.kind = ExecutionKind.TEST
    world.executions.end(test_run)
    assert world.executions.stored[own].execution.closed
    world.scheduler.step()
    assert world.executions.started == []


def test_disabled_triggers_rows_and_flows_do_not_react() -> None:
    world = World()
    world.save("off", flow_trigger(dependsOn=[up()], disabled=True))
    world.save("flow-off", flow_trigger(dependsOn=[up()]), runnable=False)
    world.save("row-off", flow_trigger(dependsOn=[up()]))
    world.triggers.toggle(key_of("row-off"), enabled=False)
    world.run_flow("up")
    world.settle()
    assert world.executions.started == []
    world.triggers.toggle(key_of("row-off"), enabled=True)
    world.run_flow("up")
    world.settle()
    assert [e.flow_id for e in world.executions.started] == ["row-off"]


def test_inputs_that_cannot_be_rendered_make_a_failed_execution() -> None:
    world = World()
    world.save("down", flow_trigger(dependsOn=[up()], inputs={"a": "{{ nothing.here }}"}))
    world.save("fine", flow_trigger(dependsOn=[up()]))
    world.run_flow("up")
    world.settle()
    failed = world.fired("down")[0]
    assert world.executions.final[failed.id] is State.FAILED
    assert any(line.execution_id == failed.id and line.level == "ERROR" for line in world.states.logs)
    assert world.outcomes("down") == ["ERROR"]
    assert len(world.fired("fine")) == 1


def test_a_condition_in_error_is_false_with_a_warning() -> None:
    world = World()
    broken = condition("Expression", expression="{{ nothing.here }}")
    world.save("down", flow_trigger(conditions=[broken, condition("ExecutionFlow", **up())]))
    world.run_flow("up")
    world.settle()
    assert world.fired("down") == []
    assert world.outcomes("down") == ["ERROR"]
    assert [line.level for line in world.states.logs] == ["WARN"]


def test_the_journal_names_the_condition_that_failed_and_what_it_saw() -> None:
    world = World()
    status = condition("ExecutionStatus", **{"in": ["SUCCESS"]})
    world.save("down", flow_trigger(conditions=[status, condition("ExecutionFlow", **up())]))
    upstream = world.run_flow("up", State.FAILED)
    world.settle()
    row = world.states.journal[0]
    assert (row.outcome, row.condition, row.values, row.source_id) == (
        Outcome.SKIPPED,
        "ExecutionStatus",
        {"state": "FAILED"},
        upstream,
    )


def test_windows_forget_what_lies_outside() -> None:
    world = World(datetime(2026, 1, 1, 23, 30, tzinfo=UTC))
    world.save("daily", flow_trigger(dependsOn=[up("a"), up("b")]))
    world.save("sliding", flow_trigger(dependsOn=[up("a"), up("b")], window={"lookback": "PT2H"}))
    world.run_flow("a")
    world.settle()
    world.clock.advance(HOUR)
    world.run_flow("b")
    world.settle()
    assert [e.flow_id for e in world.executions.started] == ["sliding"]
    world.clock.advance(2 * HOUR)
    world.run_flow("a")
    world.settle()
    assert [e.flow_id for e in world.executions.started] == ["sliding", "daily"]


def test_a_deadline_ignores_what_comes_later() -> None:
    world = World(datetime(2026, 1, 1, 8, 0, tzinfo=UTC))
    world.save("down", flow_trigger(dependsOn=[up("a"), up("b")], window={"deadline": "09:00:00"}))
    world.run_flow("a")
    world.settle()
    world.clock.advance(2 * HOUR)
    world.run_flow("b")
    world.settle()
    assert world.fired("down") == []
    world.clock.advance(15 * HOUR)
    world.run_flow("a")
    world.run_flow("b")
    world.settle()
    assert len(world.fired("down")) == 1


def test_a_window_that_is_not_reset_fires_again_with_each_further_match() -> None:
    world = World()
    world.save("down", flow_trigger(preconditions=preconditions(up("a"), up("b"), resetOnSuccess=False)))
    for flow in "abab":
        world.run_flow(flow)
    world.settle()
    assert len(world.fired("down")) == 3


def test_fire_once_fires_once_per_window() -> None:
    world = World()
    window = {"every": "PT1H", "fireOnce": True}
    world.save("down", flow_trigger(dependsOn=[up("a"), up("b")], window=window))
    for _ in range(2):
        for flow in "abab":
            world.run_flow(flow)
        world.settle()
        world.clock.advance(HOUR)
    assert len(world.fired("down")) == 2


def test_on_miss_makes_a_failed_execution_when_the_window_ends() -> None:
    world = World()
    world.save(
        "down",
        flow_trigger(
            dependsOn=[up("a"), up("b")],
            window={"every": "PT1H"},
            onMiss={"behavior": "FAIL", "labels": {"missed": "yes"}},
        ),
    )
    world.run_flow("a")
    world.settle()
    world.pass_time(2 * HOUR, every=timedelta(minutes=10))
    missed = world.fired("down")[0]
    assert len(world.fired("down")) == 1
    assert world.executions.final[missed.id] is State.FAILED
    assert Label("missed", "yes") in world.context(missed).labels
    assert world.states.kept_windows == {}


def test_a_changed_flow_changes_what_it_listens_to() -> None:
    world = World()
    world.save("down", flow_trigger(dependsOn=[up("a")]))
    world.save("down", flow_trigger(dependsOn=[up("b")]))
    world.run_flow("a")
    world.settle()
    assert world.fired("down") == []
    world.run_flow("b")
    world.settle()
    assert len(world.fired("down")) == 1
    world.delete("down")
    world.run_flow("b")
    world.settle()
    assert len(world.fired("down")) == 1
    assert not world.scheduler.index.wants(FlowKey("main", "company.team", "b"))


def test_candidates_are_found_by_flow_and_nobody_else_is_asked() -> None:
    index = TriggerIndex()
    for number in range(1000):
        index.put(key_of(f"down{number}"), [Source("company.team", f"up{number}")])
    index.put(key_of("ns"), [Source("company.team")])
    index.put(key_of("id"), [Source(None, "up7")])
    index.put(key_of("up7"), [Source("company.team", "up7")])
    flow = key_of("up7").flow
    assert index.candidates(flow) == [key_of("down7"), key_of("ns"), key_of("id")]
    assert index.candidates(FlowKey("main", "other", "up8")) == []
    index.put(key_of("ns"), [])
    index.remove(key_of("id"))
    assert index.candidates(flow) == [key_of("down7")]
    assert not index.wants(FlowKey("main", "company.team", "none"))


@pytest.mark.parametrize(
    ("written", "sources"),
    [
        ({"dependsOn": [up("a"), up("b")]}, {("company.team", "a"), ("company.team", "b")}),
        ({"preconditions": preconditions(up("a"))}, {("company.team", "a")}),
        ({"preconditions": preconditions({"namespace": "x"})}, {("x", None)}),
        ({"conditions": [condition("ExecutionFlow", **up("a"))]}, {("company.team", "a")}),
        ({"conditions": [condition("ExecutionNamespace", namespace="x")]}, {("x", None)}),
        ({"conditions": [condition("ExecutionNamespace", namespace="x", prefix=True)]}, {(None, None)}),
        ({"conditions": [condition("ExecutionFlow", namespace="{{ vars.n }}", flowId="a")]}, {(None, None)}),
        ({"states": ["SUCCESS"]}, {(None, None)}),
        (
            {"dependsOn": [up("a")], "conditions": [condition("ExecutionNamespace", namespace="company.team")]},
            {("company.team", "a")},
        ),
    ],
)
def test_where_a_trigger_listens(written: dict[str, object], sources: set[tuple[str | None, str | None]]) -> None:
    world = World()
    world.save("down", flow_trigger(**written))
    assert {(source.namespace, source.flow_id) for source in world.row("down").sources} == sources


@settings(max_examples=50, deadline=None)
@given(
    events=st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.integers(0, 90)), max_size=25),
    need=st.integers(1, 3),
    batched=st.booleans(),
)
def test_matches_are_those_of_a_small_model(events: list[tuple[str, bool, int]], need: int, batched: bool) -> None:
    """The model: a set per hour of the dependencies that succeeded, emptied when it has fired."""
    world = World()
    dependencies = [up(flow) for flow in "abc"]
    world.save(
        "down",
        flow_trigger(
            preconditions={"id": "p", "flows": dependencies[:need], "timeWindow": {"window": "PT1H"}},
            states=["SUCCESS"],
        ),
    )
    fires, met, hour = 0, set(), None
    for flow, good, minutes in events:
        world.clock.advance(timedelta(minutes=minutes))
        if not batched or minutes:
            world.settle()
        world.run_flow(flow, State.SUCCESS if good else State.FAILED)
        now = world.clock.now().replace(minute=0, second=0)
        if now != hour:
            hour, met = now, set()
        if good and flow in "abc"[:need]:
            met.add(flow)
            if len(met) == need:
                fires += 1
                met = set()
    world.settle()
    assert len(world.fired("down")) == fires
