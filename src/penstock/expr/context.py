"""What a template is rendered with: variables, the outside world, time, chance and limits. All of it is handed in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable


@runtime_checkable
class LazyValue(Protocol):
    """A value kept elsewhere, e.g. in internal storage; fetched only when a template touches it.

    A stored list may also have `__iter__`: `{% for %}` then streams it and never loads the whole.
    """

    def load(self) -> object:
        """The value itself. May be called more than once."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """How far one rendering may go, nested renderings included. Beyond a limit it fails with LimitReached."""

    output: int = 64 * 1024 * 1024
    """Characters of one text, and of all texts and list items a template builds, counted together, ten times this."""
    iterations: int = 5_000_000
    """Turns of all loops together."""
    passes: int = 100
    """Renderings of a rendered text (`render()`, recursive rendering)."""
    range_size: int = 1_000_000
    """Elements of `range()` (Kestra 2.0's own limit)."""
    seconds: float = 30.0
    """Time from the first loop, pattern or other long work of the rendering."""
    depth: int = 100
    """Macros and renderings inside one another, and levels of a value that is written as text."""


class HostFunctions(Protocol):
    """The functions that need the outside: storage, secrets, the network, other executions.

    Each raises `EvaluationError` (or another `PenstockError`) with a text for people when it cannot answer.
    `namespace` None means the flow's namespace.
    """

    def kv(self, key: str, namespace: str | None, *, error_on_missing: bool) -> object:
        """A stored value, typed; searched in the flow's namespace and its parents when `namespace` is None."""
        ...

    def secret(self, key: str, namespace: str | None, *, subkey: str | None, full: bool) -> object:
        """The text of a secret, a field of a JSON secret, or (`full`) a map with `value` and `metadata`."""
        ...

    def read(self, path: str, namespace: str | None) -> str | bytes:
        """The content of a file of internal storage (`kestra://…`) or a namespace file."""
        ...

    def file_uri(self, path: str, namespace: str | None) -> str:
        """The URI of a namespace file."""
        ...

    def file_size(self, path: str, namespace: str | None) -> int:
        """The size of a file in bytes."""
        ...

    def file_exists(self, path: str, namespace: str | None) -> bool:
        """Whether a file exists."""
        ...

    def is_file_empty(self, path: str, namespace: str | None) -> bool:
        """Whether a file has no content."""
        ...

    def http(
        self,
        uri: str,
        *,
        method: str,
        query: Mapping[str, object],
        body: object,
        content_type: str,
        headers: Mapping[str, object],
        options: Mapping[str, object],
        accept: str,
    ) -> object:
        """The body of a response, parsed by its content type."""
        ...

    def error_logs(self) -> list[dict[str, object]]:
        """The ERROR log entries of the execution."""
        ...

    def subflow(
        self,
        namespace: str,
        flow_id: str,
        *,
        inputs: Mapping[str, object],
        revision: int | None,
        labels: object,
        timeout: str | None,
    ) -> object:
        """Runs a flow and returns its `id`, `state`, `outputs` and `labels`."""
        ...

    def app_link(self, app_id: str | None, *, base_url: bool) -> str:
        """The address of an app."""
        ...

    def credential(self, name: str) -> str:
        """A short-lived token."""
        ...

    def random_port(self) -> int:
        """A TCP port that is free on this machine."""
        ...


_DEFAULT_LIMITS = Limits()


class RenderContext:
    """The variables of a rendering and everything it may ask for. Cheap: one is made for each task.

    `now` gives an aware moment, `random` a float in [0, 1), `new_id` a short identifier, `monotonic` seconds of a clock
    that never jumps. `recursive` is Kestra's setting `kestra.variables.recursive-rendering`.
    `secrets` gathers the secret texts that renderings with this context touched; None until there is one.
    """

    __slots__ = (
        "host",
        "limits",
        "monotonic",
        "new_id",
        "now",
        "random",
        "recursive",
        "secrets",
        "timezone",
        "variables",
    )

    def __init__(
        self,
        variables: Mapping[str, object],
        *,
        host: HostFunctions | None = None,
        now: Callable[[], datetime],
        timezone: str = "UTC",
        random: Callable[[], float],
        new_id: Callable[[], str],
        limits: Limits = _DEFAULT_LIMITS,
        monotonic: Callable[[], float],
        recursive: bool = False,
    ) -> None:
        self.variables = variables
        self.host = host
        self.now = now
        self.timezone = timezone
        self.random = random
        self.new_id = new_id
        self.limits = limits
        self.monotonic = monotonic
        self.recursive = recursive
        self.secrets: set[str] | None = None
