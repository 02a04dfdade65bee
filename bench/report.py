"""What a row of the table holds, and how the table is printed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class Row:
    """One figure beside its budget and its floor.

    budget: the most it may be (`at_least`: the least). floor: what the same work costs without Penstock, in the same
    unit and from the same run. parts: further figures of the same measurement.
    """

    name: str
    figure: float
    unit: str
    budget: float | None = None
    at_least: bool = False
    floor: float | None = None
    parts: dict[str, float] = field(default_factory=dict)

    @property
    def kept(self) -> bool | None:
        """Whether the budget is kept; None without one."""
        if self.budget is None:
            return None
        return self.figure >= self.budget if self.at_least else self.figure <= self.budget

    @property
    def to_floor(self) -> float | None:
        """How many times its floor it costs."""
        if not self.floor:
            return None
        return self.floor / self.figure if self.at_least else self.figure / self.floor


def number(value: float) -> str:
    """Three significant digits, no exponent."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 0.001 else f"{value:.4f}"


def line(row: Row) -> str:
    """A row as text."""
    sign = "≥" if row.at_least else "≤"
    budget = f"{sign} {number(row.budget)}" if row.budget is not None else ""
    floor = f"{number(row.floor)} (×{row.to_floor:.1f})" if row.floor and row.to_floor else ""
    mark = {True: "kept", False: "MISSED", None: ""}[row.kept]
    parts = "  ".join(f"{name} {number(value)}" for name, value in row.parts.items())
    return f"{row.name:44} {number(row.figure):>9} {row.unit:8} {budget:>9} {mark:7} {floor:>18}  {parts}".rstrip()


HEADER = f"{'row':44} {'figure':>9} {'unit':8} {'budget':>9} {'':7} {'floor':>18}"


def markdown(rows: Sequence[Row]) -> str:
    """The table for the documents."""
    lines = ["| what | measured | budget | floor, same run |", "|---|---|---|---|"]
    for row in rows:
        sign = "≥" if row.at_least else "≤"
        budget = f"{sign} {number(row.budget)} {row.unit}" if row.budget is not None else ""
        budget += " **missed**" if row.kept is False else ""
        floor = f"{number(row.floor)} {row.unit}" if row.floor else ""
        lines.append(f"| {row.name} | {number(row.figure)} {row.unit} | {budget} | {floor} |")
    return "\n".join(lines)


def as_json(rows: Sequence[Row]) -> str:
    """Every figure, for machines."""
    return json.dumps([{**asdict(row), "kept": row.kept} for row in rows], indent=2)
