"""Writes `docs/reference` from the code: `uv run python scripts/make_docs.py` (`--check` only tells what is out of date)."""

from __future__ import annotations

import enum
import inspect
import re
import sys
import types
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
import typer
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from penstock.cli.commands import app
from penstock.definition.type_index import CORE_ALIASES, CORE_TYPES
from penstock.expr.vocabulary import OPERATORS, TAGS, Word, vocabulary
from penstock.model.conditions import Condition
from penstock.model.task import Task
from penstock.model.triggers import Trigger
from penstock.plugin.registry import installed
from penstock.plugin.runner import TaskRunner
from penstock.settings import Settings

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"
_MARK = "<!-- Made by scripts/make_docs.py from the code; change the code, then run it again. -->"
_CORE_SHORT = "io.kestra.plugin."


def pages() -> dict[str, str]:
    """Every page by its path below `docs/reference`."""
    found = {
        "README.md": _index(),
        "settings.md": settings_page(),
        "cli.md": cli_page(),
        "expressions.md": expressions_page(),
    }
    groups = grouped_types()
    found["types.md"] = types_page(groups)
    found.update({f"types/{group}.md": group_page(group, names) for group, names in groups.items()})
    return {path: f"{_MARK}\n{text.rstrip()}\n" for path, text in found.items()}


def _index() -> str:
    return """# Reference

Made from the code, so it is what the code does.

- [Settings](settings.md)
- [Command line](cli.md)
- [Expressions](expressions.md): operators, tags, functions, filters, tests
- [Types](types.md): every task, trigger, condition and task runner, with its properties
"""


# -- settings ------------------------------------------------------------------------------------------------------


def settings_page() -> str:
    """Each setting with its type, its default and its line of help."""
    helped = dict(_helped(inspect.getdoc(Settings) or ""))
    defaults = Settings()
    lines = [
        "# Settings",
        "",
        "A settings file (`--config FILE`, YAML) is read first, then the environment (`PENSTOCK_` and the name in upper case),",
        "then the options of the command line; the later ones win. Lists and maps in the environment are written as JSON. An",
        "unknown name is an error that suggests the nearest known one.",
        "",
        "| setting | environment | type | default | |",
        "|---|---|---|---|---|",
    ]
    hints = typing.get_type_hints(Settings)
    for name in Settings.__struct_fields__:
        value = msgspec.json.encode(getattr(defaults, name)).decode()
        kind = _type_text(hints[name])
        lines.append(f"| `{name}` | `PENSTOCK_{name.upper()}` | {kind} | `{value}` | {helped[name]} |")
    return "\n".join(lines)


def _helped(text: str) -> Iterator[tuple[str, str]]:
    """Name and help of each `name, name: help` entry of the docstring."""
    for entry in re.split(r"\n(?=[a-z_, ]+: )", text)[1:]:
        names, _, described = entry.partition(": ")
        for name in names.split(", "):
            yield name.strip(), _cell(" ".join(described.split()))


# -- command line --------------------------------------------------------------------------------------------------


def cli_page() -> str:
    """Every command with its arguments and options."""
    lines = ["# Command line", ""]
    for path, command in _commands("penstock", typer.main.get_command(app)):
        lines += [f"## `{path}`", "", " ".join((command.help or "").split()), ""]
        rows = [_parameter(one) for one in command.params if one.name not in ("help", *_COMPLETION)]
        if rows:
            lines += ["| | | default |", "|---|---|---|", *rows, ""]
    return "\n".join(lines)


_COMPLETION = ("install_completion", "show_completion")


