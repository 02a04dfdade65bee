"""Jobs of BigQuery: started, waited for, and started anew when they fail for a reason that passes."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from penstock.model.task import ConstantRetry, ExponentialRetry, RandomRetry, Retry
from penstock.plugin import RunContext, TaskFailed

if TYPE_CHECKING:
    from google.api_core.exceptions import GoogleAPICallError
    from google.cloud.bigquery import QueryJob

_SHORTEST_POLL = 0.05
_LONGEST_POLL = 2.0

RETRY = ExponentialRetry(
    interval=timedelta(seconds=5),
    max_interval=timedelta(minutes=14),
    delay_factor=2.0,
    max_duration=timedelta(minutes=15),
    max_attempts=10,
)
"""Kestra's own rule for failed jobs. (Its longest interval is 60 minutes; in 15 neither is ever reached.)"""


@dataclass(frozen=True, slots=True)
class RetryRule:
    """When a failed job is started anew: for these reasons, or messages that hold one of these texts."""

    policy: Retry
    reasons: Sequence[str]
    messages: Sequence[str]

    def covers(self, error: GoogleAPICallError) -> bool:
        """Whether a failure is one that passes."""
        reasons = {str(entry.get("reason")) for entry in error.errors if isinstance(entry, dict)}
        text = str(error).lower()
        return not reasons.isdisjoint(self.reasons) or any(part.lower() in text for part in self.messages)


def finished_job(ctx: RunContext, submit: Callable[[], QueryJob], rule: RetryRule) -> QueryJob:
    """The job that `submit` starts, once it is done; each retry is a new job. A kill cancels the running one.

    Raises:
        TaskFailed: it failed for good; the message is BigQuery's.
    """
    from google.api_core.exceptions import GoogleAPICallError
    from google.auth.exceptions import GoogleAuthError

    running: list[QueryJob] = []
    ctx.on_kill(lambda: _cancel(running))
    began, attempt = ctx.monotonic(), 1
    while True:
        try:
            job = submit()
            running[:] = [job]
            return _waited_for(ctx, job)
        except GoogleAuthError as refused:
            raise TaskFailed(f"Google Cloud does not accept the credentials: {refused}") from refused
        except GoogleAPICallError as error:
            delay = _next(rule, error, attempt=attempt, spent=ctx.monotonic() - began)
            if delay is None or ctx.wait(delay):
                raise TaskFailed(error.message or str(error)) from error
            ctx.logger.warn(f"The job failed and is started anew: {error.message}")
            attempt += 1


def _waited_for(ctx: RunContext, job: QueryJob) -> QueryJob:
    """The job, once it is done. Raises GoogleAPICallError when it failed, TaskFailed when the attempt is killed."""
    pause = _SHORTEST_POLL
    while not job.done():
        if ctx.wait(timedelta(seconds=pause)):
            raise TaskFailed(f"The job {job.job_id} was cancelled")
        pause = min(pause * 1.5, _LONGEST_POLL)
    failure = job.exception()
    if failure is not None:
        raise failure
    return job


def _next(rule: RetryRule, error: GoogleAPICallError, *, attempt: int, spent: float) -> timedelta | None:
    """How long to wait before the next attempt; None when there is none."""
    policy = rule.policy
    if not rule.covers(error) or (policy.max_attempts is not None and attempt >= policy.max_attempts):
        return None
    delay = _delay(policy, attempt)
    if policy.max_duration is not None and spent + delay.total_seconds() > policy.max_duration.total_seconds():
        return None
    return delay


def _delay(policy: Retry, attempt: int) -> timedelta:
    match policy:
        case ConstantRetry():
            return policy.interval
        case ExponentialRetry():
            return min(policy.interval * policy.delay_factor ** min(attempt - 1, 32), policy.max_interval)
        case RandomRetry():
            return policy.min_interval + (policy.max_interval - policy.min_interval) * random.random()


def _cancel(running: Sequence[QueryJob]) -> None:
    for job in running:
        job.cancel()
