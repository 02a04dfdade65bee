"""Ion rows: our writer against amazon.ion's reader and the other way round, by random values and by known lines."""

from __future__ import annotations

import enum
import io
import math
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import PurePosixPath

import pytest
from amazon.ion import simpleion
from hypothesis import example, given
from hypothesis import strategies as st

from penstock.errors import BadRequest
from penstock.plugin.rows import ion_text, read_ion, write_ion

OFFSETS = st.one_of(
    st.none(), st.just(UTC), st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
)
MOMENTS = st.datetimes(timezones=OFFSETS).filter(lambda moment: 1 < moment.year < 9999)
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False).filter(lambda d: abs(d.as_tuple().exponent) < 300)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    DECIMALS,
    st.text(),
    MOMENTS,
    st.dates(),
    st.binary(max_size=40),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=4)),
    max_leaves=8,
)
ROWS = st.dictionaries(st.text(), VALUES, max_size=5)


def read(text: str | bytes) -> list[object]:
    return list(read_ion(io.BytesIO(text.encode() if isinstance(text, str) else text)))


def same(left: object, right: object) -> bool:
    """Equality that tells types, zones and the digits of decimals apart, and lets NaN be itself."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, float) and math.isnan(left):
        return math.isnan(right)
    if isinstance(left, datetime):
        return left == right and left.utcoffset() == right.utcoffset()
    if isinstance(left, Decimal):
        return left.as_tuple() == right.as_tuple()
    return left == right


@given(st.lists(ROWS, max_size=4))
@example([{"null": 1, "true": 2, "$1": 3, "a b": 4, "": 5, "'": 6, "\\": 7, "\n": 8, "nan": 9, "\x00": 10, "é": 11}])
@example([{"a": -0.0, "b": 1e16, "c": 5e-324, "d": Decimal("1E+3"), "e": Decimal("-0.00"), "f": 10**400}])
def test_rows_come_back_as_they_were(rows: list[dict[str, object]]) -> None:
    assert same(read(b"".join(write_ion(rows))), rows)


@given(st.lists(ROWS, min_size=1, max_size=3))
def test_one_row_is_one_line(rows: list[dict[str, object]]) -> None:
    text = b"".join(write_ion(rows))
    assert text.count(b"\n") == len(rows)
    assert text.endswith(b"\n")


def widened(value: object) -> object:
    """`value` with dates as amazon.ion takes them."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return simpleion.loads(value.isoformat())
    if isinstance(value, dict):
        return {key: widened(item) for key, item in value.items()}
    return [widened(item) for item in value] if isinstance(value, list) else value


