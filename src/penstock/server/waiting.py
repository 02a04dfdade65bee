"""Waiting for the end of an execution, without polling."""

from __future__ import annotations

import asyncio

from penstock.ports.feed import Change, Feed


class Closing:
    """The full end of an execution, awaited; it listens from the moment it is made, so it is made before the start."""

    def __init__(self, feed: Feed, execution_id: str) -> None:
        loop = asyncio.get_running_loop()
        self._done = asyncio.Event()

        def news(change: Change) -> None:
            if change.closed:
                loop.call_soon_threadsafe(self._done.set)

        self._stop = feed.on_change(news, execution_id)

    async def wait(self, seconds: float) -> bool:
        """Whether the end came in time; listens no longer afterwards."""
        try:
            await asyncio.wait_for(self._done.wait(), seconds)
        except TimeoutError:
            return False
        finally:
            self._stop()
        return True
