"""What must hold across a flow: every rule of engine.md 6.7, all problems at once with their lines."""

from __future__ import annotations

from textwrap import dedent

import pytest
from tests.unit.definition.sources import LOG, flow, problems, spelled, told

from penstock.definition import parse_flow
from penstock.definition.schedules import NICKNAMES, cron_fault
from penstock.errors import FlowInvalid, MissingExtra

CORE = "io.kestra.plugin.core."


def log(task_id: str) -> str:
    return f"{{id: {task_id}, type: {LOG}, message: hi}}"


def test_task_ids_are_unique_over_the_whole_flow() -> None:
    source = dedent(f"""
        id: f
        namespace: company.team
        tasks:
          - {log("a")}
          - id: seq
            type: {CORE}flow.Sequential
            tasks: [{log("a")}]
            errors: [{log("b")}]
          - id: dag
            type: {CORE}flow.Dag
            tasks: [{{task: {log("b")}}}]
          - id: pause
            type: {CORE}flow.Pause
            onPause: {log("c")}
          - id: switch
            type: {CORE}flow.Switch
            value: x
            cases: {{x: [{log("c")}]}}
        errors: [{log("d")}]
        finally: [{log("d")}]
        afterExecution: [{log("e")}]
        listeners: [{{tasks: [{log("e")}]}}]
    """)
    assert [(p.path, p.message) for p in problems(source)] == [
        ("tasks[1].tasks[0].id", "Duplicate task id with name [a]"),
        ("tasks[2].tasks[0].task.id", "Duplicate task id with name [b]"),
        ("tasks[4].cases.x[0].id", "Duplicate task id with name [c]"),
        ("finally[0].id", "Duplicate task id with name [d]"),
        ("listeners[0].tasks[0].id", "Duplicate task id with name [e]"),
    ]


def test_the_parts_of_a_for_each_item_have_ids_too() -> None:
    task = f"- {{id: x, type: {CORE}flow.ForEachItem, items: a, namespace: b, flowId: c}}\n- {log('x_split')}"
    assert told(flow(tasks=task)) == ["tasks[1].id: Duplicate task id with name [x_split]"]


