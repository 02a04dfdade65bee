"""Forty typical mistakes, and what their author is told: the first line is Kestra's text, the last ones help."""

from __future__ import annotations

import pytest
from expr_contexts import make_context

from penstock.expr import ExpressionError, Secret, compile_template

VARIABLES: dict[str, object] = {
    "outputs": {"download": {"uri": "kestra:///x.csv", "rows": 3}, "my-task": {"value": 1}},
    "inputs": {"environment": "prod", "date": None, "payload": '{"a": 1}', "flag": "false", "count": "12"},
    "flow": {"id": "nightly", "namespace": "company.team"},
    "taskrun": {"value": "a"},
    "list": [1, 2, 3],
    "secret": Secret("hunter2"),
}

# Template, kind, the first line, and a part of the advice.
MISTAKES: list[tuple[str, str, str, str]] = [
    ("{{ output.download.uri }}", "undefined", "Unable to find `output` used in the expression `{{ output.download.uri }}` at line 1", "did you mean `outputs`?"),
    ("{{ outputs.donwload.uri }}", "undefined", "Unable to find `donwload` used in the expression `{{ outputs.donwload.uri }}` at line 1", "did you mean `download`? exists here: `download`, `my-task`"),
    ("{{ outputs.download.url }}", "undefined", "Unable to find `url` used in the expression `{{ outputs.download.url }}` at line 1", "did you mean `uri`?"),
    ("{{ outputs.my-task.value }}", "undefined", "Unable to find `my` used in the expression `{{ outputs.my-task.value }}` at line 1", "did you mean `my-task`?"),
    ("{{ inputs.date.year }}", "undefined", "Unable to find `year` used in the expression `{{ inputs.date.year }}` at line 1", "null"),
    ("{{ flow.id.length }}", "undefined", "Unable to find `length` used in the expression `{{ flow.id.length }}` at line 1", "the text `nightly`"),
    ("{{ list[3] }}", "undefined", "Unable to find `3` used in the expression `{{ list[3] }}` at line 1", "a list of 3"),
    ("{{ list[-1] }}", "undefined", "Unable to find `-1` used in the expression `{{ list[-1] }}` at line 1", "a list of 3"),
    ("{{ True }}", "undefined", "Unable to find `True` used in the expression `{{ True }}` at line 1", "exists here"),
    ("{{ Flow.id }}", "undefined", "Unable to find `Flow` used in the expression `{{ Flow.id }}` at line 1", "did you mean `flow`?"),
    ("{{ missing is null }}", "undefined", "Unable to find `missing` used in the expression `{{ missing is null }}` at line 1", "exists here"),
    ("{{ secret.x }}", "undefined", "Unable to find `x` used in the expression `{{ secret.x }}` at line 1", "a secret"),
    ("{{ 'a' if true else 'b' }}", "syntax", 'Unexpected token of value "if" and type NAME, expected token of type PRINT_END ({{ \'a\' if true else \'b\' }}:1)', "write `c ? a : b`"),
    ("{{ 'a' in list }}", "syntax", 'Unexpected token of value "in" and type NAME, expected token of type PRINT_END ({{ \'a\' in list }}:1)', "isIn"),
    ("{% if list %}x{% elif list %}y{% endif %}", "syntax", 'Unexpected tag name "elif" ({% if list %}x{% elif list %}y{% endif %}:1)', "the tag is called `elseif`"),
    ("{{ flow.id", "syntax", "Unexpected end of template, expected token of type PRINT_END ({{ flow.id:1)", "`}}` is missing"),
    ("{% for i in list %}{{ i }}", "syntax", 'Unexpected end of template. Pebble was looking for the "endfor" tag ({% for i in list %}{{ i }}:1)', "add `{% endfor %}`"),
    ("{{ flow.id && true }}", "syntax", "Unexpected character [&] ({{ flow.id && true }}:1)", "write `and`"),
    ("{{ !true }}", "syntax", "Unexpected character [!] ({{ !true }}:1)", "write `not`"),
    ("{{ 'it's' }}", "syntax", "", "quote"),
    ("{{ [1, 2,] }}", "syntax", 'Unexpected token "PUNCTUATION" of value "]" ({{ [1, 2,] }}:1)', "trailing comma"),
    ("{{ ({'a': 1) }}", "syntax", 'Unclosed "}" ({{ ({\'a\': 1) }}:1)', "expected `}`, found `)`"),
    ("{{ | toJson }}", "syntax", 'Unexpected token "OPERATOR" of value "|" ({{ | toJson }}:1)', "a value is missing"),
    ("{% set x %}a{% endset %}", "syntax", 'Unexpected token of value "%}" and type EXECUTE_END, expected token of type PUNCTUATION with value "=" ({% set x %}a{% endset %}:1)', ""),
    ("{% raw %}\n{{ a }}\n{% endraw %}", "syntax", 'Unexpected tag name "raw" ({% raw %}\n{{ a }}\n{% endraw %}:1)', "verbatim"),
    ("{{ flow.id | uper }}", "evaluation", "Filter [uper] does not exist. ({{ flow.id | uper }}:1)", "did you mean `upper`?"),
    ("{{ nows() }}", "evaluation", "Function or Macro [nows] does not exist. ({{ nows() }}:1)", "did you mean `now`?"),
    ("{{ 1 is string }}", "evaluation", "Test [string] does not exist. ({{ 1 is string }}:1)", ""),
    ("{{ list | join(',', 'x') }}", "evaluation", "The argument at position 2 is not allowed. Only 1 argument(s) are allowed. ({{ list | join(',', 'x') }}:1)", "`join` takes (separator)"),
    ("{{ fromJson(text='1') }}", "evaluation", "The following named argument does not exist: text ({{ fromJson(text='1') }}:1)", "`fromJson` takes (json)"),
    ("{{ fromJson(outputs) }}", "evaluation", "The 'fromJson' function expects an argument 'json' with type string. ({{ fromJson(outputs) }}:1)", "leave `fromJson` out"),
    ("{{ fromJson('{a}') }}", "evaluation", "Invalid json: ", "column"),
    ("{{ flow.id | replace('a', 'b') }}", "evaluation", "The argument 'replace_pairs' must be a map. ({{ flow.id | replace('a', 'b') }}:1)", "replace({'old': 'new'})"),
    ("{{ inputs.count > 5 }}", "evaluation", "Could not perform greater than comparison ({{ inputs.count > 5 }}:1)", "the left side is the text `12`, the right side the number 5"),
    ("{{ null + 1 }}", "evaluation", "Could not perform addition (Cannot convert to Number: null) ({{ null + 1 }}:1)", "the left side is null"),
    ("{{ true and null }}", "evaluation", "null value used in and operator and strict variables is set to true ({{ true and null }}:1)", ""),
    ("{% if list %}x{% endif %}", "evaluation", "Wrong operand(s) type in conditional expression ({% if list %}x{% endif %}:1)", "compare it, or write `is empty`"),
    ("{% for i in inputs.payload %}{{ i }}{% endfor %}", "evaluation", 'Not an iterable object. Value = [{"a": 1}] ({% for i in inputs.payload %}{{ i }}{% endfor %}:1)', "a JSON text needs `fromJson`"),
    ("{{ outputs | first }}", "evaluation", "The 'first' filter can only be applied to a list or a text. Actual type was: java.util.LinkedHashMap ({{ outputs | first }}:1)", "`| values | first`"),
    ("{{ '31/12/2024' | date('yyyy') }}", "evaluation", "Text '31/12/2024' could not be parsed at index 0 ({{ '31/12/2024' | date('yyyy') }}:1)", "existingFormat"),
    ("{{ '2024-01-01' | date('YYYY-mm-DD T') }}", "evaluation", "Unknown pattern letter: T ({{ '2024-01-01' | date('YYYY-mm-DD T') }}:1)", "text goes in quotes"),
    ("{{ '2024-01-01' | dateAdd(1, 'days') }}", "evaluation", "No enum constant java.time.temporal.ChronoUnit.days ({{ '2024-01-01' | dateAdd(1, 'days') }}:1)", "DAYS"),
    ("{{ secret('KEY') }}", "evaluation", "The 'secret' function needs the server and can not be evaluated here. ({{ secret('KEY') }}:1)", ""),
    ("{{ flow.id.getClass() }}", "evaluation", "The method `getClass` with 0 argument(s) can not be called on java.lang.String ({{ flow.id.getClass() }}:1)", "use a filter"),
]  # fmt: skip


