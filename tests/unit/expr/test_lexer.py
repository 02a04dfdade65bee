from __future__ import annotations

import pytest

from penstock.expr.errors import TemplateSyntaxError
from penstock.expr.lexer import tokenize


def kinds(source: str) -> list[tuple[str, str]]:
    return [(token.kind.name, token.value) for token in tokenize(source)][:-1]


def test_text_and_print() -> None:
    assert kinds("a {{ b.c }} d") == [
        ("TEXT", "a "),
        ("PRINT_START", "{{"),
        ("NAME", "b"),
        ("PUNCTUATION", "."),
        ("NAME", "c"),
        ("PRINT_END", "}}"),
        ("TEXT", " d"),
    ]


def test_offsets_are_exact() -> None:
    assert [token.offset for token in tokenize("ab{{ cd + 'e' }}")] == [0, 2, 5, 8, 10, 14, 16]


def test_numbers_and_ranges() -> None:
    assert kinds("{{ 1..4 2.5 10L }}")[1:-1] == [
        ("NUMBER", "1"),
        ("OPERATOR", ".."),
        ("NUMBER", "4"),
        ("NUMBER", "2.5"),
        ("LONG", "10"),
    ]


def test_word_operators_need_a_boundary() -> None:
    assert kinds("{{ order is  not island }}")[1:-1] == [("NAME", "order"), ("OPERATOR", "is not"), ("NAME", "island")]


@pytest.mark.parametrize(
    ("text", "value"),
    [(r"'it\'s'", "it's"), (r'"a\"b"', 'a"b'), (r"'a\nb'", r"a\nb"), (r"'\\'", r"\\"), ("'a\nb'", "a\nb"), ("''", "")],
)
def test_only_the_own_quote_is_escaped(text: str, value: str) -> None:
    assert kinds("{{ " + text + " }}")[1] == ("STRING", value)


def test_interpolation_in_double_quotes_only() -> None:
    assert [kind for kind, _ in kinds('{{ "a #{b} #c" }}')][1:-1] == [
        "STRING",
        "STRING_INTERPOLATION_START",
        "NAME",
        "STRING_INTERPOLATION_END",
        "STRING",
    ]
    assert kinds("{{ 'a #{b}' }}")[1] == ("STRING", "a #{b}")


def test_closing_braces_inside_brackets_and_strings() -> None:
    assert kinds("{{ {'a': {'b': '}}'}} }}")[-1] == ("PRINT_END", "}}")


@pytest.mark.parametrize(
    ("source", "texts"),
    [
        ("a  {{- b -}}  c", ["a", "c"]),
        ("a {{-7}} c", ["a ", " c"]),
        ("a {#- x -#} c", ["a", "c"]),
        ("a {%- if b -%} c", ["a", "c"]),
        ("{x} } { {{ a }}", ["{x} } { "]),
    ],
)
def test_white_space_control(source: str, texts: list[str]) -> None:
    assert [value for kind, value in kinds(source) if kind == "TEXT"] == texts


def test_raw_and_verbatim() -> None:
    assert kinds("{% raw %}{{ a }}{% endraw %}") == [("RAW", "{{ a }}")]
    assert kinds("x {%- raw -%} {{ a }} {%- endraw -%} y") == [("TEXT", "x "), ("RAW", " {{ a }} "), ("TEXT", " y")]
    assert kinds("{% verbatim %}\n{{ a }}\n{% endverbatim %}") == [("RAW", "{{ a }}\n")]


@pytest.mark.parametrize(
    ("source", "message", "offset"),
    [
        ("a {# b", "Unclosed comment.", 2),
        ("{% verbatim %}x", "Unclosed verbatim tag.", 0),
        ("{{ a", "Unexpected end of template", 0),
        ("{{ (a }}", 'Unclosed ")"', 6),
        ("{{ a) }}", 'Unexpected ")"', 4),
        ("{{ (a] }}", 'Unclosed ")"', 5),
        ("{{ 'a }}", "Unexpected character [']", 3),
        ('{{ "a }}', 'Unclosed """', 3),
        ("{{ a & b }}", "Unexpected character [&]", 5),
    ],
)
def test_errors_know_their_place(source: str, message: str, offset: int) -> None:
    with pytest.raises(TemplateSyntaxError) as caught:
        tokenize(source)
    assert caught.value.message.startswith(message)
    assert caught.value.position is not None
    assert caught.value.position.offset == offset
