"""Flows that people have published parse in the right dialect and name nothing but unknown types."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from pydantic import ConfigDict

from penstock.definition import parse_flow
from penstock.errors import FlowInvalid
from penstock.model.task import Task
from penstock.model.triggers import Trigger
from penstock.plugin.registry import installed

ROOT = Path(__file__).resolve().parents[3]
SHARED = Path(os.environ.get("PENSTOCK_SHARED", str(ROOT.parent / "shared")))

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared reference is not here")


class AnyTask(Task):
    """A task whose properties nobody knows."""

    model_config = ConfigDict(extra="allow")


class AnyTrigger(Trigger):
    """A trigger whose properties nobody knows."""

    model_config = ConfigDict(extra="allow")


class Loose:
    """The real types, and everything the catalogue of types names with any properties."""

    def __init__(self) -> None:
        catalogue = yaml.load((SHARED / "reference/plugins.yaml").read_text(), yaml.CSafeLoader)
        kinds = {name: facts.get("kind") for name, facts in catalogue["types"].items()}
        self._loose = {
            name: AnyTrigger if kind == "trigger" else AnyTask
            for name, kind in kinds.items()
            if kind in ("task", "trigger")
        }
        self._aliases = catalogue.get("aliases") or {}
        self._real = installed()

    def resolve(self, name: str) -> type | None:
        return self._real.resolve(name) or self._loose.get(self._aliases.get(name, name))

    def names(self) -> list[str]:
        return [*self._real.names(), *self._loose]

    def alias_target(self, name: str) -> str | None:
        return self._real.alias_target(name)


def blueprints() -> list[Path]:
    return sorted((SHARED / "blueprints").glob("*.y*ml"))


def test_published_flows_name_only_unknown_types() -> None:
    types = Loose()
    wrong: list[str] = []
    valid = 0
    for path in blueprints():
        try:
            parse_flow(path.read_text(), types=types)
            valid += 1
        except FlowInvalid as error:
            wrong += [f"{path.name}: {p}" for p in error.problems if not p.message.startswith("Invalid type")]
    print(f"{valid} of {len(blueprints())} published flows are valid")
    assert valid > 200
    assert wrong == [], "\n".join(wrong)


def test_conformance_flows_are_accepted_or_refused_as_their_cases_say() -> None:
    types = installed()
    wrong: list[str] = []
    for case in sorted((SHARED / "conformance/cases").iterdir()):
        for path in sorted(case.glob("*.y*ml")):
            if path.name == "case.yaml":
                continue
            refused = "invalid" in case.name or case.name in {"dag-unknown-task", "labels-system-refused"}
            try:
                parse_flow(path.read_text(), types=types)
            except FlowInvalid as error:
                if not refused:
                    wrong += [f"{case.name}/{path.name}: {p}" for p in error.problems]
    assert wrong == [], "\n".join(wrong)
