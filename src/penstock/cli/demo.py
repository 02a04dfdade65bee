"""`penstock demo`: the main job on an example that loops, branches, fails and retries; then a server with it loaded."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from penstock.cli.local import serve
from penstock.cli.run import run_flow
from penstock.model.task import LogLevel

EXAMPLE = "tour.yaml"


def show(home: str | None, port: int, *, stay: bool) -> int:
    """Run the example, then (with `stay`) stay in the foreground as a local server until Ctrl-C."""
    place = home or ".penstock"
    source = Path(str(files("penstock.cli") / EXAMPLE))
    print(f"Running the example flow {EXAMPLE} …", flush=True)
    code = run_flow(
        source, ["who=Ada"], labels=[], watch=False, as_json=False, level=LogLevel.INFO, home=place, also=[]
    )
    if stay:
        _serve(place, port)
    return code


def _serve(home: str, port: int) -> None:
    print("Starting the local server; Ctrl-C ends it.", flush=True)
    serve(None, {"home": home, "port": port})
