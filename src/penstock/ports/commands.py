"""How commands reach the executor that owns an execution."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Protocol

from penstock.engine.commands import AnyCommand
from penstock.model.execution import Execution


class Commands(Protocol):
    """Takes commands from any thread."""

    def submit(self, command: AnyCommand) -> Future[Execution | None]:
        """Hand over a command. The future is done after the commit, with a copy of the execution's head.

        It fails with NotFound (no such execution), Conflict (wrong state) or Unprocessable (bad values).
        """
        ...

    def tell(self, command: AnyCommand) -> None:
        """Hand over a command whose answer nobody waits for."""
        ...
