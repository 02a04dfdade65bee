"""Rows as Parquet, through pyarrow (the optional extra `parquet`)."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from types import ModuleType
from typing import TYPE_CHECKING, BinaryIO, cast

from penstock.errors import BadRequest, MissingExtra

if TYPE_CHECKING:
    import pyarrow

ROW_GROUP = 10_000
"""Rows that are held at a time, and that decide on the columns' types."""


def read_parquet(source: BinaryIO, *, batch_rows: int = 1_000) -> Iterator[dict[str, object]]:
    """The rows of `source`, which must be seekable, `batch_rows` in memory at a time.

    Raises:
        MissingExtra: pyarrow is not installed.
        BadRequest: the file is not Parquet.
    """
    arrow, parquet = _arrow()
    try:
        with closing(parquet.ParquetFile(source)) as file:
            for batch in file.iter_batches(batch_size=batch_rows):
                yield from batch.to_pylist()
    except arrow.ArrowInvalid as fault:
        raise BadRequest(f"The file is not Parquet: {fault}") from fault


def write_parquet(
    rows: Iterable[Mapping[str, object]], *, compression: str = "gzip", schema: pyarrow.Schema | None = None
) -> Iterator[bytes]:
    """`rows` as chunks of a Parquet file, a row group (`ROW_GROUP` rows) in memory at a time.

    Without a `schema` the first row group decides the columns and their types. Kestra's default compression is GZIP.

    Raises:
        MissingExtra: pyarrow is not installed.
        BadRequest: a later row has another column, or a value of another type.
    """
    arrow, parquet = _arrow()
    sink = _Sink()
    groups = _groups(rows)
    first = next(groups, [])
    table = _table(arrow, first, schema, start=1)
    with parquet.ParquetWriter(sink, table.schema, compression=compression.lower()) as writer:
        writer.write_table(table)
        start = 1 + len(first)
        for group in groups:
            yield sink.drained()
            writer.write_table(_table(arrow, group, table.schema, start=start))
            start += len(group)
    yield sink.drained()


class _Sink(io.RawIOBase):
    """A file that can be written once, front to back, and handed on in pieces."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._at = 0

    def writable(self) -> bool:
        return True

    def write(self, data: object, /) -> int:
        chunk = memoryview(cast("bytes", data)).cast("B")
        self._held += chunk
        self._at += len(chunk)
        return len(chunk)

    def tell(self) -> int:
        return self._at

    def drained(self) -> bytes:
        held = bytes(self._held)
        self._held.clear()
        return held


def _groups(rows: Iterable[Mapping[str, object]]) -> Iterator[list[dict[str, object]]]:
    remaining = iter(rows)
    while group := [dict(row) for row in itertools.islice(remaining, ROW_GROUP)]:
        yield group


def _table(
    arrow: ModuleType, rows: list[dict[str, object]], schema: pyarrow.Schema | None, *, start: int
) -> pyarrow.Table:
    known = schema or _inferred(arrow, rows)
    _refuse_new_columns(rows, set(known.names), start=start)
    try:
        return arrow.Table.from_pylist(rows, schema=known)
    except (arrow.ArrowInvalid, arrow.ArrowTypeError, TypeError) as fault:
        where = f"Rows {start} to {start + len(rows) - 1}"
        raise BadRequest(f"{where} do not fit the types of the columns ({_types(known)}): {fault}") from fault


def _inferred(arrow: ModuleType, rows: list[dict[str, object]]) -> pyarrow.Schema:
    names = list(dict.fromkeys(name for row in rows for name in row))
    try:
        return arrow.schema([(name, arrow.array([row.get(name) for row in rows]).type) for name in names])
    except (arrow.ArrowInvalid, arrow.ArrowTypeError) as fault:
        raise BadRequest(f"The first {len(rows)} rows have no common types: {fault}") from fault


def _refuse_new_columns(rows: list[dict[str, object]], known: set[str], *, start: int) -> None:
    for number, row in enumerate(rows, start):
        if extra := row.keys() - known:
            raise BadRequest(f"Row {number} has columns that the first rows have not: {', '.join(sorted(extra))}")


def _types(schema: pyarrow.Schema) -> str:
    return ", ".join(f"{field.name}: {field.type}" for field in schema)


def _arrow() -> tuple[ModuleType, ModuleType]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as fault:
        raise MissingExtra("Reading and writing Parquet files", "parquet") from fault
    return pyarrow, parquet
