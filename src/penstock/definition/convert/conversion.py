"""The steps of a conversion, one after another, each on the text that the last one left."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from penstock.definition.convert.inlining import convert_defaults
from penstock.definition.convert.loops import convert_loops
from penstock.definition.convert.plain import convert_properties, convert_templates, convert_types
from penstock.definition.convert.remaining import remaining
from penstock.definition.convert.rewriting import Edit, Notes, Source
from penstock.definition.convert.triggers import convert_triggers
from penstock.definition.type_index import TypeIndex
from penstock.definition.yaml_source import load_document

_STEPS: tuple[Callable[[Source, TypeIndex, Notes], Iterator[Edit]], ...] = (
    convert_types, convert_defaults, convert_properties, convert_loops, convert_triggers, convert_templates,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Converted:
    """A converted source, its unified diff to the one as written, and what is left to a person, a sentence each."""

    text: str
    diff: str
    left: list[str]

    @property
    def changed(self) -> bool:
        """Whether anything had another form."""
        return bool(self.diff)


def convert(source: str, types: TypeIndex) -> Converted:
    """The 2.0 form of a flow's source; the lines that reasons name are those of the source as written.

    Raises:
        FlowInvalid: the source is no YAML map.
    """
    load_document(source)  # says what is wrong, where it is no YAML
    current, left = Source(source), list[tuple[int, str]]()
    for step in _STEPS:
        notes = Notes()
        edits = list(step(current, types, notes))
        left += _as_written(source, current, notes)
        current = current.edited(edits)
    left += _as_written(source, current, remaining(current, types))
    diff = difflib.unified_diff(
        source.splitlines(keepends=True), current.text.splitlines(keepends=True), "as written", "for 2.0"
    )
    return Converted(current.text, "".join(_lines(diff)), _sentences(left))


def _as_written(source: str, current: Source, notes: Notes) -> Iterator[tuple[int, str]]:
    """Notes with the lines that the source as written has for them."""
    if not notes.told:
        return
    compared = difflib.SequenceMatcher(None, source.splitlines(), current.text.splitlines(), autojunk=False)
    blocks = compared.get_opcodes()
    for line, text in notes.told:
        _, start, end, begin, _ = next(block for block in reversed(blocks) if block[3] < line)
        yield 1 + max(start, min(start + line - 1 - begin, end - 1)), text


def _sentences(left: list[tuple[int, str]]) -> list[str]:
    return list(dict.fromkeys(f"line {line}: {text}" for line, text in sorted(left)))


def _lines(diff: Iterator[str]) -> Iterator[str]:
    for line in diff:
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
