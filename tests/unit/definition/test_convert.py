"""A conversion changes what has another form in 2.0, leaves everything around it alone, and says what it cannot do."""

from __future__ import annotations

import textwrap

import pytest
from tests.unit.definition.test_published_flows import SHARED, Loose, blueprints

from penstock.definition import parse_flow
from penstock.definition.convert import Converted, convert
from penstock.definition.dialect import Dialect, constructs
from penstock.definition.yaml_source import load_document
from penstock.errors import FlowInvalid
from penstock.model.state import State
from penstock.plugin.registry import installed
from penstock.testing.harness import Harness

TYPES = installed()


def converted(body: str) -> Converted:
    return convert(flow(body), TYPES)


def flow(body: str) -> str:
    return "id: f\nnamespace: company.team\n" + textwrap.dedent(body)


def becomes(before: str, after: str) -> None:
    done = converted(before)
    assert done.text == flow(after)
    assert convert(done.text, TYPES).text == done.text


def test_what_has_no_other_form_is_left_byte_for_byte() -> None:
    source = flow("""
        # a comment
        tasks:   # beside
          - {id: a, type: io.kestra.plugin.core.log.Log, message: 'x: "y"'}


          - id: b
            type: io.kestra.plugin.core.log.Log
            message: |
              {{ json }} json(text) stays outside of templates
    """)
    done = convert(source, TYPES)
    assert done.text == source
    assert done.diff == ""
    assert not done.changed
    assert done.left == []


def test_a_source_that_is_no_yaml_is_refused_with_its_line() -> None:
    with pytest.raises(FlowInvalid) as refused:
        convert("id: a\ntasks: [", TYPES)
    assert refused.value.problems[0].line is not None


def test_names_of_properties_words_and_types() -> None:
    becomes(
        """
        inputs:
          - name: yes_or_no   # older spelling
            type: BOOLEAN
            required: false
            defaults: true
          - {id: colour, type: ENUM, values: [red]}
        checks:
          - condition: "{{ inputs.yes_or_no }}"
        tasks:
          - id: a
            type: io.kestra.core.tasks.log.Log
            message: "{{ schedule.date }} {{ json('[1]')[0] }} {{ inputs | json }} {{ 'schedule.date' }}"
            retry: {type: constant, interval: PT1S, maxAttempt: 3}
            workerGroup:
              key: gpu
          - id: p
            type: io.kestra.plugin.core.flow.Pause
            delay: PT1S
        """,
        """
        inputs:
          - id: yes_or_no   # older spelling
            type: BOOL
            defaults: true
          - {id: colour, type: SELECT, values: [red]}
        checks:
          - when: "{{ inputs.yes_or_no }}"
        tasks:
          - id: a
            type: io.kestra.plugin.core.log.Log
            message: "{{ trigger.date }} {{ fromJson('[1]')[0] }} {{ inputs | toJson }} {{ 'schedule.date' }}"
            retry: {type: constant, interval: PT1S, maxAttempts: 3}
            workerSelector:
              tags: [gpu]
              fallback: WAIT
          - id: p
            type: io.kestra.plugin.core.flow.Pause
            pauseDuration: PT1S
        """,
    )


def test_defaults_of_plugins_are_written_out_where_they_apply() -> None:
    becomes(
        """
        tasks:
          - id: a
            type: io.kestra.plugin.core.log.Log
            message: own   # stays
          - id: b
            type: io.kestra.plugin.core.log.Log
            message: own
            level: DEBUG
          - id: g
            type: io.kestra.plugin.core.http.Request
            uri: https://example.com
            options:
              followRedirects: true

        pluginDefaults:
          - type: io.kestra.plugin.core.log
            forced: true
            values:
              level: WARN
          - type: io.kestra.plugin.core.log.Log
            values:
              message: never used
              description: "{{ flow.id }}"
          - type: io.kestra.plugin.core.http
            values:
              options:
                defaultCharset: UTF-8
        # the end
        """,
        """
        tasks:
          - id: a
            type: io.kestra.plugin.core.log.Log
            description: "{{ flow.id }}"
            level: WARN
            message: own   # stays
          - id: b
            type: io.kestra.plugin.core.log.Log
            description: "{{ flow.id }}"
            message: own
            level: WARN
          - id: g
            type: io.kestra.plugin.core.http.Request
            uri: https://example.com
            options:
              followRedirects: true
              defaultCharset: UTF-8

        # the end
        """,
    )


