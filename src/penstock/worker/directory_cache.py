"""The cache of a WorkingDirectory: files that are kept from one execution of the flow to the next."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from penstock.model.duration import parse_duration
from penstock.worker.context import AttemptContext

if TYPE_CHECKING:
    from pathlib import Path

_Mark = tuple[int, int]


class DirectoryCache:
    """Restores the files of `cache.patterns` and keeps them again when one of them changed. Faults are only logged."""

    def __init__(self, context: AttemptContext, option: object) -> None:
        self._context = context
        self._option = option
        self._restored: dict[str, _Mark] | None = None

    def restore(self) -> None:
        """Writes the kept files into the folder, unless they are older than `cache.ttl`."""
        if self._option is None:
            return
        try:
            self._unpack()
        except Exception as problem:
            self._context.logger.warn(f"The cache cannot be restored: {problem}")

    def keep(self) -> None:
        """Stores the files that match, when one is new, gone or changed."""
        if self._option is None:
            return
        try:
            self._pack()
        except Exception as problem:
            self._context.logger.warn(f"The cache cannot be kept: {problem}")

    def _unpack(self) -> None:
        context = self._context
        kept = context.storage.read_cache(context.job.task.id, None)
        if kept is None:
            context.logger.debug("The cache is empty")
            return
        content, modified = kept
        ttl = _ttl(context.render(getattr(self._option, "ttl", None), object))
        if ttl is not None and modified + ttl < context.now():
            context.logger.debug("The cache has expired")
            return
        folder = context.working_directory
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                with archive.open(name) as source:
                    folder.put(name, iter(lambda: source.read(1 << 20), b""))
        self._restored = self._marks()

    def _pack(self) -> None:
        marks = self._marks()
        if marks == (self._restored or {}):
            return
        context = self._context
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in marks:
                archive.write(context.working_directory.file(name), name)
        context.storage.write_cache(context.job.task.id, packed.getvalue())

    def _marks(self) -> dict[str, _Mark]:
        patterns: Sequence[str] = self._context.render(getattr(self._option, "patterns", []), list[str])  # pyright: ignore[reportAssignmentType]
        folder = self._context.working_directory
        return {name: _mark(folder.file(name)) for name in folder.find(patterns)}


def _mark(path: Path) -> _Mark:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _ttl(value: object) -> timedelta | None:
    return parse_duration(value) if isinstance(value, str) else value if isinstance(value, timedelta) else None
