"""The documents hold: links lead somewhere, flows are valid, commands exist, nothing names the machine they were written on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from penstock.cli.commands import app
from penstock.definition import parse_flow
from penstock.plugin.registry import installed

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"\bpenstock ((?:[a-z][a-z-]*)(?: [a-z][a-z-]*)*)")


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(language: str) -> Iterator[tuple[str, str]]:
    """Where and what of every code block of a language."""
    for path in DOCUMENTS:
        for number, (kind, text) in enumerate(_BLOCK.findall(path.read_text())):
            if kind == language:
                yield f"{named(path)}#{number}", text


def flows() -> list[tuple[str, str]]:
    """Every whole flow in the documents and the examples."""
    shown = [(where, text) for where, text in blocks("yaml") if re.search(r"^id: ", text, re.MULTILINE)]
    return shown + [(named(path), path.read_text()) for path in sorted((ROOT / "examples").rglob("*.yaml"))]


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_links_lead_somewhere(path: Path) -> None:
    targets = (link.partition("#")[0] for link in _LINK.findall(path.read_text()) if "://" not in link)
    assert [target for target in targets if target and not (path.parent / target).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_nothing_names_a_machine(path: Path) -> None:
    assert re.findall(r"/(?:work|root|tmp/bash|home/\w+)/", path.read_text()) == []


def test_there_are_flows() -> None:
    assert len(flows()) > 5


@pytest.mark.parametrize(("where", "source"), flows(), ids=[where for where, _ in flows()])
def test_flows_are_valid(where: str, source: str) -> None:
    parsed = parse_flow(source, types=installed())
    assert parsed.flow.tasks


def test_commands_exist() -> None:
    known = {" ".join(path) for path in paths(typer.main.get_command(app))}
    shown = {" ".join(m.split()) for _, text in blocks("bash") for m in _COMMAND.findall(text)}
    assert {
        command for command in shown if not any(command == k or command.startswith(k + " ") for k in known)
    } == set()


def paths(command: object, so_far: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    children: dict[str, object] = getattr(command, "commands", {})
    if not children:
        yield so_far
    for name, child in children.items():
        yield from paths(child, (*so_far, name))
