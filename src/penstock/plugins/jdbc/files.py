"""Databases that are files: where the file of a `url` lies, and how it comes from internal storage."""

from __future__ import annotations

from pathlib import Path

from penstock.plugin import Dynamic, RunContext, TaskFailed
from penstock.plugins.jdbc.session import Session

MEMORY = ("", ":memory:")


def name_in(url: str, prefix: str) -> str:
    """What a JDBC URL says after its prefix, without options.

    Raises:
        TaskFailed: another database is named.
    """
    url = url.strip()
    if not url.startswith(prefix):
        raise TaskFailed(f"expected a url that begins with `{prefix}`, found `{url}`")
    return url.removeprefix(prefix)


def database_file(ctx: RunContext, name: str, *, suffix: str) -> Path:
    """The file that a URL names: an absolute path as it is, a relative one in the working directory, none a new one."""
    if name in MEMORY:
        return ctx.working_directory.new_file(suffix=suffix)
    path = Path(name)
    return path if path.is_absolute() else ctx.working_directory.file(name)


def fetched_file(ctx: RunContext, uri: str, name: str, *, suffix: str) -> Path:
    """A copy, in the working directory, of a database in internal storage; named as in the URL, never outside."""
    target = database_file(ctx, Path(name).name if name not in MEMORY else "", suffix=suffix)
    with ctx.storage.open(uri) as source:
        return ctx.working_directory.put(target.name, source)


def stored_file(ctx: RunContext, session: Session, wanted: Dynamic[bool]) -> dict[str, object]:
    """The output `databaseUri`, the file of a database put into internal storage, when `outputDbFile` wants it."""
    if session.file is None or not ctx.render(wanted, bool):
        return {}
    return {"databaseUri": ctx.storage.put_file(session.file)}
