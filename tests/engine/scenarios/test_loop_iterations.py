"""The 2.0 Loop: iterations, what they see and declare, how they end the Loop."""

from __future__ import annotations

import pytest
from stories import OK, Story, play


def loop(
    values="[a, b, c]", more="", tasks='[{id: t, type: debug.Return, format: "{{ item.value }}{{ item.index }}"}]'
):
    return f"""
    tasks:
      - id: loop
        type: flow.Loop
        values: {values}
        tasks: {tasks}
        {more}
      - {{id: z, type: log.Log, message: hi}}
"""


OUTPUTS = 'outputs: [{id: o, type: STRING, value: "{{ outputs.t.value }}"}]'


def iterations(story):
    return [r for r in story.task_runs("loop") if r.iteration is not None]


def the_loop(story):
    return next(r for r in story.task_runs("loop") if r.iteration is None)


def result(story):
    return story.archive.outputs["", "loop", ()]


def test_iterations_one_after_another():
    story = play(loop())
    assert [r.value for r in iterations(story)] == ["a", "b", "c"]
    assert [r.kind for r in iterations(story)] == ["ITERATION"] * 3
    owners = [r.owner for r in story.task_runs("t")]
    assert owners == [r.id for r in iterations(story)]
    found = [story.archive.outputs[owner, "t", ()]["value"] for owner in owners]
    assert found == ["a0", "b1", "c2"]
    assert result(story) == {"iterationCount": 3, "runningIterations": 0, "terminatedIterations": {"SUCCESS": 3}}


@pytest.mark.parametrize(("limit", "most"), [("1", 1), ("2", 2), ("0", 3)])
def test_the_limit_counts_iterations(limit, most):
    story = Story(loop(more=f"concurrencyLimit: {limit}"))
    story.start()
    seen = 0
    while any(i == "t" for i in story.waiting()):
        seen = max(seen, len(story.jobs))
        story.reply("t")
    assert seen == most
    assert len(iterations(story)) == 3


def test_a_map_gives_keys():
    story = play(
        loop("{x: 1, y: {k: v}}", tasks='[{id: t, type: debug.Return, format: "{{ item.key }}={{ item.value }}"}]')
    )
    found = [story.archive.outputs[r.owner, "t", ()]["value"] for r in story.task_runs("t")]
    assert found == ["x=1", 'y={"k":"v"}']
    assert [r.key for r in iterations(story)] == ["x", "y"]


@pytest.mark.parametrize("values", ["'{\"x\": 1}'", "'[1, 1, 2]'", '"{{ [1, 2] }}"'])
def test_values_from_text(values):
    assert play(loop(values)).ended == "SUCCESS"


def test_no_values():
    story = play(loop("[]"))
    assert str(the_loop(story).state) == "SUCCESS"
    assert result(story) == {"iterationCount": 0, "runningIterations": 0, "terminatedIterations": {}}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("[a, null]", 'Found a null value inside the iteration values=["a",null]'),
        ("{a: null}", "Found a null value inside the iteration"),
        ("'{broken'", "expected a list, a map or their JSON"),
        ('"{{ 3 }}"', "expected a list"),
    ],
)
def test_values_that_cannot_be_looped_over(values, message):
    story = play(loop(values))
    assert str(the_loop(story).state) == "FAILED"
    assert story.said(message), story.logs


def test_a_bad_limit_fails_the_loop():
    story = play(loop(more='concurrencyLimit: "{{ -1 }}"'))
    assert str(the_loop(story).state) == "FAILED"
    assert story.said("concurrency must be")


def test_values_from_a_file():
    story = Story(loop("kestra:///values.ion"))
    story.archive.files["kestra:///values.ion"] = ["one", "two"]
    story.finish()
    assert [r.value for r in iterations(story)] == ["one", "two"]


