"""Paths of internal storage: how they are checked, written as URIs, and where Kestra puts what.

A *path* is absolute and raw (`/company/team/_files/a b.txt`); a *URI* is the same path with the characters a URI
cannot hold written as `%XX` behind `kestra://` (`kestra:///company/team/_files/a%20b.txt`). The tenant is in neither.
Everything that comes from outside passes `path_of`, which refuses what could lead out of the tenant's folder.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import unquote

from penstock.errors import BadRequest

SCHEME = "kestra://"

_TO_ESCAPE = re.compile(r"[\x00-\x20\x7f\"#%<>?\[\]^`{|}\\]")
_CONTROL = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_TENANT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_SLUG_DROPS = re.compile(r"[^A-Za-z0-9_-]")
_DASHES = re.compile(r"-+")


def path_of(reference: str, *, folder: bool = False) -> str:
    """The raw absolute path that `reference`, a `kestra:///` URI or an absolute path, stands for.

    A URI is decoded once. With `folder=True` a trailing slash is dropped and `/` alone (the whole tenant) is allowed.

    Raises:
        BadRequest: another scheme, a relative path, an empty name, `.` or `..` in any spelling (also percent-encoded,
            also twice), a backslash, a control character. Kestra's rule: a path must not leave its root.
    """
    path = _raw_path(reference)
    if folder:
        path = path.rstrip("/")
        if not path:
            return "/"
    _refuse_control(path, reference)
    for name in path[1:].split("/"):
        _refuse_name(name, reference)
    return path


def uri_of(path: str) -> str:
    """The `kestra:///` URI of a raw path."""
    return SCHEME + _TO_ESCAPE.sub(_escape, path)


def tenant_folder(tenant: str) -> str:
    """`tenant` itself, once it is known to be one plain folder name.

    Raises:
        BadRequest: it is empty, starts with a dot or a dash, or holds anything but letters, digits, `.`, `_`, `-`.
    """
    if not _TENANT.fullmatch(tenant):
        raise BadRequest(
            f"Invalid tenant {tenant!r}: expected letters, digits, `.`, `_` and `-`, starting with a letter"
        )
    return tenant


def is_below(reference: str, prefix: str) -> bool:
    """Whether `reference` names something inside the folder `prefix` (not the folder itself)."""
    folder = path_of(prefix, folder=True).rstrip("/")
    return path_of(reference, folder=True).startswith(folder + "/")


def slug(identifier: str) -> str:
    """`identifier` as Kestra writes it in a path: lower case, `_` and white space as `-`, other signs dropped.

    `hello_world` gives `hello-world`. Different identifiers may share a slug.
    """
    plain = unicodedata.normalize("NFD", re.sub(r"\s", "-", identifier))
    dashed = _SLUG_DROPS.sub("", plain).replace("_", "-")
    return _DASHES.sub("-", dashed).strip("-").lower()


def namespace_folder(namespace: str) -> str:
    """`/company/team` for `company.team`."""
    return "/" + namespace.replace(".", "/")


def flow_prefix(namespace: str, flow_id: str) -> str:
    """The folder of all files of a flow."""
    return f"{namespace_folder(namespace)}/{slug(flow_id)}"


def execution_prefix(namespace: str, flow_id: str, execution_id: str) -> str:
    """The folder of all files of an execution: `/<namespace>/<flow>/executions/<execution>`."""
    return f"{flow_prefix(namespace, flow_id)}/executions/{execution_id}"


def task_prefix(execution: str, task_id: str, task_run_id: str) -> str:
    """The folder of a task run's files, below the execution's prefix."""
    return f"{execution}/tasks/{slug(task_id)}/{task_run_id}"


def task_file(execution: str, *, task_id: str, task_run_id: str, file: str) -> str:
    """The path of one file of a task run, below the execution's prefix."""
    return path_of(f"{task_prefix(execution, task_id, task_run_id)}/{file}")


def input_file(execution: str, input_id: str, *, file: str) -> str:
    """The path of an uploaded input, below the execution's prefix. Kestra leaves the input's id as it is."""
    return path_of(f"{execution}/inputs/{input_id}/{file}")


