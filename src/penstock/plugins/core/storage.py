"""Tasks on files of internal storage: write, measure, join, cut, turn round, delete."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from pydantic import Field

from penstock.model.authored import Dynamic, Free
from penstock.plugin import RunContext, RunnableTask, TaskFailed
from penstock.plugin.rows import split_rule
from penstock.plugin.rows.split_files import split_in_storage
from penstock.plugin.staging import FilePatterns, InputFiles, collect_output_files, write_input_files

_CHUNK = 1 << 20
Buffer = bytes  # `Split` has a property of that name


class Write(RunnableTask):
    """Writes a text to a file."""

    TYPE = "io.kestra.plugin.core.storage.Write"

    content: Free
    extension: str | None = None

    def run(self, ctx: RunContext) -> dict[str, object]:
        name = ctx.new_id() + (ctx.render(self.extension) or "")
        return {"uri": ctx.storage.put(name, ctx.render(self.content).encode())}


class Size(RunnableTask):
    """The size of a file in bytes."""

    TYPE = "io.kestra.plugin.core.storage.Size"
    ALIASES = ("io.kestra.core.tasks.storages.Size",)

    uri: str

    def run(self, ctx: RunContext) -> dict[str, object]:
        return {"size": ctx.storage.size(ctx.render(self.uri))}


class Delete(RunnableTask):
    """Removes a file."""

    TYPE = "io.kestra.plugin.core.storage.Delete"
    ALIASES = ("io.kestra.core.tasks.storages.Delete",)

    uri: str
    error_on_missing: Dynamic[bool] = False

    def run(self, ctx: RunContext) -> dict[str, object]:
        uri = ctx.render(self.uri)
        deleted = ctx.storage.delete(uri)
        if not deleted and ctx.render(self.error_on_missing, bool):
            raise TaskFailed(f"Unable to find the file '{uri}'")
        return {"uri": uri, "deleted": deleted}


class Concat(RunnableTask):
    """Joins files, a `separator` after each."""

    TYPE = "io.kestra.plugin.core.storage.Concat"
    ALIASES = ("io.kestra.core.tasks.storages.Concat",)

    files: Free
    separator: str | None = None
    extension: str = ".tmp"

    def run(self, ctx: RunContext) -> dict[str, object]:
        files = _uris(ctx.render(self.files, object))
        separator = (ctx.render(self.separator) or "").encode()
        name = ctx.new_id() + ctx.render(self.extension)
        return {"uri": ctx.storage.store_stream(name, self._joined(ctx, files, separator))}

    def _joined(self, ctx: RunContext, files: Sequence[str], separator: bytes) -> Iterator[bytes]:
        for uri in files:
            with ctx.storage.open(uri) as source:
                yield from _chunks(source)
            if separator:
                yield separator


class Split(RunnableTask):
    """Cuts a file of lines into pieces, by `bytes`, `partitions`, `rows` or `regexPattern`."""

    TYPE = "io.kestra.plugin.core.storage.Split"
    ALIASES = ("io.kestra.core.tasks.storages.Split",)

    source: str = Field(alias="from")
    bytes: str | None = None
    partitions: Dynamic[int] | None = None
    rows: Dynamic[int] | None = None
    regex_pattern: str | None = None
    separator: str = "\n"

    def run(self, ctx: RunContext) -> dict[str, object]:
        uri = ctx.render(self.source)
        rule = split_rule(
            rows=ctx.render(self.rows, int),
            partitions=ctx.render(self.partitions, int),
            size=ctx.render(self.bytes),
            pattern=ctx.render(self.regex_pattern),
        )
        return {"uris": split_in_storage(ctx, uri, rule, separator=ctx.render(self.separator))}


class Reverse(RunnableTask):
    """Writes the parts of a file, as `separator` ends them, in reverse order."""

    TYPE = "io.kestra.plugin.core.storage.Reverse"
    ALIASES = ("io.kestra.core.tasks.storages.Reverse",)

    source: str = Field(alias="from")
    separator: str = "\n"
    charset: str = "UTF-8"

    def run(self, ctx: RunContext) -> dict[str, object]:
        uri = ctx.render(self.source)
        separator = ctx.render(self.separator).encode(ctx.render(self.charset))
        with ctx.storage.open(uri) as source:
            return {"uri": ctx.storage.store_stream(ctx.new_id() + Path(uri).suffix, reversed_parts(source, separator))}


class LocalFiles(RunnableTask):
    """Writes files into the working directory and stores files of it. Deprecated in Kestra: use `inputFiles` and
    `outputFiles`."""

    TYPE = "io.kestra.plugin.core.storage.LocalFiles"
    ALIASES = ("io.kestra.core.tasks.storages.LocalFiles",)

    inputs: InputFiles | None = None
    outputs: FilePatterns | None = None

    def run(self, ctx: RunContext) -> dict[str, object]:
        if self.inputs is not None:
            write_input_files(ctx, self.inputs)
        return {"uris": collect_output_files(ctx, self.outputs)}


class PurgeCurrentExecutionFiles(RunnableTask):
    """Removes every file of the running execution."""

    TYPE = "io.kestra.plugin.core.storage.PurgeCurrentExecutionFiles"
    ALIASES = (
        "io.kestra.core.tasks.storages.PurgeExecution",
        "io.kestra.plugin.core.storage.PurgeExecution",
    )

    def run(self, ctx: RunContext) -> dict[str, object]:
        found = [file.uri for file in ctx.storage.files_of_execution()]
        return {"uris": [uri for uri in found if ctx.storage.delete(uri)]}


class PurgeStorage(RunnableTask):
    """Removes files of executions below a namespace that were last written in a span of time; a dry run by default."""

    TYPE = "io.kestra.plugin.core.storage.PurgeStorage"

    namespace: str | None = None
    flow_id: str | None = None
    start_date: str | None = None
    end_date: str
    dry_run: Dynamic[bool] = True

    def run(self, ctx: RunContext) -> dict[str, object]:
        start, end = moment(ctx, self.start_date), moment(ctx, self.end_date)
        dry = ctx.render(self.dry_run, bool)
        scanned = purged = deleted = 0
        namespace = ctx.render(self.namespace) or ctx.namespace
        for file in ctx.storage.files_of_namespace(namespace, ctx.render(self.flow_id)):
            scanned += 1
            if (start is not None and file.modified < start) or (end is not None and file.modified > end):
                continue
            purged += 1
            deleted += int(not dry and ctx.storage.delete(file.uri))
        ctx.metrics.counter("scanned", scanned)
        ctx.metrics.counter("purged", purged)
        ctx.metrics.counter("deleted.files", deleted)
        return {"scannedCount": scanned, "purgedCount": purged, "deletedFilesCount": deleted}


def moment(ctx: RunContext, text: str | None) -> datetime | None:
    """A rendered date; one without a zone is UTC."""
    found = ctx.render(text, datetime)
    return found if found is None or found.tzinfo is not None else found.replace(tzinfo=UTC)


def reversed_parts(source: BinaryIO, separator: Buffer) -> Iterator[Buffer]:
    """The parts of a file from the last to the first, each with its separator; reads a block at a time from the end."""
    position = source.seek(0, os.SEEK_END)
    tail, parts = b"", 0
    while position > 0:
        start = max(0, position - _CHUNK)
        source.seek(start)
        first, *rest = (source.read(position - start) + tail).split(separator)
        for part in reversed(rest):
            if part or parts:
                yield part + separator
            parts += 1
        tail, position = first, start
    if tail or parts:
        yield tail + separator


def _chunks(source: BinaryIO) -> Iterator[Buffer]:
    while chunk := source.read(_CHUNK):
        yield chunk


def _uris(value: object) -> list[str]:
    if isinstance(value, str) and value.lstrip().startswith("["):
        value = json.loads(value)
    if isinstance(value, str):
        return [value]
    if isinstance(value, Sequence):
        return [str(uri) for uri in value]
    if isinstance(value, Mapping):
        return [str(uri) for uri in value.values()]
    raise TaskFailed(f"Invalid `files` of type {type(value).__name__}: expected a URI or a list of URIs")
