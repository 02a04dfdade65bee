"""errors, finally and afterExecution: when they run, in which order, and that they never change the outcome (engine.md 3.5)."""

from __future__ import annotations

import pytest
from stories import Story, play

LOG = "type: log.Log, message: hi"


def block(kind, fail, more=""):
    children = [f"{{id: a, {LOG}}}", f"{{id: b, {'type: execution.Fail' if fail else LOG}}}"]
    if kind == "Dag":
        children = [f"{{task: {child}}}" for child in children]
    listed = ", ".join(children)
    return f"""
    tasks:
      - id: block
        type: flow.{kind}
        tasks: [{listed}]
        finally: [{{id: f, {LOG}}}]
        {more}
      - {{id: z, {LOG}}}
"""


ERRORS = f"errors: [{{id: e1, {LOG}}}, {{id: e2, {LOG}}}]"


@pytest.mark.parametrize("kind", ["Sequential", "Parallel", "Dag"])
@pytest.mark.parametrize(("fail", "errors", "count"), [(False, "", 5), (True, "", 4), (True, ERRORS, 6)])
def test_counts_of_a_block_with_finally(kind, fail, errors, count):
    story = play(block(kind, fail, errors))
    assert len(story.task_runs()) == count
    assert story.ended == ("FAILED" if fail else "SUCCESS")
    assert str(story.of("f").state) == "SUCCESS"


def test_the_order_of_everything():
    story = play(f"""
        tasks: [{{id: a, type: execution.Fail}}, {{id: b, {LOG}}}]
        errors: [{{id: e1, {LOG}}}, {{id: e2, {LOG}}}]
        finally: [{{id: f1, {LOG}}}, {{id: f2, {LOG}}}]
        afterExecution: [{{id: x1, {LOG}}}, {{id: x2, {LOG}}}]
    """)
    assert story.played == ["a", "e1", "e2", "f1", "f2", "x1", "x2"]
    assert story.history() == ["CREATED", "RUNNING", "FAILED"]
    end = story.state.execution.histories[-1].date
    assert story.of("f2").histories[-1].date <= end
    assert story.of("x1").histories[0].date >= end


def test_finally_runs_before_the_end_state():
    story = Story(f"""
        tasks: [{{id: a, {LOG}}}]
        finally: [{{id: f, {LOG}}}]
    """)
    story.start()
    story.reply("a")
    assert story.ended == "RUNNING"
    story.reply("f")
    assert story.ended == "SUCCESS"


def test_an_after_execution_task_keeps_the_execution_open():
    story = Story(f"""
        tasks: [{{id: a, {LOG}}}]
        afterExecution: [{{id: x, {LOG}}}]
    """)
    story.start()
    story.reply("a")
    assert story.ended == "SUCCESS"
    assert not story.state.execution.closed
    assert story.jobs[0].force
    assert story.reply("x").closed
    assert story.state.execution.closed


@pytest.mark.parametrize(
    ("ends", "outcome"),
    [
        ({"a": "SUCCESS", "f": "FAILED"}, "SUCCESS"),
        ({"a": "FAILED", "e": "FAILED"}, "FAILED"),
        ({"a": "FAILED", "e": "SUCCESS"}, "FAILED"),
        ({"a": "WARNING", "f": "FAILED"}, "WARNING"),
        ({"a": "KILLED"}, "KILLED"),
        ({"x": "FAILED"}, "SUCCESS"),
    ],
)
def test_handlers_never_change_the_outcome(ends, outcome):
    story = play(f"""
        tasks: [{{id: a, {LOG}}}]
        errors: [{{id: e, {LOG}}}]
        finally: [{{id: f, {LOG}}}]
        afterExecution: [{{id: x, {LOG}}}, {{id: y, {LOG}}}]
    """, ends=ends)  # fmt: skip
    assert story.ended == outcome
    assert str(story.of("y").state) == "SUCCESS"
    assert ("e" in story.counts()) == (ends.get("a") == "FAILED")


def test_a_failing_handler_does_not_stop_the_next():
    story = play(f"""
        tasks: [{{id: a, type: execution.Fail}}]
        errors: [{{id: e1, type: execution.Fail}}, {{id: e2, {LOG}}}]
        finally: [{{id: f1, type: execution.Fail}}, {{id: f2, {LOG}}}]
    """)
    assert story.played == ["a", "e1", "e2", "f1", "f2"]


