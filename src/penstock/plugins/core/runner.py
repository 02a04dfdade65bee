"""The Process runner: a script's process is a child of the worker."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
from collections.abc import Callable
from typing import IO

from penstock.plugin import Command, Ran, RunContext, TaskFailed, TaskRunner
from penstock.plugin.process import process_environment

_LOOK_SECONDS = 0.25
_TERM_SECONDS = 1.0
_DRAIN_SECONDS = 0.3
_CHUNK = 1 << 16
_LONGEST_LINE = 1 << 20


class Process(TaskRunner):
    """Runs the command without isolation, in the working directory. A kill ends the whole process group."""

    TYPE = "io.kestra.plugin.core.runner.Process"
    ALIASES = ("io.kestra.core.models.tasks.runners.types.ProcessTaskRunner",)

    def run(self, ctx: RunContext, command: Command) -> Ran:
        if ctx.is_killed():
            return Ran(128 + signal.SIGTERM)
        env = {**process_environment(ctx), **command.env}
        try:
            process = subprocess.Popen(
                list(command.argv),
                cwd=command.folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as problem:
            raise TaskFailed(f"Cannot start `{command.argv[0]}`: {problem.strerror or problem}") from problem
        watched = _Watched(process, ctx, command.on_line)
        ctx.on_kill(watched.terminate)
        return Ran(watched.wait())


class _Watched:
    """A running process: reads its two streams line by line until it has ended."""

    def __init__(self, process: subprocess.Popen[bytes], ctx: RunContext, on_line: Callable[[str, bool], None]) -> None:
        self._process = process
        self._ctx = ctx
        self._on_line = on_line
        self._rests = {"out": b"", "err": b""}
        self._terminated_at: float | None = None
        self._ended_at: float | None = None

    def terminate(self) -> None:
        """Asks the process group to end; `wait` ends it by force when it does not."""
        self._terminated_at = self._ctx.monotonic()
        self._signal(signal.SIGTERM)

    def wait(self) -> int:
        """The exit code, once the process has ended and its output is read; 128 + n after signal n, as shells say."""
        with selectors.DefaultSelector() as streams:
            for stream, name in ((self._process.stdout, "out"), (self._process.stderr, "err")):
                if stream is not None:
                    streams.register(stream, selectors.EVENT_READ, name)
            while streams.get_map() and not self._drained():
                for key, _ in streams.select(_LOOK_SECONDS):
                    self._read(streams, key.fileobj, str(key.data))  # pyright: ignore[reportArgumentType]
        for name in self._rests:
            self._line(name, self._rests[name])
        code = self._exit_code()
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
        return 128 - code if code < 0 else code

    def _read(self, streams: selectors.BaseSelector, stream: IO[bytes], name: str) -> None:
        chunk = os.read(stream.fileno(), _CHUNK)
        if not chunk:
            streams.unregister(stream)
            return
        *lines, rest = (self._rests[name] + chunk).split(b"\n")
        self._rests[name] = rest
        for line in lines:
            self._on_line(_text(line), name == "err")
        if len(rest) > _LONGEST_LINE:
            self._line(name, rest)
            self._rests[name] = b""

    def _line(self, name: str, rest: bytes) -> None:
        if rest:
            self._on_line(_text(rest), name == "err")

    def _drained(self) -> bool:
        """Whether the process has ended and nothing more is to come: a grandchild may hold its streams open."""
        now = self._ctx.monotonic()
        self._force(now)
        if self._process.poll() is None:
            return False
        self._ended_at = self._ended_at or now
        return now - self._ended_at > _DRAIN_SECONDS

    def _force(self, now: float) -> None:
        if self._terminated_at is not None and now - self._terminated_at > _TERM_SECONDS:
            self._signal(signal.SIGKILL)

    def _exit_code(self) -> int:
        while True:
            try:
                return self._process.wait(_LOOK_SECONDS)
            except subprocess.TimeoutExpired:
                self._force(self._ctx.monotonic())

    def _signal(self, number: int) -> None:
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return


def _text(line: bytes) -> str:
    return line.rstrip(b"\r").decode(errors="replace")
