from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from penstock.expr import ExpressionError, compile_template
from penstock.expr.references import OPEN, References

SHARED = Path(os.environ.get("PENSTOCK_SHARED", Path(__file__).resolve().parents[4] / "shared"))
BLUEPRINTS = SHARED / "blueprints"


def references(text: str) -> References:
    return compile_template(text).references


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("{{ outputs.a.b.c }}", {("a", "b", "c")}),
        ("{{ outputs['a-b'].c }}", {("a-b", "c")}),
        ("{{ outputs.a['v'].b[0] }}", {("a", "v", "b", "0")}),
        ("{{ outputs.a[taskrun.value].uri }}", {("a", OPEN)}),
        ("{{ outputs[inputs.x].uri }}", {(OPEN,)}),
        ("{{ outputs }}", {(OPEN,)}),
        ("{{ outputs.a }}", {("a",)}),
        ("{{ outputs.a.x ?? outputs.b.y | default(outputs.c) }}", {("a", "x"), ("b", "y"), ("c",)}),
        ("{% for i in outputs.a.rows %}{{ i }}{% else %}{{ outputs.b.x }}{% endfor %}", {("a", "rows"), ("b", "x")}),
        ("{% if outputs.a.ok is defined %}{% set x = outputs.b.y %}{% endif %}", {("a", "ok"), ("b", "y")}),
        ("{% macro m(x=outputs.a.b) %}{{ outputs.c.d }}{% endmacro %}{% block z %}{{ outputs.e.f }}{% endblock %}", {("a", "b"), ("c", "d"), ("e", "f")}),
        ("{% filter replace({'a': outputs.a.b}) %}x{% endfilter %}", {("a", "b")}),
        ('{{ "#{outputs.a.b}" ~ {outputs.c.d: [outputs.e.f]} }}', {("a", "b"), ("c", "d"), ("e", "f")}),
        ("{{ currentEachOutput(outputs.make).v }}", {("make",)}),
        ("{{ outputs.a.text.length() }}", {("a", "text")}),
        ("{{ x.outputs.a }} outputs.b {# {{ outputs.c }} #}{% raw %}{{ outputs.d }}{% endraw %}", set()),
        ("{{ render('{{ outputs.a.b }}') }}", {("a", "b")}),
        ("{{ (outputs.a).b }}", {("a", "b")}),
    ],
)  # fmt: skip
def test_outputs(text: str, paths: set[tuple[str, ...]]) -> None:
    found = references(text).outputs
    assert set(found) == paths
    marks = {index for path in paths for index, key in enumerate(path) if key is OPEN}
    assert {index for path in found for index, key in enumerate(path) if key is OPEN} == marks


def test_all_kinds_of_names() -> None:
    found = references(
        "{{ inputs.a.b }}{{ inputs['c'] }}{{ vars.v }}{{ secret('S') }}{{ kv('K', 'ns') }}{{ kv(key=inputs.x) }}{{ flow.id | upper }}"
    )
    assert found.inputs == {"a", "c", "x"}
    assert found.vars == {"v"}
    assert found.secrets == {"S"}
    assert found.kv == {"K", OPEN}
    assert found.variables == {"inputs", "vars", "flow"}
    assert found.functions == {"secret", "kv"}
    assert found.external
    assert not found.open_render


@pytest.mark.parametrize(
    "call", ["kv('a')", "secret('a')", "read('a')", "http('a')", "fileURI('a')", "fileSize('a')", "fileExists('a')", "isFileEmpty('a')", "errorLogs()", "subflow('a', 'b')", "appLink('a')", "credential('a')"]
)  # fmt: skip
def test_what_needs_the_outside(call: str) -> None:
    assert references("{{ " + call + " }}").external


@pytest.mark.parametrize(
    "call", ["now()", "uuid()", "env('x')", "range(1, 2)", "tasksWithState('FAILED')", "fromJson('1')"]
)
def test_what_does_not(call: str) -> None:
    assert not references("{{ " + call + " }}").external


@pytest.mark.parametrize(
    ("text", "open_render", "any_output"),
    [
        ("{{ render(vars.x) }}", True, True),
        ("{{ renderOnce(vars.x) }}", True, True),
        ("{{ render('{{ vars.x }}') }}", True, True),
        ("{{ render('{{ vars.x }}', recursive=false) }}", False, False),
        ("{{ render('plain') }}", False, False),
        ("{{ outputs.a.b }}", False, False),
        ("{{ outputs[x].b }}", False, True),
        ("{{ printContext() }}", False, True),
        ("{{ _context.outputs }}", False, True),
    ],
)
def test_what_stays_open(text: str, open_render: bool, any_output: bool) -> None:
    found = references(text)
    assert (found.open_render, found.any_output) == (open_render, any_output)


def test_plain_text_reads_nothing() -> None:
    assert references("outputs.a.b") == References()


def texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from texts(key)
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)


NAME = r"(?:\.\s*([A-Za-z_]\w*)|\[\s*'([^']*)'\s*\]|\[\s*\"([^\"]*)\"\s*\])"
LITERAL = re.compile(r"(?<![\w.$'\"/-])outputs" + NAME)
CODE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
RAW = re.compile(r"\{%-*\s*raw\s*-*%\}.*?\{%-*\s*endraw\s*-*%\}")


@pytest.mark.skipif(not BLUEPRINTS.exists(), reason="the shared blueprints are not here")
def test_every_literal_reference_of_the_blueprints_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    """An independent search by pattern counts the task ids that follow `outputs`; each must be among those found."""
    found = searched = computed = templates = 0
    missed: list[str] = []
    for file in sorted(BLUEPRINTS.glob("*.y*ml")):
        for text in texts(list(yaml.safe_load_all(file.read_text(encoding="utf-8")))):
            if "{{" not in text and "{%" not in text:
                continue
            try:
                names = compile_template(text).references
            except ExpressionError:
                continue  # prose about templates, and one flow that Kestra refuses too
            templates += 1
            code = " ".join(CODE.findall(RAW.sub("", text)))
            wanted = {first or second or third for first, second, third in LITERAL.findall(code)}
            found += sum(1 for path in names.outputs if path[0] is not OPEN)
            computed += sum(1 for path in names.outputs if any(key is OPEN for key in path))
            searched += len(wanted)
            if not wanted <= names.tasks:
                missed.append(f"{file.name}: {wanted - names.tasks} in {text[:200]}")
    with capsys.disabled():
        print(
            f"\n  {found} literal output references in {templates} templates of the blueprints, {computed} computed; search: {searched}"
        )
    assert missed == []
    assert found >= searched > 400
