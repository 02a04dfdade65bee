"""What runs elsewhere: subflows, ForEachItem, the children of a WorkingDirectory."""

from __future__ import annotations

import pytest
from stories import ID, OK, Story, play

from penstock.engine import commands as c
from penstock.model.execution import Attempt, TaskRun
from penstock.model.job import ChildRun, JobKind
from penstock.model.state import State, StateChange

LOG = "type: log.Log, message: hi"


def subflow(more="", rest=""):
    return f"""
    tasks:
      - {{id: s, type: flow.Subflow, namespace: company.team, flowId: child{", " + more if more else ""}}}
      - {{id: z, {LOG}}}
    {rest}
"""


@pytest.mark.parametrize(
    ("child", "run", "execution"),
    [
        ("SUCCESS", "SUCCESS", "SUCCESS"), ("WARNING", "WARNING", "WARNING"), ("FAILED", "FAILED", "FAILED"),
        ("KILLED", "KILLED", "KILLED"), ("CANCELLED", "SUCCESS", "SUCCESS"), ("RETRIED", "SUCCESS", "SUCCESS"),
    ],
)  # fmt: skip
def test_how_a_child_ends(child, run, execution):
    story = Story(subflow())
    story.start()
    story.end_child(story.launches[0], State(child), {"o": 1})
    story.finish()
    assert str(story.of("s").state) == run
    assert story.ended == execution
    assert story.output("s") == {"executionId": story.launches[0].child_id, "state": child, "outputs": {"o": 1}}
    assert ("z" in story.counts()) is (child != "FAILED")


@pytest.mark.parametrize("child", ["FAILED", "KILLED", "WARNING"])
def test_without_transmit_failed_every_end_is_a_success(child):
    story = Story(subflow("transmitFailed: false"))
    story.start()
    story.end_child(story.launches[0], State(child))
    story.finish()
    assert story.ended == "SUCCESS"
    assert story.output("s") == {"executionId": story.launches[0].child_id, "state": child}


def test_a_failed_child_may_fail():
    story = Story(subflow("allowFailure: true"))
    story.start()
    story.end_child(story.launches[0], State.FAILED)
    story.finish()
    assert story.ended == "WARNING"
    assert story.said("ends in FAILED state")


def test_what_is_asked_for():
    story = Story("""
        inputs: [{id: who, type: STRING}]
        tasks:
          - id: each
            type: flow.ForEach
            values: [x]
            tasks:
              - id: s
                type: flow.Subflow
                namespace: "company.{{ 'team' }}"
                flowId: child
                revision: 3
                inputs: {name: "{{ inputs.who }}", n: "{{ 1 + 1 }}"}
                labels: {team: "{{ inputs.who }}"}
                inheritLabels: true
    """, inputs={"who": "ada"})  # fmt: skip
    story.start()
    (wish,) = story.launches
    assert (wish.namespace, wish.flow_id, wish.revision, wish.inherit_labels) == ("company.team", "child", 3, True)
    assert wish.inputs["name"] == "ada"
    assert [(x.key, x.value) for x in wish.labels] == [("team", "ada")]
    assert wish.trigger["taskRunValue"] == "x"
    assert wish.trigger["taskRunIteration"] == 0
    assert wish.trigger["executionId"] == ID
    assert wish.trigger["taskRunId"] == story.of("s").id


def test_the_iteration_it_starts_in():
    story = Story("""
        tasks:
          - id: loop
            type: flow.Loop
            values: [x]
            tasks: [{id: s, type: flow.Subflow, namespace: company.team, flowId: child, labels: [{key: a, value: b}]}]
    """)
    story.start()
    (wish,) = story.launches
    assert wish.trigger["loopIndex"] == 0
    assert wish.trigger["loopTaskRunId"] == next(r.id for r in story.task_runs("loop") if r.iteration is None)
    assert [(x.key, x.value) for x in wish.labels] == [("a", "b")]