def test_declared_outputs_in_order_of_completion():
    story = Story(loop(more="concurrencyLimit: 0\n        " + OUTPUTS))
    story.start()
    jobs = list(story.jobs)
    for job in (jobs[1], jobs[2], jobs[0]):
        story.jobs.remove(job)
        story.answer(job)
    story.finish()
    assert result(story)["outputs"] == [
        {"item": {"value": "b", "iteration": 1}, "outputs": {"o": "b1"}},
        {"item": {"value": "c", "iteration": 2}, "outputs": {"o": "c2"}},
        {"item": {"value": "a", "iteration": 0}, "outputs": {"o": "a0"}},
    ]


def test_keys_are_in_declared_outputs():
    story = play(loop("{k: a}", more=OUTPUTS))
    assert result(story)["outputs"] == [{"item": {"value": "a", "iteration": 0, "key": "k"}, "outputs": {"o": "a0"}}]


def test_an_output_that_cannot_be_rendered_fails_the_iteration():
    story = play(loop(more='outputs: [{id: o, type: STRING, value: "{{ nowhere.x }}"}]'))
    assert [str(r.state) for r in iterations(story)] == ["FAILED"]
    assert str(the_loop(story).state) == "FAILED"
    assert story.said("Failed to render output values")


def test_outputs_that_need_the_outside_and_stored_ones():
    story = Story(loop("[a]", more="outputs: [{id: o, type: STRING, value: \"{{ kv('x') }}\"}]"))
    story.start()
    story.reply("t")
    story.rendered(o="from kv")
    assert result(story)["outputs"][0]["outputs"] == {"o": "from kv"}
    stored = Story(loop("[a]", more=OUTPUTS + "\n        fetchType: STORE"))
    stored.start()
    stored.reply("t", value="x")
    assert stored.jobs[0].store == "outputs.ion"
    stored.rendered(uri="kestra:///o.ion")
    assert result(stored)["outputs"][0]["outputs"] == {"uri": "kestra:///o.ion"}


def test_outputs_that_the_worker_cannot_render():
    story = play(loop("[a]", more="outputs: [{id: o, type: STRING, value: \"{{ kv('x') }}\"}]"))
    assert [str(r.state) for r in iterations(story)] == ["FAILED"]


def test_a_failed_iteration_ends_the_loop_and_the_others_are_not_killed():
    story = Story(loop(more="concurrencyLimit: 0"))
    story.start()
    decision = story.reply("t", "FAILED")
    assert not decision.kills
    assert str(the_loop(story).state) == "FAILED"
    assert story.ended == "FAILED"
    assert len(story.jobs) == 2
    story.run()
    assert [str(r.state) for r in story.task_runs("t")] == ["FAILED", "SUCCESS", "SUCCESS"]


def test_without_transmit_failed_all_iterations_run():
    story = play(loop(more="transmitFailed: false"), ends={"t": ["FAILED", "SUCCESS", "KILLED"]})
    assert [str(r.state) for r in iterations(story)] == ["FAILED", "SUCCESS", "KILLED"]
    assert story.ended == "SUCCESS"
    assert result(story)["terminatedIterations"] == {"FAILED": 1, "SUCCESS": 1, "KILLED": 1}


@pytest.mark.parametrize("state", ["KILLED", "CANCELLED"])
def test_an_iteration_that_is_killed_fails_the_loop(state):
    """Quirk 3: the documented intent is that a killed iteration counts as a failure."""
    story = play(loop(), ends={"t": state})
    assert str(the_loop(story).state) == "FAILED"


def test_a_warning_inside_leaves_the_loop_a_success():
    story = play(loop(), ends={"t": "WARNING"})
    assert [str(r.state) for r in iterations(story)] == ["WARNING"] * 3
    assert str(the_loop(story).state) == "SUCCESS"
    assert story.ended == "SUCCESS"


def test_a_loop_that_may_fail():
    story = play(loop(more="allowFailure: true"), ends={"t": "FAILED"})
    assert str(the_loop(story).state) == "WARNING"
    assert [str(r.state) for r in iterations(story)] == ["FAILED"]
    assert story.past("z").endswith("SUCCESS")


