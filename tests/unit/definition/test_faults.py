"""What is wrong inside a record is told in words for people, with the place and the nearest name."""

from __future__ import annotations

import pytest
from tests.unit.definition.sources import LOG, flow, problems, told

from penstock.definition import parse_flow
from penstock.definition.faults import nearest
from penstock.errors import FlowInvalid, MissingExtra
from penstock.plugin.registry import installed


@pytest.mark.parametrize(
    ("tasks", "expected"),
    [
        (f"- {{id: t, type: {LOG}}}", "tasks[0].message: must not be null"),
        (f"- {{id: t, type: {LOG}, message: }}", None),
        (f"- {{id: t, type: {LOG}, message: x, retry: {{type: constant}}}}", "tasks[0].retry.interval: must not be null"),
        (f"- {{id: t, type: {LOG}, message: x, disabled: maybe}}", "tasks[0].disabled: expected true or false, found `maybe`"),
        (f"- {{id: t, type: {LOG}, message: x, timeout: soon}}", "tasks[0].timeout: expected an ISO 8601 duration such as PT30S or P1D, found 'soon'"),
        (f"- {{id: t, type: {LOG}, message: x, description: [a]}}", "tasks[0].description: expected a text, found a list"),
        (f"- {{id: t, type: {LOG}, message: x, description: {{a: 1}}}}", "tasks[0].description: expected a text, found a map"),
        (f"- {{id: t, type: {LOG}, message: x, taskCache: 5}}", "tasks[0].taskCache: expected a map, found `5`"),
        (f"- {{id: t, type: {LOG}, message: x, taskCache: {{enabled: }}}}", "tasks[0].taskCache.enabled: must not be null"),
        (f"- {{id: t, type: {LOG}, message: x, retry: {{type: random}}, }}", "tasks[0].retry.minInterval: must not be null"),
        (f"- {{id: t, type: {LOG}, message: x, retry: {{type: x}}}}", "tasks[0].retry.type: Invalid type: x, expected one of constant, exponential, random"),
        (f"- {{id: t, type: {LOG}, message: x, retry: {{}}}}", "tasks[0].retry.type: must not be null, expected one of constant, exponential, random"),
        (f"- {{id: t, type: {LOG}, message: x, retry: 5}}", "tasks[0].retry: expected a map, found `5`"),
        (f"- {{id: t, type: {LOG}, message: x, retry: {{type: constant, interval: PT1S, maxAttempts: 0}}}}", "tasks[0].retry.maxAttempts: must be at least 1, found `0`"),
        (f"- {{id: t, type: {LOG}, message: x, retry: {{type: constant, interval: PT1S, maxAttempt: x}}}}", "tasks[0].retry.maxAttempt: expected a whole number, found `x`"),
        (f"- {{id: t, type: {LOG}, message: x, retry: {{type: constant, interval: PT1S, maxAttempts: 1.5}}}}", "tasks[0].retry.maxAttempts: expected a whole number, found `1.5`"),
        (f"- {{id: t.x, type: {LOG}, message: x}}", 'tasks[0].id: must match "^[a-zA-Z0-9][a-zA-Z0-9_-]*"'),
        (f"- {{id: {'t' * 257}, type: {LOG}, message: x}}", "tasks[0].id: must have at most 256 characters, found 257"),
        ("- {id: t, type: io.kestra.plugin.core.flow.Parallel, concurrent: abc, tasks: []}", "tasks[0].concurrent: expected a whole number, found `abc`"),
        ("- {id: t, type: io.kestra.plugin.core.flow.Parallel, tasks: 5}", "tasks[0].tasks: expected a list, found `5`"),
        ("- 5", "tasks[0]: expected a map with a type, found `5`"),
        ("- {id: t}", "tasks[0].type: must not be null"),
        ("- {id: t, type: [a]}", "tasks[0].type: expected a text, found a list"),
        ("- {id: t, type: io.kestra.plugin.core.trigger.Schedule}", "tasks[0].type: Invalid type: io.kestra.plugin.core.trigger.Schedule is not a task"),
        ("- {id: t, type: io.kestra.plugin.core.execution.Exit, state: NOPE}", "tasks[0]: state must be one of SUCCESS, WARNING, KILLED, FAILED, CANCELLED, found NOPE"),
        ("- {id: t, type: io.kestra.plugin.scripts.shell.Commands, commands: [a], taskRunner: 5}", "tasks[0].taskRunner: expected a map, found `5`"),
    ],
)  # fmt: skip
def test_faults_of_tasks(tasks: str, expected: str | None) -> None:
    found = told(flow(tasks=tasks))
    assert expected is None or expected in found, found


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("labels: 5", "labels: expected a list, found `5`"),
        ("labels: [{key: a}]", "labels[0].value: must not be null"),
        ("concurrency: {limit: 1, behavior: }", "concurrency.behavior: expected one of QUEUE, CANCEL, FAIL, found nothing"),
        ("concurrency: {limit: 0}", "concurrency.limit: must be at least 1, found `0`"),
        ("concurrency: {limit: 1, behavior: WAIT}", "concurrency.behavior: expected one of QUEUE, CANCEL, FAIL, found `WAIT`"),
        ("quotas: [{duration: PT1H, limit: 0}]", "quotas[0].limit: must be more than 0, found `0`"),
        ("quotas: [{duration: PT1S, limit: 1}]", "quotas[0]: the `duration` of a quota must be at least PT1M"),
        ("sla: [{id: a, type: MAX_DURATION, behavior: FAIL}]", "sla[0]: an SLA of type MAX_DURATION must have `duration`"),
        ("sla: [{id: a, type: EXECUTION_ASSERTION, behavior: FAIL}]", "sla[0]: an SLA of type EXECUTION_ASSERTION must have `assert`"),
        ("inputs: [{id: a, type: INT, min: x}]", "inputs[0].min: expected a whole number, found `x`"),
        ("inputs: [{id: a, type: FLOAT, min: x}]", "inputs[0].min: expected a number, found `x`"),
        ("inputs: [5]", "inputs[0]: expected a map with a type, found `5`"),
        ("inputs: [{id: a, type: SELECT, values: [{label: a}]}]", "inputs[0].values[0].value: must not be null"),
        ("inputs: [{id: a, type: SELECT, values: [[a]]}]", "inputs[0].values[0]: expected a map or a text, found a list"),
        ("variables: [a]", "variables: expected a map, found a list"),
        ("pluginDefaults: [{values: {a: 1}}]", "pluginDefaults[0].type: must not be null"),
        ("listeners: [5]", "listeners[0]: expected a map, found `5`"),
        ("listeners: [{tasks: [{id: a, type: x.Y}], conditions: [5]}]", "listeners[0].tasks[0].type: Invalid type: x.Y"),
    ],
)  # fmt: skip
def test_faults_of_flows(body: str, expected: str) -> None:
    assert expected in told(flow(body))


