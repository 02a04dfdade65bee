"""When a failed attempt is tried again (engine.md 4)."""

from __future__ import annotations

from datetime import datetime, timedelta

from penstock.model.execution import Execution, TaskRun
from penstock.model.task import ConstantRetry, ExponentialRetry, RandomRetry, Retry, RetryBehavior


def next_attempt(retry: Retry, run: TaskRun, execution: Execution, *, now: datetime, chance: float) -> datetime | None:
    """When the next attempt begins, or None when retries are over.

    `chance` is a number in [0, 1) for random retries. For CREATE_NEW_EXECUTION attempts are executions, counted by
    the execution's metadata.
    """
    new_execution = retry.behavior is RetryBehavior.CREATE_NEW_EXECUTION
    attempts = execution.metadata.attempt_number if new_execution else tries(run)
    if retry.max_attempts is not None and attempts >= retry.max_attempts:
        return None
    due = now + delay(retry, attempts, chance)
    if retry.max_duration is not None:
        began = execution.metadata.original_created_date if new_execution else run.attempts[0].histories[0].date
        if due > began + retry.max_duration:
            return None
    return due


def tries(run: TaskRun) -> int:
    """How many attempts a task run has had."""
    return len(run.attempts)


def delay(retry: Retry, attempt: int, chance: float) -> timedelta:
    """The wait after attempt number `attempt` (from 1)."""
    match retry:
        case ConstantRetry():
            return retry.interval
        case ExponentialRetry():
            # A large attempt number overflows long before it matters: the maximum is reached by then.
            factor = min(retry.delay_factor ** min(attempt - 1, 64), 1e9)
            seconds = min(retry.interval.total_seconds() * factor, retry.max_interval.total_seconds())
            return timedelta(seconds=seconds)
        case RandomRetry():
            return retry.min_interval + (retry.max_interval - retry.min_interval) * chance