def _commands(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    children: Mapping[str, Any] = getattr(command, "commands", {})
    if not children:
        yield path, command
    for name, child in children.items():
        yield from _commands(f"{path} {name}", child)


def _parameter(one: Any) -> str:
    is_option = one.param_type_name == "option"
    names = ", ".join(f"`{n}`" for n in (*one.opts, *one.secondary_opts)) if is_option else f"`{one.name.upper()}`"
    default = one.default if isinstance(one.default, (str, int, float)) and one.default not in ("", False) else ""
    needed = "" if is_option or not one.required else "required"
    return f"| {names} | {_cell(getattr(one, 'help', None) or '')} | {f'`{default}`' if default != '' else needed} |"


# -- expressions ---------------------------------------------------------------------------------------------------


def expressions_page() -> str:
    """The words of the language."""
    words = vocabulary()
    external = "Functions marked *outside* need more than the context: they are evaluated by a worker."
    lines = ["# Expressions", "", _joined("Operators", OPERATORS), "", _joined("Tags", TAGS), ""]
    for kind, title in (("function", "Functions"), ("filter", "Filters"), ("test", "Tests")):
        lines += [f"## {title}", "", *([external, ""] if kind == "function" else []), "| | |", "|---|---|"]
        lines += [_word_row(word) for word in words if word.kind == kind]
        lines.append("")
    return "\n".join(lines)


def _joined(title: str, words: Iterable[str]) -> str:
    return f"{title}: " + ", ".join(f"`{word}`" for word in words)


def _word_row(word: Word) -> str:
    inside = "…" if word.variadic else ", ".join(word.parameters)
    shown = f"{word.name}({inside})" if word.kind == "function" or inside else word.name
    return f"| `{_cell(shown)}` | {_cell(word.description)}{' *outside*' if word.external else ''} |"


# -- types ---------------------------------------------------------------------------------------------------------


def grouped_types() -> dict[str, list[str]]:
    """Type names by group: `core.flow`, `scripts.shell` …"""
    groups: dict[str, list[str]] = {}
    for name in sorted({*CORE_TYPES, *installed().names()}):
        short = name.removeprefix(_CORE_SHORT)
        groups.setdefault(short.rpartition(".")[0], []).append(name)
    return groups


def types_page(groups: Mapping[str, list[str]]) -> str:
    """The list of all types."""
    count = sum(len(names) for names in groups.values())
    lines = ["# Types", "", f"{count} types. Properties that every task or trigger has are listed first.", ""]
    lines += ["## Every task", "", *_properties(Task, inherited=()), "", "## Every trigger", ""]
    lines += [*_properties(Trigger, inherited=()), ""]
    for group, names in groups.items():
        lines += [f"## [{group}](types/{group}.md)", ""]
        lines += [
            f"- [`{name.rpartition('.')[2]}`](types/{group}.md#{_anchor(name)}): {_first(name)}" for name in names
        ]
        lines.append("")
    return "\n".join(lines)


def group_page(group: str, names: Iterable[str]) -> str:
    """The types of one group with their own properties."""
    lines = [f"# {group}", ""]
    aliases = {**CORE_ALIASES, **installed().aliases()}
    for name in names:
        cls = class_of(name)
        lines += [f"## {name.rpartition('.')[2]}", "", f"`{name}`", "", inspect.getdoc(cls) or "", ""]
        older = sorted(alias for alias, target in aliases.items() if target == name)
        if older:
            lines += [f"Also known as {', '.join(f'`{alias}`' for alias in older)}.", ""]
        rows = _properties(cls, inherited=_shared(cls))
        lines += [*(rows or ["No properties of its own."]), ""]
    return "\n".join(lines)


def class_of(name: str) -> type[BaseModel]:
    """The class of a type name."""
    found = CORE_TYPES.get(name) or installed().resolve(name)
    if found is None or not issubclass(found, BaseModel):
        raise TypeError(f"{name} is no type of properties")
    return found


def _shared(cls: type[BaseModel]) -> Iterable[str]:
    kinds = (Task, Trigger, Condition, TaskRunner)
    return [field for kind in kinds if issubclass(cls, kind) for field in kind.model_fields]


def _properties(cls: type[BaseModel], *, inherited: Iterable[str]) -> list[str]:
    """The table of a class's properties, without those that its kind has in common."""
    shared = set(inherited)
    rows: list[str] = []
    for name, field in cls.model_fields.items():
        if name in shared:
            continue
        wire = field.alias or name
        default = "required" if field.is_required() else _default(field.get_default(call_default_factory=True))  # pyright: ignore
        rows.append(f"| `{wire}` | {_cell(_type_text(field.annotation, field.metadata))} | {default} |")
    return ["| property | type | default |", "|---|---|---|", *rows] if rows else []


def _default(value: object) -> str:
    if value is None or value is PydanticUndefined:
        return ""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json", by_alias=True, exclude_none=True)
    return f"`{_cell(msgspec.json.encode(value, enc_hook=str).decode())}`"


def _first(name: str) -> str:
    return _cell((inspect.getdoc(class_of(name)) or "").split("\n\n", 1)[0].replace("\n", " "))


def _anchor(name: str) -> str:
    return name.rpartition(".")[2].lower()


# -- how types are written -----------------------------------------------------------------------------------------

_PLAIN = {
    str: "text", int: "integer", float: "number", bool: "boolean", object: "any", timedelta: "duration", date: "date",
    datetime: "date-time", bytes: "bytes", type(None): "null", Any: "any",
}  # fmt: skip


def _type_text(kind: Any, metadata: Iterable[object] = ()) -> str:
    """A type for people: `text`, `list of integer`, `one of A, B`."""
    if any(type(one).__name__ == "_Templated" for one in metadata):
        return _union([part for part in get_args(kind) or (kind,) if part is not str] or [str])
    if kind in _PLAIN:
        return _PLAIN[kind]
    origin = get_origin(kind)
    if origin is Annotated:
        return _type_text(get_args(kind)[0], get_args(kind)[1:])
    if origin is Literal:
        return "one of " + ", ".join(f"`{value}`" for value in get_args(kind))
    if origin in (Union, types.UnionType):
        return _union([part for part in get_args(kind) if part is not type(None)])
    if inspect.isclass(origin) and issubclass(origin, Mapping):
        return f"map of {_type_text(get_args(kind)[1])}"
    if origin is not None:
        return f"list of {_type_text(get_args(kind)[0])}" if get_args(kind) else "list"
    if inspect.isclass(kind) and issubclass(kind, enum.Enum):
        return "one of " + ", ".join(f"`{member.value}`" for member in kind)
    if inspect.isclass(kind) and issubclass(kind, BaseModel):
        return _record_text(kind)
    return {dict: "map", list: "list"}.get(kind, getattr(kind, "__name__", str(kind)))


def _union(parts: Sequence[Any]) -> str:
    records = [part for part in map(_bare, parts) if inspect.isclass(part) and issubclass(part, BaseModel)]
    if len(records) == len(parts) > 2:
        return _common_text(records)
    return " or ".join(dict.fromkeys(_type_text(part) for part in parts))


def _bare(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _common_text(records: Sequence[type[BaseModel]]) -> str:
    """What many kinds of one record have in common."""
    named = [{field.alias or name: None for name, field in one.model_fields.items()} for one in records]
    shared = [name for name in named[0] if all(name in other for other in named)]
    return "{" + ", ".join(f"`{name}`" for name in shared) + ", …}"


def _record_text(kind: type[BaseModel]) -> str:
    if issubclass(kind, (Task, Trigger, Condition, TaskRunner)):
        return {Task: "task", Trigger: "trigger", Condition: "condition"}.get(kind, "task runner")
    names = ", ".join(f"`{field.alias or name}`" for name, field in kind.model_fields.items())
    return f"{{{names}}}" if names else "map"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def stale() -> list[str]:
    """Paths of pages that are missing, out of date, or no longer made."""
    wanted = pages()
    there = {str(path.relative_to(REFERENCE)): path.read_text() for path in REFERENCE.rglob("*.md")}
    return sorted(path for path in {*wanted, *there} if wanted.get(path) != there.get(path))


def main() -> int:
    """Write what is out of date; with `--check`, only name it and exit with 1."""
    wanted = pages()
    changed = stale()
    for path in changed:
        sys.stdout.write(f"{path}\n")
        place = REFERENCE / path
        if "--check" in sys.argv:
            continue
        if path in wanted:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(wanted[path])
        else:
            place.unlink()
    return 1 if changed and "--check" in sys.argv else 0


if __name__ == "__main__":
    raise SystemExit(main())