@pytest.mark.parametrize(
    ("trigger", "expected"),
    [
        ("{id: a, type: io.kestra.plugin.core.trigger.Webhook, key: k, fetchType: X}", "triggers[0].fetchType: expected one of FETCH, STORE, NONE, found `X`"),
        ("{id: a, type: io.kestra.plugin.core.trigger.Flow, mode: AT_LEAST}", "triggers[0]: `mode: AT_LEAST` must have `minSatisfied`"),
        ("{id: a, type: io.kestra.plugin.core.trigger.Flow, mode: AT_LEAST, minSatisfied: 2, dependsOn: [{flowId: x}]}", "triggers[0]: `minSatisfied` is 2, but `dependsOn` has only 1 entries"),
        ("{id: a, type: io.kestra.plugin.core.trigger.Flow, window: {deadline: '09:00:00', every: PT1H}}", "triggers[0].window: expected one of `deadline`, `from` and `to`, `lookback`, or `every`, found `deadline`, `every`"),
        ("{id: a, type: io.kestra.plugin.core.trigger.Flow, window: {from: '09:00:00'}}", "triggers[0].window: a window with `from` must have `to`"),
        ("{id: a, type: io.kestra.plugin.core.trigger.Flow, preconditions: {id: p, timeWindow: {type: SLIDING_WINDOW, windowAdvance: PT1H, deadline: x}}}", "triggers[0].preconditions.timeWindow: Time window of type `SLIDING_WINDOW` cannot have `deadline`"),
        ("{id: a, type: io.kestra.plugin.core.trigger.Flow, preconditions: {id: p, timeWindow: {type: DAILY_TIME_DEADLINE}}}", "triggers[0].preconditions.timeWindow: Time window of type `DAILY_TIME_DEADLINE` must have `deadline`"),
        ("{id: a, type: io.kestra.plugin.core.trigger.Flow, preconditions: {id: p, where: [{id: w, filters: [{field: STATE, type: IN}]}]}}", "triggers[0].preconditions.where[0].filters[0]: a filter of type IN must have `values`"),
        ("{id: a, type: io.kestra.plugin.core.trigger.Flow, preconditions: {id: p, where: [{id: w, filters: [{field: EXPRESSION, type: IS_NULL}]}]}}", "triggers[0].preconditions.where[0].filters[0]: a filter of type IS_NULL must have a `value`"),
        ("{id: a, type: io.kestra.plugin.core.trigger.Flow, states: [DONE]}", None),
        ("{id: a, type: io.kestra.plugin.core.trigger.Flow, conditions: [{type: io.kestra.plugin.core.condition.TimeBetween}]}", "triggers[0].conditions[0]: expected `after`, `before` or both"),
        ("{id: a, type: io.kestra.plugin.core.trigger.Flow, conditions: [{type: io.kestra.plugin.core.condition.DateTimeBetween}]}", "triggers[0].conditions[0]: expected `after`, `before` or both"),
        ("{id: a, type: io.kestra.plugin.core.trigger.Flow, conditions: [{type: io.kestra.plugin.core.condition.Not, conditions: []}]}", "triggers[0].conditions[0].conditions: must not be empty"),
        ("{id: a, type: io.kestra.plugin.core.trigger.Flow, conditions: [{type: io.kestra.plugin.core.condition.MultipleCondition, id: m, conditions: {one: {type: nope.Nope}}}]}", "triggers[0].conditions[0].conditions.one.type: Invalid type: nope.Nope"),
    ],
)  # fmt: skip
def test_faults_of_triggers(trigger: str, expected: str | None) -> None:
    found = told(flow(f"triggers:\n  - {trigger}"))
    assert found
    assert expected is None or expected in found, found


