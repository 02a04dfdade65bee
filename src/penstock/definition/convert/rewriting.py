"""A YAML text with its nodes, and edits of its parts that leave everything around them as it was written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import yaml

from penstock.definition.yaml_source import Path

_WIDE = 1_000_000
_LOADER = getattr(yaml, "CLoader", yaml.Loader)


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """The text from `start` to `end` becomes `text`; offsets count characters."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One `key: value` of a map."""

    key: yaml.ScalarNode
    value: yaml.Node


class Notes:
    """What is left to a person, with the line each stands at in the text that the step was given."""

    def __init__(self) -> None:
        self.told: list[tuple[int, str]] = []

    def tell(self, node: yaml.Node, text: str) -> None:
        """Remember a sentence about a node."""
        self.told.append((node.start_mark.line + 1, text))


class Source:
    """A document's text and its root node."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.root = yaml.compose(text, _LOADER)

    def edited(self, edits: Iterable[Edit]) -> Source:
        """The source after `edits`, which must not overlap; the same edit given twice counts once."""
        text = self.text
        for edit in sorted(set(edits), reverse=True):
            text = text[: edit.start] + edit.text + text[edit.end :]
        return Source(text)

    def raw(self, node: yaml.Node) -> str:
        """A node's text as written."""
        return self.text[node.start_mark.index : self.end(node)]

    def rename(self, entry: Entry, name: str) -> Edit:
        """Another name for an entry's key."""
        return Edit(entry.key.start_mark.index, entry.key.end_mark.index, name)

    def put(self, node: yaml.Node, text: str) -> Edit:
        """Another text for a scalar or a flow collection."""
        return Edit(node.start_mark.index, self.end(node), text)

    def put_value(self, owner: yaml.MappingNode, entry: Entry, value: object) -> Edit:
        """Another value for an entry, whatever it was."""
        return self.replace(owner, entry, {str(entry.key.value): value})

    def replace(self, owner: yaml.MappingNode, entry: Entry, values: Mapping[str, object]) -> Edit:
        """Other entries in the place of one."""
        if not values:
            return self.drop(owner, entry)
        indent = entry.key.start_mark.column
        written = _in_a_line(values) if owner.flow_style else dump(values, indent).strip()
        return Edit(entry.key.start_mark.index, self.end(entry.value), written)

    def drop(self, owner: yaml.MappingNode, entry: Entry) -> Edit:
        """An entry goes, with its line; at the head of a list item, the next entry takes its place."""
        keys = [key for key, _ in owner.value]
        place = keys.index(entry.key)
        start, end = entry.key.start_mark.index, self.end(entry.value)
        following = keys[place + 1].start_mark.index if place + 1 < len(keys) else None
        if owner.flow_style:
            if place > 0:
                return Edit(self.end(owner.value[place - 1][1]), end, "")
            return Edit(start, following if following is not None else end, "")
        head = self.text.rfind("\n", 0, start) + 1
        if self.text[head:start].strip():
            return Edit(start, following if following is not None else end, "")
        after = self._line_end(end)
        if self.text[:head].endswith("\n\n") and self.text[after : after + 1] == "\n":
            after += 1  # of the blank lines around it, one is enough
        return Edit(head, after, "")

    def insert_after(self, owner: yaml.MappingNode, entry: Entry, values: Mapping[str, object]) -> Edit:
        """New entries behind one."""
        end = self.end(entry.value)
        if owner.flow_style:
            return Edit(end, end, f", {_in_a_line(values)}")
        line = self._line_end(end)
        before = "" if self.text[:line].endswith("\n") else "\n"
        return Edit(line, line, before + dump(values, owner.start_mark.column))

    def end(self, node: yaml.Node) -> int:
        """Where a node's text ends, without the blank lines and comments that follow it."""
        if isinstance(node, yaml.ScalarNode):
            end = node.end_mark.index
            # to the parser, a block text ends where the next thing starts
            return len(self.text[:end].rstrip()) if node.style in ("|", ">") else end
        if not isinstance(node, yaml.CollectionNode) or node.flow_style or not node.value:
            return node.end_mark.index
        last = node.value[-1]
        return self.end(last[1] if isinstance(last, tuple) else last)

    def _line_end(self, offset: int) -> int:
        """The start of the line after the one `offset` lies in."""
        found = self.text.find("\n", offset)
        return len(self.text) if found < 0 else found + 1


