"""What a task class looks like: typed properties as a pydantic record, and `run`."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import ClassVar

import msgspec
from pydantic import BaseModel

from penstock.model.state import State
from penstock.model.task import Task
from penstock.plugin.context import RunContext


class Output(msgspec.Struct, rename="camel", omit_defaults=False):
    """The typed outputs of a task; a field that is None is left out, names are camelCase outside."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Outputs together with the state the task itself ends in (SUCCESS, WARNING, FAILED or KILLED)."""

    outputs: Outputs = None
    state: State = State.SUCCESS
    error: str | None = None


Outputs = Output | BaseModel | Mapping[str, object] | None
"""What `run` may return: typed outputs, a mapping with camelCase names, or nothing."""

Returned = Outputs | Ended


class RunnableTask(Task):
    """A task that a worker runs.

    One object stands for the task in the flow and is shared by all its runs, also at the same time: whatever belongs to
    one run lives in local variables of `run`, and what a kill must end is handed to `ctx.on_kill`.

    TYPE is Kestra's type name, ALIASES other names of it. QUICK marks a task that only takes microseconds: the worker
    then reports its start and its end in one go.
    """

    TYPE: ClassVar[str] = ""
    ALIASES: ClassVar[tuple[str, ...]] = ()
    QUICK: ClassVar[bool] = False

    def run(self, ctx: RunContext) -> Returned | Awaitable[Returned]:
        """Does the work once and returns its outputs; may be a coroutine function.

        Raises:
            TaskFailed: it failed; the message is for people, `outputs` are kept.
        """
        raise TypeError(f"{type(self).__name__} has no `run`")


def outputs_map(returned: Outputs) -> dict[str, object] | None:
    """The outputs as a plain map with camelCase names and without nulls at the top; None when there are none."""
    if returned is None:
        return None
    if isinstance(returned, Mapping):
        return {str(name): plain(value) for name, value in returned.items()}
    if isinstance(returned, BaseModel):
        return returned.model_dump(by_alias=True, exclude_none=True, mode="python")
    return _struct_map(returned)


def plain(value: object) -> object:
    """`value` made of maps, lists and scalars only."""
    if value is None or (isinstance(value, (str, int, float)) and not isinstance(value, enum.Enum)):
        return value
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if isinstance(value, msgspec.Struct):
        return _struct_map(value)
    if isinstance(value, BaseModel):
        return value.model_dump(by_alias=True, exclude_none=True, mode="python")
    return str(value) if isinstance(value, PurePath) else value


def _struct_map(record: msgspec.Struct) -> dict[str, object]:
    cls = type(record)
    pairs = zip(cls.__struct_encode_fields__, cls.__struct_fields__, strict=True)
    found = ((wire, getattr(record, name)) for wire, name in pairs)
    return {wire: plain(value) for wire, value in found if value is not None}