def test_all_forms_of_windows_are_taken() -> None:
    windows = [
        "{deadline: '09:00:00'}",
        "{from: '09:00:00', to: '10:00:00'}",
        "{lookback: PT1H}",
        "{every: PT1H, offset: PT5M}",
        "{}",
    ]
    for window in windows:
        trigger = f"{{id: a, type: io.kestra.plugin.core.trigger.Flow, window: {window}, dependsOn: [{{flowId: x}}]}}"
        assert told(flow(f"triggers:\n  - {trigger}")) == []


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("type: constant, interval: PT10S, maxDuration: PT10S", "'interval' must be less than 'maxDuration'"),
        ("type: exponential, interval: PT10S, maxInterval: PT5S", "'interval' must be less than 'maxInterval'"),
        ("type: exponential, interval: PT1S, maxInterval: PT5S, maxDuration: PT4S", "'maxInterval' must be less than 'maxDuration'"),
        ("type: random, minInterval: PT10S, maxInterval: PT5S", "'minInterval' must be less than 'maxInterval'"),
        ("type: random, minInterval: PT1S, maxInterval: PT5S, maxDuration: PT5S", "'maxInterval' must be less than 'maxDuration'"),
    ],
)  # fmt: skip
def test_durations_of_a_retry_are_in_order(fields: str, expected: str) -> None:
    assert told(flow(f"retry: {{{fields}}}")) == [f"retry: {expected}"]


def test_an_unknown_property_names_the_nearest_one() -> None:
    (one,) = problems(flow(tasks=f"- {{id: t, type: {LOG}, message: x, levl: INFO}}"))
    assert (one.message, one.path, one.suggestion) == ('Unrecognized field "levl"', "tasks[0].levl", "level")
    (two,) = problems(flow("concurrency: {limit: 1, behaviour: FAIL}"))
    assert two.suggestion == "behavior"
    (three,) = problems(flow("retry: {type: constant, interval: PT1S, xyz: 1}"))
    assert three.suggestion is None
    assert "known are: " in three.message
    assert "interval" in three.message