def test_without_wait_it_is_over_once_the_child_exists():
    story = Story(subflow("wait: false"))
    story.start()
    (wish,) = story.launches
    news = c.ChildChanged(
        execution_id=ID, task_run_id=wish.task_run_id, child_id=wish.child_id, state=State.CREATED, ended=False
    )
    story.step(news)
    assert story.past("s") == OK
    assert story.output("s") == {"executionId": wish.child_id, "state": "CREATED"}
    story.end_child(wish, State.FAILED)
    story.finish()
    assert story.ended == "SUCCESS"


def test_a_child_that_begins_is_no_news_to_one_that_waits():
    story = Story(subflow())
    story.start()
    (wish,) = story.launches
    story.step(
        c.ChildChanged(
            execution_id=ID, task_run_id=wish.task_run_id, child_id=wish.child_id, state=State.RUNNING, ended=False
        )
    )
    assert str(story.of("s").state) == "RUNNING"


def test_a_child_that_cannot_be_made_fails_the_task():
    story = Story(subflow())
    story.start()
    refused = c.ChildRefused(execution_id=ID, task_run_id=story.of("s").id, stamp=0, reason="Unable to find flow")
    story.step(refused)
    assert story.ended == "FAILED"
    assert story.said("Unable to find flow")
    story.step(refused)
    assert story.past("s") == "CREATED RUNNING FAILED"


def test_news_of_another_child_is_dropped():
    story = Story(subflow())
    story.start()
    stranger = c.ChildChanged(
        execution_id=ID, task_run_id=story.of("s").id, child_id="other", state=State.FAILED, ended=True
    )
    story.step(stranger)
    assert str(story.of("s").state) == "RUNNING"


def test_outputs_that_cannot_be_extracted_fail_the_task():
    story = Story(subflow())
    story.start()
    (wish,) = story.launches
    news = c.ChildChanged(
        execution_id=ID,
        task_run_id=wish.task_run_id,
        child_id=wish.child_id,
        state=State.SUCCESS,
        ended=True,
        error="no o",
    )
    story.step(news)
    assert story.ended == "FAILED"
    assert story.said("no o")


def test_properties_that_cannot_be_rendered():
    assert play(subflow('inputs: {x: "{{ nowhere.x }}"}')).ended == "FAILED"


def test_properties_that_need_the_outside():
    story = Story(subflow("inputs: {x: \"{{ kv('x') }}\"}"))
    story.start()
    assert not story.launches
    story.rendered(
        namespace="company.team", flowId="child", revision=None, inputs={"x": 1}, labels={}, inheritLabels=False
    )
    assert story.launches[0].inputs == {"x": 1}


def test_a_kill_reaches_the_child_and_waits_for_it():
    story = Story(subflow())
    story.start()
    decision = story.kill()
    assert decision.cascade
    assert story.ended == "KILLING"
    story.end_child(story.launches[0], State.KILLED)
    assert story.ended == "KILLED"
    assert str(story.of("s").state) == "KILLED"


def test_a_kill_without_cascade_does_not_wait_for_the_child():
    story = Story(subflow())
    story.start()
    decision = story.kill(cascade=False)
    assert not decision.cascade
    assert story.ended == "KILLED"


def test_a_killed_child_leaves_the_parent_running_to_its_end():
    story = Story(subflow())
    story.start()
    story.end_child(story.launches[0], State.KILLED)
    assert story.waiting() == ["z"]
    story.finish()
    assert story.history() == ["CREATED", "RUNNING", "KILLED"]


@pytest.mark.parametrize(("behavior", "same"), [("RETRY_FAILED", True), ("NEW_EXECUTION", False)])
def test_a_restart_restarts_the_child(behavior, same):
    story = Story(subflow(f"restartBehavior: {behavior}"))
    story.start()
    story.end_child(story.launches[0], State.FAILED)
    story.restart()
    first, second = story.launches
    assert (second.restart == first.child_id) is same
    assert (second.child_id == first.child_id) is same
    story.end_child(second, State.SUCCESS)
    story.finish()
    assert story.ended == "SUCCESS"


