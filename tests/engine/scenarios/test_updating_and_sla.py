"""Tasks that change the execution, and service levels (engine.md 3.12, 5.2)."""

from __future__ import annotations

import pytest
from stories import OK, Story, play

LOG = "type: log.Log, message: hi"


def labels(story):
    return {x.key: x.value for x in story.state.context.labels}


@pytest.mark.parametrize(
    "given",
    [
        "{team: ops, size: 3}",
        "[{key: team, value: ops}, {key: size, value: 3}]",
        '\'{"team": "ops", "size": 3}\'',
        "{team: \"{{ 'ops' }}\", size: 3}",
    ],
)
def test_labels(given):
    story = play(f"labels: {{team: data, keep: it}}\ntasks: [{{id: a, type: execution.Labels, labels: {given}}}]")
    assert labels(story) == {"team": "ops", "keep": "it", "size": "3"}
    assert story.past("a") == OK


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("\"{{ '{' ~ '}}' }}\"", "labels must be"), ("\"{{ 3 }}\"", "labels must be"),
        ("{x: \"{{ '' }}\"}", "cannot be empty"), ("{x: \"{{ nowhere.y }}\"}", "nowhere"),
    ],
)  # fmt: skip
def test_labels_that_are_refused(given, message):
    story = play(f"tasks: [{{id: a, type: execution.Labels, labels: {given}}}]")
    assert story.ended == "FAILED"
    assert story.said(message), story.logs


def test_system_labels_are_refused_when_rendered():
    story = play("""tasks: [{id: a, type: execution.Labels, labels: "{{ '{\\"system.x\\": \\"1\\"}' }}"}]""")
    assert story.ended == "FAILED"
    assert story.said("System labels can only be set by Kestra itself, offending label: system.x=1")


def test_variables_are_merged_deeply():
    story = play("""
        variables: {a: {b: 1, c: 2}, d: 3}
        tasks:
          - {id: s, type: execution.SetVariables, variables: {a: {b: "{{ vars.d }}"}, e: [1]}}
          - {id: r, type: debug.Return, format: "{{ vars.a.b }}{{ vars.a.c }}"}
    """)
    found = story.state.context.variables
    assert found["a"]["c"] == 2
    assert found["e"] == [1]
    assert story.output("r") == {"value": "32"}


def test_variables_are_not_overwritten():
    story = play(
        "variables: {a: 1}\ntasks: [{id: s, type: execution.SetVariables, overwrite: false, variables: {a: 2}}]"
    )
    assert story.ended == "FAILED"
    assert story.said("Variable `a` already exists")
    fresh = play(
        "variables: {a: 1}\ntasks: [{id: s, type: execution.SetVariables, overwrite: false, variables: {b: 2}}]"
    )
    assert fresh.ended == "SUCCESS"


@pytest.mark.parametrize(
    ("unset", "left"),
    [("[a.b]", {"a": {"c": 2}, "d": 3}), ("[a, d]", {}), ("[a.b, a.c]", {"a": {}, "d": 3})],
)
def test_variables_are_unset(unset, left):
    story = play(
        f"variables: {{a: {{b: 1, c: 2}}, d: 3}}\ntasks: [{{id: u, type: execution.UnsetVariables, variables: {unset}}}]"
    )
    assert story.state.context.variables == left


@pytest.mark.parametrize("path", ["nope", "a.nope", "d.deep"])
def test_unset_of_what_is_not_there(path):
    text = f"variables: {{a: {{b: 1}}, d: 3}}\ntasks: [{{id: u, type: execution.UnsetVariables, variables: [{path}], ignoreMissing: MISSING}}]"
    strict = play(text.replace("MISSING", "false"))
    assert strict.ended == "FAILED"
    assert strict.said("does not exist")
    lenient = play(text.replace("MISSING", "true"))
    assert lenient.ended == "SUCCESS"
    assert lenient.state.context.variables == {"a": {"b": 1}, "d": 3}


def test_a_deadline_fails_the_execution():
    story = Story(f"""
        sla: [{{id: quick, type: MAX_DURATION, duration: PT5S, behavior: FAIL, labels: {{sla: missed}}}}]
        tasks:
          - id: p
            type: flow.Parallel
            tasks: [{{id: a, {LOG}}}, {{id: s, type: flow.Subflow, namespace: company.team, flowId: child}}]
        afterExecution: [{{id: x, {LOG}}}]
    """)
    story.start()
    late = story.jobs.popleft()
    story.tick()
    decision = story.decisions[-1]
    assert decision.kills == [None]
    assert decision.cascade
    assert story.history() == ["CREATED", "RUNNING", "FAILED"]
    assert {str(story.of(i).state) for i in ("p", "a", "s")} == {"FAILED"}
    assert labels(story) == {"sla": "missed"}
    assert story.said("WARN SLA 'quick' violated: execution duration of PT5S exceed the maximum duration of PT5S.")
    assert story.said("ERROR Execution failed due to SLA 'quick' violated")
    story.answer(late)
    assert str(story.of("a").state) == "FAILED"
    story.finish()
    assert str(story.of("x").state) == "SUCCESS"
    assert not story.timers


