"""Row files and what query tasks do with rows.

In: rows (mappings of plain values) or open binary files. Out: chunks of bytes to store, rows, or the outputs of a query
task. All of it streams with bounded memory. The room does not know where files lie: a `FileSink` stores chunks.
"""

from penstock.plugin.rows.csv_files import CsvFormat, read_csv, write_csv
from penstock.plugin.rows.fetch import FetchType, FileSink, Row, RowsOutput, deliver, fetch_type
from penstock.plugin.rows.formats import read_rows
from penstock.plugin.rows.ion_reader import read_ion
from penstock.plugin.rows.ion_text import ion_text, write_ion
from penstock.plugin.rows.json_lines import read_json_lines, write_json_lines
from penstock.plugin.rows.parquet_files import read_parquet, write_parquet
from penstock.plugin.rows.split import Piece, Rule, parse_size, split, split_rule

__all__ = [
    "CsvFormat",
    "FetchType",
    "FileSink",
    "Piece",
    "Row",
    "RowsOutput",
    "Rule",
    "deliver",
    "fetch_type",
    "ion_text",
    "parse_size",
    "read_csv",
    "read_ion",
    "read_json_lines",
    "read_parquet",
    "read_rows",
    "split",
    "split_rule",
    "write_csv",
    "write_ion",
    "write_json_lines",
    "write_parquet",
]
