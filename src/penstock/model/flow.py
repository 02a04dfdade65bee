"""A flow as its author wrote it, both dialects in one model (engine.md 1.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import AliasChoices, Field, SerializeAsAny

from penstock.model.authored import Authored, Free
from penstock.model.conditions import Condition
from penstock.model.duration import IsoDuration
from penstock.model.flow_values import AuthoredLabel, FlowOutput, Labels
from penstock.model.flowables import Tasks
from penstock.model.inputs import Input
from penstock.model.task import Retry, WorkerRouting
from penstock.model.triggers import Trigger

FLOW_ID = r"^[a-zA-Z0-9][a-zA-Z0-9._-]*$"
NAMESPACE = r"^[a-z0-9][a-z0-9._-]*$"


class Concurrency(Authored):
    """How many executions of a flow may run at once, and what becomes of the others."""

    limit: int = Field(ge=1)
    behavior: Literal["QUEUE", "CANCEL", "FAIL"] = "QUEUE"


class Sla(Authored):
    """A promise about executions: a longest duration, or an assertion that holds all the time."""

    id: str
    type: Literal["MAX_DURATION", "EXECUTION_ASSERTION"]
    behavior: Literal["FAIL", "CANCEL", "NONE"]
    labels: Labels = []
    duration: IsoDuration = Field(default=None, validate_default=False)  # type: ignore[assignment]
    assert_: str | None = Field(default=None, alias="assert")


class Check(Authored):
    """A question asked before an execution is created."""

    when: str = Field(validation_alias=AliasChoices("when", "condition"))
    message: str | None = None
    style: Literal["SUCCESS", "INFO", "WARNING", "ERROR"] = "INFO"
    behavior: Literal["BLOCK_EXECUTION", "FAIL_EXECUTION", "CREATE_EXECUTION"] = "BLOCK_EXECUTION"


class Quota(Authored):
    """How many executions may be created within a duration."""

    duration: IsoDuration
    limit: int = Field(gt=0)
    behavior: Literal["FAIL", "CANCEL"] = "FAIL"


class PluginDefault(Authored):
    """Values for every plugin whose type is, or begins with, `type`."""

    type: str
    values: Mapping[str, Free]
    forced: bool = False


class Listener(Authored):
    """1.x: tasks that run after the end when conditions hold."""

    CHILDREN: ClassVar[Mapping[str, str]] = {"tasks": "list", "conditions": "conditions"}

    description: str | None = None
    conditions: list[SerializeAsAny[Condition]] | None = None
    tasks: Tasks = Field(min_length=1)


class Flow(Authored):
    """A flow. `tenant_id` and whether it is deleted are not written by its author, the catalog keeps them."""

    id: str = Field(pattern=FLOW_ID, min_length=1, max_length=100)
    namespace: str = Field(pattern=NAMESPACE, max_length=150)
    tenant_id: str | None = None
    revision: int | None = None
    updated: str | None = None
    description: str | None = None
    labels: Labels = []
    inputs: list[Input] | None = None
    outputs: list[FlowOutput] | None = None
    variables: Mapping[str, Free] | None = None
    tasks: Tasks = Field(min_length=1)
    errors: Tasks | None = None
    finally_: Tasks | None = Field(default=None, alias="finally")
    after_execution: Tasks | None = None
    triggers: list[SerializeAsAny[Trigger]] | None = None
    plugin_defaults: list[PluginDefault] | None = Field(
        default=None, validation_alias=AliasChoices("pluginDefaults", "taskDefaults", "plugin_defaults")
    )
    concurrency: Concurrency | None = None
    retry: Retry | None = None
    sla: list[Sla] | None = None
    checks: list[Check] | None = None
    quotas: list[Quota] | None = None
    worker_group: WorkerRouting | None = None
    worker_selector: WorkerRouting | None = None
    disabled: bool = False
    draft: bool = False
    deleted: bool = False
    listeners: list[Listener] | None = None


__all__ = [
    "AuthoredLabel",
    "Check",
    "Concurrency",
    "Flow",
    "FlowOutput",
    "Input",
    "Listener",
    "PluginDefault",
    "Quota",
    "Sla",
]
