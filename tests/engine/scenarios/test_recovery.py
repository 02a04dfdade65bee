"""After a crash: what was on its way is sent again, nothing counts twice, everything goes on (engine.md 8.5)."""

from __future__ import annotations

import pytest
from stories import ID, RAN, Story

from penstock.engine import commands as c
from penstock.model.job import Started
from penstock.model.state import State

LOG = "type: log.Log, message: hi"
TWO = f"tasks: [{{id: a, {LOG}}}, {{id: b, {LOG}}}]"


def begun(story):
    """The worker has begun the oldest job."""
    job = story.jobs[0]
    story.step(
        Started(execution_id=ID, task_run_id=job.task_run_id, stamp=job.stamp, worker_id="w", at=story.clock.now())
    )
    return job


def test_a_job_that_was_not_begun_is_sent_again():
    story = Story(TWO)
    story.start()
    first = story.jobs[0]
    story.crash()
    assert [j.stamp for j in story.jobs] == [first.stamp]
    story.finish()
    assert story.trace() == [f"a: {RAN}", f"b: {RAN}"]


def test_an_attempt_that_was_lost_is_tried_again():
    story = Story(TWO)
    story.start()
    lost = begun(story)
    story.crash()
    assert story.attempts("a") == ["RESUBMITTED"]
    story.answer(lost, lambda _: (State.FAILED, None))  # its result comes too late
    assert story.past("a") == "CREATED SUBMITTED RUNNING SUBMITTED"
    story.finish()
    assert story.attempts("a") == ["RESUBMITTED", "SUCCESS"]
    assert story.ended == "SUCCESS"


def test_a_loop_that_was_growing_goes_on():
    for kind in ("ForEach", "Loop"):
        story = Story(
            f'tasks: [{{id: l, type: flow.{kind}, values: "{{{{ range(1, 9) }}}}", concurrencyLimit: 0, tasks: [{{id: t, {LOG}}}]}}]',
            chunk=4,
        )
        story.start()
        story.crash()
        story.finish()
        assert len(story.task_runs("t")) == 9
        assert story.ended == "SUCCESS"


def test_a_dag_knows_again_what_has_ended():
    story = Story(f"""
        tasks:
          - id: d
            type: flow.Dag
            tasks:
              - {{task: {{id: a, {LOG}}}}}
              - {{task: {{id: b, {LOG}}}}}
              - {{task: {{id: z, {LOG}}}, dependsOn: [a, b]}}
    """)
    story.start()
    story.reply("a")
    story.crash()
    assert story.waiting() == ["b"]
    story.finish()
    assert story.counts() == {"d": 1, "a": 1, "b": 1, "z": 1}


@pytest.mark.parametrize(
    ("task", "answer"),
    [
        (f"{LOG}, runIf: \"{{{{ kv('x') }}}}\"", {"runIf": "true"}),
        (f"type: flow.If, condition: \"{{{{ kv('x') }}}}\", then: [{{id: t, {LOG}}}]", {"condition": "true"}),
        (f"type: flow.LoopUntil, condition: \"{{{{ kv('x') }}}}\", tasks: [{{id: t, {LOG}}}]", {"condition": "true"}),
    ],
)
def test_an_evaluation_is_asked_again(task, answer):
    story = Story(f"tasks: [{{id: a, {task}}}]")
    story.start()
    if "LoopUntil" in task:
        story.reply("t")
    old = story.jobs[0]
    story.crash()
    story.answer(old, None)  # of the lost process, which nobody believes
    (job,) = story.jobs
    assert job.stamp > old.stamp
    story.rendered(**answer)
    story.finish()
    assert story.ended == "SUCCESS"


def test_flow_outputs_are_asked_again():
    story = Story(f"{TWO}\noutputs: [{{id: o, type: STRING, value: \"{{{{ kv('x') }}}}\"}}]")
    story.start()
    story.reply("a")
    story.reply("b")
    story.crash()
    story.rendered(o="v")
    assert story.ended == "SUCCESS"
    assert story.state.cache["execution_outputs"] == {"o": "v"}


def test_outputs_of_an_iteration_are_asked_again():
    story = Story(f"""
        tasks:
          - id: loop
            type: flow.Loop
            values: [1]
            outputs: [{{id: o, type: STRING, value: "{{{{ kv('x') }}}}"}}]
            tasks: [{{id: t, {LOG}}}]
    """)
    story.start()
    story.reply("t")
    story.crash()
    story.rendered(o="v")
    assert story.ended == "SUCCESS"


def test_split_and_merge_are_sent_again():
    story = Story(
        "tasks: [{id: i, type: flow.ForEachItem, items: 'kestra:///f', namespace: company.team, flowId: child}]"
    )
    story.archive.files["kestra:///splits"] = []
    story.start()
    story.crash()
    story.reply("i_split", splits="kestra:///splits")
    story.crash()
    story.reply("i_merge")
    assert story.ended == "SUCCESS"


