"""Pause, Approval and LoopUntil: what holds the execution, and what lets it go (engine.md 3.9, 3.11)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from stories import ID, OK, Story, play

from penstock.engine import commands as c
from penstock.errors import Conflict, NotFound

LOG = "type: log.Log, message: hi"


def pause(more="", rest=""):
    return f"""
    tasks:
      - {{id: p, type: flow.Pause{", " + more if more else ""}}}
      - {{id: z, {LOG}}}
    {rest}
"""


def test_a_pause_holds_until_it_is_resumed():
    story = Story(pause())
    story.run()
    assert story.history() == ["CREATED", "RUNNING", "PAUSED"]
    assert story.past("p") == "CREATED RUNNING PAUSED"
    story.resume(by="ada")
    story.finish()
    assert story.history() == ["CREATED", "RUNNING", "PAUSED", "RESTARTED", "RUNNING", "SUCCESS"]
    assert story.past("p") == "CREATED RUNNING PAUSED SUCCESS"
    assert story.output("p")["resumed"]["by"] == "ada"
    assert story.output("p")["resumed"]["to"] == "SUCCESS"
    assert story.state.execution.metadata.attempt_number == 2


def test_inputs_of_a_resume_are_outputs():
    story = Story(pause("onResume: [{id: reason, type: STRING}]"))
    story.run()
    story.resume(inputs={"reason": "fine"})
    assert story.output("p")["onResume"] == {"reason": "fine"}


@pytest.mark.parametrize(
    ("behavior", "run", "execution", "next_runs"),
    [
        ("RESUME", "SUCCESS", "SUCCESS", True),
        ("WARN", "WARNING", "WARNING", True),
        ("FAIL", "FAILED", "FAILED", False),
        ("CANCEL", "CANCELLED", "CANCELLED", False),
    ],
)
def test_what_follows_when_the_duration_is_over(behavior, run, execution, next_runs):
    story = play(pause(f"pauseDuration: PT5S, behavior: {behavior}", f"""errors: [{{id: e, {LOG}}}]
    finally: [{{id: f, {LOG}}}]
    afterExecution: [{{id: x, {LOG}}}]"""))  # fmt: skip
    assert str(story.of("p").state) == run
    assert story.ended == execution
    assert ("z" in story.counts()) is next_runs
    assert ("e" in story.counts()) is (behavior == "FAIL")
    assert ("f" in story.counts()) is (behavior != "CANCEL")
    assert "x" in story.counts()


def test_the_duration_passes():
    story = Story(pause("pauseDuration: PT5M"))
    story.run()
    begun = story.clock.now()
    story.tick()
    assert story.clock.now() - begun >= timedelta(minutes=5)


def test_delay_is_the_old_name():
    assert play(pause("delay: PT5S")).ended == "SUCCESS"


@pytest.mark.parametrize(
    ("more", "state"),
    [("", "FAILED"), (", allowFailure: true", "WARNING"), (", allowFailure: true, allowWarning: true", "SUCCESS")],
)
def test_a_timeout_fails_the_pause(more, state):
    story = play(pause("timeout: PT5S" + more))
    assert story.past("p") == f"CREATED RUNNING PAUSED {state}"
    assert story.ended == state


def test_a_resume_clears_the_timer():
    story = Story(pause("timeout: PT5S"))
    story.run()
    story.resume()
    assert not story.timers


@pytest.mark.parametrize("bad", ["pauseDuration: \"{{ 'soon' }}\"", 'timeout: "{{ nowhere.x }}"'])
def test_a_wait_that_cannot_be_read(bad):
    assert play(pause(bad)).ended == "FAILED"


def test_on_pause_runs_while_the_execution_is_held():
    story = Story(pause(f"onPause: {{id: tell, {LOG}}}"))
    story.start()
    assert story.waiting() == ["tell"]
    assert story.of("tell").parent_id is None
    story.reply("tell")
    assert story.ended == "PAUSED"
    story.resume()
    story.finish()
    assert story.counts() == {"p": 1, "tell": 1, "z": 1}
    assert story.ended == "SUCCESS"


def test_a_failing_on_pause_changes_nothing():
    story = Story(pause(f"onPause: {{id: tell, {LOG}}}"), ends={"tell": "FAILED"})
    story.run()
    story.resume()
    story.finish()
    assert story.ended == "SUCCESS"


def test_an_on_pause_that_still_runs_keeps_the_execution_open():
    story = Story(pause(f"onPause: {{id: tell, {LOG}}}"))
    story.start()
    story.resume()
    story.reply("z")
    assert story.ended == "SUCCESS"
    assert not story.state.execution.closed
    story.reply("tell")
    assert story.state.execution.closed


def test_a_retried_on_pause():
    story = Story(
        pause(f"onPause: {{id: tell, {LOG}, retry: {{type: constant, interval: PT1S, maxAttempts: 2}}}}"),
        ends={"tell": ["FAILED", "SUCCESS"]},
    )
    story.run()
    story.tick()
    assert story.waiting() == ["tell"]
    story.run()
    assert story.attempts("tell") == ["FAILED", "SUCCESS"]
    assert story.ended == "PAUSED"


@pytest.mark.parametrize(
    ("behavior", "played", "state"),
    [("RESUME", ["old", "f"], "SUCCESS"), ("FAIL", ["e", "f"], "FAILED"), ("WARN", ["old", "f"], "WARNING")],
)
def test_blocks_of_a_pause_run_after_it(behavior, played, state):
    more = f"""pauseDuration: PT1S, behavior: {behavior}, tasks: [{{id: old, {LOG}}}],
        errors: [{{id: e, {LOG}}}], finally: [{{id: f, {LOG}}}]"""
    story = play(pause(more))
    assert story.played[:2] == played
    assert str(story.of("p").state) == state


def test_running_tasks_finish_and_nothing_new_starts():
    story = Story(f"""
        tasks:
          - id: par
            type: flow.Parallel
            tasks:
              - id: s
                type: flow.Sequential
                tasks: [{{id: a, {LOG}}}, {{id: b, {LOG}}}]
              - {{id: p, type: flow.Pause}}
              - {{id: c, {LOG}}}
    """)
    story.start()
    assert sorted(story.waiting()) == ["a", "c"]  # siblings of the pause are let in before it holds
    assert story.ended == "PAUSED"
    story.reply("a")
    story.reply("c")
    assert not story.jobs
    story.resume()
    assert story.waiting() == ["b"]
    story.finish()
    assert story.ended == "SUCCESS"


def test_the_execution_goes_on_when_no_task_run_is_paused_any_more():
    story = Story("""
        tasks:
          - id: each
            type: flow.ForEach
            values: [1, 2]
            concurrencyLimit: 0
            tasks: [{id: p, type: flow.Pause}]
          - {id: q, type: flow.Pause}
    """)
    story.run()
    story.resume()
    assert story.ended == "PAUSED"
    assert [str(r.state) for r in story.task_runs("p")] == ["SUCCESS", "PAUSED"]
    story.resume()
    assert str(story.of("q").state) == "PAUSED"
    story.resume()
    assert story.ended == "SUCCESS"


def test_a_certain_pause_can_be_resumed():
    story = Story("tasks: [{id: p, type: flow.Pause}]")
    story.run()
    with pytest.raises(NotFound, match="is not paused"):
        story.resume(task_run_id="other")
    story.resume(task_run_id=story.of("p").id)
    assert story.ended == "SUCCESS"


def test_only_a_paused_execution_can_be_resumed():
    story = Story(f"tasks: [{{id: a, {LOG}}}]")
    story.start()
    with pytest.raises(Conflict, match="is not paused, can't resume it"):
        story.resume()


def test_a_pause_by_hand():
    story = Story(f"tasks: [{{id: a, {LOG}}}, {{id: b, {LOG}}}]")
    story.start()
    story.pause()
    with pytest.raises(Conflict, match="it is PAUSED, expected RUNNING"):
        story.pause()
    story.reply("a")
    assert story.ended == "PAUSED"
    assert not story.jobs
    story.resume()
    assert story.waiting() == ["b"]
    story.finish()
    assert story.history() == ["CREATED", "RUNNING", "PAUSED", "RUNNING", "SUCCESS"]
    assert story.state.execution.metadata.attempt_number == 1


def test_a_pause_by_hand_when_nothing_is_left():
    story = Story(f"tasks: [{{id: a, {LOG}}}]")
    story.start()
    story.pause()
    story.reply("a")
    assert story.ended == "PAUSED"
    story.resume()
    assert story.ended == "SUCCESS"


def test_a_killed_pause():
    """Quirk 20: no run of the next task, no RESTARTED."""
    story = Story(pause("pauseDuration: PT5S"))
    story.run()
    story.kill()
    assert story.history() == ["CREATED", "RUNNING", "PAUSED", "KILLING", "KILLED"]
    assert story.past("p") == "CREATED RUNNING PAUSED KILLED"
    assert not story.timers
    assert story.counts() == {"p": 1}


def approval(more=""):
    return f"""
    tasks:
      - id: ask
        type: flow.Approval
        onApprove: [{{id: yes1, {LOG}}}]
        onDeny: [{{id: no1, {LOG}}}]
        {more}
      - {{id: z, {LOG}}}
    afterExecution: [{{id: x, {LOG}}}]
