"""What trigger classes look like that look outside: polled ones and permanent ones."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping
from datetime import timedelta

from penstock.model.duration import IsoDuration
from penstock.model.triggers import Trigger
from penstock.plugin.context import RunContext


class PollingTrigger(Trigger):
    """A trigger that a worker evaluates every `interval`, counted from the end of the evaluation before."""

    interval: IsoDuration = timedelta(seconds=60)

    def evaluate(self, ctx: RunContext) -> Mapping[str, object] | Awaitable[Mapping[str, object] | None] | None:
        """Looks once; the variables of the execution to start (`trigger.*`), or None. May be a coroutine function."""
        raise TypeError(f"{type(self).__name__} has no `evaluate`")


class RealtimeTrigger(Trigger):
    """A trigger that runs permanently on one worker and starts an execution for each event."""

    def stream(self, ctx: RunContext) -> Iterator[Mapping[str, object]] | AsyncIterator[Mapping[str, object]]:
        """The variables of one execution after the other, until `ctx.is_killed()`. May be an async generator function.

        The next event is asked for once the execution of the one before is stored.
        """
        raise TypeError(f"{type(self).__name__} has no `stream`")