def test_nested_loops_read_item_and_its_parent() -> None:
    becomes(
        """
        tasks:
          - id: outer
            type: io.kestra.plugin.core.flow.EachParallel
            concurrent: 2
            value: ["a", "b"]
            tasks:
              - id: inner
                type: io.kestra.plugin.core.flow.ForEach
                values: ["{{ taskrun.value }}", "x"]
                tasks:
                  - id: made
                    type: io.kestra.plugin.core.debug.Return
                    format: "{{ parent.taskrun.value }}-{{ taskrun.value }}-{{ taskrun.iteration }}"
                  - id: seen
                    type: io.kestra.plugin.core.log.Log
                    message: "{{ outputs.made[parent.taskrun.value][taskrun.value].value ~ currentEachOutput(outputs.made) }}"
                  - id: branch
                    type: io.kestra.plugin.core.flow.If
                    condition: "{{ taskrun.value == 'x' }}"
                    then:
                      - id: deep
                        type: io.kestra.plugin.core.log.Log
                        message: "{{ parent.taskrun.value }} {{ parents[1].taskrun.value }}"
        """,
        """
        tasks:
          - id: outer
            type: io.kestra.plugin.core.flow.Loop
            concurrencyLimit: 2
            values: ["a", "b"]
            tasks:
              - id: inner
                type: io.kestra.plugin.core.flow.Loop
                concurrencyLimit: 1
                values: ["{{ item.value }}", "x"]
                tasks:
                  - id: made
                    type: io.kestra.plugin.core.debug.Return
                    format: "{{ item.parent.value }}-{{ item.value }}-{{ item.index }}"
                  - id: seen
                    type: io.kestra.plugin.core.log.Log
                    message: "{{ outputs.made.value ~ outputs.made }}"
                  - id: branch
                    type: io.kestra.plugin.core.flow.If
                    condition: "{{ item.value == 'x' }}"
                    then:
                      - id: deep
                        type: io.kestra.plugin.core.log.Log
                        message: "{{ item.value }} {{ item.parent.value }}"
        """,
    )


LOOPS = """
    tasks:
      - id: outer
        type: io.kestra.plugin.core.flow.EachSequential
        value: ["a", "b"]
        tasks:
          - id: inner
            type: io.kestra.plugin.core.flow.ForEach
            values: ["{{ taskrun.value }}1", "{{ taskrun.value }}2"]
            tasks:
              - id: made
                type: io.kestra.plugin.core.debug.Return
                format: "{{ parent.taskrun.value }}/{{ taskrun.value }}/{{ taskrun.iteration }}"
              - id: branch
                type: io.kestra.plugin.core.flow.If
                condition: "{{ taskrun.value == 'b1' }}"
                then:
                  - id: deep
                    type: io.kestra.plugin.core.debug.Return
                    format: "deep {{ parent.taskrun.value }} in {{ parents[1].taskrun.value }}"
"""


def made_by(source: str) -> list[str]:
    """What the Return tasks of a run gave, in order of their ends."""
    harness = Harness(source).run()
    assert harness.state.execution.state is State.SUCCESS
    given = (outputs for outputs in harness.archive.outputs.values())
    return sorted(str(outputs["value"]) for outputs in given if set(outputs) == {"value"})


def test_a_converted_loop_runs_as_the_one_it_was() -> None:
    source = flow(LOOPS)
    done = convert(source, TYPES)
    assert done.left == []
    expected = ["a/a1/0", "a/a2/1", "b/b1/0", "b/b2/1", "deep b1 in b"]
    assert made_by(source) == expected
    assert made_by(done.text) == expected


