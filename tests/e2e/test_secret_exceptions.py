"""Where a secret does stay readable, because the flow asks for it to be kept there: the whole list, with reasons."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.house import House
from tests.e2e.secret_forms import PLAIN, leaks

SECRET = "{{ secret('PLAIN') }}"
CHILD = """
id: child
namespace: e2e
inputs: [{id: plain, type: STRING}]
tasks: [{id: t, type: io.kestra.plugin.core.flow.Sleep, duration: PT0S}]
"""
EXCEPTIONS = {
    "key_values": (
        "a key-value pair holds the value it was set to: others read it by `kv()`",
        f'{{type: io.kestra.plugin.core.kv.Set, id: t, key: k, value: "{SECRET}"}}',
    ),
    "execution_contexts": (
        "an input of another type than SECRET is kept as it was given, the child could not use it otherwise",
        f"{{type: io.kestra.plugin.core.flow.Subflow, id: t, namespace: e2e, flowId: child, wait: true, "
        f'inputs: {{plain: "{SECRET}"}}}}',
    ),
    "storage": (
        "a file has the content that the task writes",
        f'{{type: io.kestra.plugin.core.storage.Write, id: t, content: "{SECRET}"}}',
    ),
}


@pytest.mark.parametrize("place", sorted(EXCEPTIONS))
def test_it_is_there_and_nowhere_else(tmp_path: Path, place: str) -> None:
    """Were it not there, the exception would be none; were it anywhere else, it would be a leak."""
    _, task = EXCEPTIONS[place]
    with House(tmp_path, env={"PENSTOCK_SECRET_PLAIN": PLAIN}) as house:
        house.save(CHILD)
        execution = house.run(f"id: asks\nnamespace: e2e\ntasks:\n  - {task}\n")
        assert execution.state == "SUCCESS", [entry.message for entry in house.logs(execution.id)]
    found = {name for name, content in _places(tmp_path) if leaks(content)}
    assert found == {place}


def _places(home: Path) -> Iterator[tuple[str, bytes]]:
    """What is kept: the rows of each table, the files of internal storage and of working directories."""
    database = sqlite3.connect(home / "penstock.db")
    for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        rows = database.execute(f'SELECT * FROM "{table}"').fetchall()
        yield table, "\n".join(_text(value) for row in rows for value in row).encode()
    database.close()
    for path in home.rglob("*"):
        if path.is_file() and path.parent != home:
            yield path.relative_to(home).parts[0], path.read_bytes()


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
