"""Rows as CSV (RFC 4180)."""

from __future__ import annotations

import base64
import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import BinaryIO, cast

import msgspec

from penstock.errors import BadRequest
from penstock.plugin.rows.chunks import in_chunks
from penstock.plugin.rows.plain_values import plain

_LONGEST_FIELD = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class CsvFormat:
    """How a CSV file is written: whether the first record names the columns, and its signs."""

    header: bool = True
    separator: str = ","
    quote: str = '"'
    line_end: str = "\n"
    quote_all: bool = False
    charset: str = "utf-8"


DEFAULT = CsvFormat()


def read_csv(source: BinaryIO, form: CsvFormat = DEFAULT) -> Iterator[object]:
    """The records of `source`, streaming: by column name, or as lists where there is no header. Cells are texts.

    A byte-order mark and blank lines are passed over. A short record lacks its last columns.

    Raises:
        BadRequest: a record longer than the header, a wrong quote, or bytes that are not of the charset; named by line.
    """
    csv.field_size_limit(_LONGEST_FIELD)
    charset = "utf-8-sig" if form.charset.lower() in ("utf-8", "utf8") else form.charset
    text = io.TextIOWrapper(source, encoding=charset, newline="")
    reader = csv.reader(text, delimiter=form.separator, quotechar=form.quote, strict=True)
    try:
        yield from _named(reader) if form.header else (list(record) for record in reader if record)
    except (csv.Error, UnicodeError) as fault:
        raise BadRequest(f"Line {reader.line_num} is not CSV: {fault}") from fault
    finally:
        text.detach()


def write_csv(rows: Iterable[object], form: CsvFormat = DEFAULT) -> Iterator[bytes]:
    """`rows` (mappings, or sequences of cells) as chunks of CSV; bounded memory.

    The keys of the first row are the columns: later rows may lack some, but not bring others. None is an empty cell,
    maps and lists are JSON, bytes base64, dates and times ISO-8601.

    Raises:
        BadRequest: a row that is neither, or has a column the first has not, with its number (1-based).
    """
    return in_chunks(_lines(rows, form), encoding=form.charset)


def _named(reader: Iterator[list[str]]) -> Iterator[dict[str, str]]:
    columns: list[str] | None = None
    for number, record in enumerate(reader, 1):
        if not record:
            continue
        if columns is None:
            columns = record
            continue
        if len(record) > len(columns):
            raise BadRequest(f"Record {number} has {len(record)} cells, expected {len(columns)} as in the header")
        yield dict(zip(columns, record, strict=False))


def _lines(rows: Iterable[object], form: CsvFormat) -> Iterator[str]:
    """The records as text. The `csv` module would leave a lone carriage return unquoted where lines end by `\\n`."""
    special = re.compile(f"[{re.escape(form.separator + form.quote + form.line_end)}\r\n]")
    double = form.quote * 2

    def quoted(cell: str) -> str:
        if form.quote_all or special.search(cell):
            return form.quote + cell.replace(form.quote, double) + form.quote
        return cell

    for record in _records(rows, header=form.header):
        line = form.separator.join(map(quoted, record))
        yield (line or double) + form.line_end  # an empty line would be no record


def _records(rows: Iterable[object], *, header: bool) -> Iterator[list[str]]:
    columns: list[str] | None = None
    for number, row in enumerate(rows, 1):
        if isinstance(row, Mapping):
            if columns is None:
                columns = [str(name) for name in row]
                if header:
                    yield columns
            yield _record(row, columns, number=number)
        elif isinstance(row, Sequence) and not isinstance(row, (str, bytes)):
            yield [_cell(item) for item in row]
        else:
            raise BadRequest(
                f"Row {number} cannot be written as CSV: expected a map or a list, found {type(row).__name__}"
            )


def _record(row: Mapping[object, object], columns: Sequence[str], *, number: int) -> list[str]:
    named = cast("Mapping[str, object]", row)
    cells = [_cell(named.get(name)) for name in columns]
    if len(named) > len(columns) or any(name not in columns for name in named):
        extra = sorted({str(name) for name in named} - set(columns))
        raise BadRequest(f"Row {number} has columns that the first row has not: {', '.join(extra)}")
    return cells


def _cell(value: object) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float, Decimal)):
        return str(value)
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, (list, dict)):
        return msgspec.json.encode(value, enc_hook=plain).decode()
    return _cell(plain(value))
