"""Rendered values made into property types."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import BaseModel

from penstock.errors import TaskFailed
from penstock.model.task import LogLevel
from penstock.plugin.convert import convert, text_of


class Point(BaseModel):
    x: int


@pytest.mark.parametrize(
    ("value", "as_type", "expected"),
    [
        (None, int, None),
        ("7", int, 7),
        (7.0, int, 7),
        ("1.5", float, 1.5),
        (" TRUE ", bool, True),
        (False, bool, False),
        ("PT1M", timedelta, timedelta(minutes=1)),
        ("2026-01-02T03:04:05Z", datetime, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("warn", LogLevel, LogLevel.WARN),
        ("/a/b", Path, Path("/a/b")),
        ({"x": "3"}, Point, Point(x=3)),
        ("[1, 2]", list[int], [1, 2]),
        (["1", 2], list[str], ["1", "2"]),
        ("", list[str], []),
        ("", dict[str, str], {}),
        ('{"a": {"b": 1}}', dict[str, str], {"a": '{"b":1}'}),
        ({"a": True}, dict[str, object], {"a": True}),
        ([1, None], str, "[1,null]"),
        (timedelta(seconds=90), str, "PT1M30S"),
    ],
)
def test_reads_values_as_kestra_reads_properties(value: object, as_type: object, expected: object) -> None:
    assert convert(value, as_type) == expected


@pytest.mark.parametrize(
    ("value", "as_type"),
    [
        ("x", int),
        (1.5, int),
        ("yes", bool),
        ("1 minute", timedelta),
        ("LOUD", LogLevel),
        ("{", list[str]),
        ("[]", dict[str, str]),
        ("yesterday", datetime),
    ],
)
def test_says_what_was_expected_and_found(value: object, as_type: object) -> None:
    with pytest.raises(TaskFailed, match=r"expected .*, found `"):
        convert(value, as_type)


def test_prints_nested_moments_inside_json() -> None:
    assert text_of({"at": datetime(2026, 1, 2, tzinfo=UTC), "n": None}) == '{"at":"2026-01-02T00:00:00+00:00","n":null}'
