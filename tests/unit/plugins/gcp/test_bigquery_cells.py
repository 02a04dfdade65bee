"""Cells of the types that the stand-in's database does not have."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from types import SimpleNamespace

import pytest

from penstock.plugins.gcp.cells import plain_rows


@dataclass(frozen=True)
class Column:
    field_type: str
    mode: str | None = "NULLABLE"
    name: str = "c"
    fields: tuple[Column, ...] = ()


SPAN = SimpleNamespace(years=1, months=2, days=3, hours=4, minutes=5, seconds=6)


@pytest.mark.parametrize(
    ("column", "cell", "expected"),
    [
        (Column("GEOGRAPHY"), "POINT(1.5 -2)", [1.5, -2.0]),
        (Column("GEOGRAPHY"), "LINESTRING(1 1, 2 1)", "LINESTRING(1 1, 2 1)"),
        (Column("GEOGRAPHY", "REPEATED"), ["POINT(1 2)"], [[1.0, 2.0]]),
        (Column("BIGNUMERIC"), Decimal("1.5"), Decimal("1.5")),
        (Column("NUMERIC"), Decimal("1.5"), 1.5),
        (Column("INTERVAL"), SPAN, "1-2 3 4:5:6"),
        (Column("NUMERIC"), None, None),
        (Column("RECORD", "REPEATED", fields=(Column("NUMERIC", name="n"),)), [{"n": Decimal(2)}], [{"n": 2.0}]),
        (Column("STRING"), "NULL", "NULL"),
    ],
)
def test_cells(column: Column, cell: object, expected: object) -> None:
    (row,) = plain_rows([(cell,)], [column])
    assert row == {"c": expected}
    assert type(row["c"]) is type(expected)
