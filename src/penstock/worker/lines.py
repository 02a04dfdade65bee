"""Log lines and metrics of one attempt: filtered, masked, split, and handed on in batches."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import msgspec

from penstock.expr import mask
from penstock.model.entries import LogEntry, MetricEntry, MetricKind
from penstock.model.job import Job
from penstock.model.task import LogLevel

LONGEST_MESSAGE = 15 * 1024
"""Characters of one stored line (engine.md 10.1); a longer message becomes several lines."""

_RANK = {level: rank for rank, level in enumerate(LogLevel)}
_JOINT = "\x00\x1e\x00"
_SHORTEST_LINE = 6


class Secrets:
    """The secret texts of one attempt; `found` is asked for those that templates touched."""

    __slots__ = ("_found", "_known")

    def __init__(self, known: Iterable[str], found: Callable[[], set[str] | None]) -> None:
        self._known = set(known)
        self._found = found

    def add(self, secret: str) -> None:
        """From now on `secret` is masked."""
        self._known.add(secret)

    def all(self) -> set[str]:
        """Every secret, and each long enough line of one that has several: output comes line by line."""
        touched = self._found()
        secrets = self._known | touched if touched else self._known
        if not any("\n" in secret for secret in secrets):
            return secrets
        lines = (line.strip() for secret in secrets if "\n" in secret for line in secret.splitlines())
        return secrets | {line for line in lines if len(line) >= _SHORTEST_LINE}

    def mask(self, text: str) -> str:
        """`text` with every secret as `******`."""
        secrets = self.all()
        return mask(text, secrets) if secrets else text


class AttemptLog:
    """The log of one attempt. Lines wait here until they are taken, masked at that moment."""

    __slots__ = ("_file", "_job", "_lock", "_lowest", "_now", "_secrets", "_thread", "_trigger_id", "_waiting")

    def __init__(
        self,
        job: Job,
        *,
        lowest: LogLevel | None,
        now: Callable[[], datetime],
        secrets: Secrets,
        to_file: bool,
        trigger_id: str | None = None,
    ) -> None:
        """`trigger_id` makes the lines those of a trigger: without execution, task and attempt (engine.md 10.1)."""
        self._job = job
        self._trigger_id = trigger_id
        self._lowest = _RANK[lowest] if lowest else 0
        self._now = now
        self._secrets = secrets
        self._waiting: list[tuple[datetime, LogLevel, str]] = []
        self._thread = threading.current_thread().name
        self._file: list[str] | None = [] if to_file else None
        self._lock = threading.Lock()

    def log(self, level: LogLevel, message: str) -> None:
        if _RANK[level] < self._lowest:
            return
        with self._lock:
            self._waiting.append((self._now(), level, message))

    def trace(self, message: str) -> None:
        self.log(LogLevel.TRACE, message)

    def debug(self, message: str) -> None:
        self.log(LogLevel.DEBUG, message)

    def info(self, message: str) -> None:
        self.log(LogLevel.INFO, message)

    def warn(self, message: str) -> None:
        self.log(LogLevel.WARN, message)

    def error(self, message: str) -> None:
        self.log(LogLevel.ERROR, message)

    def keeps(self, level: LogLevel) -> bool:
        """Whether lines of this level are kept (`logLevel`)."""
        return _RANK[level] >= self._lowest

    def take(self) -> list[LogEntry]:
        """The lines since the last call, ready to store. With `logToFile` they are kept for the file instead."""
        if not self._waiting:
            return []
        with self._lock:
            waiting, self._waiting = self._waiting, []
        masked = self._masked(waiting)
        if self._file is not None:
            self._file.extend(f"{_stamp(at)} {level.value:<5} {text}\n" for at, level, text in masked)
            return []
        return [self._entry(at, level, piece) for at, level, text in masked for piece in _pieces(text)]

    def drop_file(self) -> None:
        """From now on lines go to the log store although `logToFile` is set."""
        self._file = None

    def file(self) -> bytes | None:
        """The text of the log file; None without `logToFile`."""
        return "".join(self._file).encode() if self._file is not None else None

    def _masked(self, lines: list[tuple[datetime, LogLevel, str]]) -> list[tuple[datetime, LogLevel, str]]:
        secrets = self._secrets.all()
        if not secrets:
            return lines
        # One masking for the whole batch: looking for the forms of a secret costs far more than the text's length.
        texts = mask(_JOINT.join(text for _, _, text in lines), secrets).split(_JOINT)
        return [(at, level, text) for (at, level, _), text in zip(lines, texts, strict=True)]

    def _entry(self, at: datetime, level: LogLevel, message: str) -> LogEntry:
        job = self._job
        if self._trigger_id is not None:
            return LogEntry(
                tenant_id=job.tenant_id,
                namespace=job.namespace,
                flow_id=job.flow_id,
                trigger_id=self._trigger_id,
                timestamp=at,
                level=level,
                thread=self._thread,
                message=message,
            )
        return LogEntry(
            tenant_id=job.tenant_id,
            namespace=job.namespace,
            flow_id=job.flow_id,
            execution_id=job.execution_id or None,
            task_id=job.task.id,
            task_run_id=job.task_run_id,
            attempt_number=job.attempt,
            timestamp=at,
            level=level,
            thread=self._thread,
            message=message,
        )


class AttemptMetrics:
    """The metrics of one attempt."""

    __slots__ = ("_job", "_now", "_secrets", "_waiting")

    def __init__(self, job: Job, *, now: Callable[[], datetime], secrets: Secrets) -> None:
        self._job = job
        self._now = now
        self._secrets = secrets
        self._waiting: list[MetricEntry] = []

    def counter(self, name: str, value: float = 1, /, **tags: str) -> None:
        self.add(MetricKind.COUNTER, name, value=value, tags=tags)

    def timer(self, name: str, length: timedelta, /, **tags: str) -> None:
        self.add(MetricKind.TIMER, name, value=length / timedelta(milliseconds=1), tags=tags)

    def gauge(self, name: str, value: float, /, **tags: str) -> None:
        self.add(MetricKind.GAUGE, name, value=value, tags=tags)

    def add(self, kind: MetricKind, name: str, *, value: float, tags: dict[str, str]) -> None:
        """A value of any kind; a timer's is in milliseconds."""
        job = self._job
        self._waiting.append(
            MetricEntry(
                tenant_id=job.tenant_id,
                namespace=job.namespace,
                flow_id=job.flow_id,
                execution_id=job.execution_id or None,
                task_id=job.task.id,
                task_run_id=job.task_run_id,
                type=kind,
                name=name,
                value=float(value),
                timestamp=self._now(),
                tags=tags,
            )
        )

    def take(self) -> list[MetricEntry]:
        """The values since the last call, secrets in names and tags masked."""
        taken, self._waiting = self._waiting, []
        return [self._masked(entry) for entry in taken] if taken and self._secrets.all() else taken

    def _masked(self, entry: MetricEntry) -> MetricEntry:
        hide = self._secrets.mask
        tags = {hide(key): hide(value) for key, value in entry.tags.items()}
        return msgspec.structs.replace(entry, name=hide(entry.name), tags=tags)


def _pieces(text: str) -> list[str]:
    if len(text) <= LONGEST_MESSAGE:
        return [text]
    return [text[start : start + LONGEST_MESSAGE] for start in range(0, len(text), LONGEST_MESSAGE)]


def _stamp(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
