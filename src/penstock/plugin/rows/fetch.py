"""What a query task does with its rows: one vocabulary for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from penstock.plugin.rows.ion_text import write_ion
from penstock.plugin.rows.plain_values import output_value

Row = Mapping[str, object]


class FetchType(StrEnum):
    """Kestra's four ways: to a file, all rows as an output, the first row as an output, not at all."""

    STORE = "STORE"
    FETCH = "FETCH"
    FETCH_ONE = "FETCH_ONE"
    NONE = "NONE"


class FileSink(Protocol):
    """Where a task's files go; the storage of a run context is one."""

    def store_stream(self, name: str, chunks: Iterable[bytes]) -> str:
        """Stores the chunks as the task run's file `name` and returns its URI. Holds a few chunks at a time."""
        ...


@dataclass(frozen=True, slots=True)
class RowsOutput:
    """The outputs of a query: the part that `FetchType` asked for is set, the others are None."""

    rows: list[Row] | None = None
    row: Row | None = None
    uri: str | None = None
    size: int | None = None

    def as_outputs(self) -> dict[str, object]:
        """The parts that are set, under Kestra's names."""
        parts = {"rows": self.rows, "row": self.row, "uri": self.uri, "size": self.size}
        return {name: value for name, value in parts.items() if value is not None}


def fetch_type(
    chosen: FetchType = FetchType.NONE, *, fetch: bool = False, fetch_one: bool = False, store: bool = False
) -> FetchType:
    """The way to take, from `fetchType` and the older flags. Kestra's rule: fetch, fetchOne, store, then fetchType."""
    if fetch:
        return FetchType.FETCH
    if fetch_one:
        return FetchType.FETCH_ONE
    return FetchType.STORE if store else chosen


def deliver(rows: Iterable[Row], how: FetchType, *, storage: FileSink, name: str = "rows.ion") -> RowsOutput:
    """Delivers `rows` as asked: STORE streams them to the Ion file `name` with bounded memory.

    FETCH_ONE reads one row and NONE reads none; a generator is closed either way, so a cursor behind it is released.
    A task that stores several results gives each its own `name`.
    """
    try:
        match how:
            case FetchType.STORE:
                return _stored(rows, storage, name=name)
            case FetchType.FETCH:
                found = [_as_output(row) for row in rows]
                return RowsOutput(rows=found, size=len(found))
            case FetchType.FETCH_ONE:
                first = next(iter(rows), None)
                return RowsOutput(row=None if first is None else _as_output(first), size=0 if first is None else 1)
            case FetchType.NONE:
                return RowsOutput()
    finally:
        close = getattr(rows, "close", None)
        if close is not None:
            close()


def _as_output(row: Row) -> Row:
    return {str(name): output_value(value) for name, value in row.items()}


class _Counted:
    """Rows on their way, counted."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = rows
        self.count = 0

    def __iter__(self) -> Iterator[Row]:
        for row in self._rows:
            self.count += 1
            yield row


def _stored(rows: Iterable[Row], storage: FileSink, *, name: str) -> RowsOutput:
    counted = _Counted(rows)
    uri = storage.store_stream(name, write_ion(counted))
    return RowsOutput(uri=uri, size=counted.count)
