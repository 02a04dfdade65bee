"""Live news of executions, told after the commit they come from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from penstock.model.entries import LogEntry
from penstock.model.state import State


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """An execution changed: its state, and whether it is fully terminated (`closed`)."""

    execution_id: str
    tenant_id: str
    namespace: str
    flow_id: str
    state: State
    closed: bool


class Feed(Protocol):
    """Subscriptions; callbacks run on the publisher's thread, must be quick and must not raise."""

    def on_change(self, callback: Callable[[Change], None], execution_id: str | None = None) -> Callable[[], None]:
        """Call back at each change (of one execution, or of all); returns how to stop it."""
        ...

    def on_log(self, callback: Callable[[LogEntry], None], execution_id: str) -> Callable[[], None]:
        """Call back at each stored log line of one execution; returns how to stop it."""
        ...