"""


def review(story, decision, **more):
    story.step(c.ReviewApproval(execution_id=ID, decision=decision, **more))
    return story.finish()


def test_an_approval_is_approved():
    story = Story(approval(f"onWait: [{{id: tell, {LOG}}}]"))
    story.run()
    assert story.ended == "PAUSED"
    review(story, "APPROVED", by="ada", comment="good", inputs={"n": 1})
    assert story.played == ["tell", "yes1", "z", "x"]
    assert story.ended == "SUCCESS"
    found = story.output("ask")
    assert (found["decision"], found["by"], found["comment"], found["inputs"]) == ("APPROVED", "ada", "good", {"n": 1})
    assert found["auto"] is False


@pytest.mark.parametrize(
    ("behavior", "state", "next_runs"),
    [
        ("CONTINUE", "SUCCESS", True), ("WARN", "WARNING", True), ("FAIL", "FAILED", False),
        ("SUCCEED", "SUCCESS", False), ("CANCEL", "CANCELLED", False), ("KILL", "KILLED", False),
    ],
)  # fmt: skip
def test_what_a_denial_does(behavior, state, next_runs):
    story = Story(approval(f"denyBehavior: {behavior}"))
    story.run()
    review(story, "DENIED")
    assert story.played[0] == "no1"
    assert story.ended == state
    assert ("z" in story.counts()) is next_runs
    assert story.state.execution.closed
    assert "x" in story.counts()


def test_an_approval_expires():
    story = play(approval("timeout: PT1H"))
    assert story.output("ask")["decision"] == "EXPIRED"
    assert story.ended == "CANCELLED"


def test_an_approval_that_decides_by_itself():
    story = play(approval("autoApprove: true"))
    assert story.history() == ["CREATED", "RUNNING", "SUCCESS"]
    assert story.output("ask")["auto"] is True


def test_a_resume_approves():
    story = Story(approval())
    story.run()
    story.resume(by="ada")
    story.finish()
    assert story.output("ask")["decision"] == "APPROVED"
    assert story.ended == "SUCCESS"


def test_a_failure_in_a_branch_is_never_hidden():
    story = Story(approval("denyBehavior: CANCEL"), ends={"no1": "FAILED"})
    story.run()
    review(story, "DENIED")
    assert story.ended == "FAILED"


def test_there_must_be_an_approval_to_review():
    story = Story(pause())
    story.run()
    with pytest.raises(Conflict, match="no approval that waits"):
        review(story, "APPROVED")


def test_an_approval_with_a_bad_timeout():
    assert play(approval("timeout: \"{{ 'soon' }}\"")).ended == "FAILED"


def test_an_approval_in_after_execution_decides_about_itself_alone():
    story = Story(f"""
        tasks: [{{id: a, {LOG}}}]
        afterExecution: [{{id: ask, type: flow.Approval}}, {{id: x, {LOG}}}]
    """)
    story.run()
    review(story, "DENIED")
    assert story.ended == "SUCCESS"
    assert str(story.of("ask").state) == "CANCELLED"
    assert "x" in story.counts()
    assert story.state.execution.closed


def until(condition, more="", frequency="interval: PT1S", tasks=f"[{{id: t, {LOG}}}]"):
    return f"""
    tasks:
      - id: loop
        type: flow.LoopUntil
        condition: {condition}
        checkFrequency: {{{frequency}}}
        tasks: {tasks}
        {more}
      - {{id: z, {LOG}}}
