"""Commands against a server: `penstock flow|execution|kv|namespace-files …`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

flows = typer.Typer(help="Flows of a server.", no_args_is_help=True)
executions = typer.Typer(help="Executions of a server.", no_args_is_help=True)
key_values = typer.Typer(help="The KV store of a server.", no_args_is_help=True)
namespace_files = typer.Typer(help="Namespace files of a server.", no_args_is_help=True)

Url = Annotated[str, typer.Option("--server", envvar="PENSTOCK_SERVER", help="Address of the server.")]
User = Annotated[str | None, typer.Option(envvar="PENSTOCK_USER", help="user:password for HTTP Basic.")]
_URL = "http://127.0.0.1:8080"


def call(method: str, url: str, user: str | None, path: str, **options: Any) -> Any:
    """One request; the decoded answer, or an exit with the server's message."""
    import httpx

    name, _, password = (user or "").partition(":")
    auth = (name, password) if user else None
    try:
        answer = httpx.request(method, f"{url.rstrip('/')}/api/v1/main{path}", auth=auth, timeout=60, **options)
    except httpx.HTTPError as error:
        print(f"penstock: cannot reach {url}: {error}", file=sys.stderr)
        raise typer.Exit(3) from error
    if answer.is_error:
        print(f"penstock: {answer.status_code} {_message(answer)}", file=sys.stderr)
        raise typer.Exit(1)
    if "json" in answer.headers.get("content-type", ""):
        return answer.json()
    return answer.text


def _message(answer: Any) -> str:
    try:
        return str(answer.json().get("message", answer.text))
    except ValueError:
        return answer.text or answer.reason_phrase


def show(value: object) -> None:
    """Print an answer: JSON indented, texts as they are."""
    import json

    print(value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False))


@flows.command("push")
def push_flow(file: Annotated[Path, typer.Argument(exists=True)], server: Url = _URL, user: User = None) -> None:
    """Create a flow, or a new revision of it."""
    from penstock.definition import load_yaml

    source = file.read_text()
    head = load_yaml(source)
    if not isinstance(head, dict) or "id" not in head or "namespace" not in head:
        print(f"penstock: {file} has no id and namespace", file=sys.stderr)
        raise typer.Exit(2)
    options = {"content": source.encode(), "headers": {"Content-Type": "application/x-yaml"}}
    place = f"/flows/{head['namespace']}/{head['id']}"
    found = call(
        "GET", server, user, "/flows/search", params={"filters[namespace][EQUALS]": head["namespace"], "size": 1000}
    )
    known = any(one["id"] == head["id"] for one in found["results"])
    saved = call("PUT", server, user, place, **options) if known else call("POST", server, user, "/flows", **options)
    print(f"{saved['namespace']}.{saved['id']} revision {saved['revision']}")


@flows.command("get")
def get_flow(namespace: str, flow: str, server: Url = _URL, user: User = None) -> None:
    """Print a flow's source."""
    print(call("GET", server, user, f"/flows/{namespace}/{flow}", params={"source": "true"})["source"], end="")


@flows.command("list")
def list_flows(namespace: str | None = None, server: Url = _URL, user: User = None) -> None:
    """List flows."""
    params = {"size": 1000, **({"filters[namespace][PREFIX]": namespace} if namespace else {})}
    for one in call("GET", server, user, "/flows/search", params=params)["results"]:
        print(f"{one['namespace']}.{one['id']}  revision {one['revision']}{'  disabled' if one['disabled'] else ''}")


@flows.command("delete")
def delete_flow(namespace: str, flow: str, server: Url = _URL, user: User = None) -> None:
    """Delete a flow; its revisions are kept."""
    call("DELETE", server, user, f"/flows/{namespace}/{flow}")


@executions.command("start")
def start_execution(
    namespace: str,
    flow: str,
    inputs: Annotated[
        list[str] | None, typer.Option("-i", "--input", help="An input as id=value; @FILE uploads.")
    ] = None,
    wait: bool = False,
    server: Url = _URL,
    user: User = None,
) -> None:
    """Start a flow; with --wait until its end."""
    parts: list[tuple[str, object]] = []
    for text in inputs or []:
        name, _, value = text.partition("=")
        if value.startswith("@"):
            parts.append((name, (Path(value[1:]).name, Path(value[1:]).read_bytes())))
        else:
            parts.append((name, (None, value)))
    params = {"wait": "true"} if wait else {}
    show(call("POST", server, user, f"/executions/{namespace}/{flow}", params=params, files=parts or None))


