"""Fires on their way: recorded already, to be started, then marked done.

A fire is submitted as often as it takes: the execution's id makes a second `StartExecution` do nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import Lock

from penstock.engine.commands import StartExecution
from penstock.errors import CallerError, PenstockError
from penstock.model.execution import Execution
from penstock.ports.commands import Commands
from penstock.ports.trigger_states import PendingFire, TriggerBatch, TriggerStates

_log = logging.getLogger(__name__)


class Fires:
    """Submits fires and remembers those whose answer is still out. Safe to use from any thread."""

    def __init__(self, states: TriggerStates, commands: Commands, *, wake: Callable[[], None]) -> None:
        """`wake` is called when an answer has come, so that whoever drives calls `settle`."""
        self._states = states
        self._commands = commands
        self._wake = wake
        self._lock = Lock()
        self._flying: dict[str, PendingFire] = {}
        self._done: list[str] = []
        self._failed: list[PendingFire] = []

    def __len__(self) -> int:
        return len(self._flying)

    def flying(self, execution_id: str) -> bool:
        """Whether an execution of that id is about to be started."""
        return execution_id in self._flying

    def submit(self, fires: Sequence[PendingFire]) -> None:
        """Hand fires to the executor; those that are flying already are left alone."""
        for fire in fires:
            with self._lock:
                if fire.id in self._flying:
                    continue
                self._flying[fire.id] = fire
            self._send(fire)

    def settle(self) -> int:
        """Mark answered fires done, submit again those that failed for a passing reason; returns how many were done.

        Raises:
            StoreUnavailable: nothing is lost, they stay pending.
        """
        with self._lock:
            done, self._done = self._done, []
            failed, self._failed = self._failed, []
        for fire in failed:
            self._send(fire)
        if not done:
            return 0
        try:
            self._states.commit(TriggerBatch(done_fires=done))
        except PenstockError:
            with self._lock:
                self._done += done
            raise
        return len(done)

    def recover(self) -> int:
        """Submit every fire that is pending in the store: what a start, and now and then a check, does."""
        fires = self._states.pending_fires()
        self.submit(fires)
        return len(fires)

    def _send(self, fire: PendingFire) -> None:
        command = StartExecution(
            execution_id=fire.id, execution=fire.execution, context=fire.context, final_state=fire.final_state
        )
        try:
            future = self._commands.submit(command)
        except PenstockError as fault:
            self._answered(fire, fault)
            return
        future.add_done_callback(lambda answered: self._answered(fire, _fault_of(answered)))

    def _answered(self, fire: PendingFire, fault: BaseException | None) -> None:
        """A command that is refused will be refused again (most likely the execution exists); others are repeated."""
        final = fault is None or isinstance(fault, CallerError)
        if fault is not None:
            _log.warning(
                "an execution was refused" if final else "an execution could not be started, it is tried again",
                extra={"event": "fire.failed", "execution": fire.id, "flow": fire.flow_id},
                exc_info=fault,
            )
        with self._lock:
            if final:
                self._flying.pop(fire.id, None)
                self._done.append(fire.id)
            else:
                self._failed.append(fire)
        if final:
            self._wake()


def _fault_of(future: Future[Execution | None]) -> BaseException | None:
    """Why a command failed; one that was called off is tried again."""
    if future.cancelled():
        return PenstockError("the command was called off")
    return future.exception()