def test_everything_is_told_at_once() -> None:
    tasks = f"  - id: a\n    type: {LOG}\n  - id: a\n    type: {LOG}\n    message: twice\n"
    source = f'id: "bad id!"\nnamespace: company.recorded\ntasks:\n{tasks}'
    assert [(p.line, p.path, p.message) for p in problems(source)] == [
        (1, "id", 'must match "^[a-zA-Z0-9][a-zA-Z0-9._-]*"'),
        (4, "tasks[0].message", "must not be null"),
        (6, "tasks[1].id", "Duplicate task id with name [a]"),
    ]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("triggers: [{id: a, type: core.trigger.Webhook, key: k}, {id: a, type: core.trigger.Webhook, key: l}]", ["triggers[1].id: Duplicate trigger id with name [a]"]),
        ("inputs: [{id: a, type: STRING}, {id: a, type: INT}]", ["inputs[1].id: Duplicate input with name [a]"]),
        ("outputs: [{id: a, value: 1}, {id: a, value: 2}]", ["outputs[1].id: Duplicate output with name [a]"]),
        ("quotas: [{duration: PT1H, limit: 1}, {duration: PT1H, limit: 2}]", ["quotas[1].duration: Duplicate quota with name [PT1H]"]),
        ("inputs: [{id: a.b, type: STRING}, {id: a, type: INT}]", ["inputs[0].id: Input path 'a' conflicts with 'a.b'; it cannot be a value and a group"]),
        ("inputs: [{id: a.b, type: STRING}, {id: a.c, type: INT}]", []),
        ("inputs: [{id: form, type: FORM, inputs: [{id: x, type: INT}]}, {id: form.x, type: INT}]", ["inputs[1].id: Duplicate input path [form.x]"]),
        ("inputs: [{id: form, type: FORM, inputs: [{id: x, type: INT}, {id: y, type: INT}]}]", []),
        ("inputs: [{id: a, type: STRING, dependsOn: {inputs: [b]}}]", ["inputs[0].dependsOn: Input with id 'a' depends on a non-existent input 'b'."]),
        ("inputs: [{id: a, type: STRING, dependsOn: {inputs: [b]}}, {id: b, type: STRING, dependsOn: {inputs: [c]}}, {id: c, type: STRING, dependsOn: {inputs: [a]}}]",
         ["inputs[0].dependsOn: Cycle dependency detected for input with id 'a': [b, c, a]",
          "inputs[1].dependsOn: Cycle dependency detected for input with id 'b': [c, a, b]",
          "inputs[2].dependsOn: Cycle dependency detected for input with id 'c': [a, b, c]"]),
        ("inputs: [{id: a, type: STRING}, {id: b, type: STRING, dependsOn: {inputs: [a], condition: '{{ true }}'}}]", []),
        ("inputs: [{id: a, type: INT, defaults: 1, prefill: 2}]", ["inputs[0].prefill: an input has either `defaults`, which always apply, or a `prefill`, never both"]),
        ("inputs: [{id: a, type: STRING, validator: '(['}]", ["inputs[0].validator: invalid pattern [([]: Invalid regular expression `([`: unterminated character set at position 2"]),
        ("inputs: [{id: a, type: STRING, validator: '^[\\p{L}]++$'}]", []),
        ("inputs: [{id: a, type: SELECT}]", ["inputs[0]: expected `values` or an `expression` that gives them"]),
        ("inputs: [{id: a, type: MULTISELECT, values: [x], itemType: ARRAY}]", ["inputs[0].itemType: must not be ARRAY or MULTISELECT"]),
        ("inputs: [{id: a, type: ARRAY, itemType: ARRAY}]", ["inputs[0].itemType: must not be ARRAY"]),
        ("labels: {system.foo: x, system.readOnly: true, team: data}", ["labels.system.foo: System labels can only be set by Kestra itself, offending label: system.foo=x"]),
        ("labels: [{key: system.foo, value: x}]", ["labels[0]: System labels can only be set by Kestra itself, offending label: system.foo=x"]),
        ("labels: {'': x}", ["labels.: a label has a key that is not empty"]),
        ("sla: [{id: a, type: MAX_DURATION, duration: PT1S, behavior: NONE, labels: {system.x: y}}]", ["sla[0].labels.system.x: System labels can only be set by Kestra itself, offending label: system.x=y"]),
        ("triggers: [{id: a, type: core.trigger.Webhook, key: k, labels: {system.x: y}}]", ["triggers[0].labels.system.x: System labels can only be set by Kestra itself, offending label: system.x=y"]),
        ("triggers: [{id: a, type: core.trigger.Schedule, cron: '1 2 3'}]", ["triggers[0].cron: invalid cron expression '1 2 3': expected 5 fields, found 3"]),
        ("triggers: [{id: a, type: core.trigger.Schedule, cron: '0 * * * * *', withSeconds: true, timezone: Europe/Paris}]", []),
        ("triggers: [{id: a, type: core.trigger.Schedule, cron: '@daily', timezone: Mars/North}]", ["triggers[0].timezone: Unknown time-zone ID: Mars/North"]),
        ("triggers: [{id: a, type: core.trigger.Schedule}]", ["triggers[0].cron: must not be null"]),
    ],
)  # fmt: skip
def test_rules_of_a_flow(body: str, expected: list[str]) -> None:
    assert told(spelled(flow(body))) == expected


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ("{id: x, type: core.flow.Subflow, namespace: company.team, flowId: f}", ["tasks[0].flowId: Recursive call to flow [company.team.f]"]),
        ("{id: x, type: core.flow.Subflow, namespace: company.team, flowId: g, labels: {system.x: y}}", ["tasks[0].labels.system.x: System labels can only be set by Kestra itself, offending label: system.x=y"]),
        ("{id: x, type: core.execution.Labels, labels: {system.x: y}}", ["tasks[0].labels.system.x: System labels can only be set by Kestra itself, offending label: system.x=y"]),
        ("{id: x, type: core.execution.Labels, labels: '{{ inputs.labels }}'}", []),
        ("{id: x, type: core.flow.Sequential, tasks: []}", ["tasks[0].tasks: The 'tasks' property cannot be empty"]),
        ("{id: x, type: core.flow.If, condition: a, then: []}", ["tasks[0].then: The 'then' property cannot be empty"]),
        ("{id: x, type: core.flow.Switch, value: a}", ["tasks[0]: No task defined, neither cases or default have any tasks"]),
        ("{id: x, type: core.flow.Switch, value: a, cases: {b: []}}", ["tasks[0]: No task defined, neither cases or default have any tasks"]),
        ("{id: x, type: core.flow.Switch, value: a, defaults: [<y>]}", []),
        ("{id: x, type: core.flow.Dag, tasks: [{task: <y>, dependsOn: [z]}]}", ["tasks[0].tasks[0].dependsOn: Not existing task id in dependency: z"]),
        ("{id: x, type: core.flow.Dag, tasks: [{task: <y>, dependsOn: [z]}, {task: <z>, dependsOn: [y]}, {task: <w>, dependsOn: [z]}, {task: <v>}]}", ["tasks[0].tasks: Cyclic dependency detected: y, z"]),
        ("{id: x, type: core.flow.Dag, tasks: [{task: <y>, dependsOn: [y]}]}", ["tasks[0].tasks: Cyclic dependency detected: y"]),
        ("{id: x, type: core.flow.Dag, tasks: [5]}", ["tasks[0].tasks[0]: expected a map, found `5`"]),
        ("{id: x, type: core.flow.Dag, tasks: [{task: <y>}, {task: <z>, dependsOn: [y]}, {task: <w>, dependsOn: [y, z]}]}", []),
        ("{id: x, type: core.flow.WorkingDirectory, tasks: [{id: y, type: core.flow.Pause}]}", ["tasks[0].tasks[0]: Only runnable tasks are allowed as children of a WorkingDirectory task"]),
        ("{id: x, type: core.flow.WorkingDirectory, tasks: [{id: y, type: core.log.Log, message: a, workerGroup: {key: k}}]}", ["tasks[0].tasks[0].workerGroup: Cannot set workerGroup on sub-tasks of a WorkingDirectory task"]),
        ("{id: x, type: core.flow.WorkingDirectory, tasks: [{id: y, type: core.log.Log, message: a, workerSelector: {tags: [k]}}]}", ["tasks[0].tasks[0].workerSelector: Cannot set workerSelector on sub-tasks of a WorkingDirectory task"]),
        ("{id: x, type: core.flow.WorkingDirectory, tasks: [<y>], errors: [{id: z, type: core.flow.Sequential, tasks: [<w>]}]}", []),
        ("{id: x, type: core.flow.Pause, onPause: {id: y, type: core.flow.Pause}}", ["tasks[0].onPause: Only a runnable task is allowed as `onPause`"]),
        ("{id: x, type: core.flow.Pause, onResume: [{id: a, type: STRING}, {id: a, type: STRING}]}", ["tasks[0].onResume[1].id: Duplicate input with name [a]"]),
        ("{id: x, type: core.flow.Loop, values: [1], outputs: [{id: a, value: 1}, {id: a, value: 1}], tasks: [<y>]}", ["tasks[0].outputs[1].id: Duplicate output with name [a]"]),
    ],
)  # fmt: skip
def test_rules_of_tasks(task: str, expected: list[str]) -> None:
    assert told(spelled(flow(tasks=f"- {task}"))) == expected