@executions.command("get")
def get_execution(execution: str, server: Url = _URL, user: User = None) -> None:
    """Print an execution."""
    show(call("GET", server, user, f"/executions/{execution}"))


@executions.command("list")
def list_executions(
    namespace: str | None = None, state: str | None = None, size: int = 25, server: Url = _URL, user: User = None
) -> None:
    """List executions, newest first."""
    params: dict[str, object] = {"size": size}
    if namespace:
        params["filters[namespace][PREFIX]"] = namespace
    if state:
        params["filters[state][IN]"] = state
    for one in call("GET", server, user, "/executions/search", params=params)["results"]:
        print(
            f"{one['id']}  {one['state']['current']:9}  {one['namespace']}.{one['flowId']}  {one['state']['startDate']}"
        )


@executions.command("logs")
def execution_logs(execution: str, server: Url = _URL, user: User = None) -> None:
    """Print the log lines of an execution."""
    print(call("GET", server, user, f"/logs/{execution}/download"), end="")


@executions.command("kill")
def kill_execution(execution: str, server: Url = _URL, user: User = None) -> None:
    """Kill an execution and those it started."""
    call("DELETE", server, user, f"/executions/{execution}/actions/kill")


@executions.command("resume")
def resume_execution(
    execution: str,
    inputs: Annotated[list[str] | None, typer.Option("-i", "--input")] = None,
    server: Url = _URL,
    user: User = None,
) -> None:
    """Resume a paused execution."""
    parts = [(text.partition("=")[0], (None, text.partition("=")[2])) for text in inputs or []]
    call("POST", server, user, f"/executions/{execution}/actions/resume", files=parts or None)


@executions.command("eval")
def evaluate_in(execution: str, expression: str, server: Url = _URL, user: User = None) -> None:
    """Render a template in the context of an execution."""
    answer = call("POST", server, user, f"/executions/{execution}/actions/eval", content=expression.encode())
    if "error" in answer:
        print(answer["error"], file=sys.stderr)
        raise typer.Exit(1)
    print(answer["result"])


@key_values.command("get")
def get_key(namespace: str, key: str, server: Url = _URL, user: User = None) -> None:
    """Print the value of a key."""
    show(call("GET", server, user, f"/namespaces/{namespace}/kv/{key}")["value"])


@key_values.command("set")
def set_key(
    namespace: str, key: str, value: str, ttl: str | None = None, server: Url = _URL, user: User = None
) -> None:
    """Set a key; --ttl is an ISO duration."""
    headers = {"Content-Type": "text/plain", **({"ttl": ttl} if ttl else {})}
    call("PUT", server, user, f"/namespaces/{namespace}/kv/{key}", content=value.encode(), headers=headers)


@key_values.command("list")
def list_keys(namespace: str, server: Url = _URL, user: User = None) -> None:
    """List the keys of a namespace."""
    for one in call("GET", server, user, f"/namespaces/{namespace}/kv"):
        print(one["key"])


@key_values.command("delete")
def delete_key(namespace: str, key: str, server: Url = _URL, user: User = None) -> None:
    """Delete a key."""
    call("DELETE", server, user, f"/namespaces/{namespace}/kv/{key}")


@namespace_files.command("upload")
def upload_file(
    namespace: str,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    path: str | None = None,
    server: Url = _URL,
    user: User = None,
) -> None:
    """Upload a file (a .zip is unpacked)."""
    place = path or f"/{file.name}"
    parts = {"fileContent": (file.name, file.read_bytes())}
    call("POST", server, user, f"/namespaces/{namespace}/files", params={"path": place}, files=parts)


@namespace_files.command("download")
def download_file(namespace: str, path: str, server: Url = _URL, user: User = None) -> None:
    """Print a file."""
    print(call("GET", server, user, f"/namespaces/{namespace}/files", params={"path": path}), end="")


@namespace_files.command("list")
def list_files(namespace: str, path: str = "/", server: Url = _URL, user: User = None) -> None:
    """List a folder."""
    for one in call("GET", server, user, f"/namespaces/{namespace}/files/directory", params={"path": path}):
        print(f"{one['fileName']}{'/' if one['type'] == 'Directory' else ''}")


def show_retention(
    days: Annotated[int, typer.Option(help="How far the forecast looks ahead.")] = 30,
    server: Url = _URL,
    user: User = None,
) -> None:
    """What retention would remove now, and how many executions go on each of the coming days. Removes nothing."""
    show(call("GET", server, user, "/retention", params={"days": days}))
