"""Multipart forms: inputs of executions come as parts, files as parts with a file name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from starlette.datastructures import UploadFile
from starlette.requests import Request

from penstock.catalog.inputs import FilePart
from penstock.server.asked import MOST_TEXT
from penstock.server.errors import TooLarge

_FORMS = ("multipart/", "application/x-www-form-urlencoded")


@dataclass(slots=True)
class Form:
    """The parts of a form: texts and files by name, and the files in order. Files are open, on disk where they are large."""

    values: dict[str, object] = field(default_factory=dict)
    files: list[FilePart] = field(default_factory=list)


@asynccontextmanager
async def form_of(request: Request) -> AsyncIterator[Form]:
    """The parts of a request's form, as long as the context lasts.

    An empty body is an empty form (clients send one without inputs), and an empty file is no value (Kestra 1.1). A file
    of any size is taken: it never lies in memory as a whole.

    Raises:
        TooLarge: a text part has more than `MOST_TEXT` bytes.
    """
    form = Form()
    if not request.headers.get("content-type", "").startswith(_FORMS) or request.headers.get("content-length") == "0":
        yield form
        return
    async with request.form(max_part_size=MOST_TEXT, max_fields=10_000) as parts:
        for name, value in parts.multi_items():
            if not isinstance(value, UploadFile):
                form.values[name] = value
            elif value.filename or value.size:
                part = FilePart(value.filename or name, value.file)
                form.files.append(part)
                if value.size:
                    form.values[name] = part
        yield form


def whole(part: FilePart, *, most: int = MOST_TEXT) -> bytes:
    """The content of an uploaded file that is to be small. Raises TooLarge."""
    content = part.content
    assert not isinstance(content, bytes)
    read = getattr(content, "read", None)
    assert read is not None
    found: bytes = read(most + 1)
    if len(found) > most:
        raise TooLarge(f"the file {part.name} is larger than {most:,} bytes")
    return found
