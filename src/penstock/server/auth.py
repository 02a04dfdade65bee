"""Who may come in: HTTP Basic with one user, a cookie that holds the same, and tokens made from it (api.md 2).

A token is signed, not stored: its key is derived from the password, so that another password ends all tokens at once.
What was found right is remembered by its digest; a request then costs microseconds, also where the password is kept as an
argon2 hash. Failure is 401 with an empty body. Without a login the server listens on the loopback address only; then pages
of other sites must not reach it through a browser, so their requests are refused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from penstock.clock import Clock
from penstock.errors import Forbidden
from penstock.ids import new_id
from penstock.server.errors import error_reply
from penstock.server.replies import nothing, offload
from penstock.server.services import Login

COOKIE = "BASIC_AUTH"
TOKEN = "pst_"
_REMEMBERED = 64
_OPEN = re.compile(r"/api/v1/(?:configs(?:/login)?|login|logout|setup|basicAuthValidationErrors)")
_WEBHOOK = re.compile(r"/api/v1/(?:main/)?executions/webhook/[^/]+/[^/]+/.+")
"""A webhook is open to whoever knows its key."""
_WEBHOOK_METHODS = frozenset({"GET", "POST", "PUT"})
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

Headers = Mapping[bytes, bytes]


class Doorkeeper:
    """Knows the one user: whether a Basic pair or a token is right."""

    def __init__(self, login: Login, clock: Clock) -> None:
        self._login = login
        self._clock = clock
        self._known: dict[bytes, None] = {}
        """Digests of pairs that were right, oldest first; the salt keeps them worthless elsewhere."""
        self._salt = secrets.token_bytes(16)
        self._key = hashlib.sha256(b"penstock token\0" + f"{login.user}\0{login.password}".encode()).digest()

    @property
    def enabled(self) -> bool:
        """Whether anybody is asked at all."""
        return self._login.enabled

    @property
    def user(self) -> str:
        """The name of the user."""
        return self._login.user

    def now(self) -> datetime:
        """The present moment."""
        return self._clock.now()

    def remembers(self, pair: bytes) -> bool:
        """Whether `user:password` is known to be right, without working it out."""
        return self._digest(pair) in self._known

    def knows(self, pair: bytes) -> bool:
        """Whether `user:password` is right; works out an argon2 hash where the password is kept as one."""
        digest = self._digest(pair)
        if digest in self._known:
            return True
        user, _, password = pair.partition(b":")
        same_user = hmac.compare_digest(user, self._login.user.encode())
        if not (self._same_password(password) and same_user):
            return False
        if len(self._known) >= _REMEMBERED:
            self._known.pop(next(iter(self._known)), None)
        self._known[digest] = None
        return True

    def _digest(self, pair: bytes) -> bytes:
        return hmac.digest(self._salt, pair, "sha256")

    def _same_password(self, password: bytes) -> bool:
        kept = self._login.password
        if not kept.startswith("$argon2"):
            return hmac.compare_digest(password, kept.encode())
        from argon2 import PasswordHasher
        from argon2.exceptions import VerificationError

        try:
            return PasswordHasher().verify(kept, password)
        except VerificationError:
            return False

    def token(self, *, lasts: timedelta | None = None) -> str:
        """A new token: `pst_<id>.<end in seconds, or 0>.<signature>`."""
        end = int((self._clock.now() + lasts).timestamp()) if lasts is not None else 0
        said = f"{new_id()}.{end}"
        return f"{TOKEN}{said}.{self._signature(said)}"

    def accepts(self, token: str) -> bool:
        """Whether a token is one of ours and has not ended."""
        said, dot, signature = token.removeprefix(TOKEN).rpartition(".")
        own = self._signature(said).encode()
        if not dot or not token.startswith(TOKEN) or not hmac.compare_digest(signature.encode(), own):
            return False
        end = int(said.rpartition(".")[2])
        return end == 0 or self._clock.now().timestamp() < end

    def _signature(self, said: str) -> str:
        return base64.urlsafe_b64encode(hmac.digest(self._key, said.encode(), "sha256")).decode().rstrip("=")


class LoginGate:
    """Lets requests below `/api/` pass only with the right credentials; all else is open."""

    def __init__(self, app: ASGIApp, door: Doorkeeper) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _guards(scope["path"], scope["method"]):
            await self._app(scope, receive, send)
            return
        headers: Headers = dict(scope["headers"])
        try:
            entered = await self._enters(headers, scope["method"])
        except Forbidden as refused:
            await error_reply(Request(scope), refused)(scope, receive, send)
            return
        answer = self._app if entered else _refusal(headers)
        await answer(scope, receive, send)

    async def _enters(self, headers: Headers, method: str) -> bool:
        """Whether the credentials are right. Raises Forbidden where another site's page made a browser send them."""
        if not self._door.enabled:
            _refuse_strangers(headers)
            return True
        pair, by_cookie = _pair(headers)
        if pair is None:
            header = headers.get(b"authorization", b"")
            return header[:7].lower() == b"bearer " and self._door.accepts(header[7:].strip().decode("latin-1"))
        if not self._door.remembers(pair) and not await offload(self._door.knows, pair):
            return False
        if by_cookie and method not in _READS and _is_foreign(headers):
            raise Forbidden("a request by cookie must come from a page of this server")
        return True


def _guards(path: str, method: str) -> bool:
    if not path.startswith("/api/") or _OPEN.fullmatch(path):
        return False
    return not (method in _WEBHOOK_METHODS and _WEBHOOK.fullmatch(path))


def _pair(headers: Headers) -> tuple[bytes | None, bool]:
    """`user:password` of a request, and whether it came by cookie. A header wins over the cookie."""
    header = headers.get(b"authorization", b"")
    if header[:6].lower() == b"basic ":
        return _decoded(header[6:].strip()) or b"", False
    if header:
        return None, False
    for part in headers.get(b"cookie", b"").split(b";"):
        name, _, value = part.strip().partition(b"=")
        if name == COOKIE.encode():
            return _decoded(value.strip().strip(b'"')), True
    return None, False


def _decoded(token: bytes) -> bytes | None:
    try:
        return base64.b64decode(token, validate=True)
    except binascii.Error:
        return None


def _is_foreign(headers: Headers) -> bool:
    """Whether a browser says that another site's page made the request: what a CSRF token of Kestra's guards against."""
    if headers.get(b"sec-fetch-site") in (b"cross-site", b"same-site"):
        return True
    origin = headers.get(b"origin")
    return origin is not None and origin.decode("latin-1").partition("//")[2].encode("latin-1") != headers.get(b"host")


def _refuse_strangers(headers: Headers) -> None:
    """Without a login, only this machine may ask: not another site's page, nor a foreign name that leads here.

    Raises:
        Forbidden: `Host` or `Origin` is not of the loopback address.
    """
    host, origin = headers.get(b"host", b"localhost"), headers.get(b"origin")
    names = {_name(b"//" + host)} | ({_name(origin)} if origin else set())
    if not names <= _LOOPBACK:
        raise Forbidden("without a login this server answers localhost only: start it with a login instead")


def _name(url: bytes) -> str:
    try:
        return urlsplit(url.decode("latin-1")).hostname or ""
    except ValueError:
        return ""


def _refusal(headers: Headers) -> ASGIApp:
    """401 with an empty body; a page that logs in by itself gets no browser dialogue."""
    reply = nothing(401)
    if not headers.get(b"referer", b"").endswith(b"/login"):
        reply.headers["WWW-Authenticate"] = "Basic"
    return reply
