"""`penstock server local`: one process, one folder."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from pathlib import Path

from penstock.app import App
from penstock.app.web import WebServer
from penstock.errors import BadRequest, PenstockError
from penstock.settings import environment, load_settings

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def serve(config: Path | None, overrides: Mapping[str, object]) -> None:
    """Start, print how to reach it, serve until SIGTERM or Ctrl-C, end cleanly."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        settings = load_settings(config, env=environment(), overrides=overrides)
        if not settings.auth and settings.host not in _LOOPBACK:
            raise BadRequest(f"--no-auth listens on the loopback address only, found --host {settings.host}")
        app = App(settings)
    except PenstockError as error:
        print(f"penstock: {error}", file=sys.stderr)
        raise SystemExit(2) from error
    app.start()
    try:
        web = WebServer(app, on_ready=lambda: _welcome(web))
        web.run()
    finally:
        app.stop()


def _welcome(web: WebServer) -> None:
    print(f"Penstock listens on {web.url}")
    if not web.login.enabled:
        print("No login is asked for (--no-auth).")
    elif web.fresh_password:
        print(f"Log in as {web.login.user} with password {web.login.password} (kept in the home folder).")
    else:
        print(f"Log in as {web.login.user}.")
    sys.stdout.flush()
