"""Rows out of Ion files, text or binary.

`amazon.ion` reads with its C extension at about 4 µs per row and flat memory, tells text from binary by itself, and
knows all of Ion; what is left here is to bring its values to plain Python ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal
from typing import BinaryIO, cast

from penstock.errors import BadRequest

LONGEST_TEXT = 256 * 1024 * 1024
"""Bytes that one text or blob of a row may have."""

_BARE = frozenset({type(None), bool, int, float, Decimal, str, bytes})


def read_ion(source: BinaryIO) -> Iterator[object]:
    """The values in `source`, in order, streaming; the caller closes it.

    Symbols become texts, blobs and clobs bytes, sexps lists, typed nulls None. A timestamp becomes a datetime (without
    a zone when its offset is unknown; digits beyond microseconds are cut), one of day precision or coarser a date.
    Annotations are dropped, but Kestra's on texts (`ZonedDateTime::"…"`, `Instant::`, `OffsetDateTime::`,
    `LocalDateTime::`, `LocalDate::`, `LocalTime::`) say what the text is.

    Raises:
        BadRequest: the file is not Ion from some row on, whose number (1-based) is named.
    """
    from amazon.ion import simpleion
    from amazon.ion.exceptions import IonException

    bare = simpleion.IonPyValueModel
    model = bare.MAY_BE_BARE | bare.SYMBOL_AS_TEXT | bare.STRUCT_AS_STD_DICT
    number = 0
    try:
        values = simpleion.load(
            source, single_value=False, parse_eagerly=False, text_buffer_size_limit=LONGEST_TEXT, value_model=model
        )
        for value in cast("Iterator[object]", values):
            number += 1
            yield _plain(value)
    except IonException as fault:
        raise BadRequest(f"Row {number + 1} is not Ion: {_reason(fault)}") from fault


def _plain(value: object) -> object:
    kind = type(value)
    if kind in _BARE:
        return value
    if kind is dict:
        return {
            name: item if type(item) in _BARE else _plain(item)
            for name, item in cast("dict[str, object]", value).items()
        }
    if kind is list:
        return [item if type(item) in _BARE else _plain(item) for item in cast("list[object]", value)]
    return _unwrapped(value)


def _unwrapped(value: object) -> object:
    """A value of one of `amazon.ion`'s own classes, which it uses for timestamps, annotated values and typed nulls."""
    if isinstance(value, datetime):
        return _moment(value)
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        return _annotated(str(value), value)
    return _scalar(value)


def _scalar(value: object) -> object:
    from amazon.ion.simple_types import IonPyBool

    if isinstance(value, IonPyBool):
        return bool(value)
    if isinstance(value, Decimal):
        return Decimal(value)
    if isinstance(value, bytes):
        return bytes(value)
    if isinstance(value, (int, float)):
        return int(value) if isinstance(value, int) else float(value)
    text = getattr(value, "text", None)  # a symbol
    return str(text) if text is not None else None


def _moment(value: datetime) -> datetime | date:
    precision = getattr(value, "precision", None)
    if precision is not None and precision <= 2:  # year, month, day
        return date(value.year, value.month, value.day)
    return datetime.combine(
        date(value.year, value.month, value.day),
        time(value.hour, value.minute, value.second, value.microsecond),
        tzinfo=value.tzinfo,
    )


def _annotated(text: str, value: object) -> object:
    for annotation in getattr(value, "ion_annotations", ()):
        read = _KESTRA_TEXTS.get(annotation.text)
        if read is not None:
            return read(text)
    return text


def _java_moment(text: str) -> object:
    """A date and time as Java prints it (`2024-01-01T10:00+01:00[Europe/Paris]`); the text itself if it is another."""
    bare = text.partition("[")[0]
    try:
        return datetime.fromisoformat(_six_digits(bare))
    except ValueError:
        return text


def _six_digits(text: str) -> str:
    whole, dot, rest = text.partition(".")
    if not dot:
        return text
    digits = len(rest) - len(rest.lstrip("0123456789"))
    return f"{whole}.{rest[:digits][:6]:0<6}{rest[digits:]}"


def _java_date(text: str) -> object:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return text


_KESTRA_TEXTS = {
    "Instant": _java_moment,
    "ZonedDateTime": _java_moment,
    "OffsetDateTime": _java_moment,
    "LocalDateTime": _java_moment,
    "LocalDate": _java_date,
}


def _reason(fault: Exception) -> str:
    known = {
        "IERR_INVALID_SYNTAX": "the syntax is wrong, or the file ends in the middle of a value",
        "IERR_BUFFER_TOO_SMALL": f"a text is longer than {LONGEST_TEXT} bytes",
        "IERR_READ_ERROR": "the file cannot be read",
    }
    text = str(fault).strip()
    return known.get(text, text or "the content is damaged")
