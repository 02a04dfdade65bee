"""Retries (engine.md 4): where they come from, how long they wait, when they are over."""

from __future__ import annotations

from datetime import timedelta

import pytest
from stories import Story, play

from penstock.engine import commands as c
from penstock.engine.retry import delay
from penstock.model.state import State
from penstock.model.task import ConstantRetry, ExponentialRetry, RandomRetry

LOG = "type: log.Log, message: hi"
CONSTANT = "type: constant, interval: PT1S"


def retry(more, task=LOG):
    return f"""
    tasks: [{{id: a, {task}, retry: {{{CONSTANT}, {more}}}}}, {{id: z, {LOG}}}]
    errors: [{{id: e, {LOG}}}]
"""


def test_success_on_the_fourth_attempt():
    story = play(retry("maxAttempts: 4, warningOnRetry: true"), ends={"a": ["FAILED"] * 3 + ["SUCCESS"]})
    assert story.ended == "WARNING"
    assert story.attempts("a") == ["FAILED", "FAILED", "FAILED", "SUCCESS"]
    assert "e" not in story.counts()


def test_always_failing():
    story = play(retry("maxAttempts: 5"), ends={"a": "FAILED"})
    assert story.ended == "FAILED"
    assert len(story.attempts("a")) == 5
    assert story.counts() == {"a": 1, "e": 1}


def test_histories_of_a_retry():
    story = play(retry("maxAttempts: 2"), ends={"a": ["FAILED", "SUCCESS"]})
    assert story.past("a") == "CREATED SUBMITTED RUNNING FAILED RETRYING CREATED SUBMITTED RUNNING SUCCESS"
    assert story.history() == ["CREATED", "RUNNING", "RETRYING", "RUNNING", "SUCCESS"]


def test_the_wait_before_a_retry():
    story = Story(retry("maxAttempts: 2"), ends={"a": ["FAILED", "SUCCESS"]})
    story.run()
    (due, _), now = story.timers[f"retry:{story.of('a').id}"], story.clock.now()
    assert due - now <= timedelta(seconds=1)
    assert not story.jobs
    assert story.ended == "RETRYING"
    story.finish()
    assert not story.timers


@pytest.mark.parametrize(
    ("kind", "waits"),
    [
        (ConstantRetry(interval="PT2S"), [2, 2, 2]),
        (ExponentialRetry(interval="PT1S", max_interval="PT5S"), [1, 2, 4, 5, 5]),
        (ExponentialRetry(interval="PT1S", max_interval="PT1H", delay_factor=3.0), [1, 3, 9]),
        (RandomRetry(min_interval="PT1S", max_interval="PT3S"), [2, 2]),
    ],
)
def test_waits_by_kind(kind, waits):
    found = [delay(kind, n, 0.5).total_seconds() for n in range(1, len(waits) + 1)]
    assert found == waits


def test_a_very_late_attempt_waits_the_maximum():
    kind = ExponentialRetry(interval="PT1S", max_interval="PT5S")
    assert delay(kind, 100_000, 0.5) == timedelta(seconds=5)


@pytest.mark.parametrize(
    "how",
    ["type: random, minInterval: PT1S, maxInterval: PT2S", "type: exponential, interval: PT1S, maxInterval: PT4S"],
)
def test_random_and_exponential(how):
    story = play(f"tasks: [{{id: a, type: execution.Fail, retry: {{{how}, maxAttempts: 3}}}}]")
    assert story.ended == "FAILED"
    assert story.counts() == {"a": 1}
    assert len(story.attempts("a")) == 3


def test_max_duration_is_counted_from_the_first_attempt():
    story = play("""
        tasks: [{id: a, type: execution.Fail, retry: {type: constant, interval: PT10S, maxDuration: PT25S}}]
    """)
    assert len(story.attempts("a")) == 3


def test_attempts_without_a_bound_go_on():
    story = Story(f"tasks: [{{id: a, {LOG}, retry: {{{CONSTANT}}}}}]", ends={"a": ["FAILED"] * 30 + ["SUCCESS"]})
    story.finish()
    assert len(story.attempts("a")) == 31


