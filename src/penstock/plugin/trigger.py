"""What trigger classes look like that look outside: polled ones and permanent ones."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping
from datetime import timedelta
from typing import ClassVar

from pydantic import Field

from penstock.model.authored import Authored, Free
from penstock.model.duration import IsoDuration
from penstock.model.state import State
from penstock.model.task import TASK_ID, LogLevel, WorkerRouting
from penstock.plugin.context import RunContext


class Trigger(Authored):
    """The properties every trigger has (plugins.md 3)."""

    TYPE: ClassVar[str] = ""
    ALIASES: ClassVar[tuple[str, ...]] = ()

    id: str = Field(pattern=TASK_ID, max_length=256)
    type: str
    version: str | None = None
    description: str | None = None
    disabled: bool = False
    when: str | None = None
    conditions: list[Free] = []
    worker_group: WorkerRouting | None = None
    worker_selector: WorkerRouting | None = None
    log_level: LogLevel | None = None
    labels: Free = None
    inputs: Mapping[str, Free] = {}
    stop_after: list[State] = []
    log_to_file: bool = False
    fail_on_trigger_error: bool = False
    allow_concurrent: bool = False
    assets: Free = None


class PollingTrigger(Trigger):
    """A trigger that a worker evaluates every `interval`, counted from the end of the evaluation before."""

    interval: IsoDuration = timedelta(seconds=60)

    def evaluate(self, ctx: RunContext) -> Mapping[str, object] | Awaitable[Mapping[str, object] | None] | None:
        """Looks once; the variables of the execution to start (`trigger.*`), or None."""
        raise TypeError(f"{type(self).__name__} has no `evaluate`")


class RealtimeTrigger(Trigger):
    """A trigger that runs permanently on one worker and starts an execution for each event."""

    def stream(self, ctx: RunContext) -> Iterator[Mapping[str, object]] | AsyncIterator[Mapping[str, object]]:
        """The variables of one execution after the other, until the attempt is killed."""
        raise TypeError(f"{type(self).__name__} has no `stream`")