@pytest.mark.parametrize(("behavior", "state"), [("CANCEL", "CANCELLED"), ("NONE", "RUNNING")])
def test_other_behaviours_of_a_deadline(behavior, state):
    story = Story(
        f"sla: [{{id: q, type: MAX_DURATION, duration: PT5S, behavior: {behavior}, labels: {{sla: missed}}}}]\ntasks: [{{id: a, {LOG}}}]"
    )
    story.start()
    story.tick()
    assert story.ended == state
    assert labels(story) == {"sla": "missed"}


def test_a_deadline_that_is_met():
    story = play(f"sla: [{{id: q, type: MAX_DURATION, duration: PT5S, behavior: FAIL}}]\ntasks: [{{id: a, {LOG}}}]")
    assert story.ended == "SUCCESS"
    assert not story.timers


def test_a_deadline_passes_while_paused():
    story = Story(
        "sla: [{id: q, type: MAX_DURATION, duration: PT5S, behavior: CANCEL}]\ntasks: [{id: p, type: flow.Pause, timeout: PT1H}]"
    )
    story.run()
    story.tick()
    assert story.ended == "CANCELLED"
    assert story.state.execution.held == 0
    assert not story.timers


def test_a_deadline_during_a_kill_changes_nothing():
    story = Story(f"sla: [{{id: q, type: MAX_DURATION, duration: PT5S, behavior: FAIL}}]\ntasks: [{{id: a, {LOG}}}]")
    story.start()
    story.kill()
    story.tick()
    assert story.ended == "KILLING"
    story.reply("a", "KILLED")
    assert story.ended == "KILLED"
    assert not story.timers


def test_a_restart_sets_the_deadline_again_from_the_original_start():
    story = Story(
        f"sla: [{{id: q, type: MAX_DURATION, duration: PT5S, behavior: FAIL}}]\ntasks: [{{id: a, {LOG}}}]",
        ends={"a": "FAILED"},
    )
    story.finish()
    story.restart()
    (due, _) = story.timers["sla:q"]
    assert (due - story.state.execution.histories[0].date).total_seconds() == 5


def assertion(behavior, more=""):
    return f"""
        sla: [{{id: sure, type: EXECUTION_ASSERTION, assert: "{{{{ labels.bad is not defined }}}}", behavior: {behavior}}}{more}]
        tasks: [{{id: a, {LOG}}}, {{id: b, type: execution.Labels, labels: {{bad: "1"}}}}, {{id: z, {LOG}}}]
    """


@pytest.mark.parametrize(
    ("behavior", "state", "goes_on"),
    [("FAIL", "FAILED", False), ("CANCEL", "CANCELLED", False), ("NONE", "SUCCESS", True)],
)
def test_an_assertion(behavior, state, goes_on):
    story = play(assertion(behavior))
    assert story.ended == state
    assert ("z" in story.counts() and str(story.of("z").state) == "SUCCESS") is goes_on
    assert story.said("SLA 'sure' violated: assertion is false: {{ labels.bad is not defined }}.")
    assert story.state.execution.closed


def test_of_several_violations_only_the_first_acts():
    more = ', {id: too, type: EXECUTION_ASSERTION, assert: "{{ labels.bad is not defined }}", behavior: FAIL}'
    story = play(assertion("CANCEL", more))
    assert story.ended == "CANCELLED"
    assert story.said("SLA 'too' violated")


def test_an_assertion_that_is_false_from_the_start():
    story = play(
        f'sla: [{{id: s, type: EXECUTION_ASSERTION, assert: "false", behavior: FAIL}}]\ntasks: [{{id: a, {LOG}}}]'
    )
    assert story.ended == "FAILED"
    assert story.task_runs() == []


def test_an_assertion_that_cannot_be_evaluated_is_ignored():
    story = play(
        f'sla: [{{id: s, type: EXECUTION_ASSERTION, assert: "{{{{ nowhere.x }}}}", behavior: FAIL}}]\ntasks: [{{id: a, {LOG}}}]'
    )
    assert story.ended == "SUCCESS"
    assert story.said("Ignoring SLA 's' because of the error")
