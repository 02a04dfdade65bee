"""Cells of BigQuery as Kestra gives them (plugins.md 5.3)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

Convert = Callable[[Any], object]


class Field(Protocol):
    """A field of a schema, as the client library describes it."""

    @property
    def name(self) -> str: ...
    @property
    def field_type(self) -> str: ...
    @property
    def mode(self) -> str | None: ...
    @property
    def fields(self) -> Iterable[Field]: ...


_POINT = re.compile(r"POINT\s*\(\s*(\S+)\s+(\S+)\s*\)", re.IGNORECASE)


def plain_rows(rows: Iterable[Sequence[object]], schema: Iterable[Field]) -> Iterator[Mapping[str, object]]:
    """Rows as maps, one at a time: records are maps, repeated fields lists."""
    columns = [(field.name, _converter(field)) for field in schema]
    for row in rows:
        yield {
            name: value if convert is None or value is None else convert(value)
            for (name, convert), value in zip(columns, row, strict=True)
        }


def _converter(field: Field) -> Convert | None:
    """What turns a cell of the field into its value; None when it is one already."""
    single = _record(field.fields) if field.field_type in ("RECORD", "STRUCT") else _SINGLE.get(field.field_type)
    if field.mode != "REPEATED" or single is None:
        return single
    return lambda values: [None if value is None else single(value) for value in values]


def _record(fields: Iterable[Field]) -> Convert:
    converters = {field.name: _converter(field) for field in fields}

    def convert(value: Mapping[str, object]) -> dict[str, object]:
        found: dict[str, object] = {}
        for name, item in value.items():
            single = converters.get(name)
            found[name] = item if single is None or item is None else single(item)
        return found

    return convert


def _datetime(value: datetime | str) -> str:
    """A DATETIME has no zone; Kestra writes it as a text with Z all the same."""
    return (value if isinstance(value, str) else value.isoformat()) + "Z"


def _point(value: str) -> object:
    found = _POINT.fullmatch(value.strip())
    return [float(found[1]), float(found[2])] if found else value


def _interval(value: Any) -> str:
    """An interval in BigQuery's own form: `years-months days hours:minutes:seconds`."""
    if isinstance(value, str):
        return value
    return f"{value.years}-{value.months} {value.days} {value.hours}:{value.minutes}:{value.seconds}"


def _numeric(value: Decimal | float) -> float:
    return float(value)


_SINGLE: dict[str, Convert] = {
    "NUMERIC": _numeric,
    "DECIMAL": _numeric,
    "DATETIME": _datetime,
    "GEOGRAPHY": _point,
    "INTERVAL": _interval,
}
