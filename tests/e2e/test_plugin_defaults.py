"""Plugin defaults of the server and of namespaces reach the flows they are meant for."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.e2e.house import House

from penstock.catalog.plugin_defaults import PluginDefaults
from penstock.errors import BadRequest

RETURN = "io.kestra.plugin.core.debug.Return"
FLOW = "id: plain\nnamespace: {namespace}\ntasks: [{{id: a, type: io.kestra.plugin.core.debug.Return}}]\n"
DEFAULTS = [
    {"type": RETURN, "values": {"format": "server"}},
    {"type": RETURN, "values": {"format": "company"}, "namespace": "company"},
    {"type": RETURN, "values": {"format": "team"}, "namespace": "company.team"},
]


@pytest.mark.parametrize(
    ("namespace", "value"),
    [("other", "server"), ("companies", "server"), ("company", "company"), ("company.team.a", "team")],
)
def test_the_nearest_default_fills_the_gap(tmp_path: Path, namespace: str, value: str) -> None:
    with House(tmp_path, plugin_defaults=DEFAULTS) as house:
        house.save(FLOW.format(namespace=namespace))
        ended = house.ended(house.begin("plain", namespace=namespace))
        assert house.outputs(ended.id, "a") == {"value": value}


def test_a_mistake_is_told_with_its_place() -> None:
    with pytest.raises(BadRequest, match=r"plugin_defaults\[1\]\.type"):
        PluginDefaults([DEFAULTS[0], {"values": {}}])