def trigger_file(execution: str, trigger_id: str, *, file: str) -> str:
    """The path of a file that a trigger wrote for the execution it starts, below that execution's prefix."""
    return path_of(f"{execution}/trigger/{slug(trigger_id)}/{file}")


def namespace_files_prefix(namespace: str) -> str:
    """The folder of a namespace's files: `/<namespace>/_files`."""
    return namespace_folder(namespace) + "/_files"


def namespace_file(namespace: str, file: str) -> str:
    """The path of a namespace file; `file` may start with a slash and hold folders.

    Raises:
        BadRequest: as `path_of`; `file` is client input.
    """
    return path_of(f"{namespace_files_prefix(namespace)}/{file.removeprefix('/')}")


def flow_states_prefix(namespace: str, flow_id: str) -> str:
    """The folder of a flow's state store (1.x)."""
    return flow_prefix(namespace, flow_id) + "/states"


def namespace_states_prefix(namespace: str) -> str:
    """The folder of a namespace's state store (1.x)."""
    return namespace_folder(namespace) + "/states"


def cache_file(namespace: str, flow_id: str, *, cache_id: str, key: str | None = None) -> str:
    """The path of a zipped cache of a task; `key` (already hashed) tells the entries of one cache apart."""
    folder = f"{flow_prefix(namespace, flow_id)}/{slug(cache_id)}/cache"
    return f"{folder}/{key}/cache.zip" if key else f"{folder}/cache.zip"


@dataclass(frozen=True, slots=True)
class ExecutionFolder:
    """The execution that a path belongs to; `prefix` is its folder."""

    execution_id: str
    prefix: str


def execution_folders(reference: str) -> list[ExecutionFolder]:
    """The execution folders that may hold `reference`, outermost first; empty when it is outside of all executions.

    A namespace, a flow or a task may be called `executions` too, so that the path alone does not always say which one
    it is: the caller looks which of them exist. Files of namespaces (`_files`) and states are never an execution's.
    """
    path = path_of(reference, folder=True)
    names = path.split("/")
    found: list[ExecutionFolder] = []
    for place in range(2, len(names) - 1):
        if names[place].startswith("_"):
            break
        if names[place] == "executions" and names[place - 1] != "states":
            found.append(ExecutionFolder(execution_id=names[place + 1], prefix="/".join(names[: place + 2])))
    return found


def _raw_path(reference: str) -> str:
    path = _decoded(reference) if reference.startswith(SCHEME) else reference
    if not path.startswith("/"):
        raise BadRequest(f"Invalid path {reference!r}: expected a `kestra:///` URI or a path that starts with `/`")
    return path


def _decoded(uri: str) -> str:
    try:
        return unquote(uri[len(SCHEME) :], errors="strict")
    except UnicodeDecodeError as fault:
        raise BadRequest(f"Invalid path {uri!r}: its `%XX` are not UTF-8") from fault


def _refuse_control(path: str, reference: str) -> None:
    if _CONTROL.search(path):
        raise BadRequest(f"Invalid path {reference!r}: it holds a control character or half a surrogate pair")


def _refuse_name(name: str, reference: str) -> None:
    if not name:
        raise BadRequest(f"Invalid path {reference!r}: it holds an empty name (`//` or a trailing `/`)")
    if "\\" in name:
        raise BadRequest(f"Invalid path {reference!r}: it holds a backslash, use `/` between folders")
    if name in (".", ".."):
        raise BadRequest(f"Invalid path {reference!r}: it must not contain `{name}`")
    if "%" in name:
        _refuse_encoded(name, reference)


def _refuse_encoded(name: str, reference: str) -> None:
    """Refuses a name that some later decoding would turn into a step out of its folder."""
    decoded = name
    for _ in range(3):
        decoded = unquote(decoded)
        if decoded.strip() in (".", "..") or "/" in decoded or "\\" in decoded or "\x00" in decoded:
            raise BadRequest(f"Invalid path {reference!r}: it hides a path separator or `..` behind `%`")


def _escape(found: re.Match[str]) -> str:
    return f"%{ord(found[0]):02X}"
