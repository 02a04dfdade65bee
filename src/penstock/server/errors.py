"""Errors into answers: one table, one shape for every error response (api.md 3).

The shape serves both generations of clients: the members of Micronaut's older form (`message`, `_links`, `_embedded`) and
of an RFC 9457 problem (`type`, `title`, `status`, `detail`, `instance`).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from penstock import errors
from penstock.expr import ExpressionError
from penstock.ids import new_id
from penstock.server.replies import json_reply

_log = logging.getLogger(__name__)
PROBLEMS = "https://kestra.io/docs/api-reference/problems/"


class InvalidParameter(errors.BadRequest):
    """A query parameter that is missing or cannot be read."""


class InvalidFilters(errors.BadRequest):
    """Filters that the resource does not support, all of them at once."""


class InvalidJson(errors.Unprocessable):
    """A body that is no JSON, or not of the expected form."""


class TooLarge(errors.LimitExceeded):
    """A body above the limit."""


class UnsupportedMedia(errors.CallerError):
    """A content type that the route does not read."""


_TABLE: Sequence[tuple[type[Exception], int, str, str]] = (
    (errors.FlowInvalid, 422, "validation-failed", "Invalid entity"),
    (errors.Gone, 410, "resource-expired", "Gone"),
    (errors.NotFound, 404, "not-found", "Not Found"),
    (errors.Conflict, 409, "conflict", "Conflict"),
    (errors.Forbidden, 403, "forbidden", "Forbidden"),
    (InvalidParameter, 400, "invalid-query-parameter", "Bad Request"),
    (InvalidFilters, 400, "invalid-query-filters", "Invalid query filters"),
    (errors.BadRequest, 400, "bad-request", "Bad Request"),
    (InvalidJson, 422, "invalid-json", "Invalid JSON"),
    (errors.Unprocessable, 422, "invalid-argument", "Illegal argument"),
    (TooLarge, 413, "payload-too-large", "Payload too large"),
    (errors.LimitExceeded, 413, "payload-too-large", "Limit exceeded"),
    (UnsupportedMedia, 415, "unsupported-media-type", "Unsupported Media Type"),
    (errors.StoreUnavailable, 503, "service-unavailable", "Service unavailable"),
    (errors.Timeout, 504, "timeout", "Timeout"),
    (errors.MissingExtra, 422, "invalid-plugin-type", "Missing package"),
    (ExpressionError, 422, "invalid-argument", "Illegal argument"),
    (msgspec.DecodeError, 422, "invalid-json", "Invalid JSON"),
    (UnicodeDecodeError, 422, "invalid-format", "Invalid format"),
    (RecursionError, 422, "invalid-format", "Nested too deeply"),
)
"""Error class -> status, slug of the problem, title. The first class that fits counts: special ones stand before roots."""

FORESEEN: Sequence[type[Exception]] = [kind for kind, *_ in _TABLE]
"""The classes of the table: they are answered without ending the connection."""

_PROTOCOL: Mapping[int, str] = {
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    413: "payload-too-large",
    415: "unsupported-media-type",
    501: "not-implemented",
}
_KNOWN_PREFIXES = (
    *("Invalid entity:", "Illegal argument:", "Illegal state:", "Not Found:", "Conflict:", "Invalid query"),
    *("Invalid JSON", "Unprocessable Entity:", "Bad Request:"),
)
_INTERNAL = "Internal server error"


def describe(error: Exception) -> tuple[int, str, str]:
    """Status, problem slug and title of an error."""
    for kind, status, slug, title in _TABLE:
        if isinstance(error, kind):
            return status, slug, title
    return 500, "internal-error", "Internal error"


def error_reply(request: Request, error: Exception) -> Response:
    """The answer to an error that a handler raised. What Penstock did not foresee is logged and never told."""
    status, slug, title = describe(error)
    if status == 500:
        trace = new_id()
        _log.error(
            "a request failed", exc_info=error, extra={"event": "request", "path": request.url.path, "trace": trace}
        )
        return problem(request, status, slug, title=title, message=_INTERNAL, more={"traceId": trace})
    problems = getattr(error, "problems", [])
    text = "\n".join(str(p) for p in problems) if isinstance(error, errors.FlowInvalid) else str(error)
    if not text.startswith(_KNOWN_PREFIXES) and text != title:
        text = f"{title}: {text}"
    return problem(request, status, slug, title=title, message=text, problems=problems)


def http_reply(request: Request, error: Exception) -> Response:
    """The answer to an error of the protocol itself (unknown route, wrong method, a form that cannot be read)."""
    assert isinstance(error, HTTPException)
    title = HTTPStatus(error.status_code).phrase
    message = title if error.detail == title else f"{title}: {error.detail}"
    slug = _PROTOCOL.get(error.status_code, "bad-request")
    reply = problem(request, error.status_code, slug, title=title, message=message)
    for name, value in (error.headers or {}).items():
        reply.headers[name] = value
    return reply


def problem(
    request: Request,
    status: int,
    slug: str,
    *,
    title: str,
    message: str,
    problems: Sequence[errors.Problem] = (),
    more: Mapping[str, object] | None = None,
) -> Response:
    """An error body; null members are written, as Micronaut does. `instance` is the path that the client asked for."""
    path: str = request.scope.get("asked", request.url.path)
    query = request.url.query
    link = dict.fromkeys(("profile", "deprecation", "title", "hreflang", "type", "name"))
    embedded = [{"message": p.message, "logref": None, "path": p.path, "_links": {}, "_embedded": {}} for p in problems]
    body: dict[str, object] = {
        "message": message,
        "logref": None,
        "path": None,
        "_links": {"self": {"href": f"{path}?{query}" if query else path, "templated": False, **link}},
        "_embedded": {"errors": embedded} if embedded else {},
        "type": PROBLEMS + slug,
        "title": title,
        "status": status,
        "detail": message,
        "instance": path,
        **(more or {}),
    }
    if problems:
        body["errors"] = [_fault(p) for p in problems]
    reply = json_reply(body, status)
    if status == 404:
        reply.headers["X-Kestra-Edition"] = "OSS"
    return reply


def _fault(one: errors.Problem) -> dict[str, object]:
    found: dict[str, object] = {"detail": one.message}
    if one.path:
        found["path"] = one.path
        found["pointer"] = "/" + one.path.replace("[", "/").replace("]", "").replace(".", "/")
    if one.line is not None:
        found["line"] = one.line
    return found
