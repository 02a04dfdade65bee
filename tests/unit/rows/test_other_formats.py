"""JSON lines, CSV and Parquet, and the choice among readers."""

from __future__ import annotations

import builtins
import io
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import BadRequest, MissingExtra
from penstock.plugin.rows import (
    CsvFormat,
    ion_text,
    read_csv,
    read_json_lines,
    read_parquet,
    read_rows,
    write_csv,
    write_json_lines,
    write_parquet,
)

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def joined(chunks: Iterator[bytes]) -> bytes:
    return b"".join(chunks)


@given(st.lists(JSON, max_size=4))
def test_json_lines_come_back(rows: list[object]) -> None:
    written = joined(write_json_lines(rows))
    assert written.count(b"\n") == len(rows)
    assert list(read_json_lines(io.BytesIO(written))) == rows


def test_json_lines_of_richer_values() -> None:
    row = {
        "d": date(2024, 1, 2),
        "t": datetime(2024, 1, 2, tzinfo=UTC),
        "n": Decimal("1.50"),
        "b": b"hi",
        "u": uuid.UUID(int=0),
    }
    assert joined(write_json_lines([row, {"x": float("nan")}])) == (
        b'{"d":"2024-01-02","t":"2024-01-02T00:00:00Z","n":1.50,"b":"aGk=","u":"00000000-0000-0000-0000-000000000000"}\n'
        b'{"x":null}\n'
    )


def test_json_lines_faults() -> None:
    rows = read_json_lines(io.BytesIO(b'\xef\xbb\xbf{"a":1}\r\n\n  \n{"a":\n'))
    assert next(rows) == {"a": 1}
    with pytest.raises(BadRequest, match="Line 4 is not JSON"):
        next(rows)
    with pytest.raises(BadRequest, match="Row 2 cannot be written"):
        joined(write_json_lines([1, object()]))


@given(
    st.lists(st.lists(st.text(), min_size=2, max_size=2), max_size=5),
    st.sampled_from([",", ";", "\t", "|"]),
    st.booleans(),
)
def test_csv_cells_come_back(cells: list[list[str]], separator: str, quote_all: bool) -> None:
    form = CsvFormat(separator=separator, quote_all=quote_all)
    rows = [dict(zip(("a", "b c"), record, strict=True)) for record in cells]
    assert list(read_csv(io.BytesIO(joined(write_csv(rows, form))), form)) == rows


def test_csv_of_richer_values() -> None:
    row = {
        "n": None,
        "t": True,
        "f": 1.5,
        "d": date(2024, 1, 2),
        "l": [1, {"a": Decimal("1.5")}],
        "b": b"hi",
        "s": 'a,"b"\n',
    }
    assert joined(write_csv([row])) == b'n,t,f,d,l,b,s\n,true,1.5,2024-01-02,"[1,{""a"":""1.5""}]",aGk=,"a,""b""\n"\n'


def test_csv_without_header() -> None:
    form = CsvFormat(header=False)
    assert joined(write_csv([{"a": 1, "b": 2}, [3, 4]], form)) == b"1,2\n3,4\n"
    assert list(read_csv(io.BytesIO(b"\xef\xbb\xbf1,2\r\n\r\n3,4"), form)) == [["1", "2"], ["3", "4"]]


def test_csv_rows_with_fewer_and_with_other_columns() -> None:
    assert joined(write_csv([{"a": 1, "b": 2}, {"b": 3}])) == b"a,b\n1,2\n,3\n"
    for row in ({"a": 1, "c": 2}, {"a": 1, "b": 2, "c": 3}):
        with pytest.raises(BadRequest, match="Row 2 has columns that the first row has not: c"):
            joined(write_csv([{"a": 1, "b": 2}, row]))
    with pytest.raises(BadRequest, match="Row 1 cannot be written as CSV"):
        joined(write_csv(["text"]))
    assert joined(write_csv([])) == b""
    assert list(read_csv(io.BytesIO(joined(write_csv([{"a": ""}]))))) == [{"a": ""}]


