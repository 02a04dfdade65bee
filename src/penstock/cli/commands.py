"""The commands and their options; what a command needs is imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from penstock.cli.client import executions, flows, key_values, namespace_files, show_retention
from penstock.model.task import LogLevel

app = typer.Typer(
    help="Penstock, a declarative workflow orchestrator.", no_args_is_help=True, pretty_exceptions_enable=False
)
server = typer.Typer(help="Start servers.", no_args_is_help=True)
app.add_typer(server, name="server")
app.add_typer(flows, name="flow")
app.add_typer(executions, name="execution")
app.add_typer(key_values, name="kv")
app.add_typer(namespace_files, name="namespace-files")
app.command("retention")(show_retention)

FlowFile = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A flow file (YAML).")]


@app.command()
def run(
    flow: FlowFile,
    inputs: Annotated[
        list[str] | None, typer.Option("-i", "--input", help="An input as id=value; @FILE reads a file.")
    ] = None,
    labels: Annotated[list[str] | None, typer.Option("-l", "--label", help="A label as key:value.")] = None,
    watch: Annotated[bool, typer.Option(help="Show the tree of task runs while it grows.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the execution as JSON, nothing else.")] = False,
    level: Annotated[
        LogLevel, typer.Option("--log-level", case_sensitive=False, help="Show log lines of this level and above.")
    ] = LogLevel.INFO,
    home: Annotated[str | None, typer.Option(help="Keep everything here; without it nothing is kept.")] = None,
    also: Annotated[
        list[Path] | None, typer.Option("--with", help="Another flow file that this one may start.")
    ] = None,
) -> None:
    """Run a flow file in this process, without a server. Exit code: 0 SUCCESS or WARNING, 1 any other end, 2 bad input."""
    from penstock.cli.run import run_flow

    raise typer.Exit(
        run_flow(
            flow,
            inputs or [],
            labels=labels or [],
            watch=watch,
            as_json=as_json,
            level=level,
            home=home,
            also=also or [],
        )
    )


@app.command()
def validate(
    files: Annotated[list[Path], typer.Argument(exists=True, help="Flow files or folders.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the problems as JSON.")] = False,
) -> None:
    """Check flow files: every problem with its path and line. Exit code 1 when one is not valid."""
    from penstock.cli.check import validate_files

    raise typer.Exit(validate_files(files, as_json=as_json))


@app.command()
def convert(flow: FlowFile, to: Annotated[str, typer.Option(help="The dialect to convert to.")] = "2.0") -> None:
    """Print what would change to bring a flow from the 1.x dialect to 2.0, and what is left to a person."""
    from penstock.cli.check import convert_file

    raise typer.Exit(convert_file(flow, to))


@app.command()
def evaluate(
    expression: Annotated[str, typer.Argument(help="A template, as in a flow.")],
    variables: Annotated[str, typer.Option("--vars", help="The variables it sees, as JSON.")] = "{}",
) -> None:
    """Render a template with given variables."""
    from penstock.cli.check import evaluate_text

    raise typer.Exit(evaluate_text(expression, variables))


@app.command()
def demo(
    home: Annotated[str | None, typer.Option(help="Folder that keeps everything.")] = None,
    port: Annotated[int, typer.Option(help="Port of the server.")] = 8080,
    no_server: Annotated[bool, typer.Option("--no-server", help="End after the run.")] = False,
) -> None:
    """Run an example flow that loops, branches, fails and retries, then start a local server with it."""
    from penstock.cli.demo import show

    raise typer.Exit(show(home, port, stay=not no_server))


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

    overrides = {
        "host": host,
        "port": port,
        "home": home,
        "user": user,
        "password": password,
        "auth": False if no_auth else None,
        "worker_threads": worker_threads,
    }
    serve(config, overrides)