@pytest.mark.parametrize("place", ["task", "parent", "grandparent", "flow"])
def test_where_a_retry_comes_from(place):
    own = f"retry: {{{CONSTANT}, maxAttempts: 3}}"
    at = {name: own if name == place else "description: none" for name in ("task", "parent", "grandparent", "flow")}
    story = play(f"""
        {at["flow"]}
        tasks:
          - id: outer
            type: flow.Sequential
            {at["grandparent"]}
            tasks:
              - id: inner
                type: flow.Parallel
                {at["parent"]}
                tasks: [{{id: a, type: execution.Fail, {at["task"]}}}]
    """)
    assert len(story.attempts("a")) == 3
    assert story.counts() == {"outer": 1, "inner": 1, "a": 1}
    assert story.ended == "FAILED"


def test_the_nearest_retry_wins():
    story = play(f"""
        retry: {{{CONSTANT}, maxAttempts: 9}}
        tasks:
          - id: s
            type: flow.Sequential
            retry: {{{CONSTANT}, maxAttempts: 2}}
            tasks: [{{id: a, type: execution.Fail}}]
    """)
    assert len(story.attempts("a")) == 2


def test_flow_retry():
    story = play(f"""
        retry: {{{CONSTANT}, maxAttempts: 4}}
        tasks: [{{id: a, type: execution.Fail}}]
    """)
    assert story.ended == "FAILED"
    assert len(story.attempts("a")) == 4


def test_a_block_with_errors_and_a_child_that_succeeds_on_its_second_attempt():
    story = play(f"""
        tasks:
          - id: s
            type: flow.Sequential
            tasks: [{{id: a, {LOG}, retry: {{{CONSTANT}, maxAttempts: 3}}}}]
            errors: [{{id: e, {LOG}}}]
    """, ends={"a": ["FAILED", "SUCCESS"]})  # fmt: skip
    assert story.ended == "SUCCESS"
    assert story.attempts("a") == ["FAILED", "SUCCESS"]
    assert "e" not in story.counts()


def test_allow_failure_block_with_a_retry():
    story = play(f"""
        tasks:
          - id: block
            type: flow.AllowFailure
            tasks: [{{id: a, type: execution.Fail, retry: {{{CONSTANT}, maxAttempts: 3}}}}]
            errors: [{{id: e, {LOG}}}]
            finally: [{{id: f, {LOG}}}]
    """)
    assert story.attempts("a") == ["FAILED"] * 3
    assert story.counts() == {"block": 1, "a": 1, "e": 1, "f": 1}
    assert str(story.of("block").state) == "WARNING"
    assert story.ended == "WARNING"


def test_allow_failure_counts_only_once_retries_are_over():
    story = play(retry("maxAttempts: 2", task=f"{LOG}, allowFailure: true"), ends={"a": "FAILED"})
    assert len(story.attempts("a")) == 2
    assert str(story.of("a").state) == "WARNING"
    assert story.ended == "WARNING"


def test_other_branches_go_on_while_one_waits_for_its_retry():
    story = Story(f"""
        tasks:
          - id: p
            type: flow.Parallel
            tasks:
              - {{id: a, {LOG}, retry: {{{CONSTANT}, maxAttempts: 2}}}}
              - id: s
                type: flow.Sequential
                tasks: [{{id: b, {LOG}}}, {{id: c, {LOG}}}]
    """, ends={"a": ["FAILED", "SUCCESS"]})  # fmt: skip
    story.run()
    assert story.ended == "RETRYING"
    assert str(story.of("c").state) == "SUCCESS"
    story.finish()
    assert story.ended == "SUCCESS"


def test_a_failed_sibling_ends_the_wait_for_a_retry():
    story = Story(f"""
        tasks:
          - id: s
            type: flow.AllowFailure
            tasks:
              - id: p
                type: flow.Parallel
                tasks: [{{id: a, {LOG}, retry: {{{CONSTANT}, maxAttempts: 2}}}}, {{id: b, {LOG}}}]
          - {{id: z, {LOG}}}
    """)
    story.start()
    story.reply("a", "FAILED")
    story.reply("b", "FAILED")
    assert str(story.of("a").state) == "FAILED"
    assert not story.timers
    story.finish()
    assert story.history() == ["CREATED", "RUNNING", "RETRYING", "RUNNING", "WARNING"]


