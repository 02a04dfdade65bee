"""ForEach, EachSequential, EachParallel: values, groups, limits, outputs by value, failures."""

from __future__ import annotations

import pytest
from stories import OK, Story, play

FOR_EACH = """
    tasks:
      - id: each
        type: flow.ForEach
        values: VALUES
        concurrencyLimit: LIMIT
        tasks:
          - {id: a, type: debug.Return, format: "{{ taskrun.value }}-{{ taskrun.iteration }}"}
          - {id: b, type: debug.Return, format: "{{ outputs.a[taskrun.value].value }}!"}
      - {id: z, type: log.Log, message: hi}
"""


def each(values="[x, y, z]", limit="1"):
    return FOR_EACH.replace("VALUES", values).replace("LIMIT", limit)


def test_values_one_after_another_and_outputs_by_value():
    story = play(each())
    order = [(r.task_id, r.value, r.iteration) for r in story.task_runs() if r.value]
    assert order == [("a", "x", 0), ("b", "x", 0), ("a", "y", 1), ("b", "y", 1), ("a", "z", 2), ("b", "z", 2)]
    assert story.output("b", "y") == {"value": "y-1!"}
    assert len(story.task_runs()) == 8
    assert story.past("each") == OK


def test_without_a_limit_all_groups_start_and_each_stays_in_order():
    story = Story(each(limit="0"))
    story.start()
    assert story.waiting() == ["a", "a", "a"]
    story.reply("a", value="x-0")
    assert story.waiting() == ["a", "a", "b"]
    story.finish()
    assert story.counts() == {"each": 1, "a": 3, "b": 3, "z": 1}


@pytest.mark.parametrize(("limit", "most"), [("1", 1), ("2", 2), ("3", 3), ("9", 3), ('"{{ 2 }}"', 2)])
def test_the_limit_counts_groups(limit, most):
    story = Story(each(limit=limit))
    story.start()
    seen = len(story.jobs)
    while any(i != "z" for i in story.waiting()):
        story.reply(story.waiting()[0])
        seen = max(seen, len(story.jobs))
    assert seen == most


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ("[1, 2.5, true]", ["1", "2.5", "true"]),
        ('"[1, 2]"', ["1", "2"]),
        ('"{{ range(1, 3) }}"', ["1", "2", "3"]),
        ("[a, b, a, a]", ["a", "b"]),
        ("[{k: v}, [1]]", ['{"k":"v"}', "[1]"]),
        ('["{{ 1 + 1 }}"]', ["2"]),
    ],
)
def test_values_as_text(values, expected):
    story = play(each(values))
    assert [r.value for r in story.task_runs("a")] == expected


def test_no_values_no_children():
    story = play(each("[]"))
    assert story.counts() == {"each": 1, "z": 1}
    assert story.past("each") == OK


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("[a, null]", "Found '1' null values on Each, with values=[\"a\",null]"),
        ('"text"', "expected a list or a text that holds a JSON array"),
        ("{a: b}", "expected a list"),
        ('"{{ nowhere.x }}"', "nowhere"),
    ],
)
def test_values_that_cannot_be_looped_over(values, message):
    story = play(each(values))
    assert story.past("each") == "CREATED RUNNING FAILED"
    assert story.said(message), story.logs
    assert "z" not in story.counts()


def test_a_failing_group_ends_the_loop():
    story = play(each(), ends={"a": ["SUCCESS", "FAILED"]})
    assert story.counts() == {"each": 1, "a": 2, "b": 1}
    assert story.past("each") == "CREATED RUNNING FAILED"


def test_a_group_with_a_skipped_task_goes_on():
    story = play("""
        tasks:
          - id: each
            type: flow.ForEach
            values: [x, y]
            tasks:
              - {id: a, type: log.Log, message: hi, runIf: "{{ taskrun.value == 'x' }}"}
              - {id: b, type: log.Log, message: hi}
    """)
    assert [str(r.state) for r in story.task_runs("a")] == ["SUCCESS", "SKIPPED"]
    assert [str(r.state) for r in story.task_runs("b")] == ["SUCCESS", "SUCCESS"]


def test_errors_and_finally_run_once():
    story = play("""
        tasks:
          - id: each
            type: flow.ForEach
            values: [x, y]
            concurrencyLimit: 0
            tasks: [{id: a, type: execution.Fail}]
            errors: [{id: e, type: log.Log, message: hi}]
            finally: [{id: f, type: log.Log, message: hi}]
    """)
    assert story.counts() == {"each": 1, "a": 2, "e": 1, "f": 1}
    assert story.of("e").value is None


def test_nested_loops_keep_their_outputs_by_path():
    story = play("""
        tasks:
          - id: outer
            type: flow.EachSequential
            value: [1, 2]
            tasks:
              - id: inner
                type: flow.EachSequential
                value: ["a", "b"]
                tasks:
                  - {id: t, type: debug.Return, format: "{{ parent.taskrun.value }}{{ taskrun.value }}"}
                  - {id: u, type: debug.Return, format: "{{ outputs.t[parents[0].taskrun.value][taskrun.value].value }}"}
    """)
    assert len(story.task_runs()) == 1 + 2 + 8
    assert story.output("u", "2", "b") == {"value": "2b"}
    assert [r.path for r in story.task_runs("t")] == [("1", "a"), ("1", "b"), ("2", "a"), ("2", "b")]


@pytest.mark.parametrize(("concurrent", "most"), [("0", 3), ("2", 2)])
def test_each_parallel(concurrent, most):
    story = Story(f"""
        tasks:
          - id: each
            type: flow.EachParallel
            value: '["x", "y", "z"]'
            concurrent: {concurrent}
            tasks: [{{id: a, type: log.Log, message: hi}}, {{id: b, type: log.Log, message: hi}}]
    """)
    story.start()
    assert story.waiting() == ["a"] * most
    story.finish()
    assert story.counts() == {"each": 1, "a": 3, "b": 3}


def test_a_long_loop_goes_in_stretches():
    story = Story(each('"{{ range(1, 10) }}"', "0"), chunk=4)
    first = story.start()
    assert len(first.jobs) == 4
    assert len(first.continues) == 1
    story.finish()
    assert story.counts() == {"each": 1, "a": 10, "b": 10, "z": 1}


def test_a_parallel_inside_a_loop():
    story = play("""
        tasks:
          - id: each
            type: flow.ForEach
            values: [x, y, z]
            tasks:
              - id: p
                type: flow.Parallel
                tasks: [{id: a, type: log.Log, message: hi}, {id: b, type: log.Log, message: hi}]
    """)
    assert len(story.task_runs()) == 10
    assert story.task_runs("a")[0].path == ("x",)


def test_loops_wait_while_the_execution_is_paused():
    story = Story(each(limit="1"))
    story.start()
    story.pause()
    story.reply("a", value="x-0")
    assert not story.jobs
    assert story.ended == "PAUSED"
    story.resume()
    assert story.waiting() == ["b"]
    story.finish()
    assert story.counts() == {"each": 1, "a": 3, "b": 3, "z": 1}
