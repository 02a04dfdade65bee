from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import PurePosixPath
from uuid import UUID

import pytest
from expr_contexts import make_context

from penstock.expr import (
    EvaluationError,
    ExpressionError,
    LazyValue,
    TemplateSyntaxError,
    compile_template,
    render_value,
    truthy,
)

Render = Callable[..., str]


class Rows(Mapping[str, object]):
    """A lazy mapping that notes what is asked of it."""

    def __init__(self, rows: Mapping[str, object]) -> None:
        self.rows = rows
        self.asked: list[str] = []

    def __getitem__(self, key: str) -> object:
        self.asked.append(key)
        return self.rows[key]

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("nobody may walk through all rows")

    def __len__(self) -> int:
        raise AssertionError("nobody may count the rows")

    def known_names(self) -> list[str]:
        return list(self.rows)


class Stored:
    """A value in storage that notes whether it was fetched."""

    def __init__(self, value: object) -> None:
        self.value = value
        self.loads = 0

    def load(self) -> object:
        self.loads += 1
        return self.value


class StoredList(Stored):
    def __init__(self, value: list[object]) -> None:
        super().__init__(value)
        self.given = 0

    def __iter__(self) -> Iterator[object]:
        assert isinstance(self.value, list)
        for item in self.value:
            self.given += 1
            yield item


def test_plain_text_is_given_back_as_it_is() -> None:
    text = "plain { text } }}"
    template = compile_template(text)
    assert template.is_plain
    assert template.render(make_context()) is text
    assert template.evaluate(make_context()) is text


def test_compiled_templates_are_kept() -> None:
    assert compile_template("{{ a }}{# kept #}") is compile_template("{{ a }}{# kept #}")


def test_a_lazy_mapping_is_asked_only_for_what_is_named() -> None:
    rows = Rows({"extract": {"uri": "u"}, "other": {}})
    assert compile_template("{{ outputs.extract.uri }}").render(make_context({"outputs": rows})) == "u"
    assert compile_template("{{ outputs['extract'].uri ?? 1 }}").render(make_context({"outputs": rows})) == "u"
    assert set(rows.asked) == {"extract"}


def test_a_missing_row_is_undefined_and_its_names_come_from_the_mapping() -> None:
    context = make_context({"outputs": Rows({"extract": {}})})
    assert compile_template("{{ outputs.extrakt.uri ?? 'none' }}").render(context) == "none"
    with pytest.raises(ExpressionError, match="did you mean `extract`"):
        compile_template("{{ outputs.extrakt.uri }}").render(context)


def test_a_stored_value_is_fetched_only_when_touched() -> None:
    touched, untouched = Stored({"a": 1}), Stored("never")
    assert isinstance(touched, LazyValue)
    context = make_context({"outputs": {"t": {"big": touched, "other": untouched}}})
    assert compile_template("{{ outputs.t.big.a }}{{ outputs.t.big is defined }}").render(context) == "1true"
    assert touched.loads > 0
    assert untouched.loads == 0
    assert compile_template("{{ outputs.t }}").render(context) == '{"big":{"a":1},"other":"never"}'


def test_typed_results_hold_no_lazy_values() -> None:
    context = make_context({"outputs": {"t": {"big": Stored([1, Stored(2)])}}})
    assert compile_template("{{ outputs.t }}").evaluate(context) == {"big": [1, 2]}
    assert compile_template("{{ outputs.t.big }}").evaluate(context) == [1, 2]


def test_a_stored_list_is_streamed() -> None:
    stored = StoredList(list(range(1000)))
    context = make_context({"rows": stored, "t": {"rows": stored}})
    text = compile_template("{% for row in rows %}{{ row }},{% endfor %}").render(context)
    assert text.startswith("0,1,2,")
    assert (stored.loads, stored.given) == (0, 1000)
    compile_template("{% for row in t.rows %}{{ loop.length }}{% endfor %}").render(context)
    assert stored.loads == 1


def test_streaming_stops_when_the_loop_fails() -> None:
    stored = StoredList([{"a": 1}, {}, {"a": 2}])
    with pytest.raises(ExpressionError):
        compile_template("{% for row in rows %}{{ row.a }}{% endfor %}").render(make_context({"rows": stored}))
    assert stored.given == 2


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ m }}", {"a": [1, None]}),
        ("{{ m }} ", {"a": [1, None]}),
        ("{{ 1 }}", 1),
        ("{{ 1 }}{{ 2 }}", "12"),
        ("{{ 1.5 }}", 1.5),
        ("{{ null }}", None),
        ("{{ true }}", True),
        ("a{{ 1 }}", "a1"),
        ("{% if true %}{{ m }}{% else %}x{% endif %}", {"a": [1, None]}),
        ("{% if false %}{{ m }}{% endif %}", ""),
        ("{% set x = 2 %}{{ x + 1 }}", 3),
        ("[{% for i in 1..3 %}{{ i }}{% if not loop.last %},{% endif %}{% endfor %}]", [1, 2, 3]),
        ("[{{ 1 }}", "[1"),
        ("plain", "plain"),
    ],
)
def test_typed(text: str, value: object) -> None:
    found = compile_template(text).evaluate(make_context({"m": {"a": [1, None]}}))
    assert found == value
    assert type(found) is type(value)


