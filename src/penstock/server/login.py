"""Routes of logging in and out, and of tokens (api.md 2)."""

from __future__ import annotations

import base64
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from penstock.errors import Unprocessable
from penstock.model.duration import parse_duration
from penstock.server.asked import json_of
from penstock.server.auth import COOKIE, TOKEN, Doorkeeper
from penstock.server.replies import json_reply, nothing, offload


class LoginRoutes:
    """Log in and out with a cookie, and make tokens."""

    def __init__(self, door: Doorkeeper) -> None:
        self._door = door

    def routes(self) -> list[Route]:
        """Their addresses."""
        return [
            Route("/api/v1/login", self.log_in, methods=["POST"]),
            Route("/api/v1/logout", self.log_out, methods=["POST"]),
            Route("/login", self.log_in, methods=["POST"]),
            Route("/logout", self.log_out, methods=["POST"]),
            Route("/api/v1/setup", self.setup, methods=["GET", "POST"]),
            Route("/api/v1/me", self.me),
            Route("/api/v1/me/api-tokens", self.make_token, methods=["POST"]),
            Route("/api/v1/configs/login", self.configuration),
            Route("/api/v1/basicAuthValidationErrors", self.faults),
        ]

    async def log_in(self, request: Request) -> Response:
        """A cookie for `{"username", "password"}`; 401 when they are wrong."""
        body = await json_of(request, dict[str, object])
        pair = f"{body.get('username', '')}:{body.get('password', '')}".encode()
        if self._door.enabled and not await offload(self._door.knows, pair):
            return nothing(401)
        reply = json_reply({})
        secure = request.url.scheme == "https"
        reply.set_cookie(COOKIE, base64.b64encode(pair).decode(), httponly=True, samesite="strict", secure=secure)
        return reply

    async def log_out(self, request: Request) -> Response:
        """Forget the cookie."""
        reply = json_reply({})
        reply.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return reply

    async def setup(self, request: Request) -> Response:
        """The user is configured at the start: a second set-up is refused, as in Kestra."""
        return json_reply({"initialized": True}) if request.method == "GET" else nothing(405)

    async def me(self, request: Request) -> Response:
        """The one user."""
        return json_reply({"id": self._door.user, "username": self._door.user, "email": self._door.user})

    async def make_token(self, request: Request) -> Response:
        """A token of the user, shown once. `maxAge` is an ISO duration; without it the token does not end."""
        body = await json_of(request, dict[str, object])
        token = self._door.token(lasts=_lasts(body.get("maxAge")))
        return json_reply(
            {
                "id": token.partition(".")[0].removeprefix(TOKEN),
                "name": str(body.get("name") or "token"),
                "fullToken": token,
                "created": self._door.now(),
            }
        )

    async def configuration(self, request: Request) -> Response:
        """What the page that logs in may know."""
        return json_reply({"isBasicAuthInitialized": True})

    async def faults(self, request: Request) -> Response:
        """Why configured credentials were refused: a server with refused ones does not start."""
        return json_reply([])


def _lasts(text: object) -> timedelta | None:
    if text is None:
        return None
    try:
        return parse_duration(str(text))
    except ValueError as error:
        raise Unprocessable(f"Illegal argument: `maxAge` is no ISO 8601 duration: {error}") from error