def test_local_errors_do_not_keep_the_failure_in():
    story = play(f"""
        tasks:
          - id: s
            type: flow.Sequential
            tasks: [{{id: a, type: execution.Fail}}]
            errors: [{{id: local, {LOG}}}]
        errors: [{{id: global, {LOG}}}]
    """)
    assert story.played == ["a", "local", "global"]
    assert story.ended == "FAILED"


def test_allow_failure_block_runs_its_errors_and_hides_the_failure():
    story = play(f"""
        tasks:
          - id: block
            type: flow.AllowFailure
            tasks: [{{id: a, type: execution.Fail}}]
            errors: [{{id: local, {LOG}}}]
            finally: [{{id: f, {LOG}}}]
          - {{id: z, {LOG}}}
        errors: [{{id: global, {LOG}}}]
    """)
    assert story.played == ["a", "local", "f", "z"]
    assert [str(story.of(i).state) for i in ("a", "block")] == ["FAILED", "WARNING"]
    assert story.ended == "WARNING"


def test_errors_of_parallel_start_while_a_sibling_still_runs():
    story = Story(f"""
        tasks:
          - id: p
            type: flow.Parallel
            tasks: [{{id: a, {LOG}}}, {{id: b, {LOG}}}]
            errors: [{{id: e, {LOG}}}]
    """)
    story.start()
    story.reply("a", "FAILED")
    assert story.waiting() == ["b", "e"]
    story.reply("e")
    assert story.ended == "FAILED"
    assert story.past("b") == "CREATED SUBMITTED FAILED"
    story.reply("b")
    assert str(story.of("b").state) == "SUCCESS"


def test_a_sibling_that_ends_during_the_errors_is_counted_once():
    story = Story(f"""
        tasks:
          - id: p
            type: flow.Parallel
            tasks: [{{id: a, {LOG}}}, {{id: b, {LOG}}}]
            errors: [{{id: e, {LOG}}}]
    """)
    story.start()
    story.reply("a", "FAILED")
    story.reply("b")
    scope = story.of("p").scope
    assert (scope.stragglers, scope.active, scope.done) == (0, 1, 0)
    story.finish()
    assert str(story.of("b").state) == "SUCCESS"


def test_no_handlers_after_a_kill_but_after_execution():
    story = Story(f"""
        tasks: [{{id: a, {LOG}}}]
        errors: [{{id: e, {LOG}}}]
        finally: [{{id: f, {LOG}}}]
        afterExecution: [{{id: x, {LOG}}}]
    """)
    story.start()
    story.kill()
    story.reply("a", "KILLED")
    story.finish()
    assert story.counts() == {"a": 1, "x": 1}
    assert story.history() == ["CREATED", "RUNNING", "KILLING", "KILLED"]
    assert story.state.execution.closed


def test_disabled_after_execution_tasks_are_ignored():
    """Quirk 11: in Kestra a disabled one blocks the full termination."""
    story = play(f"""
        tasks: [{{id: a, {LOG}}}]
        afterExecution: [{{id: x, {LOG}, disabled: true}}]
    """)
    assert story.state.execution.closed
    assert story.counts() == {"a": 1}


def test_after_execution_sees_state_and_outputs():
    story = play("""
        tasks: [{id: a, type: debug.Return, format: "1"}]
        outputs: [{id: o, type: STRING, value: "{{ outputs.a.value }}"}]
        afterExecution:
          - {id: x, type: debug.Return, format: "{{ execution.state }} {{ execution.outputs.o }} {{ tasks.a.state }}"}
    """)
    assert story.output("x") == {"value": "SUCCESS 1 SUCCESS"}


def test_flowables_in_after_execution():
    story = play(f"""
        tasks: [{{id: a, type: execution.Fail}}]
        afterExecution:
          - id: s
            type: flow.Parallel
            tasks: [{{id: x, {LOG}}}, {{id: y, type: execution.Fail}}]
            errors: [{{id: e, {LOG}}}]
          - id: each
            type: flow.ForEach
            values: [1, 2]
            tasks: [{{id: t, {LOG}}}]
    """)
    assert story.counts() == {"a": 1, "s": 1, "x": 1, "y": 1, "e": 1, "each": 1, "t": 2}
    assert story.history() == ["CREATED", "RUNNING", "FAILED"]
    assert story.state.execution.closed


