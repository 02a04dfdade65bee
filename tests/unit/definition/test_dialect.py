"""Table D: both forms of each pair are read, and each belongs to its dialect."""

from __future__ import annotations

import pytest
from tests.unit.definition.sources import flow, parsed, spelled

from penstock.definition import load_document
from penstock.definition.dialect import Construct, Dialect, constructs, type_entry

CORE = "io.kestra.plugin.core."


def found_in(source: str) -> list[Construct]:
    """The constructs of one dialect only in a flow that is valid."""
    parsed(spelled(source))
    document = load_document(spelled(source)).value
    assert isinstance(document, dict)
    return list(constructs(document))


def task(text: str) -> str:
    return flow(tasks=f"- {text}")


def trigger(text: str) -> str:
    return flow(f"triggers: [{{id: a, {text}}}]")


ROWS = {
    "ForEach": (task("{id: x, type: core.flow.ForEach, values: [1], tasks: [<y>]}"), task("{id: x, type: core.flow.Loop, values: [1], tasks: [<y>]}")),
    "EachSequential": (task("{id: x, type: core.flow.EachSequential, value: [1], tasks: [<y>]}"), task("{id: x, type: core.flow.Loop, values: [1], tasks: [<y>]}")),
    "EachParallel": (task("{id: x, type: core.flow.EachParallel, value: [1], tasks: [<y>]}"), task("{id: x, type: core.flow.Loop, values: [1], concurrencyLimit: 0, tasks: [<y>]}")),
    "ForEachItem": (task("{id: x, type: core.flow.ForEachItem, items: a, namespace: b, flowId: c}"), task("{id: x, type: core.flow.Loop, values: '{{ uri }}', tasks: [{id: s, type: core.flow.Subflow, namespace: b, flowId: c}]}")),
    "WaitFor": (task("{id: x, type: core.flow.WaitFor, condition: a, tasks: [<y>]}"), task("{id: x, type: core.flow.LoopUntil, condition: a, tasks: [<y>]}")),
    "Pause.delay": (task("{id: x, type: core.flow.Pause, delay: PT1S}"), task("{id: x, type: core.flow.Pause, pauseDuration: PT1S}")),
    "Pause.tasks": (task("{id: x, type: core.flow.Pause, tasks: [<y>]}"), task("{id: x, type: core.flow.Pause}")),
    "runIf": (task("{id: x, type: core.log.Log, message: a, runIf: b}"), task("{id: x, type: core.log.Log, message: a, when: b}")),
    "conditions": (trigger("type: core.trigger.Schedule, cron: '@daily', conditions: [{type: core.condition.Weekend}]"), trigger("type: core.trigger.Schedule, cron: '@daily', when: '{{ isWeekend(trigger.date) }}'")),
    "preconditions": (trigger("type: core.trigger.Flow, preconditions: {id: p, flows: [{flowId: x}]}"), trigger("type: core.trigger.Flow, dependsOn: [{flowId: x}], window: {every: PT1H}, mode: AT_LEAST, minSatisfied: 1")),
    "flow conditions": (trigger("type: core.trigger.Flow, conditions: [{type: core.condition.ExecutionFlow, namespace: a, flowId: b}]"), trigger("type: core.trigger.Flow, dependsOn: [{namespace: a, flowId: b}]")),
    "MultipleCondition": (trigger("type: core.trigger.Flow, conditions: [{type: core.condition.MultipleCondition, id: m, conditions: {a: {type: core.condition.ExecutionStatus, in: [SUCCESS]}}}]"), trigger("type: core.trigger.Flow, dependsOn: [{states: [SUCCESS]}]")),
    "scheduleConditions": (trigger("type: core.trigger.Schedule, cron: '@daily', scheduleConditions: [{type: core.condition.Weekend}]"), trigger("type: core.trigger.Schedule, cron: '@daily'")),
    "backfill": (trigger("type: core.trigger.Schedule, cron: '@daily', backfill: {start: x}"), trigger("type: core.trigger.Schedule, cron: '@daily'")),
    "checks": (flow("checks: [{condition: a, message: b}]"), flow("checks: [{when: a, message: b}]")),
    "pluginDefaults": (flow("pluginDefaults: [{type: core.log.Log, values: {level: WARN}}]"), task("{id: t, type: core.log.Log, message: hi, level: WARN}")),
    "taskDefaults": (flow("taskDefaults: [{type: core.log.Log, values: {level: WARN}}]"), task("{id: t, type: core.log.Log, message: hi, level: WARN}")),
    "maxAttempt": (flow("retry: {type: constant, interval: PT1S, maxAttempt: 2}"), flow("retry: {type: constant, interval: PT1S, maxAttempts: 2}")),
    "workerGroup": (flow("workerGroup: {key: a, fallback: WAIT}"), flow("workerSelector: {tags: [a], match: ANY, fallback: IGNORE}")),
    "task workerGroup": (task("{id: x, type: core.log.Log, message: a, workerGroup: {key: a}}"), task("{id: x, type: core.log.Log, message: a, workerSelector: {tags: [a]}}")),
    "BOOLEAN": (flow("inputs: [{id: a, type: BOOLEAN}]"), flow("inputs: [{id: a, type: BOOL}]")),
    "ENUM": (flow("inputs: [{id: a, type: ENUM, values: [x]}]"), flow("inputs: [{id: a, type: SELECT, values: [x]}]")),
    "input name": (flow("inputs: [{name: a, type: STRING}]"), flow("inputs: [{id: a, type: STRING}]")),
    "listeners": (flow("listeners: [{tasks: [<l>], conditions: [{type: core.condition.ExecutionStatus, in: [FAILED]}]}]"), flow("afterExecution: [<l>]")),
    "Toggle": (task("{id: x, type: core.trigger.Toggle, trigger: t}"), task("{id: x, type: io.kestra.plugin.kestra.triggers.Toggle, trigger: t}")),
    "Resume": (task("{id: x, type: core.execution.Resume}"), task("{id: x, type: io.kestra.plugin.kestra.executions.Resume}")),
    "Count": (task("{id: x, type: core.execution.Count, startDate: a, expression: b}"), task("{id: x, type: io.kestra.plugin.kestra.executions.Count, startDate: a, expression: b}")),
    "Fetch": (task("{id: x, type: core.log.Fetch}"), task("{id: x, type: io.kestra.plugin.kestra.logs.Fetch}")),
    "old names": (task("{id: x, type: io.kestra.core.tasks.log.Log, message: a}"), task("{id: x, type: core.log.Log, message: a}")),
    "LocalFiles": (task("{id: x, type: core.storage.LocalFiles, inputs: {a: b}}"), task("{id: x, type: core.storage.Write, content: a}")),
    "Echo": (task("{id: x, type: core.debug.Echo, format: a}"), task("{id: x, type: core.log.Log, message: a}")),
    "state": (task("{id: x, type: core.state.Get}"), task("{id: x, type: core.kv.Get, key: a}")),
    "Subflow.outputs": (task("{id: x, type: core.flow.Subflow, namespace: a, flowId: b, outputs: {a: b}}"), task("{id: x, type: core.flow.Subflow, namespace: a, flowId: b}")),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS)
