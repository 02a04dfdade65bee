"""What a running task may ask of the system, from the side of whoever answers.

In: the caller (a tenant, a flow, an execution). Out: a `RunPlatform` bound to it, whose parts are the Protocols that
plugins see (`penstock.plugin.platform`). In one process the catalog answers; a remote worker asks over HTTP.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from penstock.plugin.platform import (
    Choice,
    ExecutionInfo,
    Executions,
    FlowInfo,
    Flows,
    Kv,
    KvEntry,
    Logs,
    Metrics,
    NamespaceFile,
    NamespaceFiles,
    Purged,
    RunPlatform,
    Secrets,
    Triggers,
)

__all__ = [
    "Caller",
    "Choice",
    "ExecutionInfo",
    "Executions",
    "FlowInfo",
    "Flows",
    "Kv",
    "KvEntry",
    "Logs",
    "Metrics",
    "NamespaceFile",
    "NamespaceFiles",
    "Platform",
    "Purged",
    "RunPlatform",
    "Secrets",
    "Triggers",
]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a task run of an execution, or (without execution) a trigger of a flow."""

    tenant: str
    namespace: str
    flow_id: str
    execution_id: str | None = None
    task_run_id: str | None = None


class Platform(Protocol):
    """The whole system, for workers."""

    def bind(self, caller: Caller) -> RunPlatform:
        """The system as `caller` may see it. Cheap, keeps nothing open."""
        ...
