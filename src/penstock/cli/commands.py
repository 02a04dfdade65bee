"""The commands and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Penstock, a declarative workflow orchestrator.", no_args_is_help=True, pretty_exceptions_enable=False
)
server = typer.Typer(help="Start servers.", no_args_is_help=True)
app.add_typer(server, name="server")


@server.command("local")
def server_local(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    home: Annotated[str | None, typer.Option(help="Folder that keeps everything.")] = None,
    user: Annotated[str | None, typer.Option(help="User name of the login.")] = None,
    password: Annotated[str | None, typer.Option(help="Password of the login.")] = None,
    no_auth: Annotated[bool, typer.Option("--no-auth", help="No login; listens on the loopback address only.")] = False,
    config: Annotated[Path | None, typer.Option(help="Settings file (YAML).")] = None,
    worker_threads: Annotated[int | None, typer.Option(help="Tasks that run at the same time.")] = None,
) -> None:
    """Everything in one process on SQLite: API, scheduler, executor, worker."""
    from penstock.cli.local import serve

    serve(
        config,
        {
            "host": host,
            "port": port,
            "home": home,
            "user": user,
            "password": password,
            "auth": False if no_auth else None,
            "worker_threads": worker_threads,
        },
    )
