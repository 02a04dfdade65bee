"""`penstock validate`, `convert` and `evaluate`: questions about texts, answered without a server."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from penstock.clock import SystemClock, monotonic
from penstock.definition import parse_flow
from penstock.errors import FlowInvalid
from penstock.expr import ExpressionError, RenderContext, compile_template
from penstock.ids import new_id
from penstock.plugin.registry import installed


def validate_files(paths: Sequence[Path], *, as_json: bool) -> int:
    """Check each file; the exit code."""
    types = installed()
    found: list[dict[str, object]] = []
    faulty = 0
    for path in _files(paths):
        try:
            parsed = parse_flow(path.read_text(), types=types)
        except FlowInvalid as error:
            faulty += 1
            found.append({"file": str(path), "valid": False, "problems": error.problems})
            if not as_json:
                for problem in error.problems:
                    print(f"{path}:{problem.line or 1}: {problem}")
            continue
        found.append({"file": str(path), "valid": True, "warnings": parsed.warnings, "infos": parsed.infos})
        if not as_json:
            print(f"{path}: valid")
            for text in (*parsed.warnings, *parsed.infos):
                print(f"  {text}")
    if as_json:
        print(msgspec.json.encode(found).decode())
    return 1 if faulty else 0


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(p for p in path.rglob("*") if p.suffix in (".yaml", ".yml"))
        else:
            yield path


def convert_file(path: Path, to: str) -> int:
    """Print the conversion of a flow as a diff; the exit code."""
    if to != "2.0":
        print(f"penstock: only --to 2.0 is known, found {to}", file=sys.stderr)
        return 2
    from penstock.definition.convert import convert

    try:
        done = convert(path.read_text(), installed())
    except FlowInvalid as error:
        for problem in error.problems:
            print(f"{path}: {problem}", file=sys.stderr)
        return 1
    print(done.diff, end="")
    for reason in done.left:
        print(f"# left to you: {reason}")
    return 0


def evaluate_text(expression: str, variables: str) -> int:
    """Render a template; the exit code."""
    clock = SystemClock()
    try:
        seen = msgspec.json.decode(variables, type=dict[str, object])
        context = RenderContext(seen, now=clock.now, random=random.random, new_id=new_id, monotonic=monotonic)
        print(compile_template(expression).render(context))
    except msgspec.DecodeError as error:
        print(f"penstock: --vars is no JSON map: {error}", file=sys.stderr)
        return 2
    except ExpressionError as error:
        print(str(error), file=sys.stderr)
        return 1
    return 0
