"""The properties every task has, and the retry rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AliasChoices, Field, model_validator

from penstock.model.authored import UPPER, Authored, Dynamic, Word, refuse
from penstock.model.duration import IsoDuration

TASK_ID = r"^[a-zA-Z0-9][a-zA-Z0-9_-]*$"


class LogLevel(Word):
    """Levels of a log line, from the most talkative."""

    TRACE = "TRACE"
    DEBUG = "DEBUG"
    INFO = "INFO"
    WARN = "WARN"
    ERROR = "ERROR"


class RetryBehavior(Word):
    """What a retry does: the same task run again, or a new execution of the flow."""

    RETRY_FAILED_TASK = "RETRY_FAILED_TASK"
    CREATE_NEW_EXECUTION = "CREATE_NEW_EXECUTION"


class RetryBase(Authored):
    """What all three kinds of retry share (engine.md 4.1); `max_attempts` counts the first attempt too."""

    max_attempts: int | None = Field(default=None, ge=1, validation_alias=AliasChoices("maxAttempts", "maxAttempt"))
    max_duration: IsoDuration | None = None
    warning_on_retry: bool = False
    behavior: RetryBehavior = RetryBehavior.RETRY_FAILED_TASK


class ConstantRetry(RetryBase):
    """The next attempt comes `interval` after the end of the last one."""

    type: Literal["constant"] = "constant"
    interval: IsoDuration

    @model_validator(mode="after")
    def _in_order(self) -> ConstantRetry:
        refuse(_not_less("interval", self.interval, "maxDuration", self.max_duration))
        return self


class ExponentialRetry(RetryBase):
    """`interval * delay_factor ** (n - 1)` after the end of attempt n, at most `max_interval`."""

    type: Literal["exponential"] = "exponential"
    interval: IsoDuration
    max_interval: IsoDuration
    delay_factor: float = 2.0

    @model_validator(mode="after")
    def _in_order(self) -> ExponentialRetry:
        refuse(_not_less("interval", self.interval, "maxInterval", self.max_interval))
        refuse(_not_less("maxInterval", self.max_interval, "maxDuration", self.max_duration))
        return self


class RandomRetry(RetryBase):
    """A time drawn evenly from `[min_interval, max_interval)` after the end of the last attempt."""

    type: Literal["random"] = "random"
    min_interval: IsoDuration
    max_interval: IsoDuration

    @model_validator(mode="after")
    def _in_order(self) -> RandomRetry:
        refuse(_not_less("minInterval", self.min_interval, "maxInterval", self.max_interval))
        refuse(_not_less("maxInterval", self.max_interval, "maxDuration", self.max_duration))
        return self


def _not_less(name: str, length: timedelta, limit: str, most: timedelta | None) -> Iterator[str]:
    if most is not None and length >= most:
        yield f"'{name}' must be less than '{limit}'"


Retry = Annotated[ConstantRetry | ExponentialRetry | RandomRetry, Field(discriminator="type")]


class TaskCache(Authored):
    """Keeps a runnable task's outputs for `ttl` and gives them again for the same rendered properties."""

    enabled: bool
    ttl: IsoDuration | None = None


class WorkerRouting(Authored):
    """Which workers may take a task: `workerGroup` of 1.x (`key`) or `workerSelector` of 2.0 (`tags`)."""

    key: str | None = None
    tags: list[str] = []
    match: Annotated[Literal["ALL", "ANY"], UPPER] = "ALL"
    fallback: Annotated[Literal["WAIT", "FAIL", "CANCEL", "IGNORE"], UPPER] | None = None


class Task(Authored):
    """The properties every task has (engine.md 1.3)."""

    id: str = Field(pattern=TASK_ID, max_length=256)
    type: str
    version: str | None = None
    description: str | None = None
    retry: Retry | None = None
    timeout: Dynamic[IsoDuration] | None = None
    disabled: bool = False
    run_if: str | None = Field(default=None, validation_alias=AliasChoices("runIf", "when"))
    allow_failure: bool = False
    allow_warning: bool = False
    log_level: LogLevel | None = None
    log_to_file: bool = False
    worker_group: WorkerRouting | None = None
    worker_selector: WorkerRouting | None = None
    task_cache: TaskCache | None = None
    assets: Mapping[str, object] | None = None