@pytest.mark.parametrize("known", ["running", "ended", "never made"])
def test_a_subflow_looks_after_its_child(known):
    story = Story("tasks: [{id: s, type: flow.Subflow, namespace: company.team, flowId: child}]")
    story.start()
    (wish,) = story.launches
    if known == "ended":
        story.children[wish.child_id] = State.SUCCESS  # its news was lost with the process
    elif known == "never made":
        del story.children[wish.child_id]
    story.crash()
    story.run()
    if known == "never made":
        assert len(story.launches) == 2
        assert story.launches[1].child_id == wish.child_id
    if known != "ended":
        story.end_child(story.launches[-1], State.SUCCESS)
    assert story.ended == "SUCCESS"
    story.step(c.LaunchAgain(execution_id=ID, task_run_id=story.of("s").id))
    assert story.past("s") == "CREATED RUNNING SUCCESS"


def test_a_kill_that_was_under_way_ends():
    story = Story(f"""
        tasks:
          - id: p
            type: flow.Parallel
            tasks:
              - {{id: a, {LOG}}}
              - id: s
                type: flow.Sequential
                tasks: [{{id: b, {LOG}}}]
              - id: wd
                type: flow.WorkingDirectory
                tasks: [{{id: w, {LOG}}}]
              - {{id: sub, type: flow.Subflow, namespace: company.team, flowId: child}}
    """)
    story.start()
    story.kill()
    decision = story.crash()
    assert decision.cascade
    assert not decision.jobs
    assert {str(story.of(i).state) for i in ("a", "b", "s", "wd")} == {"KILLED"}
    story.tick()
    assert story.ended == "KILLED"
    assert not story.timers


def test_what_ran_on_after_an_exit_is_over():
    story = Story(f"""
        tasks:
          - id: p
            type: flow.Parallel
            tasks: [{{id: a, {LOG}}}, {{id: q, type: execution.Exit, state: SUCCESS}}]
        afterExecution: [{{id: x, {LOG}}}]
    """)
    story.start()
    story.crash()
    assert str(story.of("a").state) == "KILLED"
    assert story.waiting() == ["x"]
    story.finish()
    assert story.state.execution.closed
    assert story.ended == "SUCCESS"


def test_what_a_lost_worker_made_is_forgotten():
    from test_elsewhere import directory

    story = directory()
    story.child("a", "CREATED", "RUNNING")
    story.crash()
    assert story.counts() == {"wd": 1}


@pytest.mark.parametrize("state", ["QUEUED", "CREATED", "PAUSED", "RETRYING", "BREAKPOINT"])
def test_waits_survive(state):
    from datetime import timedelta

    from penstock.model.execution import Breakpoint

    texts = {
        "PAUSED": "tasks: [{id: p, type: flow.Pause, pauseDuration: PT1S}]",
        "RETRYING": f"tasks: [{{id: a, {LOG}, retry: {{type: constant, interval: PT1S, maxAttempts: 2}}}}]",
        "QUEUED": "concurrency: {limit: 1}\n" + TWO,
    }
    story = Story(texts.get(state, TWO), ends={"a": ["FAILED", "SUCCESS"]} if state == "RETRYING" else None)
    if state == "CREATED":
        story.initial.schedule_date = story.clock.now() + timedelta(hours=1)
    if state == "BREAKPOINT":
        story.initial.breakpoints = [Breakpoint("a")]
    story.slots_used = 1 if state == "QUEUED" else 0
    story.run()
    assert story.ended == state
    story.crash()
    story.run()
    assert story.ended == state
    story.slots_used = 0
    if state == "QUEUED":
        story.step(c.Unqueue(execution_id=ID, freed=True))
    if state == "BREAKPOINT":
        story.step(c.ResumeFromBreakpoint(execution_id=ID))
    story.finish()
    assert story.ended == "SUCCESS"


def test_held_evaluations_are_not_begun_by_a_recovery():
    story = Story(f"""
        tasks:
          - id: p
            type: flow.Parallel
            tasks:
              - {{id: i, type: flow.If, condition: "{{{{ kv('x') }}}}", then: [{{id: t, {LOG}}}]}}
              - {{id: hold, type: flow.Pause}}
    """)
    story.start()
    assert story.ended == "PAUSED"
    story.crash()
    assert not story.jobs
    story.resume()
    story.rendered(condition="true")
    story.finish()
    assert story.ended == "SUCCESS"
    assert story.past("t") == RAN


def test_an_evaluation_answered_while_paused_is_begun_by_the_resume():
    story = Story(f"""
        tasks:
          - id: p
            type: flow.Parallel
            tasks:
              - {{id: i, type: flow.If, condition: "{{{{ kv('x') }}}}", then: [{{id: t, {LOG}}}]}}
              - {{id: hold, type: flow.Pause}}
    """)
    story.start()
    story.rendered(condition="true")
    assert not story.jobs
    story.resume()
    story.rendered(condition="true")
    story.finish()
    assert story.ended == "SUCCESS"


def test_a_crash_in_after_execution():
    story = Story(f"{TWO}\nafterExecution: [{{id: x, {LOG}}}, {{id: y, {LOG}}}]")
    story.start()
    story.reply("a")
    story.reply("b")
    begun(story)
    story.crash()
    story.finish()
    assert story.attempts("x") == ["RESUBMITTED", "SUCCESS"]
    assert story.history() == ["CREATED", "RUNNING", "SUCCESS"]
    assert story.state.execution.closed
