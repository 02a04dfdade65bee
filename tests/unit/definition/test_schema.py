"""The schema says what the parser says: it takes every valid flow, refuses what the parser refuses, names every type."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest
from jsonschema import Draft202012Validator
from tests.unit.definition.test_published_flows import SHARED, blueprints

from penstock.definition import parse_flow
from penstock.definition.defaults import apply_defaults
from penstock.definition.schema import DIALECT, ROOTS, schema_of, schema_of_type
from penstock.errors import FlowInvalid, MissingExtra
from penstock.model.flow import Flow
from penstock.model.flowables import Loop, Sequential
from penstock.model.task import Task
from penstock.plugin.registry import installed

TYPES = installed()


@cache
def validator() -> Draft202012Validator:
    made = schema_of("flow", TYPES)
    assert made is not None
    Draft202012Validator.check_schema(made)
    return Draft202012Validator(made)


def document(**changes: object) -> dict[str, object]:
    task = {"id": "a", "type": "io.kestra.plugin.core.log.Log", "message": "hello"}
    return {"id": "f", "namespace": "n", "tasks": [task], **changes}


def is_valid(**changes: object) -> bool:
    return validator().is_valid(document(**changes))


def nested(**properties: object) -> list[object]:
    inner = {"id": "b", "type": "io.kestra.plugin.core.log.Log", "message": "m", **properties}
    return [{"id": "a", "type": "io.kestra.plugin.core.flow.If", "condition": "x", "then": [inner]}]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"labels": {"a": 1}},
        {"labels": [{"key": "a", "value": "b"}]},
        {"tasks": nested()},
        {"tasks": nested(runIf="{{ a }}")},
        {"tasks": nested(when="{{ a }}")},
        {"tasks": nested(timeout="{{ inputs.t }}")},
        {"tasks": nested(retry={"type": "constant", "interval": "PT1S", "maxAttempt": 2})},
        {"inputs": [{"name": "a", "type": "BOOLEAN"}, {"id": "b", "type": "INT", "max": 3}]},
        {"checks": [{"condition": "{{ true }}"}]},
        {"taskDefaults": [{"type": "io.kestra", "values": {}}]},
        {"triggers": [{"id": "t", "type": "io.kestra.plugin.core.trigger.Schedule", "cron": "* * * * *"}]},
        {"triggers": [{"id": "t", "type": "io.kestra.core.models.triggers.types.Schedule", "cron": "* * * * *"}]},
    ],
    ids=str,
)
def test_both_dialects_fit(changes: dict[str, object]) -> None:
    assert is_valid(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"nope": 1},
        {"tasks": []},
        {"tasks": None},
        {"id": "no spaces"},
        {"tasks": [{"id": "a", "type": "io.kestra.plugin.core.log.Nope"}]},
        {"tasks": [{"type": "io.kestra.plugin.core.log.Log", "message": "m"}]},
        {"tasks": nested(nope=1)},
        {"tasks": nested(retry={"type": "constant"})},
        {"tasks": [{"id": "t", "type": "io.kestra.plugin.core.trigger.Schedule", "cron": "* * * * *"}]},
        {"inputs": [{"id": "a", "type": "NOPE"}]},
        {"inputs": [{"id": "a", "type": "STRING", "max": 1}]},
        {"triggers": [{"id": "t", "type": "io.kestra.plugin.core.trigger.Schedule"}]},
        {"concurrency": {"limit": 0}},
    ],
    ids=str,
)
def test_what_the_parser_refuses_does_not_fit(changes: dict[str, object]) -> None:
    assert not is_valid(**changes)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared reference is not here")
def test_published_flows_that_are_valid_fit() -> None:
    wrong: list[str] = []
    seen = 0
    paths = [*blueprints(), *sorted(SHARED.glob("conformance/cases/*/*.y*ml"))]
    for path in paths[::6]:  # a validator in Python tries every type at every task: all of them take half a minute
        if path.name == "case.yaml":
            continue
        try:
            parsed = parse_flow(path.read_text(), types=TYPES)
        except FlowInvalid:
            continue
        seen += 1
        filled = apply_defaults(parsed.document, TYPES, flow=parsed.flow.plugin_defaults or [])
        wrong += [f"{path.name}: {error.json_path}" for error in validator().iter_errors(filled)]
    assert seen > 30
    assert wrong == []


def test_every_type_is_there_by_its_own_name() -> None:
    made = validator().schema
    assert isinstance(made, dict)
    for name in TYPES.names():
        try:
            cls = TYPES.resolve(name)
        except MissingExtra:
            continue
        if cls is not None and issubclass(cls, Task):
            assert name in made["$defs"], name
    assert not [name for name in made["$defs"] if name.startswith("penstock")]


def references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


class Few:
    """One plugin's type beside the core's own."""

    def resolve(self, name: str) -> type | None:
        return TYPES.resolve(name) if name in self.names() else None

    def names(self) -> list[str]:
        return ["io.kestra.plugin.scripts.shell.Commands", "io.kestra.plugin.core.runner.Process"]

    def alias_target(self, name: str) -> str | None:
        return None


@pytest.mark.parametrize("root", [*ROOTS, "tasks", "FLOW"])
def test_each_part_stands_alone(root: str) -> None:
    made = schema_of(root, Few())
    assert made is not None
    assert made["$schema"] == DIALECT
    assert {ref.removeprefix("#/$defs/") for ref in references(made)} == set(made["$defs"])


def test_a_part_that_is_none() -> None:
    assert schema_of("nope", TYPES) is None


def test_one_type_by_itself() -> None:
    made = schema_of_type(Loop)
    assert made["properties"]["type"] == {"const": "io.kestra.plugin.core.flow.Loop"}
    assert made["properties"]["concurrencyLimit"]["$dynamic"] is True
    assert set(made["required"]) == {"id", "type", "values", "tasks"}
    child = {"id": "c", "type": "any.type.At.All", "own": 1}
    whole = {"id": "s", "type": "io.kestra.core.tasks.flows.Sequential", "tasks": [child]}
    assert Draft202012Validator(schema_of_type(Sequential)).is_valid(whole)
    assert not Draft202012Validator(schema_of_type(Sequential)).is_valid({**whole, "nope": 1})


def test_older_properties_are_marked() -> None:
    made = schema_of("flow", Few())
    assert made is not None
    assert made["$defs"]["Flow"]["properties"]["taskDefaults"]["$deprecated"] is True
    assert set(made["$defs"]["Flow"]["required"]) == {
        field.alias or name for name, field in Flow.model_fields.items() if field.is_required()
    }


def test_types_whose_package_is_missing_take_any_properties() -> None:
    class Missing:
        def resolve(self, name: str) -> type | None:
            raise MissingExtra(f"The type {name}", "acme")

        def names(self) -> list[str]:
            return ["io.acme.Ping"]

        def alias_target(self, name: str) -> str | None:
            return None

    made = schema_of("flow", Missing())
    assert made is not None
    check = Draft202012Validator(made)
    assert check.is_valid(document(tasks=[{"id": "p", "type": "io.acme.Ping", "host": "x"}]))
    assert not check.is_valid(document(tasks=[{"id": "p", "type": "io.acme.Pong", "host": "x"}]))
