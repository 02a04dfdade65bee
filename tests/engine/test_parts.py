"""Small parts of the engine: the plan, the events and their application, listeners, rendering, values."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "scenarios"))

from stories import ID, Story, flow, play

from penstock.definition import parse_flow
from penstock.engine import commands as c
from penstock.engine import events as e
from penstock.engine.apply import EVENT_TYPES, apply, fresh
from penstock.engine.flowables.subflow import raw_labels, read_labels
from penstock.engine.flowables.updating import UpdatingBehaviour
from penstock.engine.flowables.values import as_text, is_uri, shorten
from penstock.engine.listeners import guard
from penstock.engine.plan import Kind, Plan
from penstock.engine.rendering import needs_outside
from penstock.model import conditions as k
from penstock.model.execution import Label
from penstock.model.job import Started
from penstock.model.state import State
from penstock.plugin.registry import installed

LOG = "type: log.Log, message: hi"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def plan_of(text):
    return Plan(parse_flow(flow(text), types=installed()).flow, 7)


def test_every_event_is_applied():
    declared = {
        cls for cls in vars(e).values() if isinstance(cls, type) and issubclass(cls, e.Event) and cls is not e.Event
    }
    assert declared == EVENT_TYPES


def test_every_command_is_either_handled_or_the_executors():
    from penstock.engine.step import _HANDLERS

    declared = [
        cls for cls in vars(c).values() if isinstance(cls, type) and issubclass(cls, c.Command) and cls is not c.Command
    ]
    executors = {"CheckChild", "ReplayExecution", "Delete"}
    for cls in declared:
        assert (cls in _HANDLERS) is (cls.__name__ not in executors), cls


def test_the_nodes_of_a_plan():
    plan = plan_of(f"""
        tasks:
          - id: loop
            type: flow.Loop
            values: [1]
            tasks: [{{id: t, {LOG}}}, {{id: off, {LOG}, disabled: true}}]
          - id: d
            type: flow.Dag
            tasks:
              - {{task: {{id: a, {LOG}}}}}
              - {{task: {{id: b, {LOG}}}, dependsOn: [a, gone]}}
              - {{task: {{id: gone, {LOG}, disabled: true}}}}
    """)
    assert [node.id for node in plan.root.lists["tasks"]] == ["loop", "d"]
    loop = plan.node("loop")
    assert plan.body(loop).kind is Kind.ITERATION
    assert plan.node("t").in_loop
    assert plan.node("off") is None
    assert plan.node("b").depends == (0,)
    assert plan.node("a").dependents == (1,)
    assert repr(loop) == "Node(loop, LOOP)"
    assert {node.id for node in plan.walk()} == {"loop", "t", "d", "a", "b"}


def test_a_copy_shares_nothing():
    story = Story(f"tasks: [{{id: a, {LOG}}}]")
    story.start()
    run = story.of("a")
    copy = fresh(run)
    assert copy == run
    copy.histories.append(copy.histories[0])
    assert len(run.histories) == 2


def test_removing_what_is_not_in_memory_is_noted_for_the_store():
    story = Story(f"tasks: [{{id: a, {LOG}}}]")
    story.start()
    apply(story.state, e.TaskRunRemoved("elsewhere"))
    assert story.state.touched.removed_runs == ["elsewhere"]


def test_touched_says_whether_there_is_anything_to_write():
    story = Story(f"tasks: [{{id: a, {LOG}}}]")
    assert not story.state.touched.any()
    apply(story.state, e.SlotTaken())
    assert story.state.touched.any()


@pytest.mark.parametrize(
    ("value", "outside"),
    [
        ("plain", False), ("{{ inputs.x }}", False), ("{{ kv('x') }}", True), ("{{ render(inputs.x) }}", True),
        ({"a": ["{{ secret('x') }}"]}, True), ({"{{ kv('x') }}": 1}, True), ([1, None, b"{{ kv('x') }}"], False),
        ("{{ broken", False), (3, False),
    ],
)  # fmt: skip
def test_what_needs_the_outside(value, outside):
    assert needs_outside(value) is outside


def test_values_as_text():
    assert [as_text(v) for v in ("a", True, False, 1, 2.5, {"k": [1]}, [None])] == [
        "a", "true", "false", "1", "2.5", '{"k":[1]}', "[null]",
    ]  # fmt: skip
    assert is_uri(" kestra:///x ")
    assert not is_uri(["kestra:///x"])
    assert shorten(None) == "null"
    assert len(shorten("x" * 500)) == 120


def test_labels_in_any_form():
    assert raw_labels(None) == {}
    assert raw_labels([Label("a", "b")]) == {"a": "b"}
    assert raw_labels([{"key": "a", "value": "b"}]) == [{"key": "a", "value": "b"}]
    assert read_labels({"a": 1, "b": None}) == [Label("a", "1")]
    assert read_labels([{"key": "a", "value": True}, "junk", {"value": 1}]) == [Label("a", "true")]
    assert read_labels("text") == []


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (k.ExecutionStatus.model_construct(in_=["SUCCESS"], not_in=None), True),
        (k.ExecutionStatus.model_construct(in_=["FAILED"], not_in=None), False),
        (k.ExecutionStatus.model_construct(in_=None, not_in=["FAILED"]), True),
        (k.ExecutionStatus.model_construct(in_=None, not_in=None), True),
        (k.ExecutionFlow.model_construct(namespace="company.team", flow_id="story"), True),
        (k.ExecutionFlow.model_construct(namespace="company.team", flow_id="it's"), False),
        (k.ExecutionNamespace.model_construct(namespace="company", comparison="PREFIX", prefix=None), True),
        (k.ExecutionNamespace.model_construct(namespace="team", comparison="SUFFIX", prefix=None), True),
        (k.ExecutionNamespace.model_construct(namespace="company", comparison=None, prefix=False), False),
        (k.ExecutionNamespace.model_construct(namespace="company", comparison=None, prefix=True), True),
        (k.ExecutionLabels.model_construct(labels=[Label("team", "data")]), True),
        (k.ExecutionLabels.model_construct(labels=[Label("team", "ops")]), False),
        (k.ExecutionLabels.model_construct(labels=[]), True),
        (k.Expression.model_construct(expression="{{ execution.state == 'SUCCESS' }}"), True),
        (k.Not.model_construct(conditions=[k.Expression.model_construct(expression="true")]), False),
        (k.Or.model_construct(conditions=[k.Expression.model_construct(expression="false"), k.Expression.model_construct(expression="true")]), True),
        (k.Condition.model_construct(), True),
    ],
)  # fmt: skip
def test_what_a_listener_waits_for(condition, holds):
    story = play(
        f"labels: {{team: data}}\ntasks: [{{id: a, {LOG}}}]\n"
        f"afterExecution: [{{id: x, {LOG}, runIf: {json.dumps('{{ ' + guard(condition) + ' }}')}}}]"
    )
    assert str(story.of("x").state) == ("SUCCESS" if holds else "SKIPPED"), story.logs


def test_a_listener_keeps_the_condition_of_its_task():
    text = """
        tasks: [{id: a, type: log.Log, message: hi}]
        listeners:
          - conditions: [{type: io.kestra.plugin.core.condition.ExecutionStatus, in: [SUCCESS]}]
            tasks:
              - {id: x, type: log.Log, message: hi, runIf: "{{ 1 == 2 }}"}
              - {id: y, type: log.Log, message: hi}
    """
    story = play(text)
    assert [str(story.of(i).state) for i in ("x", "y")] == ["SKIPPED", "SUCCESS"]
    failed = play(text, ends={"a": "FAILED"})
    assert [str(failed.of(i).state) for i in ("x", "y")] == ["SKIPPED", "SKIPPED"]


@pytest.mark.parametrize(("behavior", "state"), [("FAIL", "FAILED"), ("CANCEL", "CANCELLED")])
def test_a_quota(behavior, state):
    text = f"quotas: [{{duration: PT1H, limit: 2, behavior: {behavior}}}]\ntasks: [{{id: a, {LOG}}}]"
    story = Story(text)
    story.created_since = 3
    story.finish()
    assert story.history() == ["CREATED", state]
    assert story.said(f"Execution is {state} due to PT1H quota limit exceeded")
    within = Story(text)
    within.created_since = 2
    assert within.finish().ended == "SUCCESS"


@pytest.mark.parametrize(
    "task",
    [
        "type: execution.SetVariables, variables: \"{{ 'nothing' }}\"",
        'type: execution.UnsetVariables, variables: "{{ 3 }}"',
        "type: flow.Subflow, namespace: company.team, flowId: child, revision: \"{{ 'x' }}\"",
    ],
)
def test_properties_of_a_wrong_kind_fail_their_task(task):
    story = play(f"tasks: [{{id: a, {task}}}]")
    assert story.ended == "FAILED"
    assert story.past("a") == "CREATED RUNNING FAILED"


def test_variables_as_json():
    story = play("""
        variables: {a: 1, b: 2, c: 3}
        tasks:
          - {id: s, type: execution.SetVariables, variables: "{{ '{\\"d\\": 4}' }}"}
          - {id: u, type: execution.UnsetVariables, variables: "{{ '[\\"a\\"]' }}"}
          - {id: v, type: execution.UnsetVariables, variables: "{{ 'b' }}"}
    """)
    assert story.state.context.variables == {"c": 3, "d": 4}


def test_a_label_without_a_key():
    story = play("tasks: [{id: l, type: execution.Labels, labels: \"{{ [{'value': 'x'}] }}\"}]")
    assert story.ended == "FAILED"
    assert story.said("a label must be a map with key and value")


def test_a_task_that_cannot_run_in_the_executor():
    from types import SimpleNamespace

    behaviour = UpdatingBehaviour()
    assert behaviour.templates(plan_of(f"tasks: [{{id: a, {LOG}}}]").node("a").task) == {}
    with pytest.raises(ValueError, match="cannot run inside the executor"):
        behaviour._change(None, None, SimpleNamespace(task=SimpleNamespace(type="some.Task")), {})


def test_late_reports_of_every_kind_are_dropped():
    story = Story(f"tasks: [{{id: a, {LOG}}}, {{id: i, type: flow.Sequential, tasks: [{{id: b, {LOG}}}]}}]")
    story.start()
    job = story.jobs[0]
    report = Started(execution_id=ID, task_run_id=job.task_run_id, stamp=job.stamp, worker_id="w", at=NOW)
    story.step(report)
    assert story.step(report).events == []  # begun already
    result = story.result_of(job)
    story.jobs.clear()
    story.step(result)
    assert story.step(result).events == []  # ended already
    assert story.step(c.WakeUp(execution_id=ID, key=f"retry:{job.task_run_id}", stamp=1)).events == [
        e.TimerCleared(f"retry:{job.task_run_id}")
    ]
    sequential = story.of("i")
    import msgspec

    assert story.step(msgspec.structs.replace(result, task_run_id=sequential.id, stamp=0)).events == []
    assert story.step(msgspec.structs.replace(result, task_run_id="")).events == []
    assert (
        story.step(
            c.ChildChanged(execution_id=ID, task_run_id=sequential.id, child_id="x", state=State.SUCCESS, ended=True)
        ).events
        == []
    )
    assert story.step(c.Continue(execution_id=ID, task_run_id="nobody")).events == []
    assert story.step(c.RecountItems(execution_id=ID, task_run_id="nobody", tally={})).events == []


def test_evaluations_and_jobs_of_a_killed_execution():
    story = Story("""
        tasks:
          - id: p
            type: flow.Parallel
            tasks:
              - {id: i, type: flow.ForEachItem, items: "kestra:///x", namespace: company.team, flowId: child}
    """)
    story.start()
    story.kill()
    assert story.ended == "KILLING"  # the split is on a worker
    story.reply("i_split", "KILLED")
    assert story.ended == "KILLED"


def test_an_execution_that_cannot_go_on_during_a_kill_is_killed():
    story = Story(f"tasks: [{{id: a, {LOG}}}]")
    story.start()
    story.kill()
    story.step(c.Abort(execution_id=ID, reason="broken"))
    assert story.history() == ["CREATED", "RUNNING", "KILLING", "KILLED"]
    assert story.state.execution.closed
    assert not story.timers


def test_a_subflow_that_fails_to_render_on_the_worker():
    story = play(
        "tasks: [{id: s, type: flow.Subflow, namespace: company.team, flowId: child, inputs: {x: \"{{ kv('x') }}\"}}]"
    )
    assert story.ended == "FAILED"


def test_typed_outputs_of_an_iteration():
    import msgspec

    story = Story("""
        tasks:
          - id: loop
            type: flow.Loop
            values: [1]
            outputs: [{id: o, type: INT, value: "x"}]
            tasks: [{id: t, type: log.Log, message: hi}]
    """)

    def refuse(declared, values):
        raise ValueError("no number")

    story._around = msgspec.structs.replace(story._around, type_outputs=refuse)
    story.finish()
    assert story.ended == "FAILED"
    assert story.said("Failed to render output values: no number")


def test_a_loop_until_whose_condition_was_answered_badly():
    story = Story(
        f"tasks: [{{id: l, type: flow.LoopUntil, condition: \"{{{{ kv('x') }}}}\", tasks: [{{id: t, {LOG}}}]}}]"
    )
    story.start()
    story.reply("t")
    story.run()  # the scripted worker has no kv
    assert story.ended == "FAILED"
    assert story.past("l") == "CREATED RUNNING FAILED"


def test_a_late_on_pause_task_is_let_in_by_a_resume():
    story = Story(f"tasks: [{{id: p, type: flow.Pause, onPause: {{id: tell, {LOG}, runIf: \"{{{{ kv('x') }}}}\"}}}}]")
    story.start()
    story.rendered(runIf="true")
    assert story.waiting() == ["tell"]


def test_a_label_of_a_batch_that_cannot_be_read():
    story = Story(
        "tasks: [{id: i, type: flow.ForEachItem, items: 'kestra:///f', namespace: company.team, flowId: child, "
        "revision: \"{{ 'x' }}\"}]"
    )
    story.archive.files["kestra:///splits"] = ["kestra:///0"]
    story.start()
    story.reply("i_split", splits="kestra:///splits")
    assert story.ended == "FAILED"
    assert story.said("revision must be a whole number, found `x`")


def test_a_replay_from_a_dag_task_leaves_what_does_not_depend_on_it():
    from test_operations import again, proceed

    story = play(f"""
        tasks:
          - id: d
            type: flow.Dag
            tasks:
              - {{task: {{id: a, {LOG}}}}}
              - {{task: {{id: other, {LOG}}}}}
              - {{task: {{id: b, {LOG}}}, dependsOn: [a, other]}}
              - {{task: {{id: c, {LOG}}}, dependsOn: [b, a]}}
              - {{task: {{id: side, {LOG}}}, dependsOn: [other]}}
    """)
    copy = proceed(again(story, "a"))
    assert sorted(copy.played) == ["a", "b", "c"]
    assert copy.ended == "SUCCESS"
    assert copy.counts() == {"d": 1, "a": 1, "other": 1, "b": 1, "c": 1, "side": 1}


def test_a_replay_leaves_handlers_behind():
    from test_operations import again, proceed

    story = play(
        f"tasks: [{{id: a, {LOG}}}, {{id: b, {LOG}}}]\nfinally: [{{id: f, {LOG}}}]\nafterExecution: [{{id: x, {LOG}}}]"
    )
    copy = proceed(again(story, "b"))
    assert copy.played == ["b", "f", "x"]


def test_timers_of_waits_that_are_over_do_nothing():
    story = Story("tasks: [{id: p, type: flow.Pause, pauseDuration: PT1H}, {id: q, type: flow.Pause, timeout: PT1H}]")
    story.run()
    run = story.of("p")
    story.resume()
    assert story.step(c.WakeUp(execution_id=ID, key=f"pause:{run.id}", stamp=0)).events == [
        e.TimerCleared(f"pause:{run.id}")
    ]
    assert story.step(c.WakeUp(execution_id=ID, key="schedule", stamp=0)).events == [e.TimerCleared("schedule")]
    assert story.step(c.WakeUp(execution_id=ID, key="grace", stamp=0)).events == [e.TimerCleared("grace")]
    assert story.ended == "PAUSED"


def test_a_breakpoint_of_a_list_that_holds_others():
    story = Story(
        f"tasks: [{{id: p, type: flow.Parallel, tasks: [{{id: a, {LOG}}}, {{id: hold, type: flow.Pause}}, {{id: b, {LOG}}}]}}]"
    )
    story.start()
    assert story.ended == "PAUSED"
    story.crash()
    story.resume()
    story.finish()
    assert story.ended == "SUCCESS"


def test_an_unqueued_execution_whose_flow_has_no_limit_any_more():
    story = Story("concurrency: {limit: 1}\ntasks: [{id: a, type: log.Log, message: hi}]")
    story.slots_used = 1
    story.run()
    story.plan.flow = story.plan.flow.model_copy(update={"concurrency": None})
    story.step(c.Unqueue(execution_id=ID, freed=True))
    assert not story.state.execution.slot
    story.finish()
    assert story.ended == "SUCCESS"


def test_without_a_witness_nothing_is_recorded():
    story = play(f"tasks: [{{id: a, {LOG}}}]", record=False)
    assert story.recorded == []
    assert story.ended == "SUCCESS"


def test_the_log_file_of_an_attempt_is_kept():
    import msgspec

    story = Story(f"tasks: [{{id: a, {LOG}}}]")
    story.start()
    job = story.jobs.popleft()
    story.step(msgspec.structs.replace(story.result_of(job), log_file="kestra:///log"))
    assert story.of("a").attempts[0].log_file == "kestra:///log"
