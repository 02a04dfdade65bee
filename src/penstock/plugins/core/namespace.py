"""Tasks of namespace files."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Literal

from pydantic import Field

from penstock.model.authored import Authored, Dynamic, Free
from penstock.plugin import RunContext, RunnableTask, TaskFailed
from penstock.plugin.staging import FilePatterns, chosen
from penstock.plugins.core.kv import chosen_namespaces


class Conflict(StrEnum):
    """What to do with a file that exists."""

    OVERWRITE = "OVERWRITE"
    ERROR = "ERROR"
    SKIP = "SKIP"


class UploadFiles(RunnableTask):
    """Copies files of the working directory (`files`, globs) and stored files (`filesMap`) to a namespace."""

    TYPE = "io.kestra.plugin.core.namespace.UploadFiles"

    namespace: str
    files: FilePatterns | None = None
    files_map: Mapping[str, Free] | str | None = None
    destination: str = "/"
    conflict: Dynamic[Conflict] = Conflict.OVERWRITE

    def run(self, ctx: RunContext) -> dict[str, object]:
        if self.files is None and self.files_map is None:
            raise TaskFailed("Nothing to upload: give `files` or `filesMap`")
        folder = ctx.working_directory
        written: dict[str, str] = {}
        for name in folder.find(ctx.render(self.files, list[str]) or []):
            with folder.file(name).open("rb") as source:
                self._put(ctx, name, source, written)
        for name, uri in (ctx.render(self.files_map, dict[str, str]) or {}).items():
            with ctx.storage.open(uri) as source:
                self._put(ctx, name, source, written)
        return {"files": written}

    def _put(self, ctx: RunContext, name: str, source: object, written: dict[str, str]) -> None:
        namespace, conflict = ctx.render(self.namespace), ctx.render(self.conflict, Conflict)
        path = str(PurePosixPath("/", ctx.render(self.destination), name.lstrip("/"))).lstrip("/")
        files = ctx.platform.namespace_files
        if conflict is not Conflict.OVERWRITE and files.stat(path, namespace) is not None:
            if conflict is Conflict.ERROR:
                raise TaskFailed(f"File {path} already exists and conflict is set to {conflict.value}")
            ctx.logger.info(f"File {path} already exists and conflict is set to {conflict.value}, skipping")
            return
        made = files.put(path, namespace, data=source)  # pyright: ignore[reportArgumentType]
        written["/" + made.path] = made.uri


class DownloadFiles(RunnableTask):
    """Copies namespace files that match into the storage of the execution."""

    TYPE = "io.kestra.plugin.core.namespace.DownloadFiles"

    namespace: str
    files: FilePatterns
    destination: str = ""

    def run(self, ctx: RunContext) -> dict[str, object]:
        namespace, patterns = ctx.render(self.namespace), ctx.render(self.files, list[str])
        folder = ctx.render(self.destination).strip("/")
        copied: dict[str, str] = {}
        for file in ctx.platform.namespace_files.all(namespace):
            if chosen(file.path, include=patterns, exclude=[]):
                name = f"{folder}/{file.path}" if folder else file.path
                with ctx.platform.namespace_files.open(file.path, namespace) as source:
                    copied[file.path] = ctx.storage.put(name, source)
        ctx.metrics.counter("downloaded", len(copied))
        return {"files": copied}


class DeleteFiles(RunnableTask):
    """Removes namespace files that match; a folder without files does not remain."""

    TYPE = "io.kestra.plugin.core.namespace.DeleteFiles"

    namespace: str
    files: FilePatterns
    delete_parent_folder: Dynamic[bool] = False

    def run(self, ctx: RunContext) -> dict[str, object]:
        namespace, patterns = ctx.render(self.namespace), ctx.render(self.files, list[str])
        files = ctx.platform.namespace_files
        found = [file for file in files.all(namespace) if chosen(file.path, include=patterns, exclude=[])]
        gone = {file.path: file.uri for file in found if files.delete(file.path, namespace)}
        ctx.metrics.counter("deleted", len(gone))
        return {"files": gone}


class FilesVersionPurge(Authored):
    """Which old versions go."""

    type: Literal["version"] = "version"
    before: str | None = None
    keep_amount: Dynamic[int] | None = None


class PurgeFiles(RunnableTask):
    """Removes old versions of namespace files."""

    TYPE = "io.kestra.plugin.core.namespace.PurgeFiles"

    file_pattern: str | None = None
    namespaces: Dynamic[list[str]] | None = None
    namespace_pattern: str | None = None
    behavior: FilesVersionPurge = Field(default_factory=lambda: FilesVersionPurge(keep_amount=1))
    include_child_namespaces: Dynamic[bool] = True

    def run(self, ctx: RunContext) -> dict[str, object]:
        children = ctx.render(self.include_child_namespaces, bool)
        namespaces = chosen_namespaces(ctx, self.namespaces, pattern=self.namespace_pattern, children=children)
        size = ctx.platform.namespace_files.purge(
            namespaces,
            pattern=ctx.render(self.file_pattern),
            before=ctx.render(self.behavior.before, datetime),
            keep=ctx.render(self.behavior.keep_amount, int),
        )
        return {"size": size}
