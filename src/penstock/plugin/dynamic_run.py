"""Task runs that a task reports at run time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from penstock.model.state import State


@dataclass(frozen=True, slots=True)
class DynamicRun:
    """A task run without a task in the flow (a dbt model, an Ansible play); `duration` places its start."""

    task_id: str
    state: State = State.SUCCESS
    duration: timedelta | None = None
    outputs: Mapping[str, object] | None = None