def test_a_retry_in_after_execution_leaves_the_execution_as_it_ended():
    story = play(f"""
        tasks: [{{id: a, {LOG}}}]
        afterExecution: [{{id: x, {LOG}, retry: {{type: constant, interval: PT1S, maxAttempts: 3}}}}]
    """, ends={"x": ["FAILED", "SUCCESS"]})  # fmt: skip
    assert story.attempts("x") == ["FAILED", "SUCCESS"]
    assert story.history() == ["CREATED", "RUNNING", "SUCCESS"]
    assert story.state.execution.closed


def test_a_pause_in_after_execution_holds_only_itself():
    story = Story(f"""
        tasks: [{{id: a, {LOG}}}]
        afterExecution:
          - {{id: p, type: flow.Pause}}
          - {{id: w, type: flow.Pause, pauseDuration: PT1M, behavior: CANCEL}}
          - {{id: x, {LOG}}}
    """)
    story.run()
    assert story.ended == "SUCCESS"
    assert not story.state.execution.closed
    story.resume()
    story.finish()
    assert story.history() == ["CREATED", "RUNNING", "SUCCESS"]
    assert [str(story.of(i).state) for i in ("p", "w", "x")] == ["SUCCESS", "CANCELLED", "SUCCESS"]
    assert story.state.execution.closed


def test_exit_in_after_execution_ends_only_its_task_run():
    story = play(f"""
        tasks: [{{id: a, {LOG}}}]
        afterExecution: [{{id: q, type: execution.Exit, state: FAILED}}, {{id: x, {LOG}}}]
    """)
    assert story.ended == "SUCCESS"
    assert [str(story.of(i).state) for i in ("q", "x")] == ["FAILED", "SUCCESS"]
    assert story.state.execution.closed


def test_listeners_run_as_after_execution():
    story = play(f"""
        tasks: [{{id: a, {LOG}}}]
        listeners: [{{tasks: [{{id: x, {LOG}}}]}}]
    """)
    assert story.counts() == {"a": 1, "x": 1}


def test_flow_outputs_are_rendered_at_the_end_also_after_a_failure():
    text = """
        tasks: [{id: a, type: debug.Return, format: "1"}, {id: b, type: log.Log, message: hi}]
        outputs: [{id: o, type: STRING, value: "{{ outputs.a.value }}"}]
    """
    for ends, state in (({}, "SUCCESS"), ({"b": "FAILED"}, "FAILED")):
        story = play(text, ends=ends)
        assert story.ended == state
        assert story.state.cache["execution_outputs"] == {"o": "1"}


@pytest.mark.parametrize("value", ["{{ nowhere.x }}", "{{ kv('x') }}"])
def test_outputs_that_cannot_be_rendered_fail_the_execution(value):
    story = play(f"""
        tasks: [{{id: a, {LOG}}}]
        outputs: [{{id: o, type: STRING, value: "{value}"}}]
    """)
    assert story.ended == "FAILED"
    assert story.said("Failed to render output values:")


def test_outputs_that_need_the_outside():
    story = Story("""
        tasks: [{id: a, type: log.Log, message: hi}]
        outputs: [{id: o, type: STRING, value: "{{ kv('x') }}"}]
    """)
    story.start()
    story.reply("a")
    assert story.ended == "RUNNING"
    story.pause()
    story.rendered(o="early")
    assert story.ended == "PAUSED"
    story.resume()
    story.rendered(o="late")
    assert story.history() == ["CREATED", "RUNNING", "PAUSED", "RUNNING", "SUCCESS"]
    assert story.state.cache["execution_outputs"] == {"o": "late"}


def test_outputs_of_a_wrong_type_fail_the_execution():
    story = Story("""
        tasks: [{id: a, type: log.Log, message: hi}]
        outputs: [{id: o, type: INT, value: "text"}]
    """)

    def refuse(declared, values):
        raise ValueError("Invalid value for output `o`. Cause: no number")

    import msgspec

    story._around = msgspec.structs.replace(story._around, type_outputs=refuse)
    story.finish()
    assert story.ended == "FAILED"
    assert story.said("Invalid value for output `o`")
