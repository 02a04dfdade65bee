"""What the store in memory holds of executions: one lock, plain dictionaries."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from penstock.model.entries import LogEntry, MetricEntry
from penstock.model.execution import Execution, ExecutionContext, TaskRun
from penstock.ports.journal import LoopValues, OutputRow, Timer, Transition
from penstock.ports.trigger_states import PendingFire


@dataclass(slots=True)
class Kept:
    """One execution and everything that belongs to it; task runs in order of creation."""

    execution: Execution
    context: ExecutionContext
    runs: dict[str, TaskRun] = field(default_factory=dict)
    sequences: set[int] = field(default_factory=set)
    outputs: dict[str, OutputRow] = field(default_factory=dict)
    execution_outputs: OutputRow | None = None
    loop_values: dict[str, list[LoopValues]] = field(default_factory=dict)
    timers: dict[str, Timer] = field(default_factory=dict)

    @property
    def trigger_execution_id(self) -> str | None:
        """The execution that its trigger says started it."""
        source = self.context.trigger.variables.get("executionId") if self.context.trigger else None
        return source if isinstance(source, str) else None


@dataclass(slots=True)
class Tables:
    """Shared by the ports that see executions; `lock` is held around every use."""

    lock: threading.RLock = field(default_factory=threading.RLock)
    executions: dict[str, Kept] = field(default_factory=dict)
    logs: list[LogEntry] = field(default_factory=list)
    metrics: list[MetricEntry] = field(default_factory=list)
    transitions: dict[int, Transition] = field(default_factory=dict)
    last_transition: int = 0
    fires: dict[str, PendingFire] = field(default_factory=dict)

    def has(self, execution_id: str | None) -> bool:
        """Whether an entry of that execution is kept; None stands for what triggers wrote."""
        return execution_id is None or execution_id in self.executions
