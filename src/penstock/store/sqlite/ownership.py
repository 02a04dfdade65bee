"""One process owns the file: what it remembers of it would be wrong if another one wrote too."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from penstock.errors import StoreUnavailable


class Ownership:
    """A lock on `<file>.lock`, held until `release` or the death of the process, however it dies."""

    def __init__(self, path: Path) -> None:
        """Takes the lock.

        Raises:
            StoreUnavailable: another process has it, or the folder cannot be written.
        """
        lock = path.with_name(path.name + ".lock")
        try:
            self._descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as fault:
            raise StoreUnavailable(f"Cannot open the database {path}: {fault.strerror} ({lock})") from fault
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as fault:
            owner = os.read(self._descriptor, 32).decode(errors="replace").strip()
            self.release()
            raise StoreUnavailable(
                f"The database {path} is in use by another Penstock process{f' ({owner})' if owner else ''}. "
                "Stop it first, or give this one another home"
            ) from fault
        os.ftruncate(self._descriptor, 0)
        os.write(self._descriptor, f"pid {os.getpid()}\n".encode())

    def release(self) -> None:
        """Gives the lock back; the file stays. Releasing twice is allowed."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
