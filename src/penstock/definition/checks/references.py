"""`inputs.my-key` is a subtraction: keys with dashes want brackets, where such a key is declared."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from penstock.definition.draft import Draft, Placed, texts_in
from penstock.definition.yaml_source import Path

_EXPRESSION = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_LITERAL = re.compile(r"'[^']*'|\"[^\"]*\"")
_DASHED = re.compile(r"(?<![\w.'\"\]-])(inputs|outputs)\.([A-Za-z0-9_]+(?:-[A-Za-z0-9_]+)+)")


def dashes(draft: Draft) -> Iterator[tuple[Path, str]]:
    """References to declared inputs and tasks whose ids have dashes, written with a dot."""
    declared = {
        "inputs": {name for _, entry in draft.entries("inputs") if "-" in (name := str(entry.get("id")))},
        "outputs": {task.id for task in draft.tasks if "-" in task.id},
    }
    if not any(declared.values()):
        return
    for task in draft.tasks:
        for path, text in _own_texts(task):
            for root in _roots(text, declared):
                yield path, _message(root, task.id)


def _own_texts(task: Placed) -> Iterator[tuple[Path, str]]:
    """The texts of a task, those of its children left out."""
    children: Mapping[str, str] = getattr(task.cls, "CHILDREN", {})
    for name, value in task.written.items():
        if name not in children:
            yield from texts_in(value, (*task.path, name))


def _roots(text: str, declared: Mapping[str, set[str]]) -> Iterator[str]:
    if "puts." not in text:
        return
    for expression in _EXPRESSION.findall(text):
        for root, name in _DASHED.findall(_LITERAL.sub("''", expression)):
            if any(name == known or name.startswith(f"{known}-") for known in declared[root]):
                yield root


def _message(root: str, task_id: str) -> str:
    return (
        f"Invalid {root[:-1]} reference: use {root}[key-name] instead of {root}.key-name — "
        f"keys with dashes require bracket notation, offending tasks: [{task_id}]"
    )


CHECKS = (dashes,)
