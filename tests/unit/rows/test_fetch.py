"""The shared fetch/store mechanism of query tasks."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterable, Iterator
from decimal import Decimal

import pytest

from penstock.errors import BadRequest
from penstock.plugin.rows import FetchType, RowsOutput, deliver, fetch_type, read_ion


class Sink:
    """Keeps what is stored; `keep=False` only counts."""

    def __init__(self, *, keep: bool = True) -> None:
        self.files: dict[str, bytes] = {}
        self.bytes = 0
        self._keep = keep

    def store_stream(self, name: str, chunks: Iterable[bytes]) -> str:
        held = []
        for chunk in chunks:
            self.bytes += len(chunk)
            if self._keep:
                held.append(chunk)
        self.files[name] = b"".join(held)
        return f"kestra:///run/{name}"


class Cursor:
    """Rows that remember how many were taken and whether they were closed."""

    def __init__(self, count: int) -> None:
        self._rows = iter([{"id": number} for number in range(count)])
        self.taken = 0
        self.closed = False

    def __iter__(self) -> Iterator[dict[str, object]]:
        return self

    def __next__(self) -> dict[str, object]:
        row = next(self._rows)
        self.taken += 1
        return row

    def close(self) -> None:
        self.closed = True


def test_store() -> None:
    sink, cursor = Sink(), Cursor(3)
    out = deliver(cursor, FetchType.STORE, storage=sink)
    assert out == RowsOutput(uri="kestra:///run/rows.ion", size=3)
    assert out.as_outputs() == {"uri": "kestra:///run/rows.ion", "size": 3}
    assert list(read_ion(io.BytesIO(sink.files["rows.ion"]))) == [{"id": 0}, {"id": 1}, {"id": 2}]
    assert cursor.closed


def test_store_under_a_name_of_its_own() -> None:
    sink = Sink()
    assert deliver([{"a": 1}], FetchType.STORE, storage=sink, name="second.ion").uri == "kestra:///run/second.ion"


def test_store_of_nothing_is_an_empty_file() -> None:
    sink = Sink()
    assert deliver([], FetchType.STORE, storage=sink) == RowsOutput(uri="kestra:///run/rows.ion", size=0)
    assert sink.files == {"rows.ion": b""}


def test_fetch() -> None:
    cursor = Cursor(2)
    out = deliver(cursor, FetchType.FETCH, storage=Sink())
    assert out.as_outputs() == {"rows": [{"id": 0}, {"id": 1}], "size": 2}
    assert cursor.closed
    assert deliver([], FetchType.FETCH, storage=Sink()).as_outputs() == {"rows": [], "size": 0}


def test_fetch_one_takes_one_row() -> None:
    cursor = Cursor(10)
    assert deliver(cursor, FetchType.FETCH_ONE, storage=Sink()).as_outputs() == {"row": {"id": 0}, "size": 1}
    assert (cursor.taken, cursor.closed) == (1, True)
    assert deliver([], FetchType.FETCH_ONE, storage=Sink()).as_outputs() == {"size": 0}


def test_none_takes_nothing() -> None:
    cursor, sink = Cursor(10), Sink()
    assert deliver(cursor, FetchType.NONE, storage=sink).as_outputs() == {}
    assert (cursor.taken, cursor.closed, sink.files) == (0, True, {})


def test_a_query_that_fails_midway_is_closed_and_stores_nothing() -> None:
    def rows() -> Iterator[dict[str, object]]:
        yield {"a": 1}
        yield {"a": object()}

    sink, cursor = Sink(), rows()
    with pytest.raises(BadRequest, match="Row 2"):
        deliver(cursor, FetchType.STORE, storage=sink)
    assert sink.files == {}
    assert next(cursor, "closed") == "closed"


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({}, FetchType.STORE),
        ({"fetch": True, "fetch_one": True, "store": True}, FetchType.FETCH),
        ({"fetch_one": True, "store": True}, FetchType.FETCH_ONE),
        ({"store": True}, FetchType.STORE),
    ],
)
def test_older_flags_go_first(flags: dict[str, bool], expected: FetchType) -> None:
    assert fetch_type(FetchType.STORE, **flags) is expected


def test_nothing_said_is_none() -> None:
    assert fetch_type() is FetchType.NONE
    assert FetchType("FETCH_ONE") is FetchType.FETCH_ONE


def test_storing_64_mb_holds_a_few() -> None:
    rows = ({"id": number, "text": "x" * 4000} for number in range(16_500))
    sink = Sink(keep=False)
    tracemalloc.start()
    try:
        out = deliver(rows, FetchType.STORE, storage=sink)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert out.size == 16_500
    assert sink.bytes > 64_000_000
    assert peak < 8_000_000


def test_outputs_hold_numbers_where_row_files_hold_decimals() -> None:
    row = {"price": Decimal("1.50"), "whole": Decimal(7), "huge": Decimal("1E+3"), "deep": [{"x": Decimal("0.1")}]}
    out = deliver([row], FetchType.FETCH, storage=Sink())
    assert out.rows == [{"price": 1.5, "whole": 7, "huge": 1000, "deep": [{"x": 0.1}]}]
    assert deliver([row], FetchType.FETCH_ONE, storage=Sink()).row == out.rows[0]
    sink = Sink()
    deliver([row], FetchType.STORE, storage=sink)
    assert list(read_ion(io.BytesIO(sink.files["rows.ion"]))) == [row]
