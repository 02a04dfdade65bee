"""If, Switch and runIf: what is chosen, what is skipped, what goes wrong."""

from __future__ import annotations

import pytest
from stories import OK, RAN, Story, play

IF = """
    tasks:
      - id: i
        type: flow.If
        condition: CONDITION
        then: [{id: yes, type: log.Log, message: hi}]
        else: [{id: no, type: log.Log, message: hi}]
"""


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ('"true"', True), ('"no"', True), ('"False"', True), ('"1"', True),
        ('"false"', False), ('"0"', False), ('"-0"', False), ('"{{ \'\' }}"', False), ('"{{ null }}"', False),
        ('"{{ 1 > 2 }}"', False), ('"{{ 2 > 1 }}"', True),
    ],
)  # fmt: skip
def test_if_takes_the_branch_its_condition_says(condition, holds):
    story = play(IF.replace("CONDITION", condition).replace("id: yes", "id: then1").replace("id: no", "id: else1"))
    assert story.output("i") == {"evaluationResult": holds}
    assert list(story.counts()) == ["i", "then1" if holds else "else1"]


def test_an_if_without_the_branch_succeeds():
    story = play("""
        tasks:
          - id: i
            type: flow.If
            condition: "false"
            then: [{id: a, type: log.Log, message: hi}]
    """)
    assert story.trace() == [f"i: {OK}"]


def test_an_if_with_a_disabled_branch_succeeds():
    story = play("""
        tasks:
          - id: i
            type: flow.If
            condition: "true"
            then: [{id: a, type: log.Log, message: hi, disabled: true}]
    """)
    assert story.trace() == [f"i: {OK}"]


def test_the_choice_is_made_once():
    story = play("""
        variables: {mode: "on"}
        tasks:
          - id: i
            type: flow.If
            condition: "{{ vars.mode == 'on' }}"
            then:
              - {id: turn, type: execution.SetVariables, variables: {mode: "off"}}
              - {id: more, type: log.Log, message: hi}
            else: [{id: other, type: log.Log, message: hi}]
    """)
    assert list(story.counts()) == ["i", "turn", "more"]
    assert story.ended == "SUCCESS"


def test_a_condition_that_fails_to_render_fails_the_if():
    story = play(IF.replace("CONDITION", '"{{ nowhere.x }}"'))
    assert story.past("i") == "CREATED RUNNING FAILED"
    assert story.said("ERROR")


def test_a_condition_that_needs_the_outside_is_evaluated_by_a_worker():
    story = Story(IF.replace("CONDITION", "\"{{ kv('flag') }}\"").replace("id: yes", "id: then1"))
    story.start()
    (job,) = story.jobs
    assert job.kind == "EVALUATE"
    assert job.templates == {"condition": "{{ kv('flag') }}"}
    story.rendered(condition="true")
    assert story.waiting() == ["then1"]


def test_an_evaluation_that_fails_on_the_worker_fails_the_task():
    story = play(IF.replace("CONDITION", "\"{{ kv('flag') }}\""))
    assert story.past("i") == "CREATED RUNNING FAILED"


SWITCH = """
    tasks:
      - id: s
        type: flow.Switch
        value: VALUE
        cases:
          "1": [{id: one, type: log.Log, message: hi}]
          "true": [{id: truth, type: log.Log, message: hi}]
        DEFAULTS
"""
DEFAULTS = "defaults: [{id: other, type: log.Log, message: hi}]"


@pytest.mark.parametrize(
    ("value", "taken", "default"),
    [('"1"', "one", False), ('"{{ 3 - 2 }}"', "one", False), ('"{{ true }}"', "truth", False), ('"2"', "other", True)],
)
def test_switch_compares_text(value, taken, default):
    story = play(SWITCH.replace("VALUE", value).replace("DEFAULTS", DEFAULTS))
    assert list(story.counts()) == ["s", taken]
    assert story.output("s")["defaults"] is default


def test_switch_without_match_and_without_defaults_fails():
    story = play(SWITCH.replace("VALUE", '"9"').replace("DEFAULTS", ""))
    assert story.past("s") == "CREATED RUNNING FAILED"
    assert story.said("No task found on flow")


def test_switch_without_match_may_fail():
    story = play(SWITCH.replace("VALUE", '"9"').replace("DEFAULTS", "allowFailure: true"))
    assert story.past("s") == "CREATED RUNNING WARNING"
    assert story.ended == "WARNING"


def test_a_false_run_if_skips_and_does_not_stop_the_list():
    story = play("""
        tasks:
          - {id: a, type: execution.Fail, runIf: "{{ 1 == 2 }}"}
          - id: s
            type: flow.Sequential
            runIf: "false"
            tasks: [{id: inner, type: log.Log, message: hi}]
          - {id: z, type: log.Log, message: hi, when: "true"}
    """)
    assert story.past("a") == "CREATED SKIPPED"
    assert story.attempts("a") == ["SKIPPED"]
    assert [h.state for h in story.of("a").attempts[0].histories] == ["CREATED", "SKIPPED"]
    assert story.past("s") == "CREATED SKIPPED"
    assert "inner" not in story.counts()
    assert story.past("z") == RAN
    assert story.ended == "SUCCESS"


def test_a_run_if_that_cannot_be_rendered_fails_the_task():
    story = play("""
        tasks:
          - {id: a, type: log.Log, message: hi, runIf: "{{ nowhere.x }}"}
    """)
    assert story.past("a") == "CREATED FAILED"
    assert story.said("Failed to evaluate the runIf condition for task a. Cause:")
    assert story.ended == "FAILED"


def test_a_run_if_that_cannot_be_rendered_may_be_allowed():
    story = play("""
        tasks:
          - {id: a, type: log.Log, message: hi, runIf: "{{ nowhere.x }}", allowFailure: true}
    """)
    assert story.ended == "WARNING"


@pytest.mark.parametrize(("answer", "past"), [("true", RAN), ("false", "CREATED SKIPPED")])
def test_a_run_if_that_needs_the_outside(answer, past):
    story = Story("""
        tasks:
          - {id: a, type: log.Log, message: hi, runIf: "{{ kv('go') }}"}
    """)
    story.start()
    assert str(story.of("a").state) == "CREATED"
    story.rendered(runIf=answer)
    story.finish()
    assert story.past("a") == past


def test_a_run_if_answered_while_paused_waits_for_the_resume():
    story = Story("""
        tasks:
          - {id: a, type: log.Log, message: hi, runIf: "{{ kv('go') }}"}
    """)
    story.start()
    story.pause()
    story.rendered(runIf="true")
    assert not story.jobs
    story.resume()
    assert story.jobs.popleft().kind == "EVALUATE"
