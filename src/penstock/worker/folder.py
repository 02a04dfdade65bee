"""The working directory of an attempt."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from penstock.errors import BadRequest
from penstock.plugin.globs import matches
from penstock.ports.blobs import chunks_of


class Folder:
    """A folder made at first use and removed by `remove`; names that lead outside are refused."""

    def __init__(self, root: Path, *, new_id: Callable[[], str]) -> None:
        self._root = root
        self._new_id = new_id
        self._path: Path | None = None

    @property
    def path(self) -> Path:
        """The folder itself."""
        if self._path is None:
            made = self._root / self._new_id()
            made.mkdir(parents=True, mode=0o700)
            self._path = made.resolve()
        return self._path

    @property
    def made(self) -> bool:
        """Whether anybody has used the folder."""
        return self._path is not None

    def file(self, name: str) -> Path:
        """The path for the file `name`; its folders exist afterwards.

        Raises:
            BadRequest: the name is absolute, starts with `./`, holds `..`, or a link in it leads outside.
        """
        target = self.path.joinpath(*_parts(name))
        if not target.parent.resolve().is_relative_to(self.path):
            raise BadRequest(f"Invalid file name {name!r}: it leads out of the working directory")
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def put(self, name: str, data: bytes | Iterable[bytes] | BinaryIO) -> Path:
        """Writes a file, replacing one of that name. Streams."""
        target = self.file(name)
        if target.is_symlink():
            target.unlink()
        with target.open("wb") as out:
            for chunk in chunks_of(data):
                out.write(chunk)
        return target

    def new_file(self, *, suffix: str = "") -> Path:
        """A path for a new file with a name of its own."""
        return self.file(self._new_id() + suffix)

    def find(self, patterns: Iterable[str]) -> list[str]:
        """Names of regular files that match one of the glob patterns, sorted. Links that lead outside are left out."""
        wanted = [pattern.removeprefix("./") for pattern in patterns]
        if self._path is None or not wanted:
            return []
        return sorted(name for name in self._names() if any(matches(name, pattern) for pattern in wanted))

    def remove(self) -> None:
        """Deletes the folder with all it holds."""
        if self._path is not None:
            shutil.rmtree(self._path, ignore_errors=True)
            self._path = None

    def _names(self) -> list[str]:
        root = self.path
        files = (path for path in root.rglob("*") if path.is_file() and path.resolve().is_relative_to(root))
        return [path.relative_to(root).as_posix() for path in files]


def _parts(name: str) -> tuple[str, ...]:
    path = PurePosixPath(name)
    bad = not name or path.is_absolute() or name.startswith("./") or ".." in path.parts or "\x00" in name
    if bad or "\\" in name or not path.parts:
        raise BadRequest(
            f"Invalid file name {name!r}: expected a relative path such as `data/in.csv`, without `./`, `..` or `\\`"
        )
    return path.parts
