"""Types by their names, and the name that was probably meant."""

from __future__ import annotations

import pytest

from penstock.definition.type_index import canonical, find_type, nearest_type, target_of
from penstock.model.flowables import LoopUntil, Subflow
from penstock.plugin.registry import installed

CORE = "io.kestra.plugin.core."


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        (CORE + "log.Logg", CORE + "log.Log"),
        (CORE + "log.log", CORE + "log.Log"),
        (CORE + "logs.Log", CORE + "log.Log"),
        ("core.log.Log", CORE + "log.Log"),
        ("Parallel", CORE + "flow.Parallel"),
        (CORE + "flow.Sequental", CORE + "flow.Sequential"),
        (CORE + "debug.MissingOne", None),
        ("io.kestra.plugin.jdbc.oracle.Query", None),
        ("io.nowhere.Log", None),
        ("", None),
    ],
)
def test_nearest_types(name: str, meant: str | None) -> None:
    assert nearest_type(name, installed()) == meant


def test_older_names_stand_for_newer_types() -> None:
    types = installed()
    assert find_type(CORE + "flow.WaitFor", types) is LoopUntil
    assert find_type("io.kestra.core.tasks.flows.Flow", types) is Subflow
    assert target_of("io.kestra.core.tasks.log.Log", types) == CORE + "log.Log"
    assert target_of(CORE + "log.Log", types) is None
    assert canonical("io.kestra.core.tasks.flows.Dag") == CORE + "flow.Dag"
    assert canonical("x.Y") == "x.Y"
    assert find_type("x.Y", types) is None
