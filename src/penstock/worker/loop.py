"""The event loop on which asynchronous tasks run: one thread, started when the first of them comes."""

from __future__ import annotations

import threading
from collections.abc import Awaitable
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")
_CANCEL_SECONDS = 2.0


class TaskLoop:
    """Runs coroutines on a thread of its own."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def run(self, work: Awaitable[T]) -> Future[T]:
        """Starts `work`; its result arrives in the future, whose `cancel` cancels it."""
        import asyncio

        return asyncio.run_coroutine_threadsafe(_as_coroutine(work), self._started())

    def close(self) -> None:
        """Cancels what still runs and ends the thread."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        import asyncio

        asyncio.run_coroutine_threadsafe(_cancel_all(), loop).result(timeout=5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=5)
        loop.close()
        self._loop = self._thread = None

    def _started(self) -> asyncio.AbstractEventLoop:
        import asyncio

        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="penstock-tasks", daemon=True)
                self._thread.start()
            return self._loop


async def _as_coroutine(work: Awaitable[T]) -> T:
    return await work


async def _cancel_all() -> None:
    import asyncio

    running = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in running:
        task.cancel()
    if running:
        await asyncio.wait(running, timeout=_CANCEL_SECONDS)