ITEMS = f"""
    tasks:
      - id: items
        type: flow.ForEachItem
        items: kestra:///file.txt
        namespace: company.team
        flowId: child
        inputs: {{file: "{{{{ taskrun.items }}}}", n: "{{{{ taskrun.iteration }}}}"}}
        MORE
      - {{id: z, {LOG}}}
"""


def items(more="", count=3, **kw):
    story = Story(ITEMS.replace("MORE", more), **kw)
    story.archive.files["kestra:///splits"] = [f"kestra:///{n}" for n in range(count)]
    story.start()
    story.reply("items_split", splits="kestra:///splits")
    return story


def test_a_subflow_for_each_batch():
    story = items()
    assert [w.inputs["file"] for w in story.launches] == ["kestra:///0", "kestra:///1", "kestra:///2"]
    assert [w.index for w in story.launches] == [0, 1, 2]
    assert story.output("items_items")["iterations"] == {"CREATED": 3, "RUNNING": 0}
    for launch in story.launches:
        story.end_child(launch, State.SUCCESS)
    assert story.output("items_items")["iterations"] == {"CREATED": 0, "RUNNING": 0, "SUCCESS": 3}
    (merge,) = story.jobs
    assert merge.kind is JobKind.MERGE
    assert merge.templates["executions"] == [w.child_id for w in story.launches]
    story.reply("items_merge", subflowOutputs="kestra:///merged")
    story.finish()
    assert story.counts() == {"items": 1, "items_split": 1, "items_items": 1, "items_merge": 1, "z": 1}
    assert story.ended == "SUCCESS"


@pytest.mark.parametrize(
    ("states", "more", "end"),
    [
        (["SUCCESS", "FAILED", "KILLED"], "", "FAILED"),
        (["SUCCESS", "KILLED", "WARNING"], "", "KILLED"),
        (["SUCCESS", "CANCELLED", "WARNING"], "", "WARNING"),
        (["FAILED", "FAILED", "KILLED"], "transmitFailed: false", "SUCCESS"),
    ],
)
def test_how_the_batches_end(states, more, end):
    story = items(more)
    for launch, state in zip(list(story.launches), states, strict=True):
        story.end_child(launch, State(state))
    assert str(story.of("items_items").state) == end
    story.finish()
    assert story.ended == end


def test_an_empty_file():
    story = items(count=0)
    assert not story.launches
    story.finish()
    assert story.ended == "SUCCESS"
    assert len(story.task_runs()) == 5


def test_without_wait_all_are_only_started():
    story = items("wait: false")
    assert str(story.of("items_items").state) == "SUCCESS"
    for launch in story.launches:
        story.end_child(launch, State.FAILED)
    story.finish()
    assert story.ended == "SUCCESS"


def test_batches_in_stretches():
    story = items(count=5, chunk=2)
    assert len(story.launches) == 2
    story.run()
    assert [w.index for w in story.launches] == [0, 1, 2, 3, 4]


def test_a_failing_split():
    story = Story(ITEMS.replace("MORE", ""))
    story.start()
    story.reply("items_split", "FAILED")
    assert story.ended == "FAILED"
    assert len(story.task_runs()) == 2


def test_a_batch_input_that_cannot_be_rendered():
    story = Story(ITEMS.replace("MORE", "").replace("taskrun.items", "nowhere.x"))
    story.archive.files["kestra:///splits"] = ["kestra:///0"]
    story.start()
    story.reply("items_split", splits="kestra:///splits")
    assert story.ended == "FAILED"