def test_outputs_read_outside_of_a_loop_are_told() -> None:
    done = converted("""
        tasks:
          - id: each
            type: io.kestra.plugin.core.flow.ForEach
            values: [a]
            tasks:
              - {id: inside, type: io.kestra.plugin.core.debug.Return, format: x}
            errors:
              - {id: sorry, type: io.kestra.plugin.core.log.Log, message: x}
          - id: after
            type: io.kestra.plugin.core.log.Log
            message: "{{ outputs.inside['a'].value }}"
    """)
    assert len(done.left) == 2
    assert "line 10: `errors` of `each` runs once per iteration" in done.left[0]
    assert "line 14: `outputs.inside` is read outside of the loop `each`" in done.left[1]


def test_a_loop_of_one_dialect_inside_one_of_the_other_is_left() -> None:
    source = flow("""
        tasks:
          - id: new
            type: io.kestra.plugin.core.flow.Loop
            values: [a]
            tasks:
              - id: old
                type: io.kestra.plugin.core.flow.ForEach
                values: [b]
                tasks:
                  - {id: t, type: io.kestra.plugin.core.log.Log, message: "{{ taskrun.value }} {{ item.value }}"}
    """)
    done = convert(source, TYPES)
    assert done.text == source
    assert "`old` and a Loop lie inside one another" in done.left[0]


def trigger(body: str, type_: str = "Flow") -> str:
    head = f"triggers:\n  - id: t\n    type: io.kestra.plugin.core.trigger.{type_}\n"
    return "\n" + head + textwrap.indent(textwrap.dedent(body).strip("\n"), "    ") + "\n"


CORE = "io.kestra.plugin.core.condition."


def test_conditions_of_flow_triggers_become_states_dependencies_and_when() -> None:
    becomes(
        trigger(f"""
            conditions:
              - type: {CORE}ExecutionStatus
                in: [FAILED, WARNING]
              - type: {CORE}ExecutionNamespace
                namespace: company
                prefix: true
        """),
        trigger("""
            states:
              - FAILED
              - WARNING
            when: "{{ trigger.namespace | startsWith('company') }}"
        """),
    )
    becomes(
        trigger(f"""
            inputs: {{}}
            conditions:
              - type: {CORE}ExecutionFlow
                namespace: company.team
                flowId: up
              - type: {CORE}ExecutionStatus
                in: [SUCCESS]
              - type: {CORE}Expression
                expression: "{{{{ trigger.outputs.n > 1 }}}}"
        """),
        trigger("""
            inputs: {}
            states:
              - SUCCESS
            dependsOn:
              - namespace: company.team
                flowId: up
            when: "{{ trigger.outputs.n > 1 }}"
        """),
    )


def test_a_day_that_starts_anew_is_no_window_in_either_dialect() -> None:
    becomes(
        trigger("""
            preconditions:
              id: both
              timeWindow: {type: DURATION_WINDOW, window: PT24H}
              flows:
                - {namespace: n, flowId: a, states: [SUCCESS]}
                - {namespace: n, flowId: b, states: [SUCCESS], labels: {k: v}}
        """),
        trigger("""
            dependsOn:
              - namespace: n
                flowId: a
                states:
                  - SUCCESS
              - namespace: n
                flowId: b
                states:
                  - SUCCESS
                labels:
                  k: v
        """),
    )


@pytest.mark.parametrize(
    ("window", "written"),
    [
        ("{type: SLIDING_WINDOW, window: PT1H}", "lookback: PT1H"),
        ("{type: DAILY_TIME_DEADLINE, deadline: '09:00:00'}", "deadline: 09:00:00"),
        ("{window: PT6H, windowAdvance: PT1H}", "every: PT6H\n  offset: PT1H"),
        ("{type: DAILY_TIME_WINDOW, startTime: '01:00:00', endTime: '02:00:00'}", "from: 01:00:00\n  to: 02:00:00"),
    ],
)
def test_windows(window: str, written: str) -> None:
    head = "preconditions:\n  id: p\n"
    flows = "  flows:\n    - {namespace: n, flowId: a, states: [SUCCESS]}\n"
    done = converted(trigger(f"{head}  resetOnSuccess: false\n  timeWindow: {window}\n{flows}"))
    value = load_document(done.text).value
    assert isinstance(value, dict)
    assert value["triggers"][0]["window"] == dict(line.strip().split(": ", 1) for line in written.splitlines())
    assert done.left == []
    # a window that starts anew after each fire has no 2.0 form: nothing is changed, the reason names what to write
    again = converted(trigger(f"{head}  timeWindow: {window}\n{flows}"))
    assert not again.changed
    assert "starts anew when the trigger fires" in again.left[0]


