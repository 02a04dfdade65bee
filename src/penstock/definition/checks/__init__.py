"""What must hold across a flow: ids, references between its parts, rules no single record can see (engine.md 6.7).

A draft comes in, valid or not; every fault comes out with the path it is at. Nothing is raised, so that an author sees
all of them together with those of the records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from penstock.definition.checks import ids, inputs, labels, references, tasks, triggers
from penstock.definition.draft import Draft
from penstock.definition.yaml_source import Path

Finding = tuple[Path, str]
Check = Callable[[Draft], Iterator[Finding]]

_OF_THE_DOCUMENT: tuple[Check, ...] = (*ids.CHECKS, *inputs.CHECKS, *labels.CHECKS, *triggers.CHECKS)
_BETWEEN_TASKS: tuple[Check, ...] = (*tasks.CHECKS, *references.CHECKS)


def check_draft(draft: Draft) -> Iterator[Finding]:
    """Every fault of a flow that is none of a single record.

    Rules between tasks wait until all types are known: what an unknown one may hold cannot be judged.
    """
    for check in _OF_THE_DOCUMENT:
        yield from check(draft)
    for check in _BETWEEN_TASKS if draft.complete else ():
        yield from check(draft)


__all__ = ["Check", "Finding", "check_draft"]