def test_there_are_forty() -> None:
    assert len({template for template, *_ in MISTAKES}) >= 40


@pytest.mark.parametrize(("template", "kind", "headline", "advice"), MISTAKES, ids=[mistake[0] for mistake in MISTAKES])
def test_mistake(template: str, kind: str, headline: str, advice: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_template(template).render(make_context(VARIABLES))
    error = caught.value
    text = str(error)
    assert error.kind == kind
    assert text.startswith(headline)
    assert advice in text
    assert "^" in text
    assert error.line is not None
    assert "hunter2" not in text


def test_line_and_caret_point_at_the_place() -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_template("first\r\nsecond {{ flow.nope }}\nthird").render(make_context(VARIABLES))
    error = caught.value
    assert (error.line, error.column) == (2, 16)
    assert "   2 | second {{ flow.nope }}\n" + " " * (7 + 15) + "^" in str(error)


def test_place_in_a_flow() -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_template("{{ nope }}").render(make_context())
    error = caught.value.within(flow="company.team.nightly", task="extract", property="uri")
    assert "in flow `company.team.nightly`, task `extract`, property `uri`" in str(error)


def test_long_values_and_names_are_cut() -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_template("{{ a > 1 }}").render(make_context({"a": "x" * 100_000}))
    assert len(str(caught.value)) < 1000


def test_the_caret_of_a_long_line_is_near() -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_template("x" * 500 + "{{ nope }}" + "y" * 500).render(make_context())
    line, caret = str(caught.value).splitlines()[1:3]
    assert line[caret.index("^") :].startswith("nope")
    assert len(line) < 160