def test_inputs_that_need_the_outside_come_from_a_worker():
    story = Story(ITEMS.replace("MORE", "").replace("taskrun.items", "kv('x')"))
    story.archive.files["kestra:///splits"] = ["kestra:///0", "kestra:///1"]
    story.start()
    story.reply("items_split", splits="kestra:///splits")
    (job,) = story.jobs
    assert job.overrides["1"]["taskrun"]["items"] == "kestra:///1"
    rendered = {"namespace": "company.team", "flowId": "child", "inputs": {"file": "v"}, "labels": {}}
    story.rendered(**{"0": rendered, "1": rendered})
    assert [w.inputs for w in story.launches] == [{"file": "v"}] * 2


def test_handlers_of_for_each_item():
    story = items(f"errors: [{{id: e, {LOG}}}]\n        finally: [{{id: f, {LOG}}}]")
    for launch in list(story.launches):
        story.end_child(launch, State.FAILED)
    story.finish()
    assert story.counts() == {"items": 1, "items_split": 1, "items_items": 1, "e": 1, "f": 1}


def test_a_recount_after_a_crash_asks_for_what_was_never_made():
    story = items()
    run = story.of("items_items")
    story.end_child(story.launches[0], State.SUCCESS)
    decision = story.crash()
    (check,) = decision.continues
    assert check.task_run_id == run.id
    story._waiting.clear()
    story.launches.clear()
    tally = {State.SUCCESS: 1, State.CREATED: 2}
    story.step(c.RecountItems(execution_id=ID, task_run_id=run.id, tally=tally, missing=2))
    assert [w.index for w in story.launches] == [2]
    done = c.RecountItems(execution_id=ID, task_run_id=run.id, tally={State.SUCCESS: 3})
    story.step(done)
    assert str(story.of("items_items").state) == "SUCCESS"
    story.step(done)  # told again, nothing happens


DIRECTORY = f"""
    tasks:
      - id: wd
        type: flow.WorkingDirectory
        tasks: [{{id: a, {LOG}}}, {{id: b, {LOG}}}, {{id: off, {LOG}, disabled: true}}]
        MORE
      - {{id: z, {LOG}}}
"""


class Directory(Story):
    """A story whose worker reports the children of a WorkingDirectory."""

    def child(self, task_id, *states, outputs=None):
        run_id = f"wd-{task_id}"
        now = self.clock.now()
        histories = [StateChange(State(s), now) for s in states]
        run = TaskRun(
            id=run_id, task_id=task_id, parent_id=self.of("wd").id, state=State(states[-1]), histories=histories,
            attempts=[Attempt(state=State(states[-1]), histories=list(histories))],
        )  # fmt: skip
        self.step(c.ReportChild(execution_id=ID, child=ChildRun(run=run, outputs=outputs)))


def directory(more=""):
    story = Directory(DIRECTORY.replace("MORE", more))
    story.start()
    return story


def test_one_job_runs_all_children():
    story = directory()
    (job,) = story.jobs
    assert job.kind is JobKind.WORKING_DIRECTORY
    assert [t.id for t in job.children] == ["a", "b"]
    story.child("a", "CREATED", "RUNNING")
    assert str(story.of("a").state) == "RUNNING"
    story.child("a", "CREATED", "RUNNING", "SUCCESS", outputs={"v": 1})
    story.child("b", "CREATED", "RUNNING", "WARNING")
    story.child("b", "CREATED", "RUNNING", "WARNING")
    story.reply("wd", outputFiles={"f": "kestra:///f"})
    story.finish()
    assert story.counts() == {"wd": 1, "a": 1, "b": 1, "z": 1}
    assert story.output("a") == {"v": 1}
    assert story.output("wd") == {"outputFiles": {"f": "kestra:///f"}}
    assert str(story.of("wd").state) == "WARNING"
    assert story.ended == "WARNING"


