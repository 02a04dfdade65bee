"""Whatever stands in a YAML map, its conversion is YAML again, and converting it once more changes nothing."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from penstock.definition.convert import convert
from penstock.definition.yaml_source import load_document
from penstock.plugin.registry import installed

CORE = "io.kestra.plugin.core."
LOG = {"id": "log", "type": CORE + "log.Log", "message": "{{ outputs.log[taskrun.value].x }} {{ schedule.date }}"}
FLOW: dict[str, Any] = {
    "id": "f",
    "namespace": "n",
    "inputs": [{"name": "a", "type": "BOOLEAN", "defaults": True, "required": False}],
    "checks": [{"condition": "{{ inputs.a }}"}],
    "tasks": [
        {
            "id": "each",
            "type": CORE + "flow.EachParallel",
            "concurrent": 2,
            "value": ["a"],
            "tasks": [{**LOG, "workerGroup": {"key": "k"}, "retry": {"type": "constant", "maxAttempt": 2}}],
            "errors": [LOG],
        },
        {"id": "get", "type": CORE + "http.Request", "allowFailed": True, "options": {"a": 1}},
        {"id": "hold", "type": CORE + "flow.Pause", "delay": "PT1S", "pauseDuration": "PT2S"},
        {"id": "echo", "type": CORE + "debug.Echo", "format": "x"},
    ],
    "triggers": [
        {
            "id": "t",
            "type": CORE + "trigger.Flow",
            "when": "{{ a }}",
            "conditions": [
                {"type": CORE + "condition.ExecutionStatus", "in": ["FAILED"]},
                {"type": CORE + "condition.Not", "conditions": [{"type": CORE + "condition.Weekend"}]},
                {"type": CORE + "condition.MultipleCondition", "window": "P1D", "conditions": {"x": {"type": "y"}}},
            ],
            "preconditions": {
                "id": "p",
                "timeWindow": {"type": "SLIDING_WINDOW"},
                "flows": [{"flowId": "a"}],
                "where": [{"id": "w", "filters": [{"field": "STATE", "type": "IN", "values": ["FAILED"]}]}],
            },
        },
        {
            "id": "s",
            "type": CORE + "trigger.Schedule",
            "backfill": {},
            "conditions": [{"type": CORE + "condition.TimeBetween", "after": "08:00:00Z"}],
        },
    ],
    "pluginDefaults": [{"type": CORE + "log", "forced": True, "values": {"level": "WARN", "message": {"a": 1}}}],
}
JUNK = st.sampled_from(
    [
        None,
        5,
        "x",
        "{{ a }}",
        [],
        {},
        [1, 2],
        {"type": CORE + "flow.ForEach"},
        {"type": 5},
        [[]],
        True,
        "a: b",
        {"a": None},
    ]
)


def places(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in inside:
        yield (*path, key)
        yield from places(inner, (*path, key))


@st.composite
def documents(draw: st.DrawFn) -> str:
    document = copy.deepcopy(FLOW)
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(list(places(document))))
        owner: Any = document
        for step in way:
            owner = owner[step]
        if draw(st.booleans()):
            owner[last] = copy.deepcopy(draw(JUNK))
        else:
            del owner[last]
    in_lines = draw(st.sampled_from([False, None, True]))
    return yaml.safe_dump(
        document, default_flow_style=in_lines, sort_keys=False, width=draw(st.sampled_from([40, 1000]))
    )


@given(documents())
def test_any_document(source: str) -> None:
    before = load_document(source).value
    done = convert(source, installed())
    after = load_document(done.text).value
    assert convert(done.text, installed()).text == done.text
    assert (done.diff == "") == (before == after and source == done.text)
