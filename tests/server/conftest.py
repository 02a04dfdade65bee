"""A live server without a login for the tests of the HTTP room, one for the whole run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.live import LiveServer

SHARED = Path(os.environ.get("PENSTOCK_SHARED", str(Path(__file__).resolve().parents[3] / "shared")))


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with LiveServer(tmp_path_factory.mktemp("home")) as server:
        yield server


@pytest.fixture(scope="session")
def client(live: LiveServer) -> Iterator[httpx.Client]:
    """Requests below the tenant: `client.get("/flows/search")`."""
    with httpx.Client(base_url=f"{live.url}/api/v1/main", timeout=30) as found:
        yield found


@pytest.fixture(scope="session")
def live_url(live: LiveServer) -> str:
    """Where the server listens, without a slash at the end."""
    return live.url
