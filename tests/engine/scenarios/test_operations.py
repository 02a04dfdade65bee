"""What people do to executions: kill, restart, replay, change of state, force run, queue, breakpoints, labels (engine.md 5)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from stories import ID, RAN, Story, play

from penstock.engine import commands as c
from penstock.engine.restart import replay
from penstock.engine.step import handled
from penstock.errors import BadRequest, Conflict, Unprocessable
from penstock.model.execution import Breakpoint, Label
from penstock.model.state import State

LOG = "type: log.Log, message: hi"
TWO = f"tasks: [{{id: a, {LOG}}}, {{id: b, {LOG}}}]"

# -- kill --------------------------------------------------------------------------------------------------------


def test_a_kill_waits_for_what_a_worker_has():
    story = Story(TWO)
    story.start()
    decision = story.kill()
    assert decision.kills == [None]
    assert story.ended == "KILLING"
    assert story.past("a") == "CREATED SUBMITTED"
    story.reply("a", "KILLED")
    assert story.history() == ["CREATED", "RUNNING", "KILLING", "KILLED"]
    assert story.counts() == {"a": 1}
    assert not story.timers


def test_a_kill_always_ends():
    story = Story(TWO)
    story.start()
    story.kill()
    late = story.jobs.popleft()
    story.tick()
    assert story.ended == "KILLED"
    assert str(story.of("a").state) == "KILLED"
    story.answer(late)
    assert str(story.of("a").state) == "KILLED"


def test_a_task_that_ends_well_during_the_kill():
    story = Story(TWO)
    story.start()
    story.kill()
    story.reply("a")
    assert str(story.of("a").state) == "SUCCESS"
    assert story.ended == "KILLED"
    assert story.counts() == {"a": 1}


def test_killing_twice_is_killing_once():
    story = Story(TWO)
    story.start()
    story.kill()
    assert not story.kill().events


def test_a_kill_of_what_has_ended():
    story = play(TWO)
    with pytest.raises(Conflict, match="already terminated"):
        story.kill(cascade=False)
    assert story.kill().cascade
    assert story.ended == "SUCCESS"


def test_a_kill_while_queued():
    story = Story("concurrency: {limit: 1}\n" + TWO)
    story.slots_used = 1
    story.run()
    story.kill()
    assert story.history() == ["CREATED", "QUEUED", "KILLING", "KILLED"]
    assert story.task_runs() == []


def test_a_kill_before_the_schedule_date():
    story = Story(TWO)
    story.initial.schedule_date = story.clock.now() + timedelta(hours=1)
    story.run()
    story.kill()
    assert story.history() == ["CREATED", "KILLING", "KILLED"]
    assert not story.timers


EVERYTHING = f"""
    tasks:
      - id: par
        type: flow.Parallel
        tasks:
          - {{id: t, {LOG}}}
          - {{id: r, {LOG}, retry: {{type: constant, interval: PT1H, maxAttempts: 2}}}}
          - {{id: ask, type: flow.If, condition: "{{{{ kv('x') }}}}", then: [{{id: th, {LOG}}}]}}
          - {{id: cond, {LOG}, runIf: "{{{{ kv('x') }}}}"}}
          - {{id: sub, type: flow.Subflow, namespace: company.team, flowId: child}}
          - id: loop
            type: flow.Loop
            values: [1, 2, 3]
            concurrencyLimit: 2
            tasks: [{{id: it, {LOG}}}]
          - id: each
            type: flow.ForEach
            values: [1, 2]
            tasks: [{{id: ea, {LOG}}}, {{id: eb, {LOG}}}]
          - id: wd
            type: flow.WorkingDirectory
            tasks: [{{id: w, {LOG}}}]
    afterExecution: [{{id: x, {LOG}}}]
