"""What is still 1.x after a conversion, and what a person can do about it."""

from __future__ import annotations

from collections.abc import Mapping

from penstock.definition.convert.rewriting import Notes, Source
from penstock.definition.dialect import Dialect, constructs
from penstock.definition.type_index import TypeIndex, target_of
from penstock.definition.yaml_source import load_document

_CORE = "io.kestra.plugin.core."
_CONDITIONS = {"conditions", "scheduleConditions", "preconditions"}
_LOOPS = frozenset(_CORE + f"flow.{name}" for name in ("ForEach", "EachSequential", "EachParallel"))
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


def remaining(source: Source, types: TypeIndex) -> Notes:
    """A sentence for each construct that only 1.x has; conditions are told of by the step that keeps them."""
    notes = Notes()
    document = load_document(source.text)
    for one in constructs(document.value) if isinstance(document.value, Mapping) else ():
        told = one.dialect is not Dialect.V1 or _CONDITIONS & {*map(str, one.path)} or one.name in _LOOPS
        if not told:
            line, _ = document.position(one.path) or (1, 1)
            advice = _ADVICE.get(target_of(one.name, types) or one.name)
            more = advice or (f"use {one.instead}" if one.instead else "nothing takes its place")
            notes.told.append((line, f"`{one.name}` is gone in 2.0: {more}"))
    return notes
