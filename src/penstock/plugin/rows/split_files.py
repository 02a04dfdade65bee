"""A file of internal storage cut into files of internal storage, with memory for one piece's name and no more."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from penstock.plugin.rows.split import Rule, split

if TYPE_CHECKING:
    from penstock.plugin.context import RunContext


def split_in_storage(ctx: RunContext, uri: str, rule: Rule, *, separator: str = "\n") -> list[str]:
    """URIs of the pieces of the file at `uri`, in order; they keep its extension."""
    suffix = Path(uri).suffix
    prefix = ctx.new_id()
    folder = ctx.working_directory

    def piece(index: int) -> Path:
        return folder.file(f"{prefix}-{index:06d}{suffix}")

    def append(index: int, data: bytes) -> None:
        with piece(index).open("ab") as out:
            out.write(data)

    with ctx.storage.open(uri) as source:
        pieces = split(source, rule, append=append, separator=separator)
    uris: list[str] = []
    for found in pieces:
        path = piece(found.index)
        uris.append(ctx.storage.put_file(path))
        path.unlink()
    return uris