def test_a_failing_child_runs_the_local_errors():
    story = directory(f"errors: [{{id: e, {LOG}}}]\n        finally: [{{id: f, {LOG}}}]")
    story.child("a", "CREATED", "RUNNING", "FAILED")
    story.reply("wd", "FAILED")
    story.finish()
    assert story.counts() == {"wd": 1, "a": 1, "e": 1, "f": 1}
    assert story.ended == "FAILED"


def test_a_folder_that_cannot_be_prepared():
    story = directory()
    story.reply("wd", "FAILED")
    assert story.counts() == {"wd": 1}
    assert story.ended == "FAILED"


def test_a_directory_that_may_fail():
    story = directory("allowFailure: true")
    story.reply("wd", "FAILED")
    story.finish()
    assert story.ended == "WARNING"


def test_children_the_worker_forgot_end_with_the_directory():
    story = directory()
    story.child("a", "CREATED", "RUNNING")
    story.reply("wd", "FAILED")
    assert str(story.of("a").state) == "FAILED"
    assert story.ended == "FAILED"


def test_children_of_a_directory_that_has_ended_are_not_taken_in():
    story = directory()
    story.reply("wd", "FAILED")
    story.child("a", "CREATED", "RUNNING")
    assert story.counts() == {"wd": 1}


def test_a_killed_directory():
    story = directory()
    story.child("a", "CREATED", "RUNNING")
    story.kill()
    assert story.ended == "KILLING"
    story.child("a", "CREATED", "RUNNING", "KILLED")
    story.reply("wd", "KILLED")
    assert story.ended == "KILLED"
    assert [str(story.of(i).state) for i in ("wd", "a")] == ["KILLED", "KILLED"]


def test_a_restart_runs_the_whole_directory_again():
    story = directory()
    story.child("a", "CREATED", "RUNNING", "SUCCESS")
    story.child("b", "CREATED", "RUNNING", "FAILED")
    story.reply("wd", "FAILED")
    story.restart()
    assert story.counts() == {"wd": 1}
    story.child("a", "CREATED", "RUNNING", "SUCCESS")
    story.reply("wd")
    story.finish()
    assert story.ended == "SUCCESS"


def test_a_crash_runs_the_whole_directory_again():
    story = directory()
    story.child("a", "CREATED", "RUNNING", "SUCCESS")
    story.child("b", "CREATED", "RUNNING")
    old = story.jobs[0]
    story.crash()
    assert story.counts() == {"wd": 1}
    story.answer(old)
    assert str(story.of("wd").state) == "RUNNING"
    story.reply("wd")
    story.finish()
    assert story.ended == "SUCCESS"


def test_an_exit_beside_a_directory_lets_it_finish():
    story = Directory(f"""
        tasks:
          - id: p
            type: flow.Parallel
            tasks:
              - id: wd
                type: flow.WorkingDirectory
                tasks: [{{id: a, {LOG}}}]
              - {{id: x, type: execution.Exit, state: WARNING}}
    """)
    story.start()
    assert story.ended == "WARNING"
    assert not story.state.execution.closed
    story.child("a", "CREATED", "RUNNING", "SUCCESS")
    story.reply("wd")
    assert story.state.execution.closed
    assert str(story.of("wd").state) == "SUCCESS"


def test_dynamic_task_runs_come_with_the_result():
    import msgspec

    story = Story(f"tasks: [{{id: a, {LOG}}}, {{id: b, {LOG}}}]")
    story.start()
    job = story.jobs.popleft()
    now = story.clock.now()
    model = TaskRun(
        id="model", task_id="dbt-model", parent_id=job.task_run_id, state=State.FAILED, dynamic=True,
        histories=[StateChange(State.CREATED, now), StateChange(State.FAILED, now)],
    )  # fmt: skip
    result = story.result_of(job)
    story.step(msgspec.structs.replace(result, children=[ChildRun(run=model)], outputs={"n": 1}))
    assert str(story.of("dbt-model").state) == "FAILED"
    story.finish()
    assert story.ended == "SUCCESS"