def test_errors_and_finally_run_in_each_iteration():
    handlers = """errors: [{id: e, type: log.Log, message: hi}]
        finally: [{id: f, type: log.Log, message: hi}]
        transmitFailed: false"""
    story = play(loop(more=handlers), ends={"t": ["FAILED", "SUCCESS", "SUCCESS"]})
    assert story.counts() == {"loop": 4, "t": 3, "e": 1, "f": 3, "z": 1}


def test_break_when_starts_no_further_iteration():
    story = play(loop(more='breakWhen: "{{ item.index == 1 }}"'))
    assert len(iterations(story)) == 2
    assert story.ended == "SUCCESS"


def test_break_when_sees_what_the_iteration_declared():
    story = play(
        loop(
            more=OUTPUTS + "\n        breakWhen: \"{{ iteration.outputs.o == 'a0' and iteration.state == 'SUCCESS' }}\""
        )
    )
    assert len(iterations(story)) == 1


def test_break_when_waits_for_those_that_run():
    story = Story(loop(more='concurrencyLimit: 2\n        breakWhen: "true"'))
    story.start()
    story.reply("t")
    assert str(the_loop(story).state) == "RUNNING"
    story.finish()
    assert len(iterations(story)) == 2
    assert story.ended == "SUCCESS"


def test_a_break_when_that_fails_fails_the_loop():
    story = play(loop(more='concurrencyLimit: 0\n        breakWhen: "{{ nowhere.x }}"'))
    assert str(the_loop(story).state) == "FAILED"
    assert story.said("Failed to evaluate breakWhen of Loop loop")
    assert story.ended == "FAILED"


NESTED = """
    tasks:
      - id: outer
        type: flow.Loop
        values: [1, 2]
        tasks:
          - {id: before, type: debug.Return, format: "b{{ item.value }}"}
          - id: inner
            type: flow.Loop
            values: ["x", "y"]
            tasks:
              - {id: t, type: debug.Return, format: "{{ item.parent.value }}{{ item.value }}{{ outputs.before.value }}{{ item.parents | length }}"}
"""


def test_nested_loops():
    story = play(NESTED)
    found = [story.archive.outputs[r.owner, "t", ()]["value"] for r in story.task_runs("t")]
    assert found == ["1xb11", "1yb11", "2xb21", "2yb21"]
    assert story.ended == "SUCCESS"


def test_skipped_tasks_let_an_iteration_succeed():
    story = play(loop(tasks='[{id: t, type: log.Log, message: hi, runIf: "false"}]'))
    assert [str(r.state) for r in iterations(story)] == ["SUCCESS"] * 3


def test_a_pause_in_an_iteration_pauses_the_execution():
    story = Story(loop(more="concurrencyLimit: 0", tasks="[{id: p, type: flow.Pause}]"))
    story.start()
    assert story.ended == "PAUSED"
    assert [str(r.state) for r in story.task_runs("p")] == ["PAUSED"] * 3
    for _ in range(3):
        story.resume()
    story.finish()
    assert len(iterations(story)) == 3
    assert story.ended == "SUCCESS"


def test_a_long_loop_goes_in_stretches():
    story = Story(loop('"{{ range(1, 9) }}"', more="concurrencyLimit: 0"), chunk=4)
    assert len(story.start().jobs) == 4
    story.finish()
    assert len(iterations(story)) == 9


def test_a_killed_loop():
    story = Story(loop(more="concurrencyLimit: 0"))
    story.start()
    story.kill()
    while story.jobs:
        story.reply("t", "KILLED")
    assert story.history() == ["CREATED", "RUNNING", "KILLING", "KILLED"]
    assert {str(r.state) for r in story.task_runs()} == {"KILLED"}


def test_exit_inside_an_iteration_ends_everything():
    story = play(loop(tasks="[{id: x, type: execution.Exit, state: WARNING}]"))
    assert story.ended == "WARNING"
    assert str(the_loop(story).state) == "WARNING"
    assert "z" not in story.counts()
    assert OK not in story.trace()
