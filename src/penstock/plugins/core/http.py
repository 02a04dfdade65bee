"""Request, Download and SseRequest: talk to HTTP servers; and the trigger that polls one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from pydantic import Field

from penstock.model.authored import Authored, Dynamic, Free
from penstock.plugin import Output, PollingTrigger, RunContext, RunnableTask, TaskFailed
from penstock.plugin.http import (
    HttpOptions,
    HttpSsl,
    header_lists,
    http_client,
    log_request,
    log_response,
    refuse_failure,
    spaces_escaped,
)

if TYPE_CHECKING:
    import httpx

DEFAULT_CONTENT = 10 * 1024 * 1024
_STORED = "kestra://"
_CHUNK = 1 << 20


class Exchange(Authored):
    """The properties of a request, as all HTTP types have them."""

    uri: str
    method: str = "GET"
    body: Free = None
    form_data: Mapping[str, Free] | str | None = None
    params: Mapping[str, Free] | str | None = None
    content_type: str | None = None
    headers: Mapping[str, Free] | str | None = None
    options: HttpOptions | None = None
    allow_failed: Dynamic[bool] | None = None
    ssl_options: HttpSsl | None = None


class RequestOutput(Output):
    """What came back; `uri` is the address that answered after redirects."""

    uri: str
    code: int
    headers: dict[str, list[str]]
    body: str | None = None
    encrypted_body: dict[str, str] | None = None
    form_data: dict[str, object] | None = None


@contextmanager
def answer(ctx: RunContext, exchange: Exchange) -> Iterator[httpx.Response]:
    """Sends the request; the response is open and its body not read."""
    options = _options(exchange)
    with http_client(ctx, options) as client:
        request = _build(ctx, exchange, client)
        log_request(ctx, options, request)
        try:
            response = client.send(request, stream=True)
        except _transport_errors() as problem:
            raise TaskFailed(f"{type(problem).__name__}: {problem} ({request.method} {request.url})") from problem
        try:
            yield response
        finally:
            response.close()


def checked(ctx: RunContext, exchange: Exchange, response: httpx.Response) -> None:
    """Raises TaskFailed for a status that is not allowed."""
    failed_ok = bool(ctx.render(exchange.allow_failed, bool))
    if response.status_code >= 400 or (exchange.options and exchange.options.allowed_response_codes):
        response.read()
    refuse_failure(ctx, exchange.options, response, failed_ok=failed_ok)


def requested(ctx: RunContext, exchange: Exchange, *, encrypt: bool) -> RequestOutput:
    """Sends the request and reads its body as text.

    Raises:
        TaskFailed: no answer, a status that is not allowed, a body that is too long or no text.
    """
    with answer(ctx, exchange) as response:
        text = _text(response, _longest(ctx, exchange.options))
        checked(ctx, exchange, response)
        log_response(ctx, exchange.options, response)
        made = RequestOutput(uri=str(response.url), code=response.status_code, headers=header_lists(response))
    if encrypt and text is not None:
        value = ctx.platform.secrets.encrypt(text)
        made.encrypted_body = {"type": "io.kestra.datatype:aes_encrypted", "value": value}
    else:
        made.body = text
    return made


class Request(Exchange, RunnableTask):
    """Sends a request; the body of the answer is the output `body`, as text."""

    TYPE = "io.kestra.plugin.core.http.Request"
    ALIASES = ("io.kestra.plugin.fs.http.Request",)

    encrypt_body: Dynamic[bool] = False

    def run(self, ctx: RunContext) -> RequestOutput:
        return requested(ctx, self, encrypt=ctx.render(self.encrypt_body, bool))


class DownloadOutput(Output):
    """Where the body was stored."""

    uri: str
    code: int
    length: int
    headers: dict[str, list[str]]


class Download(Exchange, RunnableTask):
    """Streams the body of an answer into internal storage."""

    TYPE = "io.kestra.plugin.core.http.Download"
    ALIASES = ("io.kestra.plugin.fs.http.Download",)

    fail_on_empty_response: Dynamic[bool] = True
    save_as: str | None = None

    def run(self, ctx: RunContext) -> DownloadOutput:
        with answer(ctx, self) as response:
            checked(ctx, self, response)
            name = ctx.render(self.save_as) or file_name(response) or _made_name(ctx, response)
            counted = _Counted(response.iter_bytes(_CHUNK))
            uri = ctx.storage.store_stream(name, counted)
            self._check_length(ctx, response, counted.length)
            made = DownloadOutput(
                uri=uri, code=response.status_code, length=counted.length, headers=header_lists(response)
            )
        ctx.metrics.counter("response.length", made.length)
        return made

    def _check_length(self, ctx: RunContext, response: httpx.Response, length: int) -> None:
        announced = response.headers.get("content-length")
        encoded = response.headers.get("content-encoding", "identity") != "identity"
        if announced is not None and not encoded and int(announced) != length:
            raise TaskFailed(f"Invalid size, got {length}, expected {announced}")
        may_fail = bool(ctx.render(self.options.allow_failed, bool)) if self.options else False
        if length == 0 and not may_fail and ctx.render(self.fail_on_empty_response, bool):
            raise TaskFailed("No response from server")


class SseEvent(Output):
    """One event of a stream; `data` is parsed when it is JSON."""

    data: object
    id: str | None = None
    name: str | None = None
    comment: str | None = None


class SseOutput(Output):
    """The whole stream."""

    uri: str
    events: list[SseEvent]
    size: int
    result: str | None = None


class SseRequest(Exchange, RunnableTask):
    """Reads a whole stream of server-sent events, optionally joined into one text by a jq expression."""

    TYPE = "io.kestra.plugin.core.http.SseRequest"

    concat_jq_expression: str | None = None
    failed_on_missing_jq: Dynamic[bool] = True

    def run(self, ctx: RunContext) -> SseOutput:
        with answer(ctx, self) as response:
            checked(ctx, self, response)
            events = list(_events(response.iter_lines()))
            uri = str(response.url)
        ctx.metrics.counter("size", len(events))
        expression = ctx.render(self.concat_jq_expression)
        result = self._joined(ctx, expression, events) if expression else None
        return SseOutput(uri=uri, events=events, size=len(events), result=result)

    def _joined(self, ctx: RunContext, expression: str, events: list[SseEvent]) -> str:
        strict = ctx.render(self.failed_on_missing_jq, bool)
        parts: list[str] = []
        for event in events:
            outputs = ctx.render("{{ event | jq(expression) }}", list, event=event.data, expression=expression)
            found = [value for value in outputs if value is not None]
            if not found and strict:
                raise TaskFailed(f"The jq expression `{expression}` finds nothing in the event {event.data!r}")
            parts.extend(str(value) for value in found)
        return "".join(parts)


class Trigger(Exchange, PollingTrigger):
    """Starts an execution whenever the answer satisfies `responseCondition`."""

    TYPE = "io.kestra.plugin.core.http.Trigger"
    ALIASES = ("io.kestra.plugin.fs.http.Trigger",)

    response_condition: str = "{{ response.statusCode < 400 }}"
    encrypt_body: Dynamic[bool] = False
    options: HttpOptions | None = Field(default_factory=lambda: HttpOptions(allow_failed=True))

    def evaluate(self, ctx: RunContext) -> dict[str, object] | None:
        from penstock.plugin import outputs_map

        found = requested(ctx, self, encrypt=False)
        shown: dict[str, Any] = {"statusCode": found.code, "headers": found.headers, "body": _parsed(found.body)}
        if not ctx.holds(self.response_condition, response=shown):
            return None
        if ctx.render(self.encrypt_body, bool) and found.body is not None:
            encrypted = {"type": "io.kestra.datatype:aes_encrypted", "value": ctx.platform.secrets.encrypt(found.body)}
            found.body, found.encrypted_body = None, encrypted
        return outputs_map(found)


def file_name(response: httpx.Response) -> str | None:
    """The plain file name that `Content-Disposition` gives; folders in it are dropped."""
    header = response.headers.get("content-disposition", "")
    extended = re.search(r"filename\*\s*=\s*[\w-]+'[^']*'([^;]+)", header, re.IGNORECASE)
    if extended:
        return _last_part(unquote(extended[1].strip()))
    plain = re.search(r'filename\s*=\s*(?:"([^"]+)"|([^;]+))', header, re.IGNORECASE)
    return _last_part(plain[1] or plain[2].strip()) if plain else None


def _last_part(name: str) -> str | None:
    last = PurePosixPath(name.replace("\\", "/")).name
    return last if last not in ("", ".", "..") else None


def _made_name(ctx: RunContext, response: httpx.Response) -> str:
    return ctx.new_id() + PurePosixPath(urlsplit(str(response.url)).path).suffix


def _options(exchange: Exchange) -> HttpOptions | None:
    if exchange.ssl_options is None:
        return exchange.options
    return (exchange.options or HttpOptions()).model_copy(update={"ssl": exchange.ssl_options})


def _build(ctx: RunContext, exchange: Exchange, client: httpx.Client) -> httpx.Request:
    headers = ctx.render(exchange.headers, dict[str, str]) or {}
    kind = ctx.render(exchange.content_type)
    content: dict[str, Any] = {}
    form = ctx.render(exchange.form_data, dict[str, object])
    if form:
        content = _form(ctx, form, multipart=(kind or "").lower().startswith("multipart/"))
    elif exchange.body is not None:
        content = {"content": ctx.render(exchange.body).encode()}
        headers = {"Content-Type": kind or "application/json", **headers}
    params = ctx.render(exchange.params, dict[str, object])
    method = ctx.render(exchange.method).upper()
    uri = spaces_escaped(ctx.render(exchange.uri))
    query = {name: _parameter(value) for name, value in params.items()} if params else None
    return client.build_request(method, uri, params=query, headers=headers, **content)


def _parameter(value: object) -> Any:
    if isinstance(value, (list, tuple)):
        return [_parameter(item) for item in value]
    return value if isinstance(value, (str, int, float)) else json.dumps(value)


def _form(ctx: RunContext, form: Mapping[str, object], *, multipart: bool) -> dict[str, Any]:
    """URL-encoded fields, or parts; a `kestra://` value (also as `{name, content}`) becomes a file part."""
    if not multipart:
        return {"data": {name: _field(value) for name, value in form.items()}}
    files: list[tuple[str, Any]] = []
    for name, value in form.items():
        given = value if isinstance(value, Mapping) else {"content": value}
        content = given.get("content")
        if isinstance(content, str) and content.startswith(_STORED):
            shown = str(given.get("name") or PurePosixPath(unquote(content)).name)
            files.append((name, (shown, ctx.storage.open(content))))
        else:
            files.append((name, (None, _field(content if isinstance(value, Mapping) else value))))
    return {"files": files}


def _field(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _longest(ctx: RunContext, options: HttpOptions | None) -> int:
    return ctx.render(options.max_content_length, int) or DEFAULT_CONTENT if options else DEFAULT_CONTENT


def _text(response: httpx.Response, longest: int) -> str | None:
    """The body as text. Raises TaskFailed when it is longer than `longest` bytes or cannot be decoded."""
    held = bytearray()
    for chunk in response.iter_bytes(_CHUNK):
        held += chunk
        if len(held) > longest:
            raise TaskFailed(
                f"The response is longer than {longest} bytes: use `http.Download`, or raise `options.maxContentLength`"
            )
    response._content = bytes(held)  # httpx has no public way to hand over a body that was read in parts
    if not held:
        return None
    try:
        return bytes(held).decode(response.charset_encoding or "utf-8")
    except (UnicodeDecodeError, LookupError) as problem:
        raise TaskFailed("The response is no text: use `http.Download` for binary content") from problem


def _parsed(body: str | None) -> object:
    try:
        return json.loads(body) if body else body
    except json.JSONDecodeError:
        return body


def _events(lines: Iterator[str]) -> Iterator[SseEvent]:
    fields: dict[str, list[str]] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            fields.setdefault(name or "comment", []).append(value.removeprefix(" "))
        elif fields:
            yield _event(fields)
            fields = {}
    if fields:
        yield _event(fields)


def _event(fields: Mapping[str, list[str]]) -> SseEvent:
    one = {name: values[-1] for name, values in fields.items()}
    data = _parsed("\n".join(fields.get("data", [])))
    return SseEvent(data=data, id=one.get("id"), name=one.get("event"), comment=one.get("comment"))


def _transport_errors() -> tuple[type[Exception], ...]:
    import httpx

    return httpx.TransportError, httpx.InvalidURL


class _Counted:
    """Chunks on their way, their bytes counted."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self.length = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.length += len(chunk)
            yield chunk
