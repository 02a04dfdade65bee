"""One page of a search: the rows and how many there are in all, of the same commit."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from penstock.ports.reads import Condition, Sort
from penstock.store.sqlite.conditions import Columns, order, where, window

Row = tuple[Any, ...]


class Searched(msgspec.Struct, frozen=True, kw_only=True):
    """What can be searched for in one kind of thing.

    rows, count: statements with `{where}` and, in the first, `{order}`, then LIMIT and OFFSET.
    columns: fields by wire name. sorts: what can be sorted by. default: the order when none is asked for.
    last: what decides between equals.
    """

    rows: str
    count: str
    columns: Columns
    sorts: Mapping[str, str]
    default: str
    last: str


class Asked(msgspec.Struct, frozen=True):
    """What one search asks for; `fixed` are the parameters that stand before those of the conditions."""

    fixed: tuple[object, ...]
    conditions: Sequence[Condition]
    sort: Sequence[Sort] = ()
    page: int = 1
    size: int | None = None


def search(connection: sqlite3.Connection, searched: Searched, asked: Asked) -> tuple[list[Row], int]:
    """The rows of the page and the number of all rows.

    Raises:
        BadRequest: as `where` and `order`.
    """
    condition, parameters = where(asked.conditions, searched.columns)
    ordered = order(asked.sort, searched.sorts, default=searched.default, last=searched.last)
    bound = (*asked.fixed, *parameters)
    rows_statement = searched.rows.replace("{where}", condition).replace("{order}", ordered)
    rows = connection.execute(rows_statement, (*bound, *window(asked.page, asked.size))).fetchall()
    if asked.size is None:
        return rows, len(rows)
    if len(rows) < asked.size and (rows or asked.page <= 1):
        return rows, (max(asked.page, 1) - 1) * asked.size + len(rows)
    total = connection.execute(searched.count.replace("{where}", condition), bound).fetchone()[0]
    return rows, total
