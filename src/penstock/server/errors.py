"""Errors into answers: one table, one shape for every error response (api.md 3).

The shape serves both generations of clients: the members of Kestra's older form and of an RFC 9457 problem.
"""

from __future__ import annotations

import logging

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from penstock import errors
from penstock.expr import ExpressionError
from penstock.server.replies import json_reply

_log = logging.getLogger(__name__)
_PROBLEMS = "https://kestra.io/docs/api-reference/problems/"

_TABLE: list[tuple[type[Exception], int, str, str]] = [
    (errors.FlowInvalid, 422, "validation-failed", "Invalid entity"),
    (errors.NotFound, 404, "not-found", "Not Found"),
    (errors.Conflict, 409, "conflict", "Conflict"),
    (errors.Forbidden, 403, "forbidden", "Forbidden"),
    (errors.BadRequest, 400, "bad-request", "Bad Request"),
    (errors.Unprocessable, 422, "invalid-argument", "Illegal argument"),
    (errors.LimitExceeded, 413, "payload-too-large", "Limit exceeded"),
    (errors.StoreUnavailable, 503, "service-unavailable", "Service unavailable"),
    (errors.Timeout, 504, "timeout", "Timeout"),
    (errors.MissingExtra, 422, "invalid-plugin-type", "Missing package"),
    (ExpressionError, 422, "invalid-argument", "Illegal argument"),
]

_KNOWN_PREFIXES = ("Invalid entity:", "Illegal argument:", "Illegal state:", "Not Found:", "Conflict:", "Invalid query")


def describe(error: Exception) -> tuple[int, str, str]:
    """Status, problem slug and title of an error."""
    gone = getattr(errors, "Gone", None)
    if gone is not None and isinstance(error, gone):
        return 410, "resource-expired", "Gone"
    for kind, status, slug, title in _TABLE:
        if isinstance(error, kind):
            return status, slug, title
    return 500, "internal-error", "Internal error"


def error_reply(request: Request, error: Exception) -> Response:
    """The answer to an error that a handler raised."""
    status, slug, title = describe(error)
    if status == 500:
        _log.error("a request failed", exc_info=error, extra={"event": "request", "path": request.url.path})
        return body_reply(request, status, slug, title=title, message="Internal server error")
    text = str(error)
    if isinstance(error, errors.FlowInvalid):
        text = "\n".join(str(problem) for problem in error.problems)
    if not text.startswith(_KNOWN_PREFIXES) and text != title:
        text = f"{title}: {text}"
    problems = getattr(error, "problems", [])
    return body_reply(request, status, slug, title=title, message=text, problems=problems)


def http_reply(request: Request, error: Exception) -> Response:
    """The answer to an error of the protocol itself (unknown route, wrong method)."""
    assert isinstance(error, HTTPException)
    slugs = {404: ("not-found", "Not Found"), 405: ("method-not-allowed", "Method Not Allowed")}
    slug, title = slugs.get(error.status_code, ("bad-request", error.detail))
    return body_reply(request, error.status_code, slug, title=title, message=title)


def body_reply(
    request: Request, status: int, slug: str, *, title: str, message: str, problems: list[errors.Problem] | None = None
) -> Response:
    """An error body."""
    path = request.url.path
    link = dict.fromkeys(("profile", "deprecation", "title", "hreflang", "type", "name"))
    embedded = [
        {"message": p.message, "logref": None, "path": p.path, "_links": {}, "_embedded": {}} for p in problems or []
    ]
    body: dict[str, object] = {
        "message": message,
        "logref": None,
        "path": None,
        "_links": {"self": {"href": path, "templated": False, **link}},
        "_embedded": {"errors": embedded} if embedded else {},
        "type": _PROBLEMS + slug,
        "title": title,
        "status": status,
        "detail": message,
        "instance": path,
    }
    if problems:
        body["errors"] = [
            {"detail": p.message, "path": p.path, **({"line": p.line} if p.line else {})} for p in problems
        ]
    reply = json_reply(body, status)
    if status == 404:
        reply.headers["X-Kestra-Edition"] = "OSS"
    return reply
