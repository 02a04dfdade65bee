"""Glob patterns as Java's."""

from __future__ import annotations

import pytest

from penstock.errors import BadRequest
from penstock.plugin.globs import matches


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("2.txt", "**.txt"),
        ("a/b/1.txt", "**.txt"),
        ("b.csv", "**/*.csv"),
        ("a/b.csv", "**/*.csv"),
        ("/out/x", "out/*"),
        ("x.gz", "x.{tar,gz}"),
        ("a1", "a[0-9]"),
        ("ab", "a[!0-9]"),
        ("a,b", "a,b"),
        ("a+b", "a+b"),
        ("a*b", "a\\*b"),
    ],
)
def test_matches(name: str, pattern: str) -> None:
    assert matches(name, pattern)


@pytest.mark.parametrize(
    ("name", "pattern"), [("a/b", "*"), ("a1", "a[!0-9]"), ("axb", "a\\*b"), ("abc", "a?"), ("x.zip", "x.{tar,gz}")]
)
def test_does_not_match(name: str, pattern: str) -> None:
    assert not matches(name, pattern)


def test_refuses_an_open_brace() -> None:
    with pytest.raises(BadRequest, match="not closed"):
        matches("a", "{a,b")
