from __future__ import annotations

import pytest

from penstock.expr import nodes
from penstock.expr.errors import TemplateSyntaxError
from penstock.expr.parser import MAX_DEPTH
from penstock.expr.tags import parse


def shape(node: object) -> str:
    """A tree as text with all its brackets."""
    match node:
        case nodes.Literal(value):
            return repr(value)
        case nodes.Name(name):
            return name
        case nodes.Attribute(owner, key):
            return f"{shape(owner)}[{shape(key)}]"
        case nodes.Filter(operand, name, arguments):
            return f"({shape(operand)}|{name}{[shape(a) for a in arguments.positional] or ''})"
        case nodes.Test(operand, name, negated):
            return f"({shape(operand)} is {'not ' if negated else ''}{name})"
        case nodes.Unary(operator, operand):
            return f"({operator} {shape(operand)})"
        case nodes.Binary(operator, left, right):
            return f"({shape(left)} {operator} {shape(right)})"
        case nodes.Concat(parts):
            return f"({' ~ '.join(map(shape, parts))})"
        case nodes.Ternary(condition, yes, no):
            return f"({shape(condition)} ? {shape(yes)} : {shape(no)})"
        case nodes.Call(name, arguments):
            named = [f"{key}={shape(value)}" for key, value in arguments.named]
            return f"{name}({', '.join([*map(shape, arguments.positional), *named])})"
        case _:
            return type(node).__name__


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a ?? b | upper", "(a ?? (b|upper))"),
        ("a ?? 0 > 0", "((a ?? 0) > 0)"),
        ("a ?? true and false", "((a ?? True) and False)"),
        ("1 + 2 * 3 - 4", "((1 + (2 * 3)) - 4)"),
        ("1 + '2' | length", "(1 + ('2'|length))"),
        ("a ~ b | upper", "((a ~ b)|upper)"),
        ("1..2 ~ 3", "((1 .. 2) ~ 3)"),
        ("-7 | abs", "((- 7)|abs)"),
        ("not a == b", "((not a) == b)"),
        ("not x is empty", "((not x) is empty)"),
        ("1 + 1 is not even", "((1 + 1) is not even)"),
        ("3 == 3 is null", "((3 == 3) is null)"),
        ("a or b and c", "(a or (b and c))"),
        ("a ? b : c ? d : e", "(a ? b : (c ? d : e))"),
        ("a equals b", "(a == b)"),
        ("a.b['c'][0]", "a['b']['c'][0]"),
        ("f(1, x=2).y", "f(1, x=2)['y']"),
        ("outputs.my-task.x", "(outputs['my'] - task['x'])"),
        ("a contains b isIn c", "(a contains (b isIn c))"),
        ("TRUE ? NONE : none", "(True ? None : None)"),
        ("a.contains", "a['contains']"),
    ],
)
def test_precedence(text: str, expected: str) -> None:
    (part,) = parse("{{ " + text + " }}").body
    assert isinstance(part, nodes.Print)
    assert shape(part.value) == expected


@pytest.mark.parametrize(
    "text",
    ["l.0", "[1,]", "{'a': 1,}", "{'a': 1}['a']", "[1][0]", "a b", "a if b else c", "f(x=1, 2)", "2 ** 3", "7 // 2", "a ?", "", "a.b.", "(a", "1e3", "0x1F", "a in b", "x[1:2]", "f()()"],
)  # fmt: skip
def test_what_is_no_expression(text: str) -> None:
    with pytest.raises(TemplateSyntaxError):
        parse("{{ " + text + " }}")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{% if a %}x", 'looking for the "endif" tag'),
        ("{% for a in b %}x", 'looking for the "endfor" tag'),
        ("{% if a %}{% elif b %}{% endif %}", 'Unexpected tag name "elif"'),
        ("{% include 'x' %}", 'Unexpected tag name "include"'),
        ("{% raw %}\n{% endraw %}", 'Unexpected tag name "raw"'),
        ("{% set true = 1 %}", "Can not assign a value to true"),
        ("{% set x %}a{% endset %}", "expected token of type PUNCTUATION"),
        ("{% for k, v in m %}{% endfor %}", "expected token of type NAME"),
        ("{% for x in l if x %}{% endfor %}", "expected token of type EXECUTE_END"),
        ("{% endif %}", 'Unexpected tag name "endif"'),
        ("{% macro a() %}{% endmacro %}{% macro a() %}{% endmacro %}", "can not share the same name"),
        ("{{ 99999999999999999999 }}", "too large"),
    ],
)
def test_wrong_tags(source: str, message: str) -> None:
    with pytest.raises(TemplateSyntaxError, match=message.replace("(", r"\(")):
        parse(source)


def test_nesting_is_bounded() -> None:
    for source in (
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{{ " + "[" * 5000 + "]" * 5000 + " }}",
        "{{ " + "-" * 5000 + "1 }}",
        "{{ a" + ".b" * 5000 + " }}",
        "{{ 1" + " + 1" * 5000 + " }}",
        "{{ a" + " | upper" * 5000 + " }}",
        "{% if a %}" * 5000 + "{% endif %}" * 5000,
        "{{ a ? " * 5000 + "}}",
    ):
        with pytest.raises(TemplateSyntaxError):
            parse(source)


def test_long_concatenations_are_flat() -> None:
    tree = parse("{{ a" + " ~ 'b'" * (MAX_DEPTH * 10) + " }}")
    (part,) = tree.body
    assert isinstance(part, nodes.Print)
    assert isinstance(part.value, nodes.Concat)
    assert len(part.value.parts) == MAX_DEPTH * 10 + 1
