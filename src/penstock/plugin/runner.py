"""Task runners: where the process of a script task runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BeforeValidator, SerializeAsAny, WithJsonSchema

from penstock.model.authored import Authored
from penstock.plugin.context import RunContext


@dataclass(frozen=True, slots=True)
class Command:
    """One process to run.

    argv: program and arguments. env: variables beyond those the runner gives. image: container image, where it matters.
    on_line: called for every line, `(line, is_stderr)`, in the order they come.
    """

    argv: Sequence[str]
    folder: Path
    on_line: Callable[[str, bool], None]
    env: Mapping[str, str] = field(default_factory=dict)
    image: str | None = None
    output_folder: Path | None = None


@dataclass(frozen=True, slots=True)
class Ran:
    """How a process ended."""

    exit_code: int
    details: Mapping[str, object] | None = None


class TaskRunner(Authored):
    """Runs a command somewhere and says how it ended; a kill ends it with all its children."""

    TYPE: ClassVar[str] = ""
    ALIASES: ClassVar[tuple[str, ...]] = ()

    type: str
    version: str | None = None

    def run(self, ctx: RunContext, command: Command) -> Ran:
        """Runs the command to its end. A non-zero exit code is not an error here.

        Raises:
            TaskFailed: the command could not be started.
        """
        raise TypeError(f"{type(self).__name__} has no `run`")


def _resolve(value: object) -> object:
    """A mapping with a `type` becomes the runner of that type."""
    if not isinstance(value, Mapping):
        return value
    from penstock.plugin.registry import installed

    name = value.get("type")
    found = installed().resolve(name) if isinstance(name, str) else None
    if found is None or not issubclass(found, TaskRunner):
        nearest = installed().nearest(str(name))
        hint = f", did you mean `{nearest}`?" if nearest else ""
        raise ValueError(f"Invalid type: {name} is not a task runner{hint}")
    return found.model_validate(value)


def _is_runner(value: object) -> object:
    if not isinstance(value, TaskRunner):
        raise ValueError("expected a map with the `type` of a task runner")
    return value


AnyTaskRunner = Annotated[
    SerializeAsAny[TaskRunner],
    BeforeValidator(_resolve),
    AfterValidator(_is_runner),
    WithJsonSchema({"type": "object", "required": ["type"], "properties": {"type": {"type": "string"}}}),
]
"""The property `taskRunner`: the runner that its `type` names, with that runner's own properties."""
