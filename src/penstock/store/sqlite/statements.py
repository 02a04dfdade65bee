"""SQL lives in `.sql` files beside this one: named statements, each with a comment that says what it is for.

A file is a sequence of `-- name: <name>` lines, each followed by one statement.
"""

from __future__ import annotations

import re
from importlib.resources import files

_NAME = re.compile(r"^-- name: ([a-z_]+)\s*$", re.MULTILINE)
_COMMENT = re.compile(r"^\s*--.*$", re.MULTILINE)


class Statements:
    """The statements of one file, as attributes: `sql.insert_run`.

    `shared` are texts that several statements share: `{row}` in the file is the part called `row`.
    """

    def __init__(self, file: str, **shared: str) -> None:
        parts = _NAME.split(_text("sql", file))
        self._by_name = {
            name: _filled(" ".join(_COMMENT.sub("", text).split()).removesuffix(";"), shared)
            for name, text in zip(parts[1::2], parts[2::2], strict=True)
        }

    def __getattr__(self, name: str) -> str:
        try:
            statement = self._by_name[name]
        except KeyError:
            raise AttributeError(name) from None
        self.__dict__[name] = statement
        return statement


def _filled(statement: str, shared: dict[str, str]) -> str:
    for name, part in shared.items():
        statement = statement.replace("{" + name + "}", part)
    return statement


def migrations() -> list[tuple[int, str]]:
    """(version, script) of every migration, in order."""
    folder = files("penstock.store.sqlite").joinpath("migrations")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [(int(name.split("_")[0]), folder.joinpath(name).read_text("utf-8")) for name in names]


def _text(folder: str, file: str) -> str:
    return files("penstock.store.sqlite").joinpath(folder).joinpath(file).read_text("utf-8")
