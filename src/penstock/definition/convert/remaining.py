"""What is still 1.x after a conversion, and what a person can do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from penstock.definition.convert.rewriting import Source
from penstock.definition.dialect import Dialect, constructs
from penstock.definition.type_index import TypeIndex, target_of
from penstock.definition.yaml_source import load_document

_CORE = "io.kestra.plugin.core."
_ADVICE = {
    _CORE + "flow.ForEachItem": (
        "batches of a file have no 2.0 form: write a Loop over the file's URI with the Subflow inside, `item.value` is one "
        "row; for batches, a storage.Split before the Loop and its `uris` as values"
    ),
    _CORE + "flow.Template": "copy the template's tasks here, or make it a flow and call it with a Subflow",
    _CORE
    + "storage.LocalFiles": "name the files in `inputFiles` and `outputFiles` of the WorkingDirectory or of the task",
    "Pause.tasks": "move them behind the Pause; in a Parallel or a Dag, put both into a Sequential",
    "Subflow.outputs": "declare them as `outputs` of the flow that is called, and read them below `outputs.<task>.outputs`",
    "listeners": "write `afterExecution` with `runIf` on `execution.state`, or a flow of its own with a Flow trigger",
}


def reasons(source: Source, types: TypeIndex, told: Sequence[str]) -> Iterator[str]:
    """A sentence for each construct that only 1.x has, those left out whose line was told of already."""
    document = load_document(source.text)
    if not isinstance(document.value, Mapping):
        return
    for one in constructs(document.value):
        if one.dialect is not Dialect.V1 or one.path[0] == "extend":
            continue
        line, _ = document.position(one.path) or (1, 1)
        advice = _ADVICE.get(target_of(one.name, types) or one.name)
        if advice is None and (_is_told(line, told) or one.path[-1] == "conditions" or "conditions" in one.path):
            continue
        more = advice or (f"use {one.instead}" if one.instead else "nothing takes its place")
        yield f"line {line}: `{one.name}` is gone in 2.0: {more}"


def _is_told(line: int, told: Sequence[str]) -> bool:
    return any(text.startswith(f"line {line}:") for text in told)
