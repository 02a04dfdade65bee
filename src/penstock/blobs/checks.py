"""Checks of arguments that every backend makes in the same words."""

from __future__ import annotations

from penstock.errors import BadRequest
from penstock.ports.blob_paths import path_of


def range_bounds(start: int, length: int) -> tuple[int, int]:
    """First byte and end (exclusive) of a range.

    Raises:
        BadRequest: a bound is negative.
    """
    if start < 0 or length < 0:
        raise BadRequest(f"Invalid range: expected start and length of 0 or more, found start {start}, length {length}")
    return start, start + length


def doomed_folder(prefix: str) -> str:
    """The path of a folder that may be deleted with all it holds.

    Raises:
        BadRequest: it is the whole tenant, which is what an empty variable in a path would mean.
    """
    path = path_of(prefix, folder=True)
    if path == "/":
        raise BadRequest("Refused to delete `/`: expected a folder inside the tenant, found the tenant's root")
    return path
