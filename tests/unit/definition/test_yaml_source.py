"""YAML 1.2 core rules, places of values, and bounds."""

from __future__ import annotations

import json
import math
import string

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from penstock.definition import load_document, load_documents, load_yaml, yaml_source
from penstock.errors import FlowInvalid


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("No", "No"),
        ("y", "y"),
        ("true", True),
        ("TRUE", True),
        ("False", False),
        ("tRue", "tRue"),
        ("null", None),
        ("~", None),
        ("", None),
        ("2024-01-31", "2024-01-31"),
        ("2024-01-31T10:00:00Z", "2024-01-31T10:00:00Z"),
        ("12:30", "12:30"),
        ("12:30:45", "12:30:45"),
        ("42", 42),
        ("-7", -7),
        ("+7", 7),
        ("012", 12),
        ("0o17", 15),
        ("0x1F", 31),
        ("1_000", "1_000"),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("1.", 1.0),
        ("-.inf", -math.inf),
        (".inf", math.inf),
        ("1.2.3", "1.2.3"),
        ("-", "-"),
        ("=", "="),
        ('"5"', "5"),
        ("'true'", "true"),
        ("!!str 5", "5"),
        ('!!int "5"', 5),
        ("!!float 3", 3.0),
        ('!!bool "true"', True),
        ('!!null ""', None),
        ("!!binary aGk=", "aGk="),
        ("!custom 7", "7"),
        ("|\n  a\n  b\n", "a\nb\n"),
        (">-\n  a\n  b\n", "a b"),
    ],
)
def test_scalars_by_the_core_rules(text: str, value: object) -> None:
    if text == "-":
        text = "'-'"
    assert load_yaml(f"key: {text}") == {"key": value}


def test_not_a_number() -> None:
    found = load_yaml("a: .nan")
    assert isinstance(found, dict)
    assert math.isnan(found["a"])


def test_a_very_long_number_costs_no_time() -> None:
    assert load_yaml("a: " + "9" * 100_000) == {"a": math.inf}


def test_keys_are_texts_as_written() -> None:
    assert load_yaml("on: 1\nyes: 2\n1: 3\ntrue: 4\n~: 5\n2024-01-01: 6") == {
        "on": 1, "yes": 2, "1": 3, "true": 4, "~": 5, "2024-01-01": 6,
    }  # fmt: skip


def test_an_explicit_type_that_does_not_fit_is_told() -> None:
    with pytest.raises(FlowInvalid, match="`x` is no int"):
        load_yaml("a: !!int x")


def test_empty_texts() -> None:
    assert load_yaml("  \n") is None
    with pytest.raises(FlowInvalid, match="the document is empty"):
        load_document("# nothing\n")


def test_several_documents() -> None:
    assert [d.value for d in load_documents("a: 1\n---\nb: 2\n")] == [{"a": 1}, {"b": 2}]


def test_places_are_those_of_keys_and_entries() -> None:
    document = load_document("a: 1\nb:\n  - c: 2\n  -   d\n")
    assert document.position(("a",)) == (1, 1)
    assert document.position(("b", 0, "c")) == (3, 5)
    assert document.position(("b", 1)) == (4, 7)
    assert document.position(("b", 0, "nothing", "here")) == (3, 5)
    assert document.position(("nothing",)) == (1, 1)


def test_every_key_written_twice_is_told_with_its_line() -> None:
    with pytest.raises(FlowInvalid) as caught:
        load_document("a: 1\na: 2\nb:\n  c: 1\n  'c': 2\n")
    assert [(p.line, p.message) for p in caught.value.problems] == [
        (2, 'Illegal flow source: YAML parsing error: Duplicate field "a" (at line 2)'),
        (5, 'Illegal flow source: YAML parsing error: Duplicate field "c" (at line 5)'),
    ]


def test_merge_keys_fill_gaps_and_keep_places() -> None:
    document = load_document(
        "base: &base {x: 1, y: 2}\nother: &other {y: 3, z: 4}\nthis:\n  y: 9\n  <<: [*base, *other]\n"
    )
    assert document.value == {"base": {"x": 1, "y": 2}, "other": {"y": 3, "z": 4}, "this": {"x": 1, "y": 9, "z": 4}}
    assert document.position(("this", "y")) == (4, 3)
    assert document.position(("this",)) == (3, 1)
    assert load_yaml("'<<': 1") == {"<<": 1}
    assert load_yaml("a: &a 1\nb: {<<: *a, c: 2}") == {"a": 1, "b": {"c": 2}}


def test_an_error_names_its_line() -> None:
    with pytest.raises(FlowInvalid) as caught:
        load_document("id: bad\n  namespace: [\n")
    assert caught.value.problems[0].line == 2
    assert "Illegal flow source: YAML parsing error" in str(caught.value)
    assert "(at line 2)" in str(caught.value)


@pytest.mark.parametrize("text", ["a: b: c", "a: *nothing", "a: @b", "[1, 2: 3\n", "\x01", "a: \ud800"])
def test_what_is_no_yaml_is_refused(text: str) -> None:
    with pytest.raises(FlowInvalid, match="Illegal flow source"):
        load_document(text)


def test_keys_must_be_plain() -> None:
    with pytest.raises(FlowInvalid, match="keys must be plain texts"):
        load_document("? [a, b]\n: c\n")


@pytest.mark.parametrize("piece", ["[", "{a: ", "- ", "a: {b: ["])
def test_no_depth_harms(piece: str) -> None:
    with pytest.raises(FlowInvalid, match="Illegal flow source"):
        load_document(piece * 100_000)
    deep = "\n".join("  " * level + "k:" for level in range(250))
    with pytest.raises(FlowInvalid, match="nested deeper than"):
        load_document(deep)


def test_aliases_do_not_swell() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    with pytest.raises(FlowInvalid, match="aliases stand for more than"):
        load_document("\n".join(lines))
    with pytest.raises(FlowInvalid, match=r"nested deeper than|aliases stand for more than"):
        load_document("a: &a [*a]")


def test_size_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FlowInvalid, match="larger than 10 MB"):
        load_document("a: " + "x" * (10 * 1024 * 1024))
    monkeypatch.setattr(yaml_source, "MAX_NODES", 10)
    with pytest.raises(FlowInvalid, match="more than 10 values"):
        load_document(str(list(range(20))))


WORDS = st.text(string.ascii_letters + string.digits + " :#{}[]&*!|>'\"%@`~?-,.\n\tä€😀", max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.floats(allow_nan=False) | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=15,
)


@given(VALUES)
def test_what_pyyaml_writes_is_read_back(value: object) -> None:
    for flow_style in (True, False):
        text = yaml.safe_dump({"value": value}, default_flow_style=flow_style, allow_unicode=True)
        assert load_yaml(text) == {"value": value}


@given(VALUES.filter(lambda value: _finite(value)))
def test_json_is_read_as_json(value: object) -> None:
    assert load_yaml(json.dumps({"value": value}, ensure_ascii=False)) == {"value": value}


def _finite(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(_finite(inner) for inner in value.values())
    return all(_finite(inner) for inner in value) if isinstance(value, list) else True


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    found: list[object] = []
    try:
        found = [document.value for document in load_documents(text)]
    except FlowInvalid as error:
        found = list(error.problems)
    assert found or not text.strip("\ufeff \n\r\t") or text.lstrip().startswith(("#", "%", "---", "..."))