@given(st.lists(ROWS, max_size=3), st.booleans())
def test_what_amazon_ion_writes_is_read(rows: list[dict[str, object]], binary: bool) -> None:
    written = simpleion.dumps([widened(row) for row in rows], binary=binary, sequence_as_stream=True)
    assert same(read(written), rows)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"id": 1, "name": "ada"}, '{id:1,name:"ada"}'),
        ({}, "{}"),
        ({"a b": None, "null": True}, "{'a b':null,'null':true}"),
        (1.5, "1.5e0"),
        (1e21, "1e+21"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (Decimal("12.50"), "12.50"),
        (Decimal(5), "5."),
        (Decimal("NaN"), "nan"),
        (datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC), "2024-01-02T03:04:05Z"),
        (datetime.fromisoformat("2024-01-02T03:04:05.000600"), "2024-01-02T03:04:05.000600-00:00"),
        (datetime(2024, 1, 2, tzinfo=timezone(timedelta(hours=-5, minutes=-30))), "2024-01-02T00:00:00-05:30"),
        (datetime(1900, 1, 1, tzinfo=timezone(timedelta(seconds=561))), "1899-12-31T23:50:39Z"),
        (date(2024, 1, 2), "2024-01-02"),
        (b"hi", "{{aGk=}}"),
        ('quote " and \\ and \n and é', '"quote \\" and \\\\ and \\n and é"'),
        (["a", [1, {"b": False}], ()], '["a",[1,{b:false}],[]]'),
        (time(10, 30), '"10:30:00"'),
        (timedelta(hours=26, minutes=3, seconds=4.5), '"PT26H3M4.5S"'),
        (timedelta(), '"PT0S"'),
        (timedelta(seconds=-90), '"PT-1M-30S"'),
        (uuid.UUID(int=0), '"00000000-0000-0000-0000-000000000000"'),
        (PurePosixPath("/a/b"), '"/a/b"'),
        (enum.IntEnum("Level", {"LOW": 1}).LOW, "1"),
        (enum.Enum("Colour", {"RED": "red"}).RED, '"red"'),
        (bytearray(b"hi"), "{{aGk=}}"),
        (frozenset({1}), "[1]"),
    ],
)
def test_known_texts(value: object, text: str) -> None:
    assert ion_text(value) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("null.int", None),
        ("symbol", "symbol"),
        ("'a symbol'", "a symbol"),
        ("(a 1)", ["a", 1]),
        ("note::{a:1}", {"a": 1}),
        ("note::[sym::a]", ["a"]),
        ("note::1.50", Decimal("1.50")),
        ("note::1e0", 1.0),
        ("note::7", 7),
        ("note::true", True),
        ("note::{{aGk=}}", b"hi"),
        ('{{"clob"}}', b"clob"),
        ("2024T", date(2024, 1, 1)),
        ("2024-03T", date(2024, 3, 1)),
        ("2024-03-05T10:20Z", datetime(2024, 3, 5, 10, 20, tzinfo=UTC)),
        ("2024-03-05T10:20:30.123456789Z", datetime(2024, 3, 5, 10, 20, 30, 123456, tzinfo=UTC)),
        ('Instant::"2024-03-05T10:20:30.123456789Z"', datetime(2024, 3, 5, 10, 20, 30, 123456, tzinfo=UTC)),
        ('LocalDateTime::"2024-03-05T10:20:30.5"', datetime.fromisoformat("2024-03-05T10:20:30.500000")),
        ('LocalDate::"2024-03-05"', date(2024, 3, 5)),
        ('LocalDate::"soon"', "soon"),
        ('OffsetDateTime::"later"', "later"),
        ('LocalTime::"10:20:30"', "10:20:30"),
        ('other::"text"', "text"),
        ('{"json": [1, "a\\u00e9\\ud83d\\ude00", true, null]}', {"json": [1, "aé😀", True, None]}),
    ],
)
def test_known_values(text: str, value: object) -> None:
    [found] = read(text)
    assert same(found, value)


def test_java_zone_names_are_left_aside() -> None:
    [found] = read('ZonedDateTime::"2024-03-05T10:20+01:00[Europe/Paris]"')
    assert found == datetime(2024, 3, 5, 9, 20, tzinfo=UTC)


def test_values_over_several_lines_and_comments() -> None:
    assert read("$ion_1_0 // c\n{\n  a: 1,\n}\n/* c */ [\n2]") == [{"a": 1}, [2]]


def test_a_long_text_is_read() -> None:
    assert read(b"".join(write_ion([{"a": "x" * 3_000_000}]))) == [{"a": "x" * 3_000_000}]


@pytest.mark.parametrize("text", ["{a:1}\n{b:}\n", "{a:1}\n{b:2", "{a:1}\n}", b"{a:1}\n{b:\xff}", b'{a:1}\n{b:"\xc3"}'])
def test_the_row_that_is_no_ion_is_named(text: str | bytes) -> None:
    rows = read_ion(io.BytesIO(text.encode() if isinstance(text, str) else text))
    assert next(rows) == {"a": 1}
    with pytest.raises(BadRequest, match="Row 2 is not Ion"):
        next(rows)


def test_what_cannot_be_written_is_named() -> None:
    with pytest.raises(BadRequest, match=r"Row 2 cannot be written: .*type `object`"):
        list(write_ion([{"a": 1}, {"b": object()}]))
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(BadRequest, match="Row 1 cannot be written: it is nested too deeply"):
        list(write_ion([{"a": endless}]))
    with pytest.raises(BadRequest, match=r"Cannot write '\\ud800' as utf-8, found after '\{abc:"):
        list(write_ion([{"abc": "\ud800"}]))


def test_chunks_are_bounded_and_lazy() -> None:
    taken = 0

    def rows() -> Iterator[dict[str, object]]:
        nonlocal taken
        for number in range(100_000):
            taken = number
            yield {"id": number, "text": "x" * 90}

    chunks = write_ion(rows())
    first = next(chunks)
    assert 1_000_000 < len(first) < 1_200_000
    assert taken < 12_000
    assert sum(chunk.count(b"\n") for chunk in chunks) + first.count(b"\n") == 100_000


def test_reading_is_lazy() -> None:
    source = io.BytesIO(b"".join(b"{id:%d}\n" % number for number in range(100_000)))
    assert next(read_ion(source)) == {"id": 0}
    assert source.tell() < 100_000