"""


@pytest.mark.parametrize("answered", range(9))
@pytest.mark.parametrize("silent", [False, True])
def test_a_kill_at_any_point_ends(answered, silent):
    story = Story(EVERYTHING)
    story.start()
    for _ in range(answered):
        story.answer(story.jobs.popleft(), lambda job: (State.FAILED if job.task.id == "r" else State.SUCCESS, None))
    assert story.ended in ("RUNNING", "RETRYING", "FAILED")
    story.kill()
    if silent:
        story.jobs = type(story.jobs)(j for j in story.jobs if j.force)
        story.finish()
    else:
        for launch in story.launches:
            story.end_child(launch, State.KILLED)
        story.finish(lambda job: (State.KILLED if not job.force else State.SUCCESS, None))
    assert story.state.execution.closed
    assert story.ended in ("KILLED", "FAILED")
    assert not [r for r in story.task_runs() if r.state not in ("KILLED", "SUCCESS", "FAILED", "SKIPPED", "WARNING")]
    assert str(story.of("x").state) == "SUCCESS"
    assert not story.timers


def test_exit_killed_kills():
    story = Story(f"""
        tasks:
          - id: p
            type: flow.Parallel
            tasks: [{{id: a, {LOG}}}, {{id: x, type: execution.Exit, state: KILLED}}]
          - {{id: z, {LOG}}}
    """)
    story.start()
    assert story.ended == "KILLING"
    story.reply("a", "KILLED")
    assert story.ended == "KILLED"
    assert story.past("x") == "CREATED RUNNING KILLED"


@pytest.mark.parametrize("state", ["SUCCESS", "WARNING", "FAILED", "CANCELLED", "CANCELED", "KILLED"])
def test_exit_starts_nothing_more_but_after_execution(state):
    """Quirk 15: main tasks do not go on."""
    story = play(f"""
        tasks:
          - id: s
            type: flow.Sequential
            tasks: [{{id: q, type: execution.Exit, state: {state}}}, {{id: n, {LOG}}}]
          - {{id: z, {LOG}}}
        errors: [{{id: e, {LOG}}}]
        finally: [{{id: f, {LOG}}}]
        afterExecution: [{{id: x, {LOG}}}]
    """)
    expected = "CANCELLED" if state == "CANCELED" else state
    assert story.ended == expected
    assert story.counts() == {"s": 1, "q": 1, "x": 1}
    assert [str(story.of(i).state) for i in ("s", "q")] == [expected] * 2


def test_exit_lets_running_siblings_finish():
    story = Story(f"""
        tasks:
          - id: p
            type: flow.Parallel
            tasks:
              - {{id: a, {LOG}}}
              - {{id: i, type: flow.If, condition: "{{{{ kv('x') }}}}", then: [{{id: n, {LOG}}}]}}
              - {{id: q, type: execution.Exit, state: SUCCESS}}
        afterExecution: [{{id: x, {LOG}}}]
    """)
    story.start()
    assert story.ended == "SUCCESS"
    assert str(story.of("i").state) == "SUCCESS"  # nobody waits for its condition
    assert sorted(story.waiting()) == ["a", "i", "x"]
    story.reply("x")
    assert not story.state.execution.closed
    story.reply("a", "FAILED")
    assert story.state.execution.closed
    assert story.ended == "SUCCESS"


def test_a_kill_after_an_exit_ends_the_siblings():
    story = Story(f"""
        tasks:
          - id: p
            type: flow.Parallel
            tasks: [{{id: a, {LOG}}}, {{id: q, type: execution.Exit, state: SUCCESS}}]
    """)
    story.start()
    decision = story.kill()
    assert decision.kills == [story.of("a").id]
    assert story.state.execution.closed
    assert story.ended == "SUCCESS"
    assert str(story.of("a").state) == "KILLED"


def test_exit_with_a_condition():
    story = play(f"""
        tasks: [{{id: q, type: execution.Exit, state: FAILED, runIf: "false"}}, {{id: z, {LOG}}}]
    """)
    assert story.past("q") == "CREATED SKIPPED"
    assert story.ended == "SUCCESS"


# -- restart -----------------------------------------------------------------------------------------------------


def test_a_restart_runs_the_failed_task_again_under_the_same_id():
    story = play(f"""
        tasks: [{{id: a, {LOG}}}, {{id: b, {LOG}}}, {{id: d, {LOG}}}]
        errors: [{{id: e, {LOG}}}]
        finally: [{{id: f, {LOG}}}]
        afterExecution: [{{id: x, {LOG}}}]
    """, ends={"b": ["FAILED", "SUCCESS"]})  # fmt: skip
    failed = story.of("b").id
    story.restart()
    assert story.waiting() == ["b"]
    story.finish()
    assert story.of("b").id == failed
    assert story.past("b") == "CREATED SUBMITTED RUNNING FAILED RESTARTED SUBMITTED RUNNING SUCCESS"
    assert story.attempts("b") == ["FAILED", "SUCCESS"]
    assert story.history() == ["CREATED", "RUNNING", "FAILED", "RESTARTED", "RUNNING", "SUCCESS"]
    assert story.counts() == {"a": 1, "b": 1, "d": 1, "f": 1, "x": 1}
    assert Label("system.restarted", "true") in story.state.context.labels
    assert story.state.execution.metadata.attempt_number == 2


@pytest.mark.parametrize(
    ("block", "ends"),
    [
        ("type: flow.Sequential, tasks: [{id: a, L}, {id: b, L}]", 1),
        ("type: flow.Parallel, tasks: [{id: a, L}, {id: b, L}, {id: d, L}]", 1),
        ("type: flow.Parallel, concurrent: 1, tasks: [{id: a, L}, {id: b, L}, {id: d, L}]", 1),
        (
            "type: flow.Dag, tasks: [{task: {id: a, L}}, {task: {id: b, L}, dependsOn: [a]}, {task: {id: d, L}, dependsOn: [b]}]",
            1,
        ),
        ("type: flow.ForEach, values: [1, 2, 3], tasks: [{id: a, L}, {id: b, L}]", 3),
        ("type: flow.ForEach, concurrencyLimit: 0, values: [1, 2, 3], tasks: [{id: a, L}, {id: b, L}]", 3),
        ("type: flow.ForEach, values: [1, 2], tasks: [{id: b, L}], errors: [{id: e, L}, {id: e2, L}, {id: e3, L}]", 2),
        ("type: flow.Loop, values: [1, 2, 3], concurrencyLimit: 2, tasks: [{id: a, L}, {id: b, L}]", 3),
        ("type: flow.If, condition: 'true', then: [{id: b, L}, {id: d, L}]", 1),
        ("type: flow.Switch, value: x, cases: {x: [{id: b, L}, {id: d, L}]}", 1),
        ("type: flow.LoopUntil, condition: 'true', tasks: [{id: a, L}, {id: b, L}]", 1),
        (
            "type: flow.Sequential, tasks: [{id: in, type: flow.Parallel, tasks: [{id: b, L}, {id: d, L}]}, {id: g, L}]",
            1,
        ),
    ],
)
def test_a_restart_inside_a_block(block, ends):
    story = play(
        f"tasks: [{{id: block, {block.replace('L}', LOG + '}')}}}, {{id: z, {LOG}}}]", ends={"b": ["FAILED", "SUCCESS"]}
    )
    assert story.ended == "FAILED"
    story.restart()
    story.finish()
    assert story.ended == "SUCCESS"
    assert story.past("z") == RAN
    assert len(story.task_runs("b")) == ends
    assert {str(r.state) for r in story.task_runs()} == {"SUCCESS"}


def test_a_restart_of_a_block_that_failed_by_itself():
    story = play(
        f'tasks: [{{id: s, type: flow.Switch, value: "{{{{ vars.v }}}}", cases: {{x: [{{id: t, {LOG}}}]}}}}]\nvariables: {{v: y}}'
    )
    assert story.ended == "FAILED"
    story.state.context.variables["v"] = "x"
    story.restart()
    story.finish()
    assert story.ended == "SUCCESS"
    assert story.past("s") == "CREATED RUNNING FAILED RESTARTED RUNNING SUCCESS"


def test_a_restart_of_what_failed_together():
    story = Story(f"tasks: [{{id: p, type: flow.Parallel, tasks: [{{id: a, {LOG}}}, {{id: b, {LOG}}}]}}]")
    story.start()
    late = story.jobs[1]
    story.reply("a", "FAILED")
    story.restart()
    story.answer(late)  # of the attempt before the restart
    assert story.past("b").endswith("RESTARTED SUBMITTED")
    story.jobs.popleft()
    story.finish()
    assert story.ended == "SUCCESS"


def test_a_restarted_pause_goes_on():
    story = Story(f"""
        tasks:
          - id: p
            type: flow.Parallel
            tasks:
              - {{id: hold, type: flow.Pause, pauseDuration: PT1H}}
              - {{id: a, {LOG}}}
          - {{id: z, {LOG}}}
    """)
    story.start()
    story.restart()
    assert story.state.execution.held == 0
    assert not story.timers
    assert str(story.of("a").state) == "SUBMITTED"
    story.finish()
    assert story.ended == "SUCCESS"
    assert story.counts() == {"p": 1, "hold": 1, "a": 1, "z": 1}
    assert str(story.of("p").state) == "SUCCESS"


@pytest.mark.parametrize("state", ["SUCCESS", "WARNING", "KILLED"])
def test_only_failed_and_paused_executions_are_restarted(state):
    story = play(TWO, ends={"b": state})
    with pytest.raises(Conflict, match="expected terminated or paused"):
        story.restart()


def test_a_restart_without_anything_to_restart():
    story = play(
        "tasks: [{id: a, type: log.Log, message: hi}]\noutputs: [{id: o, type: STRING, value: '{{ nowhere.x }}'}]"
    )
    with pytest.raises(Unprocessable, match="No task found to restart execution from"):
        story.restart()


def test_a_restart_of_an_execution_without_task_runs():
    story = Story(TWO)
    story.step(
        c.StartExecution(execution_id=ID, execution=story.initial, context=story.context, final_state=State.FAILED)
    )
    assert story.history() == ["CREATED", "FAILED"]
    assert story.state.execution.closed
    story.restart()
    story.finish()
    assert story.counts() == {"a": 1, "b": 1}
    assert story.ended == "SUCCESS"


def test_a_restart_takes_a_slot_again():
    story = play("concurrency: {limit: 1}\n" + TWO, ends={"a": ["FAILED", "SUCCESS"]})
    assert not story.state.execution.slot
    story.slots_used = 1
    story.restart()
    assert story.history()[-2:] == ["RESTARTED", "QUEUED"]
    assert not story.jobs
    story.slots_used = 0
    story.step(c.Unqueue(execution_id=ID, freed=True))
    assert story.state.execution.slot
    assert story.waiting() == ["a"]
    story.finish()
    assert story.ended == "SUCCESS"


@pytest.mark.parametrize(("behavior", "state"), [("CANCEL", "CANCELLED"), ("FAIL", "FAILED")])
def test_a_restart_that_finds_no_slot(behavior, state):
    story = play(f"concurrency: {{limit: 1, behavior: {behavior}}}\n" + TWO, ends={"a": "FAILED"})
    story.slots_used = 1
    story.restart()
    assert story.ended == state
    assert story.state.execution.closed
    assert str(story.of("a").state) == state


# -- change of state ---------------------------------------------------------------------------------------------


def change(story, task_id, state):
    return story.step(c.ChangeTaskRunState(execution_id=ID, task_run_id=story.of(task_id).id, state=State(state)))


def test_a_failed_task_is_declared_a_success():
    story = play(f"tasks: [{{id: s, type: flow.Sequential, tasks: [{{id: a, {LOG}}}, {{id: b, {LOG}}}]}}, {{id: z, {LOG}}}]\nerrors: [{{id: e, {LOG}}}]", ends={"a": "FAILED"})  # fmt: skip
    change(story, "a", "SUCCESS")
    story.finish()
    assert story.ended == "SUCCESS"
    assert story.attempts("a") == ["SUCCESS"]
    assert story.counts() == {"s": 1, "a": 1, "b": 1, "z": 1}


def test_a_success_is_declared_a_failure():
    story = play(f"tasks: [{{id: a, {LOG}}}]\nerrors: [{{id: e, {LOG}}}]")
    change(story, "a", "FAILED")
    story.finish()
    assert story.ended == "FAILED"
    assert story.counts() == {"a": 1, "e": 1}


def test_a_task_run_is_declared_cancelled():
    story = play(TWO, ends={"b": "FAILED"})
    change(story, "b", "CANCELLED")
    assert story.ended == "CANCELLED"
    assert str(story.of("b").state) == "CANCELLED"


def test_whose_state_cannot_be_changed():
    story = Story(TWO)
    story.start()
    with pytest.raises(Conflict, match="Cannot change a task run"):
        change(story, "a", "SUCCESS")
    story.finish()
    with pytest.raises(Unprocessable, match="not found in execution"):
        story.step(c.ChangeTaskRunState(execution_id=ID, task_run_id="nobody", state=State.SUCCESS))
    handlers = play(f"{TWO}\nfinally: [{{id: f, {LOG}}}]")
    with pytest.raises(Unprocessable, match="belongs to errors, finally or afterExecution"):
        change(handlers, "f", "SUCCESS")
    killed = play(TWO, ends={"a": "KILLED"})
    with pytest.raises(Conflict):
        change(killed, "a", "SUCCESS")


def test_after_execution_that_runs_gives_way_to_a_change():
    story = Story(f"{TWO}\nafterExecution: [{{id: x, {LOG}}}]", ends={"b": "FAILED"})
    story.start()
    story.reply("a")
    story.reply("b", "FAILED")
    running = story.of("x").id
    decision = change(story, "b", "SUCCESS")
    assert decision.kills == [running]
    assert story.ended == "SUCCESS"
    assert story.of("x").id != running


def test_a_terminal_state_is_changed():
    story = play(TWO)
    story.step(c.ChangeStatus(execution_id=ID, state=State.FAILED))
    assert story.history() == ["CREATED", "RUNNING", "SUCCESS", "FAILED"]
    with pytest.raises(Unprocessable, match="Expected a terminal state"):
        story.step(c.ChangeStatus(execution_id=ID, state=State.RUNNING))
    running = Story(TWO)
    running.start()
    with pytest.raises(Conflict, match="Cannot change the status"):
        running.step(c.ChangeStatus(execution_id=ID, state=State.FAILED))


# -- start, queue, force -----------------------------------------------------------------------------------------


def test_a_schedule_date_holds_the_start():
    story = Story(TWO)
    story.initial.schedule_date = story.clock.now() + timedelta(hours=1)
    story.run()
    assert story.history() == ["CREATED"]
    story.finish()
    assert story.ended == "SUCCESS"
    assert story.state.execution.histories[1].date >= story.initial.schedule_date


def test_force_run_does_not_wait_for_the_date():
    story = Story(TWO)
    story.initial.schedule_date = story.clock.now() + timedelta(hours=1)
    story.run()
    story.step(c.ForceRun(execution_id=ID))
    assert not story.timers
    story.finish()
    assert story.ended == "SUCCESS"


def test_the_queue():
    story = Story("concurrency: {limit: 2}\n" + TWO)
    story.slots_used = 2
    story.run()
    assert story.history() == ["CREATED", "QUEUED"]
    assert story.said("Execution is queued due to concurrency limit exceeded, 2 running(s)")
    story.step(c.Unqueue(execution_id=ID, freed=True))
    assert story.ended == "QUEUED"
    story.slots_used = 1
    story.step(c.Unqueue(execution_id=ID, freed=True))
    assert story.state.execution.slot
    story.finish()
    assert story.history() == ["CREATED", "QUEUED", "RUNNING", "SUCCESS"]
    assert any(d.slot_freed for d in story.decisions)
    story.step(c.Unqueue(execution_id=ID, freed=True))  # too late, no matter


@pytest.mark.parametrize(("behavior", "state"), [("CANCEL", "CANCELLED"), ("FAIL", "FAILED")])
def test_no_slot_and_no_queue(behavior, state):
    story = Story(f"concurrency: {{limit: 1, behavior: {behavior}}}\n" + TWO)
    story.slots_used = 1
    story.run()
    assert story.history() == ["CREATED", state]
    assert not any(d.slot_freed for d in story.decisions)


@pytest.mark.parametrize("state", ["RUNNING", "CANCELLED", "FAILED"])
def test_unqueue_into_a_state(state):
    story = Story("concurrency: {limit: 1}\n" + TWO)
    story.slots_used = 1
    story.run()
    with pytest.raises(Unprocessable, match="Expected RUNNING, CANCELLED or FAILED"):
        story.step(c.Unqueue(execution_id=ID, state=State.PAUSED))
    story.step(c.Unqueue(execution_id=ID, state=State(state)))
    assert story.history() == ["CREATED", "QUEUED", state]
    if state != "RUNNING":
        with pytest.raises(Conflict, match="expected QUEUED"):
            story.step(c.Unqueue(execution_id=ID))


def test_a_paused_execution_keeps_its_slot():
    story = Story("concurrency: {limit: 1}\ntasks: [{id: p, type: flow.Pause}]")
    story.run()
    assert story.state.execution.slot
    story.resume()
    assert not story.state.execution.slot


@pytest.mark.parametrize("queued", [True, False])
def test_force_run_of_a_queued_or_paused_execution(queued):
    story = Story("concurrency: {limit: 1}\ntasks: [{id: p, type: flow.Pause}]")
    story.slots_used = 1 if queued else 0
    story.run()
    story.step(c.ForceRun(execution_id=ID))
    assert story.ended == ("PAUSED" if queued else "SUCCESS")
    assert story.state.execution.slot is queued


def test_force_run_of_what_has_ended():
    story = play(TWO)
    with pytest.raises(Conflict, match="Cannot force run"):
        story.step(c.ForceRun(execution_id=ID))


# -- breakpoints and labels --------------------------------------------------------------------------------------


def test_a_breakpoint_suspends_before_its_task():
    story = Story(TWO)
    story.initial.breakpoints = [Breakpoint("b")]
    story.run()
    assert story.history() == ["CREATED", "RUNNING", "BREAKPOINT"]
    assert story.past("b") == "CREATED BREAKPOINT"
    assert story.said("Flow is suspended at a breakpoint.")
    story.step(c.ResumeFromBreakpoint(execution_id=ID, breakpoints=[]))
    story.finish()
    assert story.past("b") == "CREATED BREAKPOINT CREATED SUBMITTED RUNNING SUCCESS"
    assert story.history() == ["CREATED", "RUNNING", "BREAKPOINT", "RUNNING", "SUCCESS"]
    with pytest.raises(Conflict, match="not suspended at a breakpoint"):
        story.step(c.ResumeFromBreakpoint(execution_id=ID))


def test_a_breakpoint_of_one_value():
    story = Story(f"tasks: [{{id: each, type: flow.ForEach, values: [x, y], tasks: [{{id: t, {LOG}}}]}}]")
    story.initial.breakpoints = [Breakpoint("t", "y")]
    story.run()
    assert [str(r.state) for r in story.task_runs("t")] == ["SUCCESS", "BREAKPOINT"]
    story.step(c.ResumeFromBreakpoint(execution_id=ID, breakpoints=[Breakpoint("t", "y")]))
    assert story.ended == "BREAKPOINT"
    story.kill()
    assert story.history()[-2:] == ["KILLING", "KILLED"]


def test_several_task_runs_at_breakpoints():
    story = Story(f"tasks: [{{id: p, type: flow.Parallel, tasks: [{{id: a, {LOG}}}, {{id: b, {LOG}}}]}}]")
    story.initial.breakpoints = [Breakpoint("a"), Breakpoint("b")]
    story.run()
    assert story.ended == "BREAKPOINT"
    story.step(c.ResumeFromBreakpoint(execution_id=ID, breakpoints=[]))
    story.finish()
    assert story.ended == "SUCCESS"


def test_no_breakpoints_in_after_execution():
    story = Story(f"{TWO}\nafterExecution: [{{id: x, {LOG}}}]")
    story.initial.breakpoints = [Breakpoint("x")]
    story.finish()
    assert story.ended == "SUCCESS"
    assert story.state.execution.closed


def test_labels_of_an_ended_execution():
    story = play("labels: {team: data}\n" + TWO)
    story.step(c.AddSystemLabels(execution_id=ID, labels=[Label("system.replayed", "true")]))
    story.step(c.SetLabels(execution_id=ID, labels=[Label("a", "b"), Label("system.replayed", "true")]))
    assert [(x.key, x.value) for x in story.state.context.labels] == [("a", "b"), ("system.replayed", "true")]
    with pytest.raises(Unprocessable, match="offending label: system.from=me"):
        story.step(c.SetLabels(execution_id=ID, labels=[Label("system.from", "me")]))
    running = Story(TWO)
    running.start()
    with pytest.raises(BadRequest, match="The execution is not terminated"):
        running.step(c.SetLabels(execution_id=ID, labels=[]))


# -- replay ------------------------------------------------------------------------------------------------------


def again(story, task_id=None, **more):
    """A replay of a story: the copy, set out."""
    made = replay(
        story.plan, story.state.execution, story.state.context, runs=story.task_runs(),
        task_run_id=story.of(task_id).id if task_id else None, inputs=None, now=story.clock.now(),
        new_id=iter(f"n{n}" for n in range(1000)).__next__, **more,
    )  # fmt: skip
    copy = Story("tasks: [{id: none, type: log.Log, message: hi}]")
    copy.plan = story.plan
    copy._count = 1000  # ids that the source has not used
    copy.state = type(story.state)(story.plan, made.execution, made.context)
    copy.state.adopt(made.runs)
    copy.archive.records = {r.id: r for r in made.runs}
    values = {}
    for run in copy.state.live():
        old = made.origins[run.id]
        if old in story.archive.planned:
            values[run.id] = story.archive.planned[old]
        if run.scope is not None:
            ended = {r.task_id for r in made.runs if r.parent_id == run.id and str(r.state) == "SUCCESS"}
            copy.state.dag_done[run.id] = ended
    copy.made = made
    copy.values = values
    return copy


def test_a_replay_from_the_start():
    story = play("labels: {team: data}\n" + TWO)
    made = again(story).made
    assert made.runs == []
    assert made.execution.parent_id == ID
    assert made.execution.original_id == ID
    assert made.execution.metadata.attempt_number == 2
    assert [(x.key, x.value) for x in made.context.labels] == [("team", "data"), ("system.replay", "true")]
    assert str(made.execution.state) == "CREATED"


def proceed(copy):
    copy.step(c.Proceed(execution_id="n0", values=copy.values))
    copy.run()
    return copy


@pytest.mark.parametrize(
    ("block", "counts"),
    [
        ("type: flow.Sequential, tasks: [{id: a, L}, {id: b, L}, {id: d, L}]", {"a": 1, "b": 1, "d": 1}),
        ("type: flow.Parallel, tasks: [{id: a, L}, {id: b, L}, {id: d, L}]", {"a": 1, "b": 1, "d": 1}),
        ("type: flow.Dag, tasks: [{task: {id: a, L}}, {task: {id: b, L}, dependsOn: [a]}, {task: {id: d, L}, dependsOn: [b]}]",
         {"a": 1, "b": 1, "d": 1}),
        ("type: flow.Switch, value: x, cases: {x: [{id: b, L}, {id: d, L}]}", {"b": 1, "d": 1}),
    ],
)  # fmt: skip
def test_a_replay_from_a_task(block, counts):
    story = play(f"tasks: [{{id: first, {LOG}}}, {{id: block, {block.replace('L}', LOG + '}')}}}, {{id: z, {LOG}}}]")
    copy = proceed(again(story, "b"))
    assert copy.ended == "SUCCESS", copy.trace()
    assert copy.counts() == {"first": 1, "block": 1, **counts, "z": 1}
    assert "a" not in copy.played
    assert copy.played == ["b", *(["d"] if "Parallel" not in block else []), "z"]
    assert copy.history() == ["CREATED", "RESTARTED", "RUNNING", "SUCCESS"]
    assert not {r.id for r in copy.task_runs()} & {r.id for r in story.task_runs()}


@pytest.mark.parametrize("kind", ["ForEach, concurrencyLimit: 1", "ForEach, concurrencyLimit: 0", "Loop"])
def test_a_replay_from_inside_a_loop(kind):
    story = play(
        f"tasks: [{{id: loop, type: flow.{kind}, values: [1, 2, 3], tasks: [{{id: a, {LOG}}}, {{id: b, {LOG}}}]}}, {{id: z, {LOG}}}]"
    )
    second = story.task_runs("a")[1]
    story.of = lambda task_id: second
    copy = again(story, "a")
    proceed(copy)
    assert copy.ended == "SUCCESS", copy.trace()
    assert copy.counts() == {"loop": story.counts()["loop"], "a": 3, "b": 3, "z": 1}
    assert copy.played.count("b") == (1 if kind.endswith("0") else 2)


def test_a_replay_of_an_execution_that_still_runs():
    story = Story(f"""
        tasks:
          - id: p
            type: flow.Parallel
            tasks:
              - {{id: a, {LOG}}}
              - {{id: s, type: flow.Sequential, tasks: [{{id: b, {LOG}}}, {{id: d, {LOG}}}]}}
              - {{id: hold, type: flow.Pause}}
          - {{id: z, {LOG}}}
    """)
    story.start()
    story.reply("a")
    copy = again(story, "a")
    proceed(copy)
    assert copy.past("b") == "CREATED SUBMITTED RESTARTED SUBMITTED RUNNING SUCCESS"
    assert str(copy.of("hold").state) == "PAUSED"
    copy.resume()
    copy.run()
    assert copy.ended == "SUCCESS"


def test_a_replay_from_a_child_of_a_directory_runs_the_directory():
    from test_elsewhere import directory

    story = directory()
    story.child("a", "CREATED", "RUNNING", "SUCCESS")
    story.reply("wd")
    story.finish()
    copy = again(story, "a")
    proceed(copy)
    assert copy.played == ["wd", "z"]


def test_a_replay_from_nowhere():
    story = play(TWO)
    with pytest.raises(Unprocessable, match="Task run id 'nobody' not found in execution 'execution'"):
        replay(
            story.plan, story.state.execution, story.state.context, runs=story.task_runs(), task_run_id="nobody",
            inputs=None, now=story.clock.now(), new_id=lambda: "n",
        )  # fmt: skip


def test_an_execution_that_cannot_go_on_is_ended():
    story = Story(f"{TWO}\nafterExecution: [{{id: x, {LOG}}}]")
    story.start()
    decision = story.step(c.Abort(execution_id=ID, reason="out of order"))
    assert decision.kills == [None]
    story.finish()
    assert story.ended == "FAILED"
    assert story.said("ERROR out of order")
    assert str(story.of("a").state) == "FAILED"
    assert story.state.execution.closed


def test_what_the_engine_handles():
    assert handled(c.Continue(execution_id=ID))
    assert not handled(c.CheckChild(execution_id=ID, task_run_id="r"))