def test_render_value_renders_keys_and_leaves() -> None:
    context = make_context({"a": 1, "l": [1]})
    value = {"k{{ a }}": ["{{ a }}", 2, None, True, {"x": "{{ l }}"}], "k1": "second", "plain": "p"}
    assert render_value(value, context) == {"k1": ["1", 2, None, True, {"x": "[1]"}], "plain": "p"}
    assert render_value(["{{ l }}", "{{ a }}x"], context, typed=True) == [[1], "1x"]
    assert render_value(("{{ a }}",), context) == ["1"]


@pytest.mark.parametrize("text", ["", " ", "0", "-0", "false", " false\n", None, False])
def test_false(text: object) -> None:
    assert not truthy(text)


@pytest.mark.parametrize("text", ["False", "no", "null", "1", "0.0", "true", "00", True])
def test_true(text: object) -> None:
    assert truthy(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e7, "1.0E7"),
        (9999999.0, "9999999.0"),
        (0.001, "0.001"),
        (0.0001, "1.0E-4"),
        (-0.0, "-0.0"),
        (1e21, "1.0E21"),
        (123456789012.5, "1.234567890125E11"),
        (float("inf"), "Infinity"),
        (float("nan"), "NaN"),
        (Decimal("1.10"), "1.10"),
        (10**30, "1" + "0" * 30),
        (timedelta(seconds=5), "PT5S"),
        (timedelta(hours=25, minutes=1, milliseconds=500), "PT25H1M0.5S"),
        (timedelta(0), "PT0S"),
        (-timedelta(seconds=1), "PT-1S"),
        (date(2024, 1, 2), "2024-01-02"),
        (datetime(2024, 1, 2, 3, 4), "2024-01-02T03:04"),  # noqa: DTZ001
        (datetime(2024, 1, 2, 3, 4, 5, 120000, tzinfo=UTC), "2024-01-02T03:04:05.120Z"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (PurePosixPath("/a/b"), "/a/b"),
        ((1, 2), "[1,2]"),
        ({"a": None, "b": {"c": 1.0}}, '{"b":{"c":1.0}}'),
        ([1e-7, "\u0001\u00e9\n"], '[1.0E-7,"\\u0001é\\n"]'),
        (["\u001f"], '["\\u001F"]'),
        ({1: 2, "a": 3}, '{"1":2,"a":3}'),
    ],
)
def test_printed(render: Render, value: object, text: str) -> None:
    assert render("{{ v }}", v=value) == text


