"""The web UI: a single page and its files below `/ui/` (api.md 11)."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from penstock.server.replies import offload

_YEAR = "public, max-age=31536000, immutable"
_POLICY = "frame-ancestors 'self'; object-src 'none'; base-uri 'self'"
_ABSENT = "This installation has no web UI. The API is at /api/v1/."


class PageRoutes:
    """Handlers of the UI's files; `folder` is where they lie, None where there are none."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder.resolve() if folder is not None else None

    def routes(self) -> list[Route]:
        """Their addresses."""
        return [Route("/ui", self.page), Route("/ui/{path:path}", self.page)]

    async def page(self, request: Request) -> Response:
        """A file of the UI. What is none is the page itself, which knows its own addresses; a lost asset is 404."""
        if self._folder is None:
            return PlainTextResponse(_ABSENT, 404)
        path: str = request.path_params.get("path", "")
        found = await offload(_file, self._folder, path)
        if found is None and path.startswith("assets/"):
            return PlainTextResponse("Not Found", 404)
        headers = {
            "Cache-Control": _YEAR if path.startswith("assets/") else "no-cache",
            "Content-Security-Policy": _POLICY,
        }
        headers["X-Content-Type-Options"] = "nosniff"
        return FileResponse(found or self._folder / "index.html", headers=headers)


def _file(folder: Path, path: str) -> Path | None:
    """The file of a path inside the folder, or None: also for one that leads out of it."""
    try:
        place = (folder / path).resolve()
        return place if place.is_relative_to(folder) and place.is_file() else None
    except (OSError, ValueError):
        return None
