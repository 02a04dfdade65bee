"""Cutting files of lines into pieces."""

from __future__ import annotations

import io
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import BadRequest
from penstock.plugin.rows import Piece, parse_size, split, split_rule

LINES = b"1\n22\n333\n4444\n5\n"


def pieces(source: bytes, *, separator: str = "\n", **rule: object) -> list[bytes]:
    found: dict[int, bytes] = defaultdict(bytes)

    def append(index: int, data: bytes) -> None:
        found[index] += data

    cut = split(io.BytesIO(source), split_rule(**rule), append=append, separator=separator)  # type: ignore[arg-type]
    assert [piece.index for piece in cut] == sorted(found)
    assert [piece.bytes for piece in cut] == [len(found[piece.index]) for piece in cut]
    return [found[piece.index] for piece in cut]


def test_by_rows() -> None:
    assert pieces(LINES, rows=2) == [b"1\n22\n", b"333\n4444\n", b"5\n"]
    assert pieces(LINES, rows=100) == [LINES]


def test_by_bytes_a_piece_ends_with_the_line_that_fills_it() -> None:
    assert pieces(LINES, size="5") == [b"1\n22\n", b"333\n4444\n", b"5\n"]
    assert pieces(LINES, size=1) == [b"1\n", b"22\n", b"333\n", b"4444\n", b"5\n"]
    assert pieces(LINES, size="10MB") == [LINES]


def test_by_partitions_in_turn() -> None:
    assert pieces(LINES, partitions=2) == [b"1\n333\n5\n", b"22\n4444\n"]
    assert len(pieces(LINES, partitions=9)) == 5


def test_by_pattern() -> None:
    log = b"[INFO] a\n[ERROR] b\nno level\n[INFO] c\n"
    assert pieces(log, pattern=r"\[(\w+)\]") == [b"[INFO] a\n[INFO] c\n", b"[ERROR] b\n"]
    assert pieces(log, pattern=r"\[\w+\]") == []
    with pytest.raises(BadRequest, match="Invalid `regexPattern`"):
        split_rule(pattern="(")


def test_line_ends_and_separators() -> None:
    assert pieces(b"a\r\nb\n\nc", rows=10) == [b"a\nb\n\nc\n"]
    assert pieces(b"a\nb\n", rows=1, separator=";") == [b"a;", b"b;"]
    assert pieces(b"", rows=1) == []


def test_kestras_precedence() -> None:
    assert pieces(LINES, rows=1, partitions=2) == pieces(LINES, partitions=2)
    assert pieces(LINES, size="5", partitions=2) == pieces(LINES, size="5")
    assert pieces(LINES, size="5", pattern="(.)") == pieces(LINES, pattern="(.)")


def test_what_says_nothing_usable() -> None:
    with pytest.raises(BadRequest, match="Nothing says how to split"):
        split_rule()
    for rule in ({"rows": 0}, {"partitions": -1}, {"size": "0"}, {"size": "ten"}, {"size": "1TB"}):
        with pytest.raises(BadRequest, match="Invalid"):
            split_rule(**rule)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "size"), [("10", 10), ("10KB", 10240), ("10mb", 10 * 1024**2), ("1 GB", 1024**3), (5, 5)]
)
def test_sizes(text: str | int, size: int) -> None:
    assert parse_size(text) == size


TEXTS = st.lists(st.binary(max_size=9).filter(lambda line: b"\n" not in line and not line.endswith(b"\r")), max_size=30)


@given(TEXTS, st.sampled_from([{"rows": 3}, {"size": 7}, {"partitions": 4}]))
def test_no_line_is_lost_or_changed(lines: list[bytes], rule: dict[str, int]) -> None:
    source = b"".join(line + b"\n" for line in lines)
    found = [line for piece in pieces(source, **rule) for line in piece.split(b"\n")[:-1]]
    assert sorted(found) == sorted(lines)
    if "partitions" not in rule:
        assert found == lines


def test_ten_thousand_pieces_of_a_large_file_hold_a_chunk() -> None:
    held = 0
    largest = 0

    def append(index: int, data: bytes) -> None:
        nonlocal held, largest
        held += len(data)
        largest = max(largest, len(data))

    source = io.BytesIO(b"".join(b"%04d;%s\n" % (number % 10_000, b"x" * 90) for number in range(40_000)))
    cut = split(source, split_rule(pattern=r"^(\d+);"), append=append)
    assert len(cut) == 10_000
    assert cut[7] == Piece(index=7, rows=4, bytes=4 * 96)
    assert held == len(source.getvalue())
    assert largest < 1000
