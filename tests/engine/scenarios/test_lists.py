"""Lists of tasks: one after another, all at once, by dependency; what failures, skips and disabled tasks do to them."""

from __future__ import annotations

import pytest
from stories import FELL, OK, RAN, Story, play


def test_tasks_run_one_after_another():
    story = play("""
        tasks:
          - {id: a, type: log.Log, message: hi}
          - {id: b, type: debug.Return, format: "{{ outputs.c ?? 'none' }}"}
    """)
    assert story.trace() == [f"a: {RAN}", f"b: {RAN}"]
    assert story.history() == ["CREATED", "RUNNING", "SUCCESS"]
    assert story.output("b") == {"value": "none"}
    assert story.attempts("a") == ["SUCCESS"]


def test_a_failure_ends_the_list():
    story = play("""
        tasks:
          - {id: a, type: execution.Fail}
          - {id: b, type: log.Log, message: never}
    """)
    assert story.trace() == [f"a: {FELL}"]
    assert story.history() == ["CREATED", "RUNNING", "FAILED"]


@pytest.mark.parametrize(
    ("more", "run", "execution"),
    [
        ("allowFailure: true", "WARNING", "WARNING"),
        ("allowFailure: true, allowWarning: true", "SUCCESS", "SUCCESS"),
        ("allowWarning: true", "FAILED", "FAILED"),
    ],
)
def test_what_a_failure_may_count_as(more, run, execution):
    story = play(f"""
        tasks:
          - {{id: a, type: execution.Fail, {more}}}
          - {{id: b, type: log.Log, message: next}}
    """)
    assert str(story.of("a").state) == run
    assert story.ended == execution
    assert len(story.task_runs()) == (1 if run == "FAILED" else 2)


def test_a_warning_goes_on_and_colours_the_execution():
    story = play("""
        tasks:
          - {id: a, type: log.Log, message: hi}
          - {id: b, type: log.Log, message: hi}
    """, ends={"a": "WARNING"})  # fmt: skip
    assert story.ended == "WARNING"
    assert story.past("b") == RAN


def test_disabled_tasks_have_no_task_run():
    story = play("""
        tasks:
          - {id: a, type: execution.Fail, disabled: true}
          - {id: b, type: log.Log, message: hi}
        errors: [{id: e, type: log.Log, message: hi, disabled: true}]
    """)
    assert story.trace() == [f"b: {RAN}"]


def test_a_flow_of_disabled_tasks_succeeds_without_task_runs():
    story = play("tasks: [{id: a, type: execution.Fail, disabled: true}]")
    assert story.history() == ["CREATED", "RUNNING", "SUCCESS"]
    assert story.trace() == []


def test_sequential_children_and_the_next_task():
    story = play("""
        tasks:
          - id: s
            type: flow.Sequential
            tasks: [{id: a, type: log.Log, message: hi}, {id: b, type: log.Log, message: hi}]
          - {id: z, type: log.Log, message: hi}
    """)
    assert story.trace() == [f"s: {OK}", f"a: {RAN}", f"b: {RAN}", f"z: {RAN}"]
    assert story.attempts("s") == ["SUCCESS"]
    assert story.of("a").parent_id == story.of("s").id


PARALLEL = """
    tasks:
      - id: p
        type: flow.Parallel
        concurrent: LIMIT
        tasks:
          - {id: a, type: log.Log, message: hi}
          - {id: b, type: log.Log, message: hi}
          - {id: c, type: log.Log, message: hi}
          - {id: d, type: log.Log, message: hi}
"""


@pytest.mark.parametrize(("limit", "at_once"), [("0", 4), ("1", 1), ("2", 2), ('"{{ 1 + 2 }}"', 3), ("9", 4)])
def test_parallel_never_exceeds_its_limit(limit, at_once):
    story = Story(PARALLEL.replace("LIMIT", limit))
    story.start()
    most = len(story.jobs)
    while story.jobs:
        story.reply(story.waiting()[0])
        most = max(most, len(story.jobs))
    assert most == at_once
    assert story.counts() == {"p": 1, "a": 1, "b": 1, "c": 1, "d": 1}
    assert story.ended == "SUCCESS"


@pytest.mark.parametrize("limit", ["-1", "many", '"{{ nowhere }}"'])
def test_a_bad_limit_fails_the_block(limit):
    story = play(PARALLEL.replace("LIMIT", limit if limit.startswith('"') else f"\"{{{{ '{limit}' }}}}\""))
    assert story.past("p") == "CREATED RUNNING FAILED"
    assert story.logs[0].startswith("ERROR")


