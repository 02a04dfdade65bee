"""Files into and out of a working directory: `inputFiles`, `namespaceFiles`, `outputFiles` (plugins.md 5.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator

from penstock.errors import TaskFailed
from penstock.model.authored import Authored, Dynamic, Free
from penstock.plugin.context import RunContext
from penstock.plugin.globs import matches
from penstock.plugin.platform import NamespaceFile

_STORED = ("kestra://", "nsfile://", "file://")


class IfExists(StrEnum):
    """What to do with a namespace file whose name is taken in the working directory."""

    OVERWRITE = "OVERWRITE"
    FAIL = "FAIL"
    WARN = "WARN"
    IGNORE = "IGNORE"


class NamespaceFilesOption(Authored):
    """Which files of which namespaces are copied into the working directory."""

    enabled: Dynamic[bool] = True
    include: Dynamic[list[str]] | None = None
    exclude: Dynamic[list[str]] | None = None
    namespaces: Dynamic[list[str]] | None = None
    if_exists: Dynamic[IfExists] = IfExists.OVERWRITE
    folder_per_namespace: Dynamic[bool] = False


def _one_as_list(value: object) -> object:
    return [value] if isinstance(value, str) and not value.lstrip().startswith(("[", "{{")) else value


FilePatterns = Annotated[Dynamic[list[str]], BeforeValidator(_one_as_list)]
"""Glob patterns; one alone may be written without a list."""

InputFiles = Mapping[str, Free] | str
"""File name -> text, or the URI of a file whose content is copied; or one text that renders to such a map."""


def write_input_files(ctx: RunContext, files: object) -> None:
    """Writes `inputFiles` into the working directory.

    Raises:
        BadRequest: a name is absolute, starts with `./` or holds `..`.
        NotFound: a URI names no file.
    """
    for name, content in (ctx.render(files, dict[str, str]) or {}).items():
        if content.strip().startswith(_STORED):
            with ctx.storage.open(content.strip()) as source:
                ctx.working_directory.put(name, source)
        else:
            ctx.working_directory.put(name, content.encode())


def write_namespace_files(ctx: RunContext, option: object) -> None:
    """Copies namespace files into the working directory; of equal names the later namespace wins.

    `option` is the property `namespaceFiles`: a `NamespaceFilesOption`, or the map it was written as.
    """
    if option is None:
        return
    chosen_by = option if isinstance(option, NamespaceFilesOption) else NamespaceFilesOption.model_validate(option)
    if not ctx.render(chosen_by.enabled, bool):
        return
    namespaces = ctx.render(chosen_by.namespaces, list[str]) or [ctx.namespace]
    include = ctx.render(chosen_by.include, list[str]) or []
    exclude = ctx.render(chosen_by.exclude, list[str]) or []
    apart = ctx.render(chosen_by.folder_per_namespace, bool)
    if_exists = ctx.render(chosen_by.if_exists, IfExists)
    for namespace in namespaces:
        for file in ctx.platform.namespace_files.all(namespace):
            if chosen(file.path, include=include, exclude=exclude):
                name = f"{namespace}/{file.path}" if apart else file.path
                _copy(ctx, file, name, if_exists=if_exists)


def chosen(path: str, *, include: Iterable[str], exclude: Iterable[str]) -> bool:
    """Whether a file is included (no `include` means all) and not excluded. A pattern also matches below a folder."""
    included = list(include)
    if any(_covers(pattern, path) for pattern in exclude):
        return False
    return not included or any(_covers(pattern, path) for pattern in included)


def collect_output_files(ctx: RunContext, patterns: object) -> dict[str, str]:
    """Stores the files of the working directory that match `outputFiles`; their URIs by relative name."""
    globs = ctx.render(_one_as_list(patterns), list[str]) or []
    folder = ctx.working_directory
    return {name: ctx.storage.put_file(folder.file(name), name) for name in folder.find(globs)}


def _copy(ctx: RunContext, file: NamespaceFile, name: str, *, if_exists: IfExists) -> None:
    if if_exists is not IfExists.OVERWRITE and ctx.working_directory.file(name).exists():
        if if_exists is IfExists.FAIL:
            raise TaskFailed(f"File {name} already exists")
        if if_exists is IfExists.WARN:
            ctx.logger.warn(f"File {name} already exists, it is not overwritten")
        return
    with ctx.platform.namespace_files.open(file.path, file.namespace) as source:
        ctx.working_directory.put(name, source)


def _covers(pattern: str, path: str) -> bool:
    return matches(path, pattern) or matches(path, pattern.rstrip("/") + "/**")
