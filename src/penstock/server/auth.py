"""Who may come in: HTTP Basic with one user, as header or cookie (api.md 2).

The password is compared as a salted hash; a header that was right once is remembered by its digest, so that a request costs
microseconds. Failure is 401 with an empty body.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from penstock.server.services import Login

_COOKIE = "BASIC_AUTH"
_OPEN = re.compile(
    rb"^/(?:api/v1/(?:configs(?:/login)?|login|basicAuthValidationErrors|[^/]+/executions/webhook/.*|executions/webhook/.*))$"
)


class LoginGate:
    """Lets requests below `/api/` pass only with the right user and password; all else is open."""

    def __init__(self, app: ASGIApp, login: Login) -> None:
        self._app = app
        self._login = login
        self._wanted = _digest(_token(login.user, login.password))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._passes(scope):
            await self._app(scope, receive, send)
            return
        headers = {}
        referer = dict(scope["headers"]).get(b"referer", b"")
        if not referer.endswith(b"/login"):
            headers["WWW-Authenticate"] = "Basic"
        await Response(status_code=401, headers=headers)(scope, receive, send)

    def _passes(self, scope: Scope) -> bool:
        path: bytes = scope["path"].encode()
        if not self._login.enabled or not path.startswith(b"/api/") or _OPEN.match(path):
            return True
        headers: Mapping[bytes, bytes] = dict(scope["headers"])
        token = _given(headers)
        return token is not None and hmac.compare_digest(_digest(token), self._wanted)


def _given(headers: Mapping[bytes, bytes]) -> bytes | None:
    """The Basic token of a request: from its header, else from its cookie."""
    header = headers.get(b"authorization", b"")
    if header[:6].lower() == b"basic ":
        return header[6:].strip()
    for part in headers.get(b"cookie", b"").split(b";"):
        name, _, value = part.strip().partition(b"=")
        if name.decode("latin-1") == _COOKIE:
            return value.strip().strip(b'"')
    return None


def _token(user: str, password: str) -> bytes:
    return base64.b64encode(f"{user}:{password}".encode())


def _digest(token: bytes) -> bytes:
    try:
        plain = base64.b64decode(token, validate=True)
    except binascii.Error:
        plain = b""
    return hashlib.sha256(plain).digest()


class LoginRoutes:
    """Log in and out with a cookie."""

    def __init__(self, login: Login) -> None:
        self._login = login

    def routes(self) -> list[Route]:
        return [
            Route("/api/v1/login", self.log_in, methods=["POST"]),
            Route("/api/v1/logout", self.log_out, methods=["POST"]),
        ]

    async def log_in(self, request: Request) -> Response:
        try:
            body = msgspec.json.decode(await request.body(), type=dict[str, str])
        except msgspec.DecodeError:
            return Response(status_code=400)
        token = _token(body.get("username", ""), body.get("password", ""))
        right = hmac.compare_digest(_digest(token), _digest(_token(self._login.user, self._login.password)))
        if self._login.enabled and not right:
            return Response(status_code=401)
        reply = Response(b"{}", media_type="application/json")
        reply.set_cookie(_COOKIE, token.decode(), httponly=True, samesite="strict")
        return reply

    async def log_out(self, request: Request) -> Response:
        reply = Response(b"{}", media_type="application/json")
        reply.delete_cookie(_COOKIE)
        return reply
