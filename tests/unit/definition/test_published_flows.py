"""Flows that people have published parse in the right dialect and name nothing but unknown types."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ConfigDict

from penstock.definition import load_document, parse_flow
from penstock.definition.dialect import Dialect, constructs
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


@cache
def plugin_catalogue() -> dict[str, Any]:
    """The facts of all types."""
    return yaml.load((SHARED / "reference/plugins.yaml").read_text(), yaml.CSafeLoader)


class Loose:
    """The real types, and everything the catalogue of types names with any properties."""

    def __init__(self) -> None:
        catalogue = plugin_catalogue()
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


def test_published_flows_are_in_the_1x_dialect() -> None:
    seen: dict[str, int] = {}
    for path in blueprints():
        document = load_document(path.read_text()).value
        assert isinstance(document, dict)
        for construct in constructs(document):
            assert construct.dialect is Dialect.V1, f"{path.name}: {construct}"
            seen[construct.name] = seen.get(construct.name, 0) + 1
    assert seen["io.kestra.plugin.core.flow.ForEach"] > 40
    assert seen["pluginDefaults"] > 90
    assert seen["Flow.conditions"] > 25


def test_conformance_flows_are_accepted_or_refused_as_their_cases_say() -> None:
    wrong: list[str] = []
    for case in sorted((SHARED / "conformance/cases").iterdir()):
        said = yaml.load((case / "case.yaml").read_text(), yaml.CSafeLoader)
        refused = {step["file"]: step for step in refusals(said)}
        for path in sorted(case.glob("*.y*ml")):
            if path.name == "case.yaml":
                continue
            found = " ".join(problems_of(path))
            if path.name not in refused and found:
                wrong.append(f"{case.name}/{path.name}: {found}")
            for text in texts_of(refused.get(path.name)):
                if text not in found:
                    wrong.append(f"{case.name}/{path.name}: {text} is not in {found}")
    assert wrong == [], "\n".join(wrong)


def refusals(case: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The steps of a case that make a flow which is refused."""
    for step in case.get("steps") or ():
        if "create_flow" in step and step["create_flow"].get("status", 200) == 422:
            yield step["create_flow"]


def texts_of(step: dict[str, Any] | None) -> list[str]:
    """What the answer to a refused flow holds."""
    wanted = step["response"]["text"]["$contains"] if step is not None else []
    return [wanted] if isinstance(wanted, str) else wanted


def problems_of(path: Path) -> list[str]:
    """The problems of a flow file as texts."""
    try:
        parse_flow(path.read_text(), types=Loose())
    except FlowInvalid as error:
        return [str(problem) for problem in error.problems]
    return []