@pytest.mark.parametrize("name", ["pause", "resume", "force-run", "change-status", "kill", "executions", "search", "source", "disable", "enable"])  # fmt: skip
def test_words_of_the_api_are_no_ids_of_flows(name: str) -> None:
    (one,) = told(flow().replace("id: f", f"id: {name}", 1))
    assert one.startswith(f"id: Flow id is a reserved keyword: {name}. List of reserved keywords: pause, resume, ")


@pytest.mark.parametrize(
    ("text", "root"),
    [
        ("{{ inputs.my-key }}", "input"),
        ("{{ outputs.my-task.value }}", "output"),
        ("{% if inputs.my-key %}x{% endif %}", "input"),
        ("{{ inputs['my-key'] }}", None),
        ("{{ inputs.my-1 }}", None),
        ("{{ inputs.other-key }}", None),
        ("{{ 'inputs.my-key' }}", None),
        ("inputs.my-key", None),
        ("{{ trigger.inputs.my-key }}", None),
    ],
)
def test_keys_with_dashes_want_brackets(text: str, root: str | None) -> None:
    source = flow(
        "inputs: [{id: my-key, type: STRING}]",
        tasks=f'- {log("my-task")}\n- id: t\n  type: {LOG}\n  message: "{text}"',
    )
    found = told(source)
    if root is None:
        assert found == []
    else:
        assert found == [
            f"tasks[1].message: Invalid {root} reference: use {root}s[key-name] instead of {root}s.key-name — "
            "keys with dashes require bracket notation, offending tasks: [t]"
        ]


