"""The JSON of flows is the one that real servers answered."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.unit.definition.sources import flow, parsed, spelled

from penstock.definition.flow_json import flow_json

ROOT = Path(__file__).resolve().parents[3]
RECORDED = Path(os.environ.get("PENSTOCK_SHARED", str(ROOT.parent / "shared"))) / "reference" / "recorded"


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the shared reference is not here")
@pytest.mark.parametrize(
    "name",
    [
        "kestra-1.1/01-flow-create",
        "kestra-1.1/02-flow-create-rich",
        "kestra-1.1/13-flow-update",
        "kestra-2.0/01-flow-create",
        "kestra-2.0/08-flow-update",
    ],
)
def test_recorded_flows(name: str) -> None:
    recorded = json.loads((RECORDED / f"{name}.json").read_text())
    theirs: dict[str, Any] = recorded.get("response") or recorded["body"]
    ours = flow_json(parsed(recorded["request"]["body"]))
    for member in set(theirs) - {"revision", "source", "updated"}:
        assert _kept(ours[member]) == _kept(theirs[member]), member
    assert set(ours) - set(theirs) <= {"draft"}


def _kept(value: Any) -> Any:
    """Without what Kestra writes otherwise: a retry with its defaults, a list property as one text."""
    if isinstance(value, list):
        return [_kept(inner) for inner in value]
    if isinstance(value, dict):
        return {k: _kept(v) for k, v in value.items() if k not in ("retry", "metrics")}
    return value


def test_labels_are_a_list_and_inputs_have_all_that_applies() -> None:
    source = flow(
        """
        description:
        labels: {b: 1, a: true}
        inputs:
          - {id: i, type: INT, defaults: 3}
          - {id: l, type: MULTISELECT, values: [x, y], defaults: [x]}
          - {id: s, name: , type: STRING, required: false, prefill: false}
        """.replace("name: , ", "")
    )
    shown = flow_json(parsed(source), draft=True)
    assert shown["labels"] == [{"key": "b", "value": "1"}, {"key": "a", "value": "true"}]
    inputs = shown["inputs"]
    assert isinstance(inputs, list)
    assert [one.get("defaults", one.get("prefill")) for one in inputs] == ["3", '["x"]', "false"]
    assert [one["required"] for one in inputs] == [True, True, False]
    assert "description" not in shown
    assert (shown["draft"], shown["deleted"], shown["disabled"]) == (True, False, False)


def test_nulls_of_plugins_go_and_those_of_people_stay() -> None:
    source = flow(
        "variables: {a: null}\nlabels: {}",
        tasks="- {id: o, type: core.output.OutputValues, description: null, values: {x: null, type: core, y: [null]}}",
    )
    shown = flow_json(parsed(spelled(source)))
    assert shown["variables"] == {"a": None}
    assert shown["tasks"] == [
        {
            "id": "o",
            "type": "io.kestra.plugin.core.output.OutputValues",
            "values": {"x": None, "type": "core", "y": [None]},
        }
    ]
    assert "labels" not in shown