def test_a_failed_branch_ends_parallel_at_once_and_a_late_result_is_kept():
    story = Story(PARALLEL.replace("LIMIT", "0"))
    story.start()
    story.reply("b", "FAILED")
    assert story.past("p") == "CREATED RUNNING FAILED"
    assert story.ended == "FAILED"
    assert story.past("a") == "CREATED SUBMITTED FAILED"
    story.reply("a", value="late")
    assert story.past("a") == "CREATED SUBMITTED FAILED RUNNING SUCCESS" or story.of("a").state == "SUCCESS"
    assert story.output("a") == {"value": "late"}
    assert story.ended == "FAILED"


def test_long_lists_start_in_stretches():
    tasks = "".join(f"\n          - {{id: t{n}, type: log.Log, message: hi}}" for n in range(7))
    story = Story(f"""
    tasks:
      - id: p
        type: flow.Parallel
        tasks:{tasks}
    """, chunk=3)  # fmt: skip
    decision = story.start()
    assert len(decision.jobs) == 3
    assert len(decision.continues) == 1
    story.finish()
    assert len(story.task_runs()) == 8
    assert story.ended == "SUCCESS"


DAG = """
    tasks:
      - id: d
        type: flow.Dag
        concurrent: LIMIT
        tasks:
          - {task: {id: a, type: log.Log, message: hi}}
          - {task: {id: b, type: log.Log, message: hi}, dependsOn: [a]}
          - {task: {id: c, type: log.Log, message: hi}, dependsOn: [a]}
          - {task: {id: z, type: log.Log, message: hi}, dependsOn: [b, c]}
          - {task: {id: off, type: log.Log, message: hi, disabled: true}}
          - {task: {id: free, type: log.Log, message: hi}, dependsOn: [off]}
"""


def test_a_dag_starts_what_has_all_it_depends_on():
    story = Story(DAG.replace("LIMIT", "0"))
    story.start()
    assert story.waiting() == ["a", "free"]
    story.reply("a")
    assert story.waiting() == ["free", "b", "c"]
    story.reply("c")
    assert story.waiting() == ["free", "b"]
    story.reply("b")
    assert story.waiting() == ["free", "z"]
    story.finish()
    assert story.ended == "SUCCESS"
    assert len(story.task_runs()) == 6


def test_a_dag_keeps_its_limit():
    story = Story(DAG.replace("LIMIT", "1"))
    story.start()
    order = []
    while story.jobs:
        assert len(story.jobs) == 1
        order += story.waiting()
        story.reply(story.waiting()[0])
    assert sorted(order) == ["a", "b", "c", "free", "z"]
    assert order.index("z") > order.index("b")


def test_a_failure_in_a_dag_starts_nothing_more():
    story = play(DAG.replace("LIMIT", "0"), ends={"a": "FAILED"})
    assert "b" not in story.counts()
    assert story.past("d") == "CREATED RUNNING FAILED"


def test_dependencies_may_end_in_any_state():
    story = play(
        DAG.replace("LIMIT", "0").replace(
            "{id: a, type: log.Log, message: hi}", '{id: a, type: log.Log, message: hi, runIf: "false"}'
        )
    )
    assert story.past("a") == "CREATED SKIPPED"
    assert story.ended == "SUCCESS"
    assert story.past("z") == RAN


def test_nested_blocks_end_from_the_inside_out():
    story = play("""
        tasks:
          - id: outer
            type: flow.Sequential
            tasks:
              - id: p
                type: flow.Parallel
                tasks:
                  - id: inner
                    type: flow.Sequential
                    tasks: [{id: a, type: log.Log, message: hi}, {id: b, type: execution.Fail}]
                  - {id: c, type: log.Log, message: hi}
              - {id: never, type: log.Log, message: hi}
    """)
    assert [str(story.of(i).state) for i in ("outer", "p", "inner", "b")] == ["FAILED"] * 4
    assert "never" not in story.counts()


def test_a_block_that_may_fail_hides_the_failure_from_outside():
    story = play("""
        tasks:
          - id: s
            type: flow.Sequential
            allowFailure: true
            tasks: [{id: a, type: execution.Fail}]
          - {id: z, type: log.Log, message: hi}
    """)
    assert story.past("s") == "CREATED RUNNING WARNING"
    assert story.past("z") == RAN
    assert story.ended == "WARNING"
