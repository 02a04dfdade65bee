"""Multipart forms: inputs of executions come as parts, files as parts with a file name."""

from __future__ import annotations

from dataclasses import dataclass, field

from starlette.datastructures import UploadFile
from starlette.requests import Request

from penstock.catalog.inputs import FilePart


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file of a form: its name and its bytes."""

    name: str
    content: bytes


@dataclass(slots=True)
class Form:
    """The parts of a form: texts and files by name, and the files in order."""

    values: dict[str, object] = field(default_factory=dict)
    files: list[UploadedFile] = field(default_factory=list)


async def read_form(request: Request) -> Form:
    """The parts of a request's form; an empty body is an empty form (clients send one without inputs)."""
    form = Form()
    kind = request.headers.get("content-type", "")
    if not kind.startswith(("multipart/", "application/x-www-form-urlencoded")):
        return form
    if request.headers.get("content-length") == "0":
        return form
    async with request.form(max_part_size=64 * 1024 * 1024) as parts:
        for name, value in parts.multi_items():
            if isinstance(value, UploadFile):
                content = await value.read()
                if not content and not value.filename:
                    continue
                file_name = value.filename or name
                form.values[name] = FilePart(file_name, content)
                form.files.append(UploadedFile(file_name, content))
            else:
                form.values[name] = value
    return form
