"""Work that is done now and then: retention, expired keys, swept rows, orphaned files, old rows of the trigger journal."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import timedelta

from penstock.catalog.key_values import KeyValueStore
from penstock.catalog.retention import Retention
from penstock.clock import Clock
from penstock.errors import PenstockError
from penstock.ports.purges import Purges
from penstock.ports.trigger_states import TriggerStates

_log = logging.getLogger(__name__)


class Housekeeper:
    """A thread that works through its list every `every` seconds; each item by itself, none stops another."""

    def __init__(
        self,
        *,
        retention: Retention | None,
        purges: Purges,
        key_values: KeyValueStore,
        triggers: TriggerStates,
        clock: Clock,
        keep_journal: timedelta = timedelta(days=30),
        every: float = 3600.0,
    ) -> None:
        self._retention = retention
        self._purges = purges
        self._key_values = key_values
        self._triggers = triggers
        self._clock = clock
        self._keep_journal = keep_journal
        self._every = every
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, the first round after a minute: a start is not the moment for deletions."""
        self._thread = threading.Thread(target=self._loop, name="housekeeper", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End; a round that runs ends after its present batch."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def round(self) -> None:
        """One round of everything."""
        self._guarded("retention", self._retain)
        self._guarded("expired keys", self._key_values.purge_expired)
        self._guarded("trigger journal", self._forget_evaluations)
        self._guarded("swept rows", self._sweep)

    def _loop(self) -> None:
        pause = 60.0
        while not self._stopping.wait(pause):
            self.round()
            pause = self._every

    def _guarded(self, what: str, work: Callable[[], object]) -> None:
        try:
            work()
        except PenstockError as error:
            _log.warning("housekeeping failed, trying again later", extra={"event": what, "error": str(error)})

    def _retain(self) -> None:
        if self._retention is not None:
            self._retention.run("main", stop=self._stopping.is_set)
            self._retention.sweep_orphans("main")

    def _forget_evaluations(self) -> None:
        self._triggers.purge_evaluations(self._clock.now() - self._keep_journal)

    def _sweep(self) -> None:
        while not self._stopping.is_set() and self._purges.sweep(steps=50):
            pass
