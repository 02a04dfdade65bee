"""The states of executions and task runs, and the sets the rules speak of (engine.md 2.1)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec


class State(StrEnum):
    """A state of an execution, a task run or an attempt."""

    CREATED = "CREATED"
    SUBMITTED = "SUBMITTED"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    RESTARTED = "RESTARTED"
    KILLING = "KILLING"
    SUCCESS = "SUCCESS"
    WARNING = "WARNING"
    FAILED = "FAILED"
    KILLED = "KILLED"
    CANCELLED = "CANCELLED"
    QUEUED = "QUEUED"
    RETRYING = "RETRYING"
    RETRIED = "RETRIED"
    SKIPPED = "SKIPPED"
    BREAKPOINT = "BREAKPOINT"
    RESUBMITTED = "RESUBMITTED"

    @classmethod
    def _missing_(cls, value: object) -> State | None:
        name = value.strip().upper() if isinstance(value, str) else value
        return next((state for state in cls if state.value == ("CANCELLED" if name == "CANCELED" else name)), None)

    @classmethod
    def read(cls, text: str) -> State:
        """The state named by `text` in any case; Kestra 1.1's `CANCELED` is `CANCELLED`.

        Raises:
            ValueError: no state has that name.
        """
        name = text.strip().upper()
        return cls("CANCELLED" if name == "CANCELED" else name)


TERMINATED = frozenset(
    {
        State.SUCCESS,
        State.WARNING,
        State.FAILED,
        State.KILLED,
        State.CANCELLED,
        State.RETRIED,
        State.SKIPPED,
        State.RESUBMITTED,
    }
)
"""Nothing more will happen by itself."""

FAILURES = frozenset({State.FAILED, State.KILLED, State.CANCELLED})
"""Terminated in error."""

WORST_FIRST = (State.KILLED, State.FAILED, State.CANCELLED, State.WARNING)
"""How the states of children make the state of their parent (engine.md 3.4): the first that occurs, else SUCCESS."""


class StateChange(msgspec.Struct, frozen=True):
    """One entry of a state history."""

    state: State
    date: datetime
