"""FilterItems and DeduplicateItems: choose rows of an Ion file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum

from pydantic import Field

from penstock.errors import PenstockError
from penstock.model.authored import Dynamic
from penstock.plugin import RunContext, RunnableTask, TaskFailed
from penstock.plugin.rows import read_ion, write_ion


class FilterType(StrEnum):
    """Whether rows that satisfy the condition stay or go."""

    INCLUDE = "INCLUDE"
    EXCLUDE = "EXCLUDE"


class OnError(StrEnum):
    """What happens to a row whose condition fails or is null."""

    FAIL = "FAIL"
    INCLUDE = "INCLUDE"
    EXCLUDE = "EXCLUDE"


class FilterItems(RunnableTask):
    """Keeps the rows of an Ion file for which `filterCondition` is true; it sees the row's fields as variables."""

    TYPE = "io.kestra.plugin.core.storage.FilterItems"
    ALIASES = ("io.kestra.core.tasks.storages.FilterItems",)

    source: str = Field(alias="from")
    filter_condition: str
    filter_type: Dynamic[FilterType] = FilterType.INCLUDE
    error_or_null_behavior: Dynamic[OnError] = OnError.FAIL

    def run(self, ctx: RunContext) -> dict[str, object]:
        keep = ctx.render(self.filter_type, FilterType) is FilterType.INCLUDE
        on_error = ctx.render(self.error_or_null_behavior, OnError)
        totals = {"seen": 0, "dropped": 0}

        def chosen(rows: Iterator[object]) -> Iterator[object]:
            for row in rows:
                totals["seen"] += 1
                if self._stays(ctx, row, keep=keep, on_error=on_error):
                    yield row
                else:
                    totals["dropped"] += 1

        with ctx.storage.open(ctx.render(self.source)) as source:
            uri = ctx.storage.store_stream(f"{ctx.new_id()}.ion", write_ion(chosen(read_ion(source))))
        return {"uri": uri, "processedItemsTotal": totals["seen"], "droppedItemsTotal": totals["dropped"]}

    def _stays(self, ctx: RunContext, row: object, *, keep: bool, on_error: OnError) -> bool:
        try:
            value = ctx.render(self.filter_condition, object, **row_variables(row))
        except PenstockError as problem:
            if on_error is OnError.FAIL:
                message = f"Failed to evaluate expression `{self.filter_condition}` on item `{row}`: {problem}"
                raise TaskFailed(message) from problem
            return on_error is OnError.INCLUDE
        if value is None or value == "":
            if on_error is OnError.FAIL:
                raise TaskFailed(f"The expression `{self.filter_condition}` is null on item `{row}`")
            return on_error is OnError.INCLUDE
        return _true(value) is keep


class DeduplicateItems(RunnableTask):
    """Keeps the last row for each value of `expr`, in the order of the file. Only the values are in memory."""

    TYPE = "io.kestra.plugin.core.storage.DeduplicateItems"
    ALIASES = ("io.kestra.core.tasks.storages.DeduplicateItems",)

    source: str = Field(alias="from")
    expr: str

    def run(self, ctx: RunContext) -> dict[str, object]:
        uri = ctx.render(self.source)
        last: dict[str, int] = {}
        seen = 0
        with ctx.storage.open(uri) as source:
            for row in read_ion(source):
                last[ctx.render(self.expr, str, **row_variables(row))] = seen
                seen += 1
        keep = set(last.values())
        with ctx.storage.open(uri) as source:
            rows = (row for index, row in enumerate(read_ion(source)) if index in keep)
            stored = ctx.storage.store_stream(f"{ctx.new_id()}.ion", write_ion(rows))
        return {
            "uri": stored,
            "numKeys": len(last),
            "processedItemsTotal": seen,
            "droppedItemsTotal": seen - len(last),
        }


def row_variables(row: object) -> dict[str, object]:
    """A row's fields as variables; a row that is no map is `value`."""
    return {str(name): value for name, value in row.items()} if isinstance(row, Mapping) else {"value": row}


def _true(value: object) -> bool:
    if isinstance(value, bool):
        return value
    return str(value).strip() not in ("", "0", "-0", "false")
