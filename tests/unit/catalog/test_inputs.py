"""Inputs are found, typed and checked as engine.md 6.1 to 6.4 say."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from small_flows import flow_source

from penstock.blobs import MemoryBlobs
from penstock.catalog.inputs import FilePart, InputResolver, InputScope, Resolved, reveal
from penstock.catalog.rendering import Renderer
from penstock.catalog.vault import Vault, is_wrapped
from penstock.clock import ManualClock
from penstock.definition import parse_flow
from penstock.errors import Unprocessable
from penstock.expr import Secret
from penstock.plugin.registry import installed
from penstock.ports.platform import Caller

SCOPE = InputScope(Caller("main", "company.team", "hello", "exec1"), 1, {"vars": {"region": "eu"}})


def resolve(resolver: InputResolver, inputs: str, given: Mapping[str, object] | None = None) -> Resolved:
    flow = parse_flow(flow_source(extra=f"inputs:\n{inputs}\n"), types=installed()).flow
    return resolver.resolve(flow.inputs or (), given or {}, SCOPE)


@pytest.mark.parametrize(
    ("declared", "text", "value"),
    [
        ("STRING", "a b", "a b"),
        ("STRING", "", ""),
        ("INT", "42", 42),
        ("INT", "-2147483648", -2147483648),
        ("FLOAT", "42.42", 42.42),
        ("BOOL", "TRUE", True),
        ("BOOLEAN", "yes", False),
        ("DATETIME", "2019-10-06T18:27:49Z", "2019-10-06T18:27:49Z"),
        ("DATETIME", "2019-10-06T20:27:49.120+02:00", "2019-10-06T18:27:49.120Z"),
        ("DATE", "2024-01-31", "2024-01-31"),
        ("TIME", "10:15:30", "10:15:30"),
        ("DURATION", "PT5M6S", "PT5M6S"),
        ("JSON", '{"a": [1, null]}', {"a": [1, None]}),
        ("JSON", "{}", {}),
        ("YAML", "some: yes\nlist:\n- 1", {"some": "yes", "list": [1]}),
        ("ION", "{a: 1}", {"a": 1}),
        ("URI", "https://www.google.com", "https://www.google.com"),
        ("EMAIL", "a.b@example.com", "a.b@example.com"),
        ("EMAIL", "", ""),
        ("FILE", "nsfile:///a.txt", "nsfile:///a.txt"),
    ],
)
def test_texts_become_typed_values(resolver: InputResolver, declared: str, text: str, value: object) -> None:
    assert resolve(resolver, f"  - {{id: x, type: {declared}}}", {"x": text}).require() == {"x": value}


def test_lists_take_the_type_of_their_items(resolver: InputResolver) -> None:
    declared = "  - {id: a, type: ARRAY, itemType: INT}\n  - {id: m, type: MULTISELECT, values: [x, y]}"

    assert resolve(resolver, declared, {"a": '[1, "2"]', "m": ["y"]}).require() == {"a": [1, 2], "m": ["y"]}


PARSE = " errors:\n```\n"


@pytest.mark.parametrize(
    ("declared", "text", "cause"),
    [
        ("type: INT", "ten", PARSE + 'For input string: "ten"\n```'),
        ("type: INT", "2147483648", PARSE),
        ("type: INT, min: 5", "4", "it must be more than `5`"),
        ("type: INT, max: 10", "11", "it must be less than `10`"),
        ("type: FLOAT, max: 0.5", "0.6", "it must be less than `0.5`"),
        ("type: DATE, after: 2023-01-01", "2022-12-31", "it must be after `2023-01-01`"),
        ("type: TIME, before: '11:59:59'", "12:00:00", "it must be before `11:59:59`"),
        ("type: DATETIME, before: '2023-01-01T00:00:00Z'", "2024-01-01T00:00:00Z", "it must be before `2023-01-01T"),
        ("type: DATETIME", "2024-01-01", PARSE),
        ("type: DURATION, min: PT10S", "PT5S", "It must be more than `PT10S`"),
        ("type: DURATION", "5 minutes", PARSE),
        ("type: STRING, validator: 'A\\d+'", "xA1", "it must match the pattern `A\\d+`"),
        ("type: SELECT, values: [a, b]", "c", "it must match the values `[a, b]`"),
        ("type: ENUM, values: [a, b]", "c", "it must match the values `[a, b]`"),
        ("type: MULTISELECT, values: [a, b]", '["c"]', "value `c` doesn't match the values `[a, b]`"),
        ("type: ARRAY, itemType: INT", '[1, "x"]', "Unable to parse array element as `INT` on `x`"),
        ("type: EMAIL", "nobody", "The input must be a valid email"),
        ("type: URI", "no scheme", "Invalid URI format."),
        ("type: JSON", "{", PARSE),
        ("type: JSON, jsonSchema: {type: object, required: [a]}", "{}", "it must match the json schema: "),
        ("type: FILE, allowedFileExtensions: [.csv, .json]", "kestra:///a.txt", "Accepted extensions: .csv, .json"),
        ("type: FILE", "/etc/passwd", "expected an uploaded file or a URI"),
    ],
)
def test_refusals_have_kestras_words(resolver: InputResolver, declared: str, text: str, cause: str) -> None:
    resolved = resolve(resolver, f"  - {{id: x, {declared}}}", {"x": text})

    with pytest.raises(Unprocessable) as refused:
        resolved.require()
    assert str(refused.value).startswith("Invalid entity: Invalid value for input `x`. Cause: ")
    assert cause in str(refused.value)
    assert [p.path for p in refused.value.problems] == ["x"]
    assert resolved.inputs[0].value == text


@pytest.mark.parametrize(
    ("declared", "text"),
    [
        ("type: INT, min: 5, max: 5", "5"),
        ("type: DATE, after: 2023-01-01", "2023-01-01"),
        ("type: DURATION, max: PT10S", "PT10S"),
        ("type: SELECT, values: [a], allowCustomValue: true", "c"),
        ("type: SELECT, values: [{label: A, value: a}]", "a"),
        ("type: FILE, allowedFileExtensions: [.csv]", "kestra:///a/b.CSV"),
    ],
)
def test_bounds_are_inclusive_and_custom_values_pass(resolver: InputResolver, declared: str, text: str) -> None:
    assert resolve(resolver, f"  - {{id: x, {declared}}}", {"x": text}).errors == []


def test_all_faults_are_told_at_once(resolver: InputResolver) -> None:
    resolved = resolve(resolver, "  - {id: a, type: INT}\n  - {id: b, type: STRING}", {"a": "x"})

    assert resolved.message.splitlines()[0].startswith("Invalid value for input `a`. Cause:")
    assert resolved.message.splitlines()[-1] == "Missing required input:b"


def test_defaults_are_rendered_in_order_and_typed(resolver: InputResolver) -> None:
    resolved = resolve(
        resolver,
        """  - {id: count, type: INT, defaults: 3}
  - {id: next, type: INT, defaults: "{{ inputs.count + 1 }}"}
  - {id: text, type: STRING, defaults: "{{ vars.region }} {{ flow.id }}"}
  - {id: map, type: JSON, defaults: {a: "{{ inputs.next }}"}}
  - {id: none, type: STRING, required: false}
  - {id: empty, type: STRING, defaults: ''}""",
        {"count": "10"},
    )

    assert resolved.require() == {
        "count": 10,
        "next": 11,
        "text": "eu hello",
        "map": {"a": 11},
        "none": None,
        "empty": "",
    }
    assert [i.is_default for i in resolved.inputs] == [False, True, True, True, False, True]


def test_a_default_that_cannot_be_rendered_is_the_flows_fault(resolver: InputResolver) -> None:
    resolved = resolve(resolver, '  - {id: a, type: STRING, defaults: "{{ inputs.gone }}"}')

    assert [(e.render_error, "gone" in e.message) for e in resolved.inputs[0].errors] == [(True, True)]


def test_empty_text_is_no_value_but_for_texts(resolver: InputResolver) -> None:
    resolved = resolve(resolver, "  - {id: n, type: INT, defaults: 4}\n  - {id: s, type: STRING}", {"n": "", "s": ""})

    assert resolved.require() == {"n": 4, "s": ""}


DEPENDS = """  - {id: cloud, type: BOOL, defaults: false}
  - id: region
    type: STRING
    dependsOn: {inputs: [cloud], condition: "{{ inputs.cloud == true }}"}
  - {id: zone, type: STRING, required: false, dependsOn: {inputs: [region]}}"""


def test_an_input_is_asked_for_only_when_what_it_depends_on_says_so(resolver: InputResolver) -> None:
    assert resolve(resolver, DEPENDS).require() == {"cloud": False}
    assert resolve(resolver, DEPENDS, {"cloud": "true", "region": "eu"}).require() == {
        "cloud": True,
        "region": "eu",
        "zone": None,
    }
    with pytest.raises(Unprocessable, match="Missing required input:region"):
        resolve(resolver, DEPENDS, {"cloud": "true"}).require()


def test_an_input_may_depend_on_a_later_one(resolver: InputResolver) -> None:
    late = '  - {id: a, type: INT, defaults: "{{ inputs.b + 1 }}", dependsOn: {inputs: [b]}}\n  - {id: b, type: INT}'

    assert resolve(resolver, late, {"b": "1"}).require() == {"a": 2, "b": 1}


def test_a_condition_that_cannot_be_rendered_disables(resolver: InputResolver) -> None:
    resolved = resolve(resolver, '  - {id: a, type: STRING, dependsOn: {condition: "{{ gone }}"}}')

    assert resolved.require() == {}
    assert resolved.inputs[0].errors[0].message.startswith("Invalid condition: ")


def test_choices_may_come_from_an_expression(resolver: InputResolver) -> None:
    declared = """  - {id: n, type: INT, defaults: 2}
  - {id: x, type: SELECT, expression: "{{ range(1, inputs.n) }}", autoSelectFirst: true}
  - {id: bad, type: SELECT, required: false, expression: "{{ inputs.n }}"}"""
    resolved = resolve(resolver, declared)

    assert [i.value for i in resolved.inputs] == [2, "1", None]
    assert resolved.inputs[1].choices == ["1", "2"]
    assert "Invalid expression result. Expected a list of values" in resolved.message
    assert "it must match the values `[1, 2]`" in resolve(resolver, declared, {"x": "3"}).message


def test_dotted_ids_and_forms_nest(resolver: InputResolver) -> None:
    declared = """  - {id: a.b, type: INT}
  - {id: a.c.d, type: STRING, required: false}
  - id: form
    type: FORM
    inputs:
      - {id: name, type: STRING}
      - {id: size, type: INT, defaults: 1, dependsOn: {inputs: [name]}}"""
    nested = {"a": {"b": 1, "c": {"d": None}}, "form": {"name": "x", "size": 1}}

    assert resolve(resolver, declared, {"a.b": "1", "form.name": "x"}).require() == nested
    assert resolve(resolver, declared, {"a": {"b": 1}, "form": {"name": "x"}}).require() == nested


def test_undeclared_values_are_warned_of(resolver: InputResolver) -> None:
    resolved = resolve(resolver, "  - {id: a.b, type: INT}", {"a": {"b": 1, "z": 2}, "extra": "x"})

    text = "Input {} was provided for workflow company.team.hello but isn't declared in the workflow inputs"
    assert resolved.warnings == [text.format("a.z"), text.format("extra")]


def test_files_are_stored_below_the_execution(resolver: InputResolver, blobs: MemoryBlobs) -> None:
    part = FilePart("../my data.csv", io.BytesIO(b"1,2\n"))
    uri = resolve(resolver, "  - {id: file, type: FILE}", {"file": part}).require()["file"]

    assert uri == "kestra:///company/team/hello/executions/exec1/inputs/file/my%20data.csv"
    assert blobs.get("main", str(uri)) == b"1,2\n"


def test_an_empty_part_is_a_missing_input_and_a_file_may_hold_a_text(resolver: InputResolver) -> None:
    with pytest.raises(Unprocessable, match="Missing required input:file"):
        resolve(resolver, "  - {id: file, type: FILE}", {"file": FilePart("", b"")}).require()
    given = {"j": FilePart("j.json", b'{"a": 1}')}
    assert resolve(resolver, "  - {id: j, type: JSON}", given).require() == {"j": {"a": 1}}


def test_checking_inputs_stores_no_file(resolver: InputResolver, blobs: MemoryBlobs) -> None:
    flow = parse_flow(flow_source(extra="inputs:\n  - {id: file, type: FILE}\n"), types=installed()).flow
    scope = InputScope(SCOPE.caller, 1, store_files=False)
    resolved = resolver.resolve(flow.inputs or (), {"file": FilePart("a.csv", b"1")}, scope)

    assert resolved.inputs[0].value == "a.csv"
    assert list(blobs.list("main", "/")) == []


def test_secrets_are_kept_encrypted_and_revealed_marked(resolver: InputResolver, vault: Vault) -> None:
    declared = '  - {id: key, type: SECRET}\n  - {id: copy, type: STRING, defaults: "{{ inputs.key }}!"}'
    values = resolve(resolver, declared, {"key": "s3cret"}).require()

    assert is_wrapped(values["key"])
    assert "s3cret" not in str(values["key"])
    shown = reveal(values, vault)
    assert shown["key"] == "s3cret"
    assert isinstance(shown["key"], Secret)
    assert values["copy"] == "s3cret!"


def test_secrets_need_a_key(clock: ManualClock) -> None:
    bare = InputResolver(Renderer(clock=clock))

    with pytest.raises(Unprocessable, match="Unable to use a `SECRET` input/output as encryption is not configured"):
        resolve(bare, "  - {id: key, type: SECRET}", {"key": "x"}).require()


def test_the_conformance_flow_with_every_type_resolves(resolver: InputResolver) -> None:
    shared = Path(os.environ.get("PENSTOCK_SHARED", Path(__file__).parents[4] / "shared"))
    case = shared / "conformance" / "cases" / "inputs-all-types"
    if not case.is_dir():
        pytest.skip("the conformance cases are not at hand")
    flow = parse_flow((case / "inputs.yaml").read_text(), types=installed()).flow
    step = yaml.safe_load((case / "case.yaml").read_text())["steps"][0]["execute"]
    given = {**step["inputs"], "file": FilePart("file.txt", step["files"]["file"].encode())}

    values = resolver.resolve(flow.inputs or (), given, SCOPE).require()
    assert values["nested"] == {"string": "a string", "more": {"int": 123}, "bool": True}
    assert values["array"] == [1, 2, 3]
    assert values["yaml"] == {"some": "property", "alist": ["of", "values"]}
    assert values["optionalFile"] is None
    assert values["empty"] == ""