def test_names_are_those_of_the_record_at_the_place() -> None:
    (one,) = problems(flow("inputs: [{id: a, type: INT, maxx: 1}]"))
    assert (one.path, one.suggestion) == ("inputs[0].maxx", "max")
    runner = "{type: io.kestra.plugin.scripts.runner.docker.Docker, pullPolic: NEVER}"
    task = "{id: t, type: io.kestra.plugin.scripts.shell.Commands, commands: [a], taskRunner: %s}"
    (two,) = problems(flow(tasks=f"- {task % runner}"))
    assert (two.path, two.suggestion) == ("tasks[0].taskRunner.pullPolic", "pullPolicy")


def test_names_of_python_are_no_properties() -> None:
    assert [p.suggestion for p in problems(flow("after_execution: []"))] == ["afterExecution"]
    tasks = f"- {{id: t, type: {LOG}, message: x, run_if: 'true', retry: {{type: constant, interval: PT1S, max_attempts: 1}}}}"
    assert [p.suggestion for p in problems(flow(tasks=tasks))] == ["runIf", "maxAttempts"]


def test_a_property_may_not_be_written_twice_by_two_names() -> None:
    assert told(flow(tasks=f"- {{id: t, type: {LOG}, message: x, runIf: 'true', when: 'true'}}"))


def test_faults_inside_a_task_runner_have_their_path() -> None:
    runner = "io.kestra.plugin.core.runner.Process"
    task = "- {id: t, type: io.kestra.plugin.scripts.shell.Commands, commands: [a], taskRunner: {type: %s}}"
    (one,) = problems(flow(tasks=task % f"{runner}, nope: 1"))
    assert one.path == "tasks[0].taskRunner.nope"
    (two,) = problems(flow(tasks=task % "io.kestra.plugin.core.runner.Proces"))
    assert (two.path, two.message, two.suggestion) == (
        "tasks[0].taskRunner.type", "Invalid type: io.kestra.plugin.core.runner.Proces", runner,
    )  # fmt: skip
    (three,) = problems(flow(tasks=task % LOG))
    assert three.message == f"Invalid type: {LOG} is not a task runner"


def test_words_are_read_in_any_case_and_truth_values_as_texts() -> None:
    source = flow(
        "concurrency: {limit: 1, behavior: cancel}\n"
        "inputs: [{id: a, type: string}, {id: b, type: Select, values: [x]}]\n"
        "triggers: [{id: s, type: io.kestra.plugin.core.trigger.Flow, states: [success, Canceled]}]",
        tasks=f"- {{id: t, type: {LOG}, message: x, level: warn, logLevel: debug, runIf: false, description: true}}",
    ).replace("{id: a, type: string}", "{id: a, type: string, dependsOn: {inputs: [b], condition: true}}")
    assert told(source) == []


def test_a_template_stands_for_any_value_and_json_for_lists() -> None:
    source = flow(
        tasks="""
        - id: p
          type: io.kestra.plugin.core.flow.Parallel
          concurrent: "{{ inputs.n }}"
          timeout: "{{ vars.t }}"
          tasks: [{id: t, type: io.kestra.plugin.core.execution.UnsetVariables, variables: '["a", "b"]'}]
        """
    )
    assert told(source) == []
    broken = "- {id: t, type: io.kestra.plugin.core.execution.UnsetVariables, variables: '[broken'}"
    assert told(flow(tasks=broken)) == ["tasks[0].variables: expected a list, found `[broken`"]


def test_long_values_are_cut() -> None:
    (one,) = problems(flow(f"disabled: {'x' * 200}"))
    assert len(one.message) < 130


def test_nearest_names() -> None:
    assert nearest("TASKRUNNER", ["taskRunner", "tasks"]) == "taskRunner"
    assert nearest("zzz", ["taskRunner", "tasks"]) is None


def test_a_record_whose_inner_type_lacks_its_package_is_still_told() -> None:
    class Types:
        def resolve(self, name: str) -> type | None:
            if name.endswith("Missing"):
                raise MissingExtra(f"The type {name}", "duckdb")
            return installed().resolve(name)

        def names(self) -> list[str]:
            return installed().names()

        def alias_target(self, name: str) -> str | None:
            return installed().alias_target(name)

    inner = "{type: io.kestra.plugin.Missing, nope: 1}"
    task = f"- {{id: t, type: {LOG}, message: x, retry: {inner}}}"
    with pytest.raises(FlowInvalid) as caught:
        parse_flow(flow(tasks=task), types=Types())
    assert caught.value.problems[0].path == "tasks[0].retry.type"