def test_what_is_no_value_is_refused(render: Render) -> None:
    with pytest.raises(EvaluationError, match="type object can not be used"):
        render("{{ v }}", v=object())


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ 'x' ~ [1, 'a', null, 1.0, {'k': true}] }}", "x[1, a, null, 1.0, {k=true}]"),
        ("{{ [1] ~ {} }}", "[1]{}"),
        ("{{ null + 'a' }}", "nulla"),
        ("{{ [1, 2] - 2 }}{{ [1, 2, 1] - 1 }}", "[1][2,1]"),
        ("{{ -7 / 2 }} {{ 7 / -2 }} {{ 7 % -3 }} {{ -7.5 % 2 }}", "-3 -3 1 -1.5"),
        ("{{ 1.0 / 0 }} {{ -1 / 0.0 }} {{ 0.0 / 0 }}", "Infinity -Infinity NaN"),
        ("{{ '1.5' * 2 }} {{ '3' - 1 }} {{ -'4' }}", "3.0 2 -4"),
        (
            "{{ 1 == true }} {{ 'a' != 'b' }} {{ [1, [2]] == [1, [2]] }} {{ {'a': 1} == {'a': 1} }}",
            "false true true true",
        ),
        ("{{ null > 1 }} {{ 1 <= null }} {{ 'a' < 'b' }}", "false false true"),
        ("{{ ['a', 'b'] contains ['a'] }} {{ null contains 1 }} {{ 'abc' contains 'bc' }}", "true false true"),
        (
            "{{ 1 isIn ['1'] }} {{ 'b' isIn {'a': 'b'} }} {{ 1 isIn null }} {{ 'a' isIn 'abc' }}",
            "true true false false",
        ),
        ("{{ 'a'..'d' }} {{ 3..1 }} {{ range(5, 1, -2) }}", '["a","b","c","d"] [] [5,3,1]'),
        ("{{ null ? 1 : 2 }}{{ 0 ? 1 : 2 }}{{ '' ? 1 : 2 }}{{ 'false' ? 1 : 2 }}", "2221"),
        ("{{ ('' or 'b') ~ (1 and 'x') ~ (not 0) }}", "truetruetrue"),
        ('{{ "#{1 + 1}" + 1 }}', "3"),
        ("{{ list.size }} {{ list.empty }} {{ {'size': 9}.size ?? 1 }}", None),
        ("{% for e in {'a': 1} %}{{ e.key }}{{ e.value }}{{ e }}{% endfor %}", "a1a=1"),
    ],
)
def test_operators(render: Render, template: str, text: str | None) -> None:
    if text is None:
        with pytest.raises(TemplateSyntaxError):
            render(template, list=[])
        return
    assert render(template) == text


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{% for i in [1, 2] %}{{ x is defined }}{% set x = i %}{% endfor %}{{ x is defined }}", "falsetruefalse"),
        ("{% set x = 1 %}{% for i in [1] %}{% set x = 2 %}{% endfor %}{{ x }}", "2"),
        ("{% for a in [9] %}{% set a = a + 1 %}{{ a }}{% endfor %}{{ a }}", "10ctx"),
        ("{% set a = 'new' %}{{ a }}", "new"),
        ("{% for i in 1..2 %}{% set a = i %}{% endfor %}{{ a }}", "2"),
        (
            "{% for i in 1..2 %}{% for j in 1..2 %}{{ loop.revindex }}{% endfor %}{{ loop.last }}{% endfor %}",
            "10false10true",
        ),
        ("{% for x in n %}a{% else %}b{% endfor %}{% for x in [] %}a{% else %}b{% endfor %}", "b"),
        ("{% macro m(x, y='d') %}{{ x }}{{ y }}{{ a ?? 'no' }}{% endmacro %}{{ m(1) }}{{ m(y=2) }}", "1dno2no"),
        ("{% macro m(x) %}{{ x > 0 ? m(x - 1) : '.' }}{% endmacro %}{{ m(3) }}", "."),
        ("{% block b %}[{{ a }}]{% endblock b %}{{ block('b') }}", "[ctx][ctx]"),
        ("{% filter upper | replace({'X': 'y'}) %}a{{ 'x' }}{% endfilter %}", "Ay"),
        ("{% if 0 %}a{% elseif '' %}b{% elseif 'x' %}c{% else %}d{% endif %}", "c"),
        ("{{ _context.a }} {{ fetchContext().a }}{% set z = 1 %}{{ _context.z }}", "ctx ctx1"),
        ("{% verbatim %}{{ a }}{% if %}{% endverbatim %}{% raw %}{% x %}{% endraw %}", "{{ a }}{% if %}{% x %}"),
        ("\r\n{{ a }}\r\n{% if true %}\n{% endif %}\n", "\r\nctx\r\n\n\n"),
    ],
)
def test_tags(render: Render, template: str, text: str) -> None:
    assert render(template, a="ctx", n=None) == text


def test_recursive_rendering_keeps_raw_blocks() -> None:
    context = make_context({"a": "{{ b }}", "b": "{{ c }}", "c": "end"}, recursive=True)
    assert compile_template("{{ a }} {% raw %}{{ a }}{% endraw %}").render(context) == "end {{ a }}"


def test_recursive_rendering_keeps_types() -> None:
    context = make_context({"a": "{{ b }}", "b": "end", "m": {"x": "{{ a }}"}}, recursive=True)
    assert compile_template("{{ m }}").evaluate(context) == {"x": "{{ a }}"}
    assert compile_template("{{ a }}").evaluate(context) == "end"


@pytest.mark.parametrize(
    ("template", "text"),
    [
        (
            "{{ s.length() }}{{ s.toUpperCase() }}{{ s.contains('b') }}{{ s.substring(1) }}{{ s.replace('a', 'x') }}",
            "3ABCtruebcxbc",
        ),
        ("{{ l.size() }}{{ l.get(1) }}{{ l.isEmpty() }}{{ l.contains(1) }}", "22falsetrue"),
        ("{{ m.size() }}{{ m.keySet() }}{{ m.values() }}{{ m.get('a') }}{{ m.containsKey('z') }}", '1["a"][null]false'),
    ],
)
def test_the_methods_that_are_known(render: Render, template: str, text: str) -> None:
    assert render(template, s="abc", l=[1, 2], m={"a": None}) == text


def test_errors_keep_their_cause_and_place() -> None:
    with pytest.raises(EvaluationError) as caught:
        compile_template("a\n{{ render(v) }}").render(make_context({"v": "{{ x }}"}))
    assert caught.value.message == "Unable to find `x` used in the expression `{{ x }}` at line 1"
    assert caught.value.line == 2
    assert isinstance(caught.value.__cause__, ExpressionError)


def test_a_template_can_be_used_again_after_it_failed() -> None:
    template = compile_template("{% for i in l %}{{ i.a }}{% endfor %}")
    with pytest.raises(ExpressionError):
        template.render(make_context({"l": [{}]}))
    assert template.render(make_context({"l": [{"a": 1}]})) == "1"
