"""What the query tasks need of a database: statements, transactions, and rows a few at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class ResultSet:
    """The rows of a statement that has not been read yet. `fetch(n)` gives the next n rows, none at the end."""

    columns: Sequence[str]
    fetch: Callable[[int], Sequence[Sequence[object]]]
    close: Callable[[], None]

    def rows(self, size: int) -> Iterator[Row]:
        """The rows as maps, `size` in memory at a time; of equal column names the last one wins. Closes at the end."""
        columns = self.columns
        try:
            while batch := self.fetch(size):
                for row in batch:
                    yield dict(zip(columns, row, strict=True))
        finally:
            self.close()


class Session(Protocol):
    """One connection for one run. Outside of `begin` … `commit` each statement stands for itself."""

    @property
    def file(self) -> Path | None:
        """The file of the database, where it is one."""
        ...

    def execute(self, sql: str, parameters: Mapping[str, object]) -> ResultSet | None:
        """Runs a statement; None when it has no rows to give (as opposed to zero rows)."""
        ...

    def begin(self) -> None: ...
    def commit(self) -> None: ...

    def rollback(self) -> None:
        """Takes back what was done since `begin`; nothing when no transaction is open."""
        ...

    def interrupt(self) -> None:
        """Ends the running statement; called from another thread, possibly after `close`."""
        ...

    def close(self) -> None: ...


def dbapi_result(cursor: Any) -> ResultSet | None:
    """The rows of a DB-API cursor that has executed something."""
    if cursor.description is None:
        cursor.close()
        return None
    return ResultSet([column[0] for column in cursor.description], cursor.fetchmany, cursor.close)
