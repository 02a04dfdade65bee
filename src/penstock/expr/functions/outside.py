"""Functions that need the outside; each asks the context's host."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from penstock.errors import PenstockError, Retryable
from penstock.expr.errors import EvaluationError, ExpressionError, preview
from penstock.expr.functions.table import FUNCTIONS, flag, need_text, optional_text
from penstock.expr.json_text import plain
from penstock.expr.registry import MISSING, given
from penstock.expr.secrets import Secret, taint
from penstock.expr.text import java_text
from penstock.expr.values import as_map, is_map

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penstock.expr.context import HostFunctions
    from penstock.expr.frame import Frame


@contextmanager
def _asking(frame: Frame, name: str) -> Iterator[HostFunctions]:
    """The host for one question; what it answers wrong becomes an EvaluationError, unless trying again may help."""
    host = frame.context.host
    if host is None:
        raise EvaluationError(
            f"The '{name}' function needs the server and can not be evaluated here.",
            hint="it works in tasks and triggers of a running flow",
        )
    try:
        yield host
    except (ExpressionError, Retryable):
        raise
    except PenstockError as error:
        raise EvaluationError(str(error)) from error


@FUNCTIONS.add("kv", "key", "namespace", "errorOnMissing", external=True)
def kv(frame: Frame, key: object, namespace: object, strict: object) -> object:
    """A value of the key-value store; null for a missing key when `errorOnMissing` is false."""
    name = need_text(frame, "kv", "key", key)
    error_on_missing = flag("kv", "errorOnMissing", strict, default=True)
    with _asking(frame, "kv") as host:
        return host.kv(name, optional_text(frame, namespace), error_on_missing=error_on_missing)


@FUNCTIONS.add("secret", "key", "namespace", "subkey", "full", external=True)
def secret(frame: Frame, key: object, namespace: object, subkey: object, full: object) -> object:
    """A secret; every text made from it stays secret."""
    name = need_text(frame, "secret", "key", key)
    whole = flag("secret", "full", full, default=False)
    part = optional_text(frame, subkey)
    if whole and part is not None:
        raise EvaluationError("The 'secret' function does not take 'full' together with 'subkey'.")
    with _asking(frame, "secret") as host:
        found = host.secret(name, optional_text(frame, namespace), subkey=part, full=whole)
    if isinstance(found, str):
        marked: object = found if isinstance(found, Secret) else Secret(found)
    elif is_map(found):
        value = as_map(found).get("value")
        marked = {**dict(as_map(found)), "value": Secret(value) if isinstance(value, str) else value}
    else:
        marked = taint(found, [java_text(frame, found)])
    if isinstance(marked, Secret):
        frame.touch(marked)
    return marked


@FUNCTIONS.add("credential", "name", external=True)
def credential(frame: Frame, name: object) -> object:
    """A short-lived token; secret."""
    wanted = need_text(frame, "credential", "name", name)
    with _asking(frame, "credential") as host:
        token = Secret(host.credential(wanted))
    frame.touch(token)
    return token


@FUNCTIONS.add("read", "path", "namespace", external=True)
def read(frame: Frame, path: object, namespace: object) -> object:
    """The text of a file of internal storage or of the namespace; a binary Ion file as bytes."""
    wanted = need_text(frame, "read", "path", path)
    with _asking(frame, "read") as host:
        found = host.read(wanted, optional_text(frame, namespace))
    frame.budget.text(len(found))
    return found


@FUNCTIONS.add("fileURI", "path", "namespace", external=True)
def file_uri(frame: Frame, path: object, namespace: object) -> object:
    """The URI of a namespace file."""
    wanted = need_text(frame, "fileURI", "path", path)
    if "../" in wanted or wanted.endswith(".."):
        raise EvaluationError("Path must not contain '../'")
    with _asking(frame, "fileURI") as host:
        return host.file_uri(wanted, optional_text(frame, namespace))


def _file(name: str, description: str, ask: Callable[[HostFunctions, str, str | None], object]) -> None:
    def file_function(frame: Frame, path: object, namespace: object) -> object:
        wanted = need_text(frame, name, "path", path)
        with _asking(frame, name) as host:
            return ask(host, wanted, optional_text(frame, namespace))

    file_function.__doc__ = description
    FUNCTIONS.add(name, "path", "namespace", external=True)(file_function)


_file("fileSize", "The size of a file in bytes.", lambda host, path, namespace: host.file_size(path, namespace))
_file("fileExists", "Whether a file exists.", lambda host, path, namespace: host.file_exists(path, namespace))
_file(
    "isFileEmpty", "Whether a file has no content.", lambda host, path, namespace: host.is_file_empty(path, namespace)
)


@FUNCTIONS.add("http", "uri", "method", "query", "body", "contentType", "headers", "options", "accept", external=True)
def http(
    frame: Frame,
    uri: object,
    method: object,
    query: object,
    body: object,
    content_type: object,
    headers: object,
    options: object,
    accept: object,
) -> object:
    """The body of a response, parsed by its content type."""
    address = need_text(frame, "http", "uri", uri)
    with _asking(frame, "http") as host:
        return host.http(
            address,
            method=(optional_text(frame, method) or "GET").upper(),
            query=_map(frame, "http", "query", query),
            body=_body(frame, body),
            content_type=optional_text(frame, content_type) or "application/json",
            headers=_map(frame, "http", "headers", headers),
            options=_map(frame, "http", "options", options),
            accept=optional_text(frame, accept) or "application/json",
        )


def _body(frame: Frame, body: object) -> object:
    if not given(body) or isinstance(body, (str, bytes)):
        return None if body is MISSING else body
    return plain(frame, body)


def _map(frame: Frame, function: str, argument: str, value: object) -> Mapping[str, object]:
    if not given(value):
        return {}
    if not is_map(value):
        raise EvaluationError(
            f"The '{function}' function expects its argument '{argument}' to be a map.", hint=f"it is {preview(value)}"
        )
    return {java_text(frame, key): plain(frame, item) for key, item in as_map(value).items()}


@FUNCTIONS.add("errorLogs", external=True)
def error_logs(frame: Frame) -> object:
    """The ERROR log entries of the execution."""
    with _asking(frame, "errorLogs") as host:
        return host.error_logs()


@FUNCTIONS.add("appLink", "appId", "baseUrl", external=True)
def app_link(frame: Frame, app_id: object, base_url: object) -> object:
    """The address of an app."""
    with _asking(frame, "appLink") as host:
        return host.app_link(optional_text(frame, app_id), base_url=flag("appLink", "baseUrl", base_url, default=False))


@FUNCTIONS.add("subflow", "namespace", "id", "inputs", "revision", "labels", "timeout", external=True)
def subflow(
    frame: Frame,
    namespace: object,
    flow_id: object,
    inputs: object,
    revision: object,
    labels: object,
    timeout: object,
) -> object:
    """Runs a flow while the inputs of another are rendered, and gives its outputs."""
    if not given(namespace) or not given(flow_id):
        raise EvaluationError("The 'subflow' function expects the arguments 'namespace' and 'id'.")
    if "taskrun" in frame.variables or "trigger" in frame.variables:
        raise EvaluationError(
            "The 'subflow' function can only be used while the inputs of a flow are rendered.",
            hint="in a flow, use the task io.kestra.plugin.core.flow.Subflow",
        )
    number = revision if isinstance(revision, int) and not isinstance(revision, bool) else None
    with _asking(frame, "subflow") as host:
        return host.subflow(
            java_text(frame, namespace),
            java_text(frame, flow_id),
            inputs=_map(frame, "subflow", "inputs", inputs),
            revision=number,
            labels=plain(frame, labels) if given(labels) else None,
            timeout=optional_text(frame, timeout),
        )
