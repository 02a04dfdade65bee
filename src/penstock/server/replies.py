"""JSON answers, encoded by msgspec; and how blocking work leaves the event loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

T = TypeVar("T")

_encoder = msgspec.json.Encoder(enc_hook=str, decimal_format="number")


def encode(value: object) -> bytes:
    """`value` as JSON; instants in ISO 8601 with Z."""
    return _encoder.encode(value)


def json_reply(value: object, status: int = 200) -> Response:
    """An answer in JSON."""
    return Response(encode(value), status, media_type="application/json")


def nothing(status: int = 200) -> Response:
    """An answer without a body."""
    return Response(status_code=status)


async def offload(work: Callable[..., T], *args: object, **kwargs: object) -> T:
    """Run blocking work on a thread."""
    return await run_in_threadpool(work, *args, **kwargs)
