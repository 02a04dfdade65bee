"""Load from a process of its own: `python bench/load.py PORT PATH --seconds S (--connections N | --rate R)`.

With `--connections`, each connection sends its next request when the last one is answered; with `--rate`, requests are
sent at even distances whether earlier ones are answered or not. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import deque

import httptools


class Connection(asyncio.Protocol):
    """One kept-alive connection: a request at a time."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._parser = httptools.HttpResponseParser(self)
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._tally.free(self)

    def send(self, request: bytes) -> None:
        """Send the next request."""
        self._sent = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        self._tally.answered(self._parser.get_status_code(), time.perf_counter() - self._sent)
        self._parser = httptools.HttpResponseParser(self)
        self._tally.free(self)

    def close(self) -> None:
        """End it."""
        self._transport.close()


class Tally:
    """What was sent and what came back; hands the next request to whoever is free."""

    def __init__(self, request: bytes, *, paced: bool) -> None:
        self.request = request
        self.latencies: list[float] = []
        self.errors = 0
        self.sent = 0
        self._paced = paced
        self._open = True
        self._free: deque[Connection] = deque()
        self._owed = 0
        self.all_answered = asyncio.Event()

    def free(self, connection: Connection) -> None:
        """A connection can take a request."""
        if self._open and (not self._paced or self._owed):
            self._owed -= self._paced
            self._send(connection)
        else:
            self._free.append(connection)

    def due(self) -> None:
        """A request is due now (`--rate`)."""
        if self._free:
            self._send(self._free.popleft())
        else:
            self._owed += 1

    def answered(self, status: int, seconds: float) -> None:
        """An answer came."""
        self.latencies.append(seconds)
        self.errors += status >= 400
        self._look()

    def end(self) -> None:
        """Send nothing more."""
        self._open = False
        self._look()

    def _look(self) -> None:
        if not self._open and len(self.latencies) == self.sent:
            self.all_answered.set()

    def _send(self, connection: Connection) -> None:
        self.sent += 1
        connection.send(self.request)


async def drive(options: argparse.Namespace) -> Tally:
    """Send for the time asked."""
    body = b'{"hello": "world"}' if options.body else b""
    kind = "Content-Type: application/json\r\n" if body else ""
    head = f"POST {options.path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{kind}Content-Length: {len(body)}\r\n\r\n"
    tally = Tally(head.encode() + body, paced=options.rate > 0)
    loop = asyncio.get_running_loop()
    opened = [
        (await loop.create_connection(lambda: Connection(tally), "127.0.0.1", options.port))[1]
        for _ in range(options.connections)
    ]
    began = time.perf_counter()
    if options.rate:
        for number in range(int(options.seconds * options.rate)):
            await asyncio.sleep(max(0.0, began + number / options.rate - time.perf_counter()))
            tally.due()
    else:
        await asyncio.sleep(options.seconds)
    tally.end()
    await asyncio.wait_for(tally.all_answered.wait(), timeout=60)
    for connection in opened:
        connection.close()
    return tally


def main() -> None:
    """Drive, then print what happened."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("path")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--rate", type=float, default=0)
    parser.add_argument("--body", action="store_true", help="send a small JSON body")
    options = parser.parse_args()
    tally = asyncio.run(drive(options))
    took = sorted(tally.latencies)
    print(
        json.dumps(
            {
                "sent": tally.sent,
                "answered": len(took),
                "errors": tally.errors,
                "p50_ms": 1000 * took[len(took) // 2],
                "p99_ms": 1000 * took[int(len(took) * 0.99)],
                "cpu_s": time.process_time(),
            }
        )
    )


if __name__ == "__main__":
    main()
