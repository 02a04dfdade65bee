"""Sources into flows: what comes out, parts by themselves, and that no source harms."""

from __future__ import annotations

import copy
import time
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.definition.sources import LOG, flow, parsed, spelled

from penstock.definition import parse_flow, problems_of_part
from penstock.errors import FlowInvalid
from penstock.plugin.registry import installed

RICH = yaml.safe_load(
    spelled("""
id: rich
namespace: company.team
labels: {team: data}
inputs:
  - {id: a, type: SELECT, values: [x, {label: y, value: z}]}
  - {id: f, type: FORM, inputs: [{id: n, type: INT, min: 1}]}
  - {id: b, type: STRING, validator: "[a-z]+", dependsOn: {inputs: [a], condition: "{{ true }}"}}
outputs: [{id: o, type: STRING, value: "{{ outputs.r.value }}"}]
variables: {x: {y: [1, 2]}}
concurrency: {limit: 1, behavior: QUEUE}
retry: {type: constant, interval: PT1S, maxAttempts: 3}
sla: [{id: s, type: MAX_DURATION, duration: PT1H, behavior: FAIL}]
checks: [{when: "{{ true }}", message: no}]
pluginDefaults: [{type: core.log.Log, values: {level: WARN}}]
tasks:
  - id: d
    type: core.flow.Dag
    tasks: [{task: <d1>}, {task: <d2>, dependsOn: [d1]}]
  - {id: s, type: core.flow.Switch, value: a, cases: {a: [<s1>]}, defaults: [<s2>]}
  - {id: w, type: core.flow.WorkingDirectory, tasks: [<w1>]}
  - {id: p, type: core.flow.Pause, onPause: <p1>, onResume: [{id: q, type: BOOL}]}
  - {id: i, type: core.flow.If, condition: "true", then: [<i1>], else: [<i2>]}
  - {id: u, type: core.flow.Subflow, namespace: a.b, flowId: c, inputs: {a: 1}}
  - id: sh
    type: io.kestra.plugin.scripts.shell.Commands
    commands: [a]
    taskRunner: {type: core.runner.Process}
errors: [<e>]
finally: [<f>]
afterExecution: [<g>]
listeners: [{conditions: [{type: core.condition.ExecutionStatus, in: [FAILED]}], tasks: [<l>]}]
triggers:
  - {id: t1, type: core.trigger.Schedule, cron: "0 9 * * *", inputs: {a: x, f: {n: 1}}}
  - id: t2
    type: core.trigger.Flow
    conditions: [{type: core.condition.Not, conditions: [{type: core.condition.Weekend}]}]
    preconditions: {id: p, flows: [{flowId: x, states: [SUCCESS]}], where: [{id: w, filters: [{field: STATE, type: IN, values: [a]}]}]}
  - {id: t3, type: core.trigger.Flow, dependsOn: [{flowId: x}], window: {every: PT1H}}
""")
)
ODD = yaml.safe_load(
    f"""
    [null, true, 5, -1, 1.5, "", x, "{{{{ x }}}}", PT1S, [], {{}}, [null], [[]], {{type: null}}, {{type: x.Y}}, {{a: {{}}}},
     {{id: z, type: {LOG}}}, {{type: [1]}}, [{{id: 5}}], {{"": ""}}, [{{task: 5}}], {{inputs: a}}, {{dependsOn: {{inputs: [a]}}}}]
    """
)


def places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place inside a document."""
    found = [path] if path else []
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        found += places(inner, (*path, key))
    return found


def changed(path: tuple[Any, ...], value: Any) -> Any:
    document = copy.deepcopy(RICH)
    around = document
    for part in path[:-1]:
        around = around[part]
    around[path[-1]] = value
    return document


def test_the_rich_flow_is_valid() -> None:
    assert parsed(yaml.safe_dump(RICH)).warnings == []


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(places(RICH)), st.sampled_from(ODD))
def test_any_change_is_taken_or_told_with_its_line(path: tuple[Any, ...], value: object) -> None:
    for problem in problems(changed(path, value)):
        assert problem.line
        assert problem.message
        assert "Input should" not in problem.message


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(places(RICH)))
def test_a_property_that_is_not_known_is_told_anywhere(path: tuple[Any, ...]) -> None:
    document = copy.deepcopy(RICH)
    found = document
    for part in path:
        found = found[part]
    free = {"labels", "variables", "values", "cases", "inputs"}
    if isinstance(found, dict) and not free & {str(p) for p in path[-2:]}:
        found["zzz"] = 1
        messages = [problem.message for problem in problems(document)]
        assert any('Unrecognized field "zzz"' in message for message in messages), messages


def problems(document: object) -> list[Any]:
    try:
        assert parse_flow(yaml.safe_dump(document, sort_keys=False), types=installed()).flow.id
    except FlowInvalid as error:
        return error.problems
    return []


def test_a_single_task_or_trigger() -> None:
    types = installed()
    assert problems_of_part(f"id: a\ntype: {LOG}\nmessage: x\n", section="tasks", types=types) == []
    (one,) = problems_of_part(f"id: a\ntype: {LOG}\n", section="TASKS", types=types)
    assert (one.path, one.message, one.line) == ("message", "must not be null", 1)
    cron = "id: a\ntype: io.kestra.plugin.core.trigger.Schedule\ncron: x\n"
    assert [p.path for p in problems_of_part(cron, section="TRIGGERS", types=types)] == ["cron"]
    assert [p.path for p in problems_of_part(cron, section="TASKS", types=types)] == ["type"]
    switch = "id: a\ntype: io.kestra.plugin.core.flow.Switch\nvalue: x\n"
    assert [p.line for p in problems_of_part(switch, section="TASKS", types=types)] == [1]
    assert problems_of_part("type: io.kestra.plugin.core.condition.Weekend", section="CONDITIONS", types=types) == []
    assert problems_of_part("- a", section="TASKS", types=types)[0].message == "expected a map with a type"
    assert "YAML" in problems_of_part("a: b: c", section="TASKS", types=types)[0].message


def test_a_large_flow_is_quick() -> None:
    tasks = "\n".join(f"- id: t{i}\n  type: {LOG}\n  message: hello {{{{ inputs.x }}}}" for i in range(1000))
    source = flow("inputs: [{id: x, type: STRING}]", tasks=tasks)
    parsed(source)
    best = min(_seconds(source) for _ in range(3))
    assert best < 0.5, f"{best * 1000:.0f} ms"  # a tenth of it on a quiet machine


def _seconds(source: str) -> float:
    start = time.perf_counter()
    parsed(source)
    return time.perf_counter() - start
