"""What condition classes of 1.x triggers look like."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar, Protocol

from penstock.model.authored import Authored
from penstock.plugin.platform import ExecutionInfo


class ConditionContext(Protocol):
    """What a condition may look at: the flow, the execution that ended (Flow triggers) or is to start, the date."""

    @property
    def namespace(self) -> str: ...
    @property
    def flow_id(self) -> str: ...
    @property
    def execution(self) -> ExecutionInfo | None: ...
    @property
    def date(self) -> datetime: ...
    @property
    def variables(self) -> Mapping[str, object]: ...

    def render(self, value: str) -> str:
        """A template's text."""
        ...

    def holds(self, condition: object) -> bool:
        """Whether a condition renders to something true."""
        ...


class Condition(Authored):
    """A test that must pass before a trigger starts its flow."""

    TYPE: ClassVar[str] = ""
    ALIASES: ClassVar[tuple[str, ...]] = ()

    type: str

    def passes(self, ctx: ConditionContext) -> bool:
        """Whether the trigger may go on."""
        raise TypeError(f"{type(self).__name__} has no `passes`")
