"""What templates see: variables, `outputs` as lazy mappings, `tasks`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "scenarios"))

from stories import Story, play

from penstock.engine.outputs import OutputsView
from penstock.engine.variables import nest, task_states, variables_of
from penstock.expr import render_value
from penstock.model.execution import ExecutionTrigger


class Reader:
    """Stored outputs in a map; notes every look-up."""

    def __init__(self, rows):
        self.rows = rows
        self.looked = []

    def output(self, execution_id, owner, task_id, path):
        self.looked.append((owner, task_id, path))
        return self.rows.get((owner, task_id, path))

    def output_keys(self, execution_id, owner, task_id, prefix):
        depth = len(prefix)
        found = [p for o, t, p in self.rows if o == owner and t == task_id and p[:depth] == prefix and len(p) > depth]
        return list(dict.fromkeys(p[depth] for p in found))

    def output_tasks(self, execution_id, owner):
        return list(dict.fromkeys(t for o, t, _ in self.rows if o == owner))


def view(rows, *, owners=("",), depths=None, recent=None):
    return OutputsView("e", owners, depths=depths or {}, recent=recent or {}, reader=Reader(rows))


def test_outputs_are_looked_up_one_row_at_a_time():
    outputs = view({("", "a", ()): {"v": 1}, ("", "b", ()): {"v": 2}})
    assert outputs["a"] == {"v": 1}
    assert outputs._reader.looked == [("", "a", ())]
    assert "b" in outputs
    assert "c" not in outputs
    with pytest.raises(KeyError):
        outputs["c"]


def test_recent_outputs_come_first_and_all_are_listed():
    outputs = view(
        {("", "a", ()): {"v": 1}}, recent={("", "a", ()): {"v": 9}, ("", "z", ()): {"v": 3}, ("x", "y", ()): {}}
    )
    assert outputs["a"] == {"v": 9}
    assert list(outputs) == ["a", "z"]
    assert len(outputs) == 2
    assert dict(outputs) == {"a": {"v": 9}, "z": {"v": 3}}


def test_levels_of_loop_values():
    rows = {("", "t", ("x", "1")): {"v": "x1"}, ("", "t", ("y", "2")): {"v": "y2"}}
    outputs = view(rows, depths={"t": 2, "none": 1}, recent={("", "t", ("x", "3")): {"v": "x3"}})
    level = outputs["t"]
    assert list(level) == ["x", "y"]
    assert len(level) == 2
    assert dict(level["x"]) == {"1": {"v": "x1"}, "3": {"v": "x3"}}
    assert level["x"]["1"]["v"] == "x1"
    with pytest.raises(KeyError):
        level["x"]["9"]
    assert "none" not in outputs


def test_the_nearest_owner_wins():
    rows = {("in", "t", ()): {"v": 1}, ("", "t", ()): {"v": 2}, ("", "out", ()): {"v": 3}}
    outputs = view(rows, owners=("in", ""))
    assert outputs["t"] == {"v": 1}
    assert outputs["out"] == {"v": 3}
    assert list(outputs) == ["t", "out"]


def test_dotted_keys_nest():
    assert nest({"a": 1}) == {"a": 1}
    assert nest({"a.b": 1, "a.c": 2, "d": 3}) == {"a": {"b": 1, "c": 2}, "d": 3}
    assert nest({"a": 1, "a.b": 2}) == {"a": {"b": 2}}


def test_inputs_labels_and_trigger():
    story = Story("""
        labels: {team.name: data}
        inputs: [{id: a.b, type: STRING}]
        tasks: [{id: t, type: debug.Return, format: "{{ inputs.a.b }} {{ labels.team.name }} {{ trigger.date }} {{ trigger._context.id }}"}]
    """, inputs={"a.b": "in"})  # fmt: skip
    story.context.trigger = ExecutionTrigger("daily", "Schedule", {"date": "2026"})
    story.finish()
    assert story.output("t") == {"value": "in data 2026 daily"}


def test_where_a_task_stands():
    story = play("""
        tasks:
          - id: outer
            type: flow.ForEach
            values: [x]
            tasks:
              - id: inner
                type: flow.Sequential
                tasks:
                  - id: t
                    type: debug.Return
                    format: "{{ task.id }} {{ taskrun.attemptsCount }} {{ parent.task.id }} {{ parents[0].taskrun.value }} {{ parents[1].task.id }} {{ flow.id }} {{ execution.state }}"
    """)
    assert story.output("t", "x") == {"value": "t 0 inner x outer story RUNNING"}
    variables = variables_of(story.state, story.moment())
    assert "taskrun" not in variables
    assert variables["execution"]["endDate"] == story.state.execution.histories[-1].date


def test_states_of_tasks():
    story = play("""
        tasks:
          - {id: a, type: log.Log, message: hi}
          - id: each
            type: flow.ForEach
            values: [x, y]
            tasks: [{id: b, type: log.Log, message: hi}]
          - {id: loop, type: flow.Loop, values: [1], tasks: [{id: c, type: log.Log, message: hi}]}
          - {id: r, type: debug.Return, format: "{{ tasks.a.state }} {{ tasks.b.y.state }} {{ tasks | length }}"}
    """)
    assert story.output("r") == {"value": "SUCCESS SUCCESS 6"}
    found = task_states(story.task_runs())
    assert found["b"] == {"x": {"state": "SUCCESS"}, "y": {"state": "SUCCESS"}}
    assert found["loop"] == {"state": "SUCCESS"}
    variables = variables_of(story.state, story.moment())
    assert set(variables["tasks"]) == {"a", "each", "b", "loop", "c", "r"}
    assert len(variables["tasks"]) == 6
    context = story.moment().render_context(variables)
    assert render_value("{{ tasks.a.state }}", context) == "SUCCESS"


def test_secret_inputs_are_revealed_only_when_seen():
    import msgspec

    story = Story("""
        inputs: [{id: key, type: SECRET}]
        tasks: [{id: t, type: debug.Return, format: "{{ inputs.key }}"}]
    """, inputs={"key": "locked"})  # fmt: skip
    story._around = msgspec.structs.replace(story._around, reveal=lambda inputs: dict.fromkeys(inputs, "open"))
    story.finish()
    assert story.output("t") == {"value": "open"}
    assert story.state.context.inputs == {"key": "locked"}