def test_a_retried_second_task_has_one_task_run_and_the_last_task_runs():
    story = play(f"""
        tasks: [{{id: a, {LOG}}}, {{id: b, {LOG}, retry: {{{CONSTANT}, maxAttempts: 2}}}}, {{id: c, {LOG}}}]
    """, ends={"b": ["FAILED", "SUCCESS"]})  # fmt: skip
    assert story.counts() == {"a": 1, "b": 1, "c": 1}


SUBFLOW = f"""
    tasks: [{{id: s, type: flow.Subflow, namespace: company.team, flowId: child, retry: {{{CONSTANT}, maxAttempts: 3}}}}]
"""


def test_each_attempt_of_a_subflow_starts_another_child():
    story = Story(SUBFLOW)
    story.start()
    for n in range(3):
        assert len(story.launches) == n + 1
        story.end_child(story.launches[-1], State.FAILED)
        story.finish()
    assert len({launch.child_id for launch in story.launches}) == 3
    assert [launch.restart for launch in story.launches] == [None] * 3
    assert story.attempts("s") == ["FAILED"] * 3
    assert story.ended == "FAILED"


def test_a_new_execution_in_place_of_a_retry():
    story = Story(f"""
        retry: {{{CONSTANT}, maxAttempts: 3, behavior: CREATE_NEW_EXECUTION}}
        tasks:
          - id: p
            type: flow.Parallel
            tasks: [{{id: a, type: execution.Fail}}, {{id: b, {LOG}}}]
        errors: [{{id: e, {LOG}}}]
        afterExecution: [{{id: x, {LOG}}}]
    """)
    story.start()
    story.reply("a", "FAILED")
    assert story.ended == "RETRIED"
    assert story.state.execution.closed
    assert {str(story.of(i).state) for i in ("p", "a", "b")} == {"RETRIED"}
    assert story.counts() == {"p": 1, "a": 1, "b": 1}
    assert list(story.timers) == ["replay"]
    story.tick()
    (replay,) = story.replays
    assert replay.source_id == "execution"


def test_executions_count_as_attempts_for_a_new_execution():
    from penstock.model.execution import Metadata

    story = Story(f"""
        retry: {{{CONSTANT}, maxAttempts: 3, behavior: CREATE_NEW_EXECUTION}}
        tasks: [{{id: a, type: execution.Fail}}]
    """)
    story.initial.metadata = Metadata(3, story.clock.now())
    story.finish()
    assert story.ended == "FAILED"
    late = Story(f"""
        retry: {{{CONSTANT}, maxDuration: PT10S, behavior: CREATE_NEW_EXECUTION}}
        tasks: [{{id: a, type: execution.Fail}}]
    """)
    late.initial.metadata = Metadata(1, late.clock.now() - timedelta(seconds=20))
    late.finish()
    assert late.ended == "FAILED"


def test_a_retry_that_is_due_while_paused_waits_for_the_resume():
    story = Story(retry("maxAttempts: 2"), ends={"a": ["FAILED", "SUCCESS"]})
    story.run()
    story.step(c.ForceRun(execution_id="execution"))  # nothing to force: it waits by itself
    assert story.ended == "RETRYING"
    with pytest.raises(Exception, match="expected RUNNING"):
        story.pause()
    story.finish()
    assert story.ended == "SUCCESS"


def test_a_pause_in_another_branch_holds_a_retry_that_is_due():
    story = Story(f"""
        tasks:
          - id: par
            type: flow.Parallel
            tasks:
              - {{id: a, {LOG}, retry: {{{CONSTANT}, maxAttempts: 2}}}}
              - id: s
                type: flow.Sequential
                tasks: [{{id: b, {LOG}}}, {{id: p, type: flow.Pause}}]
    """, ends={"a": ["FAILED", "SUCCESS"]})  # fmt: skip
    story.run()
    assert story.ended == "PAUSED"
    story.tick()
    assert str(story.of("a").state) == "CREATED"
    assert not story.jobs
    story.resume()
    assert story.waiting() == ["a"]
    story.finish()
    assert story.ended == "SUCCESS"


def test_a_kill_ends_the_wait_for_a_retry():
    story = Story(retry("maxAttempts: 2"), ends={"a": "FAILED"})
    story.run()
    story.kill()
    assert story.history()[-2:] == ["KILLING", "KILLED"]
    assert str(story.of("a").state) == "KILLED"
    assert not story.timers
