"""Small sources for the tests of this room."""

from __future__ import annotations

import re
from textwrap import dedent, indent

from penstock.definition import ParsedFlow, parse_flow
from penstock.errors import FlowInvalid, Problem
from penstock.plugin.registry import installed

LOG = "io.kestra.plugin.core.log.Log"
TASK = f"{{id: t, type: {LOG}, message: hi}}"


def flow(body: str = "", *, tasks: str = f"- {TASK}") -> str:
    """A flow with `body` at its top level."""
    return f"id: f\nnamespace: company.team\n{dedent(body).strip()}\ntasks:\n{indent(dedent(tasks).strip(), '  ')}\n"


def spelled(text: str) -> str:
    """`text` with `type: core.x.Y` spelled out, and `<name>` as a task of that id that logs."""
    named = re.sub(r"<([\w-]+)>", rf"{{id: \1, type: {LOG}, message: hi}}", text)
    return named.replace("type: core.", "type: io.kestra.plugin.core.")


def parsed(source: str) -> ParsedFlow:
    """A source that is valid."""
    return parse_flow(source, types=installed())


def problems(source: str) -> list[Problem]:
    """All problems of a source; none when it is valid."""
    try:
        parsed(source)
    except FlowInvalid as error:
        return error.problems
    return []


def told(source: str) -> list[str]:
    """The problems of a source as `path: message`, without their lines."""
    return [f"{p.path}: {p.message}" if p.path else p.message for p in problems(source)]
