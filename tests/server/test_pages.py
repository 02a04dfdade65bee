"""The files of the web UI."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from penstock.server.pages import PageRoutes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("not for you")
    ui = tmp_path / "ui"
    (ui / "assets").mkdir(parents=True)
    (ui / "index.html").write_text("<html>page</html>")
    (ui / "assets" / "app.1a2b.js").write_text("code()")
    (ui / "out").symlink_to(tmp_path / "secret")
    return ui


def client(folder: Path | None) -> httpx.AsyncClient:
    app = Starlette(routes=PageRoutes(folder).routes())
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")


@pytest.mark.parametrize("path", ["/ui", "/ui/", "/ui/main/executions/a/b/c", "/ui/index.html"])
async def test_every_address_of_the_page_is_the_page(folder: Path, path: str) -> None:
    async with client(folder) as c:
        answer = await c.get(path)
    assert (answer.text, answer.headers["cache-control"]) == ("<html>page</html>", "no-cache")


async def test_assets_are_kept_for_a_year(folder: Path) -> None:
    async with client(folder) as c:
        found = await c.get("/ui/assets/app.1a2b.js")
        lost = await c.get("/ui/assets/app.0000.js")
    assert (found.text, "immutable" in found.headers["cache-control"]) == ("code()", True)
    assert lost.status_code == 404


@pytest.mark.parametrize("path", ["/ui/%2e%2e/secret", "/ui/..%2fsecret", "/ui//etc/passwd", "/ui/out", "/ui/a%00b"])
async def test_nothing_outside_is_shown(folder: Path, path: str) -> None:
    async with client(folder) as c:
        answer = await c.get(path)
    assert "not for you" not in answer.text
    assert "root:" not in answer.text


async def test_without_a_ui_it_says_so() -> None:
    async with client(None) as c:
        answer = await c.get("/ui/")
    assert (answer.status_code, "/api/v1/" in answer.text) == (404, True)
