"""What every attempt on one worker shares: storage, the system, time, chance, and settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from penstock.expr import Limits
from penstock.plugin.registry import TypeIndex
from penstock.ports.blobs import Blobs
from penstock.ports.platform import Platform


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """How a worker behaves.

    work_folder: where attempts have their working directories.
    threads: synchronous tasks at a time. async_tasks: asynchronous ones beside them.
    grace: how long a killed or timed-out attempt may take to end by itself before it is given up.
    flush: how often lines of running attempts are sent.
    allowed_files: folders whose `file://` files tasks may read.
    mask_outputs: whether secrets in outputs become `******` too.
    plugins: plugin settings by name, as `RunContext.setting` gives them.
    """

    work_folder: Path
    threads: int = 8
    async_tasks: int = 1000
    grace: timedelta = timedelta(seconds=5)
    flush: timedelta = timedelta(milliseconds=200)
    timezone: str = "UTC"
    recursive_rendering: bool = False
    limits: Limits = field(default_factory=Limits)
    allowed_files: Sequence[Path] = ()
    mask_outputs: bool = True
    plugins: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Equipment:
    """Handed in by the composition root; the worker makes none of it."""

    worker_id: str
    platform: Platform
    blobs: Blobs
    types: TypeIndex
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    random: Callable[[], float]
    new_id: Callable[[], str]
    settings: WorkerSettings
