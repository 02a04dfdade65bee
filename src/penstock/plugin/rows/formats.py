"""Which reader a row file needs, by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO

from penstock.plugin.rows.csv_files import read_csv
from penstock.plugin.rows.ion_reader import read_ion
from penstock.plugin.rows.json_lines import read_json_lines
from penstock.plugin.rows.parquet_files import read_parquet

_READERS: dict[str, Callable[[BinaryIO], Iterator[object]]] = {
    "json": read_json_lines,
    "jsonl": read_json_lines,
    "ndjson": read_json_lines,
    "csv": read_csv,
    "parquet": read_parquet,
}


def read_rows(source: BinaryIO, *, name: str) -> Iterator[object]:
    """The rows of the file `name` (a name, path or URI), open as `source`, by its extension.

    `.json`, `.jsonl` and `.ndjson` are JSON lines, `.csv` CSV with a header, `.parquet` Parquet; everything else is
    read as Ion, text or binary, which includes JSON. Raises as the reader does.
    """
    extension = name.rpartition(".")[2].lower()
    return _READERS.get(extension, read_ion)(source)
