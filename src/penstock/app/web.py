"""The server of an App: its services, and uvicorn around it."""

from __future__ import annotations

import contextlib
import functools
import secrets
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn

from penstock.app.application import App
from penstock.definition.type_index import CORE_TYPES, find_type
from penstock.ids import new_id
from penstock.server import Services, create_app
from penstock.server.services import Login


def services_of(app: App, login: Login, url: str) -> Services:
    """What the server works with."""
    return Services(
        shelf=app.shelf,
        launcher=app.launcher,
        resolver=app.resolver,
        renderer=app.renderer,
        desk=app.desk,
        purger=app.purger,
        reads=app.store.reads,
        commands=app.executor,
        feed=app.feed,
        blobs=app.blobs,
        read_output=app.keeper.read,
        key_values=app.key_values,
        files=app.files,
        secrets=app.secrets,
        namespaces=app.namespaces,
        triggers=app.triggers,
        webhooks=app.webhooks,
        evaluate=app.evaluate,
        evaluate_outside=app.evaluate_outside,
        clock=app.clock,
        login=login,
        retention=app.retention,
        plugin_names=lambda: sorted({*CORE_TYPES, *app.types.names()}),
        plugin_class=lambda name: find_type(name, app.types),
        schema=_schemas(app),
        url=url,
        uuid=_instance_id(app.settings.folder),
    )


def _schemas(app: App) -> Callable[[str], dict[str, object] | None]:
    """JSON schemas of the parts of the flow language; each is made when it is first asked for."""

    @functools.lru_cache(maxsize=16)
    def schema(root: str) -> dict[str, object] | None:
        from penstock.definition.schema import schema_of

        return schema_of(root, app.types)

    return schema


def _instance_id(folder: Path) -> str:
    """The id of this installation, made at the first start."""
    return _kept(folder / "instance", new_id)


def _kept(path: Path, make: Callable[[], str]) -> str:
    if not path.exists():
        path.write_text(make())
        path.chmod(0o600)
    return path.read_text().strip()


def login_of(app: App) -> tuple[Login, bool]:
    """The login of the server, and whether its password was made just now.

    A password that nobody gave is made at the first start and kept in the home folder, readable by its owner alone.
    """
    settings = app.settings
    if not settings.auth:
        return Login(enabled=False), False
    if settings.password is not None:
        return Login(user=settings.user or "admin@penstock.local", password=settings.password), False
    place = settings.folder / "password"
    fresh = not place.exists()
    password = _kept(place, lambda: "Aa1" + secrets.token_urlsafe(12))
    return Login(user=settings.user or "admin@penstock.local", password=password), fresh


class WebServer:
    """uvicorn over the App; `run` blocks until SIGTERM, SIGINT or `stop`."""

    def __init__(self, app: App, *, on_ready: Callable[[], None] = lambda: None) -> None:
        settings = app.settings
        self.login, self.fresh_password = login_of(app)
        self.url = f"http://{settings.host}:{settings.port}/"
        self.asgi = create_app(services_of(app, self.login, self.url))
        config = uvicorn.Config(
            self.asgi,
            host=settings.host,
            port=settings.port,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=2,
            lifespan="off",
            ws="none",
        )
        self._server = _Server(config, on_ready)

    def run(self) -> None:
        """Serve until told to stop."""
        self._server.run()

    def stop(self) -> None:
        """End `run`, from any thread."""
        self._server.should_exit = True


class _Server(uvicorn.Server):
    """Tells when it listens; leaves signals alone outside of the main thread."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT end the serving and nothing else: what comes after (the loops, the store) ends in order.

        uvicorn's own version raises the signal again when it is done, which would end the process there and then.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()