def test_a_trigger_with_one_condition_that_has_no_form_stays_whole() -> None:
    source = flow(
        trigger(f"""
        conditions:
          - type: {CORE}ExecutionStatus
            in: [FAILED]
          - type: {CORE}HasRetryAttempt
            in: [FAILED]
    """)
    )
    done = convert(source, TYPES)
    assert done.text == source
    assert done.left == [
        "line 7: trigger `t`: its condition HasRetryAttempt has no expression that asks the same",
    ]


def test_maps_in_one_line_stay_in_one_line() -> None:
    becomes(
        f"""
        inputs: [{{id: a, type: BOOLEAN, defaults: true, required: false}}]
        tasks:
          - {{id: e, type: io.kestra.plugin.core.debug.Echo, format: hello}}
          - {{id: l, type: io.kestra.plugin.core.flow.ForEach, values: [a], tasks: [{{id: t, type: a.B, runIf: x}}]}}
        triggers:
          - {{id: t, type: io.kestra.plugin.core.trigger.Schedule, cron: "@daily", conditions: [{{type: {CORE}Weekend}}]}}
        """,
        """
        inputs: [{id: a, type: BOOL, defaults: true}]
        tasks:
          - {id: e, type: io.kestra.plugin.core.log.Log, message: hello}
          - {id: l, type: io.kestra.plugin.core.flow.Loop, concurrencyLimit: 1, values: [a], tasks: [{id: t, type: a.B, runIf: x}]}
        triggers:
          - {id: t, type: io.kestra.plugin.core.trigger.Schedule, cron: "@daily", when: "{{ isWeekend(trigger.date) }}"}
        """,
    )


def test_what_needs_a_person_is_named_with_its_line() -> None:
    done = converted("""
        tasks:
          - id: items
            type: io.kestra.plugin.core.flow.ForEachItem
            items: "{{ inputs.file }}"
            namespace: n
            flowId: f2
          - id: hold
            type: io.kestra.plugin.core.flow.Pause
            tasks:
              - {id: t, type: io.kestra.plugin.core.log.Log, message: x}
        listeners:
          - tasks:
              - {id: l, type: io.kestra.plugin.core.log.Log, message: x}
    """)
    assert not done.changed
    assert [text.split(": ")[0] for text in done.left] == ["line 5", "line 12", "line 14"]
    assert "storage.Split" in done.left[0]


def test_a_mixed_flow_is_2_0_after_its_conversion() -> None:
    body = LOOPS + "pluginDefaults:\n  - type: io.kestra.plugin.core.log\n    values: {level: WARN}\n"
    done = convert("id: f\nnamespace: n\n" + textwrap.dedent(LOOPS) + body[len(LOOPS) :], TYPES)
    value = load_document(done.text).value
    assert isinstance(value, dict)
    assert [one for one in constructs(value) if one.dialect is Dialect.V1] == []
    parse_flow(done.text, types=TYPES)
    assert done.diff.startswith("--- as written\n+++ for 2.0\n")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared reference is not here")
def test_published_flows_stay_valid_and_convert_once() -> None:
    types = Loose()
    changed = 0
    for path in blueprints():
        source = path.read_text()
        try:
            parse_flow(source, types=types)
        except FlowInvalid:
            continue
        done = convert(source, types)
        parse_flow(done.text, types=types)
        assert convert(done.text, types).text == done.text, path.name
        changed += done.changed
    assert changed > 100