def entries(node: yaml.Node | None) -> dict[str, Entry]:
    """The entries of a map by key; empty for anything else."""
    if not isinstance(node, yaml.MappingNode):
        return {}
    return {key.value: Entry(key, value) for key, value in node.value if isinstance(key, yaml.ScalarNode)}


def items(node: yaml.Node | None) -> list[yaml.Node]:
    """The items of a list; empty for anything else."""
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def text_of(node: yaml.Node | None) -> str | None:
    """A scalar's text, else None."""
    return str(node.value) if isinstance(node, yaml.ScalarNode) else None


def scalars(node: yaml.Node) -> Iterator[yaml.ScalarNode]:
    """Every text below a node, keys left out."""
    if isinstance(node, yaml.ScalarNode):
        yield node
    elif isinstance(node, yaml.SequenceNode):
        for inner in node.value:
            yield from scalars(inner)
    elif isinstance(node, yaml.MappingNode):
        for _, inner in node.value:
            yield from scalars(inner)


@dataclass(frozen=True, slots=True)
class Plugin:
    """A map with a dotted `type`: a task, a trigger, a condition, a task runner; `above` are those around it."""

    node: yaml.MappingNode
    type: str
    path: Path
    above: tuple[Plugin, ...]

    @property
    def id(self) -> str:
        """Its id, empty when it has none."""
        return text_of(self.get("id")) or ""

    @property
    def is_task(self) -> bool:
        """Whether it is a task: it has an id and is no trigger."""
        return bool(self.id) and self.path[0] != "triggers"

    @property
    def is_trigger(self) -> bool:
        """Whether it is a trigger."""
        return self.path[0] == "triggers" and len(self.path) == 2

    @property
    def entries(self) -> dict[str, Entry]:
        """Its properties."""
        return entries(self.node)

    def get(self, name: str) -> yaml.Node | None:
        """The value of a property."""
        found = self.entries.get(name)
        return found.value if found is not None else None


_DATA = frozenset({"variables", "pluginDefaults", "taskDefaults", "labels", "extend", "outputs"})


def plugins(root: yaml.Node | None) -> Iterator[Plugin]:
    """Every plugin of a flow, outer ones first."""
    for name, entry in entries(root).items():
        if name not in _DATA:
            yield from _plugins(entry.value, (name,), ())


def _plugins(node: yaml.Node, path: Path, above: tuple[Plugin, ...]) -> Iterator[Plugin]:
    if isinstance(node, yaml.SequenceNode):
        for place, inner in enumerate(node.value):
            yield from _plugins(inner, (*path, place), above)
    elif isinstance(node, yaml.MappingNode):
        found = entries(node)
        kind = text_of(found["type"].value) if "type" in found else None
        if kind and "." in kind:
            plugin = Plugin(node, kind, path, above)
            yield plugin
            above = (*above, plugin)
        for name, entry in found.items():
            yield from _plugins(entry.value, (*path, name), above)


class _Dumper(yaml.SafeDumper):
    """Writes YAML as people do: lists indented, templates in double quotes, several lines as a block."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        return super().increase_indent(flow, False)


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else '"' if "{{" in text or "{%" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def dump(values: Mapping[str, object], indent: int) -> str:
    """Entries of a map as lines, each indented, with a line break at the end."""
    text = yaml.dump(dict(values), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDE)
    margin = " " * indent
    return "".join(margin + line if line.strip() else line for line in text.splitlines(keepends=True))


def _in_a_line(values: Mapping[str, object]) -> str:
    """Entries as they stand between the braces of a flow map."""
    text = yaml.dump(
        dict(values), Dumper=_Dumper, default_flow_style=True, width=_WIDE, sort_keys=False, allow_unicode=True
    )
    return text.strip()[1:-1]