def test_dashes_without_declared_ids_are_subtractions() -> None:
    assert told(flow(tasks=f"- {{id: t, type: {LOG}, message: '{{{{ inputs.a-b }}}}'}}")) == []


def test_a_parent_is_not_blamed_for_the_dashes_of_its_children() -> None:
    child = f"{{id: t, type: {LOG}, message: '{{{{ outputs.my-task }}}}'}}"
    source = flow(tasks=f"- {log('my-task')}\n- {{id: p, type: {CORE}flow.Sequential, tasks: [{child}]}}")
    assert [p.path for p in problems(source)] == ["tasks[1].tasks[0].message"]


def test_rules_between_tasks_wait_until_all_types_are_known() -> None:
    source = flow(
        tasks=f"- {{id: x, type: {CORE}flow.Switch, value: a}}\n- {{id: y, type: io.nowhere.Task}}\n- {log('y')}"
    )
    assert told(source) == [
        "tasks[1].type: Invalid type: io.nowhere.Task",
        "tasks[2].id: Duplicate task id with name [y]",
    ]


def test_children_of_unknown_tasks_are_read_too() -> None:
    source = flow(tasks=f"- {{id: x, type: io.nowhere.Task, tasks: [{{id: y, type: {LOG}}}], errors: [{log('x')}]}}")
    assert told(source) == [
        "tasks[0].type: Invalid type: io.nowhere.Task",
        "tasks[0].tasks[0].message: must not be null",
        "tasks[0].errors[0].id: Duplicate task id with name [x]",
    ]


def test_a_type_whose_package_is_missing_names_the_package() -> None:
    class Types:
        def resolve(self, name: str) -> type | None:
            raise MissingExtra(f"The type {name}", "duckdb")

        def names(self) -> list[str]:
            return []

        def alias_target(self, name: str) -> str | None:
            return None

    with pytest.raises(FlowInvalid) as caught:
        parse_flow(
            flow("pluginDefaults: [{type: io.x, values: {a: 1}}]", tasks="- {id: t, type: io.x.Y}"), types=Types()
        )
    (one,) = caught.value.problems
    assert one.path == "tasks[0].type"
    assert "pip install 'penstock[duckdb]'" in one.message


def test_a_source_that_is_no_map_is_refused() -> None:
    assert told("- a\n- b\n") == ["Illegal flow source: expected a map with id, namespace and tasks"]


# -- cron -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [*NICKNAMES, "* * * * *", "*/5 0-3,7 1 JAN-DEC mon", "0 0 L * ?", "0 0 ? * 5L", "0 0 * * 1#2", "0 0 1,L * 7", "5/10 * * * *"])  # fmt: skip
def test_cron_expressions_that_can_be_read(text: str) -> None:
    assert cron_fault(text) is None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("@often", "expected one of @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly"),
        ("* * * *", "expected 5 fields, found 4"),
        ("60 * * * *", "expected 0 to 59 for the minute, found `60`"),
        ("* 5-30 * * *", "expected 0 to 23 for the hour, found `30`"),
        ("* * 0 * *", "expected 1 to 31 for the day of month, found `0`"),
        ("* * * FOO *", "expected 1 to 12 for the month, found `FOO`"),
        ("* * * * 8", "expected 0 to 7 for the day of week, found `8`"),
        ("*/0 * * * *", "expected a step from 1 to 59 for the minute, found `0`"),
        ("10-5 * * * *", "the range `10-5` of the minute runs backwards"),
        ("* * * * 1#6", "expected 0 to 7 for the day of week, found `1#6`"),
        ("* * 15W * *", "expected 1 to 31 for the day of month, found `15W`"),
    ],
)
def test_cron_expressions_that_cannot(text: str, fault: str) -> None:
    assert cron_fault(text) == fault
