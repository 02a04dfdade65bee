"""What a task sees while it runs. Everything costs nothing until it is used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol, TypeVar, overload

from penstock.plugin.platform import RunPlatform

if TYPE_CHECKING:
    import httpx

    from penstock.model.task import LogLevel, Task
    from penstock.plugin.dynamic_run import DynamicRun
    from penstock.plugin.registry import TypeIndex

T = TypeVar("T")
Data = bytes | Iterable[bytes] | BinaryIO


class RunLogger(Protocol):
    """The log of one attempt. Lines reach the user's log store, secrets in them as `******`."""

    def log(self, level: LogLevel, message: str) -> None:
        """A line at any level."""
        ...

    def trace(self, message: str) -> None: ...
    def debug(self, message: str) -> None: ...
    def info(self, message: str) -> None: ...
    def warn(self, message: str) -> None: ...
    def error(self, message: str) -> None: ...


class RunMetrics(Protocol):
    """Measured values of one attempt."""

    def counter(self, name: str, value: float = 1, /, **tags: str) -> None:
        """Adds to a sum."""
        ...

    def timer(self, name: str, length: timedelta, /, **tags: str) -> None:
        """A length of time; stored in milliseconds."""
        ...

    def gauge(self, name: str, value: float, /, **tags: str) -> None:
        """A reading."""
        ...


class WorkingDirectory(Protocol):
    """The folder of one attempt (inside a WorkingDirectory task: of all its children).

    It is made at first use and removed afterwards. Names are relative with `/`; one that is absolute or leads outside
    raises BadRequest.
    """

    @property
    def path(self) -> Path:
        """The folder itself."""
        ...

    def file(self, name: str) -> Path:
        """The path for the file `name`; its folders exist afterwards, the file need not."""
        ...

    def put(self, name: str, data: Data) -> Path:
        """Writes a file."""
        ...

    def new_file(self, *, suffix: str = "") -> Path:
        """A path for a new file with a name of its own."""
        ...

    def find(self, patterns: Iterable[str]) -> list[str]:
        """Names of files that match one of the glob patterns (`**` crosses folders), sorted."""
        ...


class StoredFile(Protocol):
    """A file of internal storage in a listing."""

    @property
    def uri(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def modified(self) -> datetime: ...


class RunStorage(Protocol):
    """Internal storage, as one task run sees it.

    What is put lies under the task run; `kestra://`, `nsfile://` and (where an administrator allows the folder) `file://`
    URIs can be read. Raises NotFound, BadRequest, Forbidden.
    """

    def put(self, name: str, data: Data) -> str:
        """Stores `data` as this task run's file `name` and returns its URI. Streams."""
        ...

    def store_stream(self, name: str, chunks: Iterable[bytes]) -> str:
        """As `put`, for chunks."""
        ...

    def put_file(self, path: Path, name: str | None = None) -> str:
        """Stores a local file, under its own name by default."""
        ...

    def open(self, uri: str) -> BinaryIO:
        """The file, opened for reading; the caller closes it."""
        ...

    def get(self, uri: str) -> bytes:
        """The whole content, for files known to be small."""
        ...

    def size(self, uri: str) -> int: ...
    def exists(self, uri: str) -> bool: ...

    def delete(self, uri: str) -> bool:
        """Removes a `kestra://` file; False when there was none."""
        ...

    def files_of_execution(self) -> Iterator[StoredFile]:
        """Every file of the running execution."""
        ...

    def files_of_namespace(self, namespace: str, flow_id: str | None = None) -> Iterator[StoredFile]:
        """Every file of executions below a namespace, or of one flow."""
        ...

    def read_cache(self, cache_id: str, key: str | None = None) -> tuple[bytes, datetime] | None:
        """The zipped cache of this flow under that name, and when it was written."""
        ...

    def write_cache(self, cache_id: str, data: bytes, *, key: str | None = None) -> None:
        """Replaces the zipped cache."""
        ...


class RunContext(Protocol):
    """Everything a task may use while it runs: one attempt of one task run (or one evaluation of a trigger)."""

    @property
    def tenant(self) -> str: ...
    @property
    def namespace(self) -> str: ...
    @property
    def flow_id(self) -> str: ...

    @property
    def execution_id(self) -> str:
        """Empty while a trigger is evaluated."""
        ...

    @property
    def task_run_id(self) -> str: ...
    @property
    def value(self) -> str | None: ...

    @property
    def attempt(self) -> int:
        """Zero-based number of this attempt."""
        ...

    @property
    def variables(self) -> Mapping[str, object]:
        """What templates see."""
        ...

    @overload
    def render(self, value: None, as_type: object = ..., /, **extra: object) -> None: ...  # pyright: ignore[reportOverlappingOverload]
    @overload
    def render(self, value: object, /, **extra: object) -> str: ...
    @overload
    def render(self, value: object, as_type: type[T], /, **extra: object) -> T: ...
    def render(self, value: object, as_type: object = str, /, **extra: object) -> object:
        """`value` with its templates rendered and converted to `as_type` (Kestra's `Property<T>`).

        `as_type` is `str`, `int`, `float`, `bool`, `timedelta`, `datetime`, `Path`, an enum, `object` (keeps the type a
        template gives), or `list[…]`, `dict[str, …]` of those; a list or map may also be one text that renders to JSON.
        `extra` adds variables. None stays None.

        Raises:
            ExpressionError: a template fails.
            TaskFailed: the result cannot be read as `as_type`.
        """
        ...

    def holds(self, condition: object, /, **extra: object) -> bool:
        """Whether a condition renders to something true: not null, empty, `false`, `0` or `-0` once trimmed."""
        ...

    @property
    def logger(self) -> RunLogger: ...
    @property
    def metrics(self) -> RunMetrics: ...
    @property
    def working_directory(self) -> WorkingDirectory: ...
    @property
    def storage(self) -> RunStorage: ...
    @property
    def platform(self) -> RunPlatform: ...

    @property
    def types(self) -> TypeIndex:
        """Task types by name, for tasks that hold other tasks."""
        ...

    def http(self, **options: object) -> httpx.Client:
        """A client with Penstock's defaults; options are those of `httpx.Client`. Closed when the attempt ends."""
        ...

    def setting(self, name: str) -> object:
        """A plugin setting of the installation (`scripts.docker-fallback`), or None."""
        ...

    def now(self) -> datetime:
        """The present moment, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds of a clock that never jumps."""
        ...

    def new_id(self) -> str:
        """A new identifier."""
        ...

    def on_kill(self, callback: Callable[[], None]) -> None:
        """Calls `callback` (from another thread, once) when the attempt is killed or runs out of time."""
        ...

    def is_killed(self) -> bool:
        """Whether the attempt should end."""
        ...

    def wait(self, length: timedelta) -> bool:
        """Waits, or returns True at once when the attempt is killed."""
        ...

    def mask(self, secret: str) -> None:
        """From now on `secret` is `******` in this attempt's log lines."""
        ...

    def add_dynamic_run(self, run: DynamicRun) -> None:
        """Reports a task run that has no task in the flow."""
        ...

    def with_task(self, task: Task) -> RunContext:
        """The same attempt for a task held by the running one."""
        ...