def test_both_forms_are_read_in_their_dialect(row: str) -> None:
    older, newer = ROWS[row]
    in_older = {construct.dialect for construct in found_in(older)}
    in_newer = {construct.dialect for construct in found_in(newer)}
    assert in_older == {Dialect.V1} or (row == "runIf" and in_older == set())
    assert in_newer <= {Dialect.V2}


def test_a_flow_may_mix_both() -> None:
    source = flow(
        "inputs: [{id: f, type: FORM, inputs: [{id: b, type: BOOLEAN}]}]\nquotas: [{duration: PT1H, limit: 1}]",
        tasks="""
        - {id: a, type: core.flow.ForEach, values: [1], tasks: [{id: b, type: core.flow.Loop, values: [1], tasks: [<c>]}]}
        - {id: d, type: core.flow.Pause, onResume: [{id: e, type: ENUM, values: [x]}]}
        """,
    )
    assert [(c.path, c.name, c.dialect.value, c.instead, c.deprecated) for c in found_in(source)] == [
        (("inputs", 0, "type"), "FORM", "2.0", None, False),
        (("inputs", 0, "inputs", 0, "type"), "BOOLEAN", "1.x", "BOOL", True),
        (("quotas",), "quotas", "2.0", None, False),
        (("tasks", 0), CORE + "flow.ForEach", "1.x", "flow.Loop", False),
        (("tasks", 0, "tasks", 0), CORE + "flow.Loop", "2.0", "flow.ForEach", False),
        (("tasks", 1, "onResume", 0, "type"), "ENUM", "1.x", "SELECT", True),
    ]


def test_properties_have_paths_of_their_own() -> None:
    source = trigger("type: core.trigger.Flow, conditions: [{type: core.condition.Weekend}]")
    assert [(c.path, c.name) for c in found_in(source)] == [
        (("triggers", 0, "conditions"), "Flow.conditions"),
        (("triggers", 0, "conditions", 0), CORE + "condition.Weekend"),
    ]
    retry = task("{id: x, type: core.log.Log, message: a, retry: {type: constant, interval: PT1S, maxAttempt: 1}}")
    assert [c.path for c in found_in(retry)] == [("tasks", 0, "retry", "maxAttempt")]


def test_types_of_one_dialect() -> None:
    assert type_entry(CORE + "flow.ForEach") == (Dialect.V1, "flow.Loop")
    assert type_entry(CORE + "flow.Sequential") is None
    assert type_entry("io.kestra.core.tasks.flows.Sequential") == (Dialect.V1, CORE + "flow.Sequential")
    assert type_entry("io.kestra.core.tasks.flows.EachParallel") == (Dialect.V1, "flow.Loop")
    assert type_entry("io.kestra.core.models.conditions.types.VariableCondition") == (
        Dialect.V1,
        CORE + "condition.Expression",
    )
    assert type_entry("io.kestra.core.tasks.nothing.Known") == (Dialect.V1, None)
    assert type_entry("io.kestra.plugin.core.condition.ExpressionCondition") == (Dialect.V1, "`when`")


def test_what_only_looks_old_belongs_to_both() -> None:
    assert type_entry("io.kestra.core.models.assets.External") is None


def test_inputs_that_are_no_maps_are_passed_over() -> None:
    found = list(constructs({"inputs": [5, {"id": "a", "type": "ENUM"}]}))
    assert [c.path for c in found] == [("inputs", 1, "type")]


def test_what_is_no_flow_has_no_constructs() -> None:
    assert list(constructs({"inputs": 5, "checks": [3], "tasks": [4, {"type": 7}], "retry": "x"})) == []