"""


def test_a_loop_until_runs_until_its_condition_holds():
    story = Story(until('"{{ outputs.loop.iterationCount == 3 }}"'))
    story.run()
    assert story.ended == "PAUSED"
    assert story.past("loop") == "CREATED RUNNING PAUSED"
    story.finish()
    assert story.played == ["t", "t", "t", "z"]
    assert story.ended == "SUCCESS"
    assert story.output("loop") == {"iterationCount": 3}
    assert story.counts() == {"loop": 1, "t": 1, "z": 1}
    assert story.of("t").iteration == 2
    assert not story.timers


def test_wait_for_is_the_old_name():
    story = play(until('"true"').replace("flow.LoopUntil", "flow.WaitFor"))
    assert story.past("loop") == OK


def test_max_iterations_runs_the_body_three_times_and_counts_four():
    """Quirk 4."""
    story = play(until('"false"', frequency="interval: PT1S, maxIterations: 3"))
    assert story.played == ["t", "t", "t", "z"]
    assert story.output("loop") == {"iterationCount": 4}
    assert story.said("Max iterations reached")
    assert story.ended == "SUCCESS"


@pytest.mark.parametrize("bound", ["maxIterations: 2", "maxDuration: PT2S"])
def test_a_maximum_that_fails(bound):
    story = play(until('"false"', "failOnMaxReached: true", f"interval: PT1S, {bound}"))
    assert str(story.of("loop").state) == "FAILED"
    assert story.said("Max iterations reached") or story.said("Max duration reached")
    assert story.ended == "FAILED"


def test_max_duration():
    story = play(until('"false"', frequency="interval: PT10S, maxDuration: PT25S"))
    assert story.played.count("t") == 4
    assert story.said("Max duration reached")
    assert story.ended == "SUCCESS"


def test_the_default_interval_is_a_minute():
    story = Story(until('"false"', frequency="maxIterations: 2"))
    story.run()
    (due, _) = next(iter(story.timers.values()))
    assert due - story.clock.now() > timedelta(seconds=59)


def test_a_failing_child_ends_the_loop():
    story = play(until('"false"'), ends={"t": "FAILED"})
    assert str(story.of("loop").state) == "FAILED"
    assert story.played == ["t"]


def test_a_warning_colours_the_loop():
    assert play(until('"true"'), ends={"t": "WARNING"}).ended == "WARNING"


@pytest.mark.parametrize(
    ("condition", "frequency"),
    [
        ('"{{ nowhere.x }}"', "interval: PT1S"),
        ('"false"', "interval: \"{{ 'soon' }}\""),
        ('"false"', 'maxIterations: "{{ nowhere.x }}"'),
    ],
)
def test_what_cannot_be_read_fails_the_loop(condition, frequency):
    story = play(until(condition, frequency=frequency))
    assert story.ended == "FAILED"
    assert story.said("ERROR")


def test_a_condition_that_needs_the_outside():
    story = Story(until("\"{{ kv('x') }}\""))
    story.start()
    story.reply("t")
    story.rendered(condition="false")
    assert story.ended == "PAUSED"
    story.tick()
    story.reply("t")
    story.rendered(condition="true")
    story.finish()
    assert story.ended == "SUCCESS"


def test_what_lies_below_is_forgotten_with_each_round():
    tasks = f"[{{id: s, type: flow.Sequential, tasks: [{{id: t, {LOG}}}]}}]"
    story = play(until('"{{ outputs.loop.iterationCount == 2 }}"', tasks=tasks))
    assert story.counts() == {"loop": 1, "s": 1, "t": 1, "z": 1}
    assert story.played == ["t", "t", "z"]


def test_a_resume_begins_the_next_round_at_once():
    story = Story(until('"{{ outputs.loop.iterationCount == 2 }}"'))
    story.run()
    story.resume()
    assert not story.timers
    story.finish()
    assert story.ended == "SUCCESS"


def test_a_waiting_loop_is_killed():
    story = Story(until('"false"'))
    story.run()
    story.kill()
    assert story.history()[-2:] == ["KILLING", "KILLED"]
    assert str(story.of("loop").state) == "KILLED"
    assert not story.timers


def test_a_wait_in_one_branch_stops_the_others():
    story = Story(f"""
        tasks:
          - id: par
            type: flow.Parallel
            tasks:
              - id: loop
                type: flow.LoopUntil
                condition: "false"
                checkFrequency: {{interval: PT1S, maxIterations: 2}}
                tasks: [{{id: t, {LOG}}}]
              - id: s
                type: flow.Sequential
                tasks: [{{id: a, {LOG}}}, {{id: b, {LOG}}}]
    """)
    story.start()
    story.reply("t")
    assert story.ended == "PAUSED"
    story.reply("a")
    assert not story.jobs
    story.tick()
    assert sorted(story.waiting()) == ["b", "t"]
    story.finish()
    assert story.ended == "SUCCESS"


def test_loop_until_in_after_execution():
    story = play(f"""
        tasks: [{{id: a, {LOG}}}]
        afterExecution:
          - id: loop
            type: flow.LoopUntil
            condition: "{{{{ outputs.loop.iterationCount == 2 }}}}"
            checkFrequency: {{interval: PT1S}}
            tasks: [{{id: t, {LOG}}}]
    """)
    assert story.history() == ["CREATED", "RUNNING", "SUCCESS"]
    assert story.played == ["a", "t", "t"]
    assert story.state.execution.closed
