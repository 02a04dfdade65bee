"""A real PostgreSQL of its own for a test run: a fresh cluster in a temporary folder, reached over TCP on this machine."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Self

from tests.live import free_port

_PLACES = ("/usr/lib/postgresql", "/usr/local/lib/postgresql")


def postgres_programs() -> Path | None:
    """The folder with `initdb` and `pg_ctl`, or None."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).parent
    folders = [path for place in _PLACES for path in sorted(Path(place).glob("*/bin"), reverse=True)]
    return next((path for path in folders if (path / "initdb").is_file()), None)


class PostgresServer:
    """Started on entering, ended and removed on leaving. PostgreSQL refuses root, which becomes `postgres`."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._user = "postgres" if os.geteuid() == 0 else None
        self.port = free_port()

    @property
    def url(self) -> str:
        """As a flow writes it."""
        return f"jdbc:postgresql://127.0.0.1:{self.port}/postgres"

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="penstock-pg-"))
        if self._user is not None:
            account = pwd.getpwnam(self._user)
            os.chown(self._folder, account.pw_uid, account.pw_gid)
        data = str(self._folder / "data")
        self._run("initdb", "-D", data, "-U", "flow", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        self._run("pg_ctl", "-D", data, "-w", "-l", str(self._folder / "log"), "-o", options, "start")
        return self

    def __exit__(self, *_: object) -> None:
        self._run("pg_ctl", "-D", str(self._folder / "data"), "-m", "immediate", "stop")
        shutil.rmtree(self._folder)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self._programs / program), *arguments],
            check=True,
            user=self._user,
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            timeout=60,
        )
