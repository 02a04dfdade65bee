"""JSON answers, encoded by msgspec; and how blocking work leaves the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import msgspec
from starlette.responses import Response

T = TypeVar("T")

THREADS = 16
"""Blocking calls that run at the same time; more wait their turn, so that a flood of requests cannot exhaust memory."""

_encoder = msgspec.json.Encoder(enc_hook=str, decimal_format="number")
_pool = ThreadPoolExecutor(THREADS, thread_name_prefix="server")


def encode(value: object) -> bytes:
    """`value` as JSON; instants in ISO 8601 with Z."""
    return _encoder.encode(value)


def json_reply(value: object, status: int = 200) -> Response:
    """An answer in JSON; for small values, as it is encoded where it stands."""
    return json_of_bytes(encode(value), status)


def json_of_bytes(body: bytes, status: int = 200) -> Response:
    """An answer whose JSON is encoded already."""
    return Response(body, status, media_type="application/json")


def nothing(status: int = 200) -> Response:
    """An answer without a body."""
    return Response(status_code=status)


def attachment(name: str) -> dict[str, str]:
    """The header that makes browsers save an answer under `name`; characters outside ASCII are percent-encoded."""
    from urllib.parse import quote

    safe = "".join(c for c in name if 32 <= ord(c) < 127 and c not in '"\\')
    value = f'attachment; filename="{safe}"'
    if safe != name:
        value += f"; filename*=UTF-8''{quote(name)}"
    return {"Content-Disposition": value}


def event(mark: str, data: object) -> bytes:
    """One server-sent event as Micronaut writes it: `id:` and `data:`, no `event:` line."""
    return b"id: " + mark.encode() + b"\ndata: " + encode(data) + b"\n\n"


async def offload(work: Callable[..., T], *args: object, **kwargs: object) -> T:
    """Run blocking work on a thread of the server's own pool."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_pool, partial(work, *args, **kwargs))


async def answer(work: Callable[..., object], *args: object, **kwargs: object) -> Response:
    """Run blocking work on a thread and encode there what it returns: a long list does not hold up the event loop."""
    return json_of_bytes(await offload(lambda: encode(work(*args, **kwargs))))
