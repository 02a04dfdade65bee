"""The server that is measured: a real `penstock server local` in a process of its own, and how it fares."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType

from bench.wire import Wire

_PLUGIN = Path(__file__).parent / "plugin"


class Measured:
    """A server on a fresh home folder; it ends with the block."""

    def __init__(self, *options: str, home: Path | None = None, profile: Path | None = None) -> None:
        self._options = options
        self._profile = profile
        self._folder = tempfile.TemporaryDirectory(prefix="penstock-bench-")
        self.home = home or Path(self._folder.name)
        self.port = free_port()
        self.seconds_to_healthy = 0.0

    def __enter__(self) -> Measured:
        command = [sys.executable, "-m", "penstock"]
        if self._profile is not None:
            command = [sys.executable, str(Path(__file__).parent / "profiled.py"), str(self._profile)]
        command += ["server", "local", "--port", str(self.port), "--home", str(self.home), "--no-auth", *self._options]
        began = time.perf_counter()
        self._process = subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self._await_health(began + 120)
        self.seconds_to_healthy = time.perf_counter() - began
        self.wire = Wire(self.port)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stderr is not None
        self._process.stderr.close()
        self._folder.cleanup()

    @property
    def memory(self) -> float:
        """Memory of the process now, in MB (resident set)."""
        return self._status("VmRSS")

    @property
    def peak(self) -> float:
        """The most memory it has held since `forget_peak`, in MB."""
        return self._status("VmHWM")

    @property
    def cpu_seconds(self) -> float:
        """Processor time it has used, in all its threads."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def forget_peak(self) -> None:
        """Count the peak from now on."""
        Path(f"/proc/{self._process.pid}/clear_refs").write_text("5")

    def _status(self, name: str) -> float:
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) / 1024
        raise RuntimeError(f"the system tells no {name}")

    def _await_health(self, until: float) -> None:
        while time.perf_counter() < until:
            if self._process.poll() is not None:
                assert self._process.stderr is not None
                raise RuntimeError(f"the server ended: {self._process.stderr.read().decode()[-2000:]}")
            if _healthy(self.port):
                return
            time.sleep(0.002)
        raise RuntimeError("the server did not become healthy")


def environment() -> dict[str, str]:
    """Our own environment and the benchmark's plugin; bytecode is kept, as in an installation."""
    path = [str(_PLUGIN), os.environ.get("PYTHONPATH", "")]
    found = {**os.environ, "PYTHONPATH": os.pathsep.join(part for part in path if part)}
    found.pop("PYTHONDONTWRITEBYTECODE", None)
    return found


def free_port() -> int:
    """A TCP port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _healthy(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            return b" 200 " in connection.recv(64)
    except OSError:
        return False
