"""The HTTP options that all tasks with an HTTP client share, and the client made from them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from penstock.errors import TaskFailed
from penstock.model.authored import Authored, Dynamic
from penstock.model.duration import IsoDuration
from penstock.model.task import LogLevel
from penstock.plugin.context import RunContext

if TYPE_CHECKING:
    import httpx

_SHOWN = 2000


class HttpTimeout(Authored):
    """How long to wait for a connection, and for the next byte."""

    connect_timeout: Dynamic[IsoDuration] | None = None
    read_idle_timeout: Dynamic[IsoDuration] = timedelta(minutes=5)


class HttpProxy(Authored):
    """A proxy; DIRECT means none."""

    type: Dynamic[Literal["DIRECT", "HTTP", "SOCKS"]] = "DIRECT"
    address: str | None = None
    port: Dynamic[int] | None = None
    username: str | None = None
    password: str | None = None


class HttpAuth(Authored):
    """Credentials: BASIC and DIGEST take a user name and a password, BEARER a token."""

    type: Literal["BASIC", "BEARER", "DIGEST"] = "BASIC"
    username: str | None = None
    password: str | None = None
    token: str | None = None


class HttpSsl(Authored):
    """Certificate checks."""

    insecure_trust_all_certificates: Dynamic[bool] | None = None


class HttpLog(StrEnum):
    """Parts of the exchange that can be logged."""

    REQUEST_HEADERS = "REQUEST_HEADERS"
    REQUEST_BODY = "REQUEST_BODY"
    RESPONSE_HEADERS = "RESPONSE_HEADERS"
    RESPONSE_BODY = "RESPONSE_BODY"


class HttpOptions(Authored):
    """Kestra's `HttpConfiguration`; the flat names of 0.21-1.1 are accepted too."""

    timeout: HttpTimeout | None = None
    proxy: HttpProxy | None = None
    auth: HttpAuth | None = None
    ssl: HttpSsl | None = None
    follow_redirects: Dynamic[bool] = True
    allow_failed: Dynamic[bool] = False
    allowed_response_codes: Dynamic[list[int]] | None = None
    enabled_tcp_extended_keep_alive: Dynamic[bool] = True
    default_charset: str = "UTF-8"
    logs: list[HttpLog] = []
    connect_timeout: Dynamic[IsoDuration] | None = None
    read_timeout: Dynamic[IsoDuration] | None = None
    read_idle_timeout: Dynamic[IsoDuration] | None = None
    connection_pool_idle_timeout: Dynamic[IsoDuration] | None = None
    max_content_length: Dynamic[int] | None = None
    proxy_type: Dynamic[Literal["DIRECT", "HTTP", "SOCKS"]] | None = None
    proxy_address: str | None = None
    proxy_port: Dynamic[int] | None = None
    proxy_username: str | None = None
    proxy_password: str | None = None
    basic_auth_user: str | None = None
    basic_auth_password: str | None = None
    log_level: LogLevel | None = None


def http_client(ctx: RunContext, options: HttpOptions | None) -> httpx.Client:
    """A client as `options` say; the caller closes it."""
    chosen = options or HttpOptions()
    insecure = ctx.render(chosen.ssl.insecure_trust_all_certificates, bool) if chosen.ssl else None
    return ctx.http(
        timeout=_timeout(ctx, chosen),
        follow_redirects=ctx.render(chosen.follow_redirects, bool),
        verify=not insecure,
        auth=_auth(ctx, chosen),
        headers=_bearer(ctx, chosen.auth),
        proxy=_proxy(ctx, chosen),
    )


def spaces_escaped(uri: str) -> str:
    """`uri` with what a URI cannot hold written as `%XX` (Kestra: spaces are sent as `%20`)."""
    return quote(uri.strip(), safe="%:/?#[]@!$&'()*+,;=~")


