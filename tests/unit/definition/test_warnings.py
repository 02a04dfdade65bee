"""What is allowed and probably not meant; what is kept for older flows."""

from __future__ import annotations

import pytest
from tests.unit.definition.sources import flow, parsed, spelled

FIRES_ALWAYS = "Trigger 'a' has no condition: it fires for EVERY execution of the tenant"


@pytest.mark.parametrize(
    ("tasks", "expected"),
    [
        ("{id: x, type: core.flow.Sequential, timeout: PT1S, tasks: [<y>]}", ["Task 'x' has a `timeout`, which is only used by runnable tasks and Pause"]),
        ("{id: x, type: core.flow.Sequential, taskCache: {enabled: true}, tasks: [<y>]}", ["Task 'x' has a `taskCache`, which is only used by runnable tasks"]),
        ("{id: x, type: core.flow.Sequential, workerGroup: {key: a}, tasks: [<y>]}", ["Task 'x' is routed to workers, which is only used by runnable tasks and WorkingDirectory"]),
        ("{id: x, type: core.flow.Subflow, namespace: a, flowId: b, workerSelector: {tags: [a]}}", ["Task 'x' is routed to workers, which is only used by runnable tasks and WorkingDirectory"]),
        ("{id: x, type: core.flow.WorkingDirectory, workerGroup: {key: a}, tasks: [<y>]}", []),
        ("{id: x, type: core.flow.Pause, timeout: PT1S}", []),
        ("{id: x, type: core.log.Log, message: a, timeout: PT1S, taskCache: {enabled: true}, workerGroup: {key: a}}", []),
        ("{id: x, type: core.http.Request, uri: 'http://a', options: {auth: {type: BEARER, token: abc}}}", []),
    ],
)  # fmt: skip
def test_properties_that_nothing_uses(tasks: str, expected: list[str]) -> None:
    assert parsed(spelled(flow(tasks=f"- {tasks}"))).warnings == expected


@pytest.mark.parametrize(
    ("trigger", "expected"),
    [
        ("{id: a, type: core.trigger.Flow}", [FIRES_ALWAYS]),
        ("{id: a, type: core.trigger.Flow, states: [FAILED]}", [FIRES_ALWAYS]),
        ("{id: a, type: core.trigger.Flow, when: '{{ true }}'}", []),
        ("{id: a, type: core.trigger.Flow, dependsOn: [{flowId: b}]}", []),
        ("{id: a, type: core.trigger.Flow, preconditions: {id: p, flows: [{flowId: b}]}}", []),
        ("{id: a, type: core.trigger.Flow, conditions: [{type: core.condition.ExecutionFlow, namespace: a, flowId: b}]}", []),
    ],
)  # fmt: skip
def test_flow_triggers_without_a_condition(trigger: str, expected: list[str]) -> None:
    assert parsed(spelled(flow(f"triggers: [{trigger}]"))).warnings == expected


def test_schedules_give_the_inputs_that_are_required() -> None:
    inputs = "inputs: [{id: a, type: STRING}, {id: b, type: STRING, defaults: x}, {id: c, type: STRING, required: false}, {id: d.e, type: STRING}, {id: f, type: STRING, dependsOn: {inputs: [c]}}]"
    trigger = "triggers: [{id: s, type: core.trigger.Schedule, cron: '@daily'%s}]"
    missing = "Missing inputs for Schedule Trigger 's', missing inputs: 'a | d.e'"
    assert parsed(spelled(flow(inputs + "\n" + trigger % ""))).warnings == [missing]
    assert parsed(spelled(flow(inputs + "\n" + trigger % ", inputs: {a: 1, d: {e: 2}}"))).warnings == []


def test_an_optional_input_with_a_default() -> None:
    (one,) = parsed(flow("inputs: [{id: a, type: STRING, required: false, defaults: x}]")).warnings
    assert one.startswith("Input 'a' has a default, which always applies")


def test_secrets_as_plain_text() -> None:
    task = "{id: x, type: core.trigger.Toggle, trigger: t}"
    assert parsed(spelled(flow(tasks=f"- {task}"))).warnings == []
    secret = "- {id: x, type: io.kestra.plugin.jdbc.postgresql.Query, url: u, sql: s, password: '%s'}"
    from penstock.plugin.registry import installed

    if installed().resolve("io.kestra.plugin.jdbc.postgresql.Query") is None:
        pytest.skip("no type with a password is installed")
    assert parsed(flow(tasks=secret % "{{ secret(1) }}")).warnings == []
    (one,) = parsed(flow(tasks=secret % "hunter2")).warnings
    assert one == "Task 'x' holds a secret as plain text in `password`, use {{ secret('NAME') }}"


def test_older_names_are_told_once_and_their_places_all() -> None:
    old = "io.kestra.core.tasks.log.Log"
    found = parsed(
        spelled(flow(tasks=f"- {{id: a, type: {old}, message: a}}\n- {{id: b, type: {old}, message: a}}\n- <c>"))
    )
    assert found.infos == [f"{old} is replaced by io.kestra.plugin.core.log.Log"]
    assert found.deprecations == ["tasks[0]", "tasks[1]"]


def test_deprecated_properties_are_told_by_path() -> None:
    source = flow(
        """
        taskDefaults: []
        inputs: [{name: a, type: BOOLEAN}, {id: b, type: ENUM, values: [x]}]
        listeners: [{tasks: [<l>]}]
        triggers: [{id: s, type: core.trigger.Schedule, cron: '@daily', backfill: {}, scheduleConditions: [{type: core.condition.Weekend}]}]
        """,
        tasks="""
        - {id: p, type: core.flow.Pause, delay: PT1S, tasks: [<x>]}
        - {id: e, type: core.debug.Echo, format: a}
        - {id: f, type: core.flow.Subflow, namespace: a, flowId: b, outputs: {a: b}}
        """,
    )
    assert set(parsed(spelled(source)).deprecations) == {
        "taskDefaults", "inputs[0].type", "inputs[0].name", "inputs[1].type", "listeners", "triggers[0].backfill",
        "triggers[0].scheduleConditions", "tasks[0].delay", "tasks[0].tasks", "tasks[1]", "tasks[2].outputs",
    }  # fmt: skip
