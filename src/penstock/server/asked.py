"""What a request asks for: its parameters and its body, read and checked once, here."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

import msgspec
from starlette.datastructures import QueryParams
from starlette.requests import Request

from penstock.server.errors import InvalidJson, InvalidParameter, TooLarge
from penstock.server.shapes import instant

T = TypeVar("T")

LARGEST = 2**31 - 1
"""The largest whole number that a parameter may be."""

MOST_TEXT = 64 * 1024 * 1024
"""Bytes that a text or JSON body may have."""


async def body_of(request: Request, *, most: int = MOST_TEXT) -> bytes:
    """The body of a request.

    Raises:
        TooLarge: it has more than `most` bytes; the rest is not read.
    """
    said = request.headers.get("content-length", "")
    if said.isdigit() and int(said) > most:
        raise _too_large(most)
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise _too_large(most)
        parts.append(part)
    return b"".join(parts)


def _too_large(most: int) -> TooLarge:
    return TooLarge(f"the body is larger than {most:,} bytes")


async def text_of(request: Request) -> str:
    """The body as text. Raises UnicodeDecodeError (422) for one that is not UTF-8, TooLarge."""
    return (await body_of(request)).decode()


async def json_of(request: Request, kind: type[T]) -> T:
    """The body as JSON of a type.

    Raises:
        InvalidJson: it is none, or of another type; the message says where.
    """
    body = await body_of(request)
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidJson(str(error)) from error


def number(params: QueryParams, name: str, default: int, *, least: int = 1, most: int | None = None) -> int:
    """A whole number of the query.

    Raises:
        InvalidParameter: it is none, or outside of [least, most].
    """
    found = optional_number(params, name)
    value = default if found is None else found
    if value < least or (most is not None and value > most):
        upper = f" and {most} at the most" if most is not None else ""
        raise InvalidParameter(f"`{name}` must be {least} or more{upper}, found {value}")
    return value


def optional_number(params: QueryParams, name: str) -> int | None:
    """A whole number of the query, or None where it is not given. Raises InvalidParameter."""
    text = params.get(name)
    if text is None or text == "":
        return None
    try:
        value = int(text) if len(text) < 20 else None
    except ValueError:
        value = None
    if value is None or abs(value) > LARGEST:
        raise InvalidParameter(f"`{name}` must be a whole number up to {LARGEST}, found `{text[:40]}`")
    return value


def needed(params: QueryParams, name: str) -> str:
    """A parameter that must be there. Raises InvalidParameter."""
    value = params.get(name)
    if not value:
        raise InvalidParameter(f"Required QueryValue [{name}] not specified")
    return value


def moment(params: QueryParams, name: str) -> datetime | None:
    """A date-time of the query, or None where it is not given. Raises InvalidParameter."""
    text = params.get(name)
    if not text:
        return None
    try:
        return instant(text.replace(" ", "+"))  # a plus that nobody encoded arrives as a blank
    except ValueError as error:
        raise InvalidParameter(f"`{name}` must be a date-time in ISO 8601, found `{text}`") from error


def flag(params: QueryParams, name: str, *, default: bool = False) -> bool:
    """A yes-or-no parameter; present without a value it is yes."""
    text = params.get(name)
    return default if text is None else text.lower() in ("true", "1", "")
