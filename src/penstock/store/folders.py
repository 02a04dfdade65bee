"""Paths of namespace files: what lies above a path and what below it."""

from __future__ import annotations


def parent_of(path: str) -> str:
    """The folder that holds `path`; `/` for what stands at the top."""
    return path.rpartition("/")[0] or "/"


def ancestors_of(path: str) -> list[str]:
    """The folders above `path`, outermost first, without `/`."""
    names = path.split("/")[1:-1]
    return ["/" + "/".join(names[: depth + 1]) for depth in range(len(names))]


def folder_prefix(path: str) -> str:
    """What the path of everything below the folder `path` begins with."""
    return path.rstrip("/") + "/"


def moved(path: str, source: str, *, to: str) -> str:
    """Where `path`, which is `source` or lies below it, comes to lie when `source` becomes `to`."""
    return to + path[len(source) :]
