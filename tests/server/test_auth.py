"""Who may come in."""

from __future__ import annotations

import base64
from datetime import timedelta

import httpx
import pytest
from argon2 import PasswordHasher
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from penstock.clock import ManualClock
from penstock.server.auth import COOKIE, Doorkeeper, LoginGate
from penstock.server.services import Login

USER, PASSWORD = "ada@example.com", "Secret123"
HASHED = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)


async def inside(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse(Request(scope).url.path)(scope, receive, send)


def basic(user: str = USER, password: str = PASSWORD) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def client(login: Login, host: str = "localhost") -> httpx.AsyncClient:
    door = Doorkeeper(login, ManualClock())
    return httpx.AsyncClient(transport=httpx.ASGITransport(LoginGate(inside, door)), base_url=f"http://{host}")


@pytest.fixture(params=[PASSWORD, HASHED], ids=["plain", "argon2"])
def login(request: pytest.FixtureRequest) -> Login:
    return Login(user=USER, password=request.param)


async def test_the_right_pair_passes_again_and_again(login: Login) -> None:
    async with client(login) as c:
        for _ in range(3):
            assert (await c.get("/api/v1/main/flows/search", auth=(USER, PASSWORD))).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        f"Basic {basic(password='wrong')}",
        f"Basic {basic(user='eve@example.com')}",
        f"Basic {basic(user='', password='')}",
        "Basic not base64!",
        "Basic",
        "Bearer pst_x.0.sig",
        "Bearer pst_x.0.ä",
        "Digest x",
        "",
    ],
)
async def test_anything_else_is_401_with_an_empty_body(login: Login, header: str) -> None:
    async with client(login) as c:
        given = {"Authorization": header.encode()} if header else {}
        answer = await c.get("/api/v1/main/flows/search", headers=given)
    assert (answer.status_code, answer.content, answer.headers["www-authenticate"]) == (401, b"", "Basic")


async def test_the_page_that_logs_in_gets_no_dialogue_of_the_browser(login: Login) -> None:
    async with client(login) as c:
        answer = await c.get("/api/v1/main/flows/search", headers={"Referer": "http://localhost/ui/login"})
    assert "www-authenticate" not in answer.headers


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/configs",
        "/api/v1/login",
        "/api/v1/main/executions/webhook/ns/flow/key",
        "/api/v1/executions/webhook/ns/flow/key/more/of/it",
        "/health",
        "/ui/",
    ],
)
async def test_open_addresses(login: Login, path: str) -> None:
    async with client(login) as c:
        assert (await c.get(path)).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/configs/../main/flows/search"),
        ("GET", "/api/v1/main/executions/webhook"),
        ("GET", "/api/v1/main/executions/webhook/ns/flow"),
        ("DELETE", "/api/v1/main/executions/webhook/ns/flow/key"),
        ("GET", "/api/v1/main/configs"),
        ("GET", "/api/v1/main/executions/xwebhook/ns/flow/key"),
    ],
)
async def test_what_only_looks_like_an_open_address_is_closed(login: Login, method: str, path: str) -> None:
    async with client(login) as c:
        assert (await c.request(method, path)).status_code == 401


async def test_a_cookie_does_as_well(login: Login) -> None:
    async with client(login) as c:
        assert (await c.get("/api/v1/main/x", headers={"Cookie": f"a=b; {COOKIE}={basic()}"})).status_code == 200


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}, {"Origin": "null"}]
)
async def test_a_change_by_cookie_from_another_site_is_refused(login: Login, headers: dict[str, str]) -> None:
    async with client(login) as c:
        cookie = {"Cookie": f"{COOKIE}={basic()}"}
        assert (await c.post("/api/v1/main/x", headers={**cookie, **headers})).status_code == 403
        assert (await c.post("/api/v1/main/x", headers=headers, auth=(USER, PASSWORD))).status_code == 200
        assert (await c.get("/api/v1/main/x", headers={**cookie, **headers})).status_code == 200


async def test_a_change_by_cookie_from_the_own_page_passes(login: Login) -> None:
    async with client(login) as c:
        own = {"Cookie": f"{COOKIE}={basic()}", "Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
        assert (await c.post("/api/v1/main/x", headers=own)).status_code == 200


def test_a_token_ends_and_dies_with_the_password() -> None:
    clock = ManualClock()
    door = Doorkeeper(Login(user=USER, password=PASSWORD), clock)
    token, short = door.token(), door.token(lasts=timedelta(hours=1))
    assert door.accepts(token)
    assert door.accepts(short)
    clock.advance(timedelta(hours=2))
    assert door.accepts(token)
    assert not door.accepts(short)
    assert not Doorkeeper(Login(user=USER, password="Other123"), clock).accepts(token)


def test_a_token_cannot_be_made_to_last_longer() -> None:
    door = Doorkeeper(Login(user=USER, password=PASSWORD), ManualClock())
    identifier, end, signature = door.token(lasts=timedelta(hours=1)).split(".")
    assert not door.accepts(f"{identifier}.{int(end) + 9999}.{signature}")
    assert not door.accepts(f"{identifier}.0.{signature}")


async def test_without_a_login_nobody_is_asked() -> None:
    async with client(Login(enabled=False)) as c:
        assert (await c.get("/api/v1/main/x", headers={"Authorization": "Basic Og=="})).status_code == 200


async def test_without_a_login_other_sites_and_names_are_refused() -> None:
    async with client(Login(enabled=False)) as c:
        assert (await c.get("/api/v1/main/x", headers={"Origin": "http://evil.example"})).status_code == 403
    async with client(Login(enabled=False), "rebound.example") as c:
        assert (await c.get("/api/v1/main/x")).status_code == 403
    async with client(Login(enabled=False), "127.0.0.1:8080") as c:
        assert (await c.get("/api/v1/main/x", headers={"Origin": "http://localhost:5173"})).status_code == 200