def refuse_failure(ctx: RunContext, options: HttpOptions | None, response: httpx.Response, *, failed_ok: bool) -> None:
    """Raises TaskFailed for a status of 400 or more, unless the options allow it. The body must have been read."""
    chosen = options or HttpOptions()
    allowed = ctx.render(chosen.allowed_response_codes, list[int])
    code = response.status_code
    if allowed is not None and code not in allowed and not failed_ok:
        raise TaskFailed(f"Failed http request with response code '{code}', allowed are {allowed}")
    if code < 400 or failed_ok or ctx.render(chosen.allow_failed, bool) or (allowed and code in allowed):
        return
    shown = response.text[:_SHOWN]
    detail = f" and body:\n{shown}" if shown else ""
    raise TaskFailed(f"Failed http request with response code '{code}'{detail}")


def header_lists(response: httpx.Response) -> dict[str, list[str]]:
    """Response headers: name as sent -> values."""
    found: dict[str, list[str]] = {}
    for name, value in response.headers.raw:
        found.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
    return found


def log_request(ctx: RunContext, options: HttpOptions | None, request: httpx.Request) -> None:
    """Logs the parts of a request that `logs` names."""
    wanted = options.logs if options else []
    if HttpLog.REQUEST_HEADERS in wanted:
        ctx.logger.debug(f"Request headers: {_shown_headers(request.headers)}")
    if HttpLog.REQUEST_BODY in wanted:
        ctx.logger.debug(f"Request body: {request.read().decode(errors='replace')}")


def log_response(ctx: RunContext, options: HttpOptions | None, response: httpx.Response) -> None:
    """Logs the parts of a response that `logs` names."""
    wanted = options.logs if options else []
    if HttpLog.RESPONSE_HEADERS in wanted:
        ctx.logger.debug(f"Response headers: {_shown_headers(response.headers)}")
    if HttpLog.RESPONSE_BODY in wanted:
        ctx.logger.debug(f"Response body: {response.text}")


def _shown_headers(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: "******" if name.lower() == "authorization" else value for name, value in headers.items()}


def _timeout(ctx: RunContext, options: HttpOptions) -> httpx.Timeout:
    import httpx

    own = options.timeout or HttpTimeout()
    connect = ctx.render(own.connect_timeout or options.connect_timeout, timedelta)
    read = ctx.render(options.read_timeout or options.read_idle_timeout or own.read_idle_timeout, timedelta)
    seconds = (read or timedelta(minutes=5)).total_seconds()
    return httpx.Timeout(seconds, connect=connect.total_seconds() if connect else seconds)


def _auth(ctx: RunContext, options: HttpOptions) -> httpx.Auth | None:
    import httpx

    auth = options.auth
    if auth is None and options.basic_auth_user is not None:
        auth = HttpAuth(username=options.basic_auth_user, password=options.basic_auth_password)
    if auth is None or auth.type == "BEARER":
        return None
    user, password = ctx.render(auth.username) or "", ctx.render(auth.password) or ""
    return httpx.DigestAuth(user, password) if auth.type == "DIGEST" else httpx.BasicAuth(user, password)


def _bearer(ctx: RunContext, auth: HttpAuth | None) -> dict[str, str]:
    if auth is None or auth.type != "BEARER":
        return {}
    return {"Authorization": f"Bearer {ctx.render(auth.token) or ''}"}


def _proxy(ctx: RunContext, options: HttpOptions) -> str | None:
    own = options.proxy or HttpProxy(
        type=options.proxy_type or "DIRECT",
        address=options.proxy_address,
        port=options.proxy_port,
        username=options.proxy_username,
        password=options.proxy_password,
    )
    kind = ctx.render(own.type)
    if kind == "DIRECT" or own.address is None:
        return None
    scheme = "socks5" if kind == "SOCKS" else "http"
    port = ctx.render(own.port, int)
    user = ctx.render(own.username)
    login = f"{quote(user, safe='')}:{quote(ctx.render(own.password) or '', safe='')}@" if user else ""
    return f"{scheme}://{login}{ctx.render(own.address)}{f':{port}' if port else ''}"
