"""SQL texts cut into statements, and named parameters."""

from __future__ import annotations

import pytest

from penstock.plugins.jdbc.statements import bind, split_statements


def dollar(name: str) -> str:
    return f"${name}"


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT 1", ["SELECT 1"]),
        ("SELECT 1;", ["SELECT 1"]),
        (" ; ;\n", []),
        ("-- nothing\n/* here; */;", []),
        ("SELECT ';', 'it''s; fine'; SELECT 2", ["SELECT ';', 'it''s; fine'", "SELECT 2"]),
        ('SELECT "x;y"; SELECT `a;b`', ['SELECT "x;y"', "SELECT `a;b`"]),
        ("SELECT 1 -- a; b\n; SELECT 2", ["SELECT 1 -- a; b", "SELECT 2"]),
        ("/* ; */ SELECT 1; SELECT 2", ["/* ; */ SELECT 1", "SELECT 2"]),
        ("DO $$ a; b $$; SELECT 2", ["DO $$ a; b $$", "SELECT 2"]),
        ("DO $x$ a; $$ b; $x$; SELECT 2", ["DO $x$ a; $$ b; $x$", "SELECT 2"]),
        ("SELECT 'never ended; SELECT 2", ["SELECT 'never ended; SELECT 2"]),
        ("SELECT price$a; SELECT b$c", ["SELECT price$a", "SELECT b$c"]),
    ],
)
def test_statements_end_at_semicolons_outside_of_texts_and_comments(sql: str, expected: list[str]) -> None:
    assert split_statements(sql) == expected


def test_known_names_are_bound_and_only_those_used_are_handed_over() -> None:
    given = {"a": 1, "ab": 2, "unused": 3}
    assert bind("SELECT :a, :ab, :a + 1", given, dollar) == ("SELECT $a, $ab, $a + 1", {"a": 1, "ab": 2})


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT ':a'",
        "SELECT x::a",
        "SELECT 1 -- :a",
        "SELECT /* :a */ 1",
        "SELECT :other",
        'SELECT ":a"',
        "SELECT :a_b",
    ],
)
def test_what_only_looks_like_a_parameter_stays(sql: str) -> None:
    assert bind(sql, {"a": 1}, dollar) == (sql, {})


def test_the_rest_of_the_text_can_be_escaped_for_the_driver() -> None:
    bound, used = bind("SELECT '10%' LIKE :p", {"p": "1%"}, lambda n: f"%({n})s", escape=lambda t: t.replace("%", "%%"))
    assert (bound, used) == ("SELECT '10%%' LIKE %(p)s", {"p": "1%"})