def test_csv_faults_name_the_line() -> None:
    with pytest.raises(BadRequest, match="Record 3 has 3 cells, expected 2"):
        list(read_csv(io.BytesIO(b"a,b\n1,2\n1,2,3\n")))
    with pytest.raises(BadRequest, match="Line 2 is not CSV"):
        list(read_csv(io.BytesIO(b'a,b\n"x"y,2\n')))
    with pytest.raises(BadRequest, match="is not CSV"):
        list(read_csv(io.BytesIO(b"a\n\xff\n")))
    assert list(read_csv(io.BytesIO(b"a,b\n1\n"))) == [{"a": "1"}]


def test_csv_in_another_charset() -> None:
    form = CsvFormat(charset="iso-8859-1")
    assert joined(write_csv([{"é": "ü"}], form)) == "é\nü\n".encode("iso-8859-1")
    assert list(read_csv(io.BytesIO("é\nü\n".encode("iso-8859-1")), form)) == [{"é": "ü"}]
    with pytest.raises(BadRequest, match="as iso-8859-1"):
        joined(write_csv([{"a": "日"}], form))


def test_csv_leaves_its_source_open() -> None:
    source = io.BytesIO(b"a\n1\n2\n")
    next(read_csv(source))
    assert not source.closed


def test_parquet_comes_back() -> None:
    rows = [
        {
            "i": number,
            "s": f"n{number}",
            "f": number / 2,
            "d": date(2024, 1, 2),
            "n": Decimal("1.50"),
            "l": [1],
            "m": {"a": None},
        }
        for number in range(25_000)
    ]
    written = joined(write_parquet(iter(rows)))
    assert written[:4] == written[-4:] == b"PAR1"
    assert list(read_parquet(io.BytesIO(written))) == rows
    assert list(read_rows(io.BytesIO(written), name="kestra:///a/rows.PARQUET")) == rows


def test_parquet_streams_group_by_group() -> None:
    taken = 0

    def rows() -> Iterator[dict[str, object]]:
        nonlocal taken
        for number in range(45_000):
            taken += 1
            yield {"i": number}

    chunks = write_parquet(rows())
    next(chunks)
    assert taken <= 20_000
    assert len(list(chunks)) == 4


def test_parquet_of_nothing() -> None:
    assert list(read_parquet(io.BytesIO(joined(write_parquet([]))))) == []


def test_parquet_faults() -> None:
    first = [{"a": 1}] * 10_000
    with pytest.raises(BadRequest, match="Row 10001 has columns that the first rows have not: b"):
        joined(write_parquet([*first, {"a": 1, "b": 2}]))
    with pytest.raises(BadRequest, match=r"Rows 10001 to 10001 do not fit the types of the columns \(a: int64\)"):
        joined(write_parquet([*first, {"a": "text"}]))
    with pytest.raises(BadRequest, match="no common types"):
        joined(write_parquet([{"a": 1}, {"a": "text"}]))
    with pytest.raises(BadRequest, match="not Parquet"):
        list(read_parquet(io.BytesIO(b"id,name\n")))


def test_without_pyarrow_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def absent(name: str, *args: object, **kwargs: object) -> object:
        if name.startswith("pyarrow"):
            raise ModuleNotFoundError(name)
        return original(name, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(MissingExtra, match=r"pip install 'penstock\[parquet\]'"):
        list(read_parquet(io.BytesIO()))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.ion", b"{a:1}"),
        ("rows", b"{a:1}"),
        ("x.tmp", b'{"a":1}'),
        ("rows.jsonl", b'{"a":1}'),
        ("kestra:///a.b/rows.NDJSON", b'{"a":1}'),
        ("rows.json", b'{"a":1}'),
    ],
)
def test_the_reader_follows_the_name(name: str, content: bytes) -> None:
    assert list(read_rows(io.BytesIO(content), name=name)) == [{"a": 1}]


def test_csv_by_name() -> None:
    assert list(read_rows(io.BytesIO(b"a\n1\n"), name="rows.csv")) == [{"a": "1"}]
    assert ion_text({"a": "1"}) == '{a:"1"}'
