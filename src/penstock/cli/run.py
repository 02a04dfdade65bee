"""`penstock run`: one flow in this process, its log lines as they come, its tree at the end (or live)."""

from __future__ import annotations

import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

from penstock.app import App
from penstock.catalog.inputs import FilePart
from penstock.catalog.launch import Wish
from penstock.cli.log_lines import LogLines
from penstock.cli.tree import LiveTree, print_tree
from penstock.errors import BadRequest, FlowInvalid, PenstockError
from penstock.model.execution import Label
from penstock.model.state import State
from penstock.model.task import LogLevel
from penstock.ports.feed import Change
from penstock.settings import environment, load_settings

_FINE = frozenset({State.SUCCESS, State.WARNING})


def run_flow(
    path: Path,
    inputs: Sequence[str],
    *,
    labels: Sequence[str],
    watch: bool,
    as_json: bool,
    level: LogLevel,
    home: str | None,
    also: Sequence[Path],
) -> int:
    """Run and show; the exit code."""
    kept = nullcontext(home) if home is not None else tempfile.TemporaryDirectory(prefix="penstock-")
    try:
        with kept as folder, _started(folder) as app:
            tree = LiveTree(app.store.reads) if watch and not as_json else None
            lines = None if as_json else LogLines(level, tree.write if tree is not None else _write)
            execution_id = _start(app, path, inputs, labels=labels, also=also, lines=lines, tree=tree)
            return _show(app, execution_id, as_json=as_json, watch=watch)
    except FlowInvalid as error:
        for problem in error.problems:
            print(f"{path}: {problem}", file=sys.stderr)
        return 2
    except PenstockError as error:
        print(f"penstock: {error}", file=sys.stderr)
        return 2


@contextmanager
def _started(folder: str) -> Iterator[App]:
    app = App(load_settings(env=environment(), overrides={"home": folder}))
    app.start()
    try:
        yield app
    finally:
        app.stop()


def _start(
    app: App,
    path: Path,
    inputs: Sequence[str],
    *,
    labels: Sequence[str],
    also: Sequence[Path],
    lines: LogLines | None,
    tree: LiveTree | None,
) -> str:
    """Save the flows, start the one, wait for its end; the id of its execution."""
    for other in also:
        app.shelf.put("main", other.read_text())
    shelved = app.shelf.put("main", path.read_text())
    wish = Wish(inputs=_inputs(inputs), labels=_labels(labels), checks=True)
    prepared = app.launcher.start(shelved, wish)
    execution_id = prepared.execution.id
    done = threading.Event()

    def news(change: Change) -> None:
        if change.closed:
            done.set()

    app.feed.on_change(news, execution_id)
    if lines is not None:
        app.feed.on_log(lines, execution_id)
    app.executor.submit(prepared.command).result()
    with tree.of(execution_id) if tree is not None else nullcontext():
        done.wait()
        if lines is not None:
            lines.complete(app.store.reads, execution_id)
    return execution_id


def _write(line: str) -> None:
    print(line, flush=True)


def _inputs(texts: Sequence[str]) -> dict[str, object]:
    found: dict[str, object] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise BadRequest(f"expected an input as id=value, found `{text}`")
        if value.startswith("@"):
            file = Path(value[1:])
            if not file.is_file():
                raise BadRequest(f"input `{name}`: there is no file {file}")
            found[name] = FilePart(file.name, file.read_bytes())
        else:
            found[name] = value
    return found


def _labels(texts: Sequence[str]) -> list[Label]:
    found: list[Label] = []
    for text in texts:
        key, colon, value = text.partition(":")
        if not colon:
            raise BadRequest(f"expected a label as key:value, found `{text}`")
        found.append(Label(key, value))
    return found


def _show(app: App, execution_id: str, *, as_json: bool, watch: bool) -> int:
    reads = app.store.reads
    stored = reads.execution("main", execution_id)
    assert stored is not None
    if as_json:
        _print_json(app, execution_id)
    elif not watch:
        print_tree(reads, stored)
    return 0 if stored.execution.state in _FINE else 1


def _print_json(app: App, execution_id: str) -> None:
    import msgspec

    from penstock.server.shapes import execution_json

    reads = app.store.reads
    stored = reads.execution("main", execution_id)
    assert stored is not None
    body = execution_json(stored, reads.runs(execution_id).results)
    row = reads.execution_outputs(execution_id)
    body["outputs"] = dict(app.keeper.read("main", row)) if row is not None else {}
    print(msgspec.json.format(msgspec.json.encode(body, enc_hook=str)).decode())
