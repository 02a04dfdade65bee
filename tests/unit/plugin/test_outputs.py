"""What a task returns, as a plain map."""

from __future__ import annotations

from pathlib import Path

import msgspec
from pydantic import BaseModel

from penstock.model.authored import Authored
from penstock.model.state import State
from penstock.plugin import Output, outputs_map


class Inner(msgspec.Struct, rename="camel"):
    row_count: int
    note: str | None = None


class Counted(Output):
    file_name: str
    inner: Inner
    missing: str | None = None
    states: list[State] = []


class Written(Authored):
    some_value: int
    other: int | None = None


class Plain(BaseModel):
    a: int


def test_structs_become_camel_case_without_nulls() -> None:
    made = outputs_map(Counted(file_name="a", inner=Inner(row_count=2), states=[State.FAILED]))
    assert made == {"fileName": "a", "inner": {"rowCount": 2}, "states": ["FAILED"]}
    assert type(made["states"][0]) is str  # pyright: ignore[reportIndexIssue]


def test_records_and_mappings() -> None:
    assert outputs_map(Written(some_value=1)) == {"someValue": 1}
    assert outputs_map(Plain(a=1)) == {"a": 1}
    assert outputs_map({"path": Path("/x"), "items": (1, {2})}) == {"path": "/x", "items": [1, [2]]}
    assert outputs_map(None) is None
