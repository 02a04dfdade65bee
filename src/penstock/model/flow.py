"""A flow as its author wrote it, both dialects in one model (engine.md 1.2)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import AliasChoices, Field, SerializeAsAny, model_validator

from penstock.model.authored import DEPRECATED, UPPER, Authored, Free
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
    behavior: Annotated[Literal["QUEUE", "CANCEL", "FAIL"], UPPER] = "QUEUE"


class Sla(Authored):
    """A promise about executions: a longest duration, or an assertion that holds all the time."""

    id: str
    type: Annotated[Literal["MAX_DURATION", "EXECUTION_ASSERTION"], UPPER]
    behavior: Annotated[Literal["FAIL", "CANCEL", "NONE"], UPPER]
    labels: Labels = []
    duration: IsoDuration = Field(default=None, validate_default=False)  # type: ignore[assignment]
    assert_: str | None = Field(default=None, alias="assert")

    @model_validator(mode="after")
    def _complete(self) -> Sla:
        needed = {"MAX_DURATION": ("duration", self.duration), "EXECUTION_ASSERTION": ("assert", self.assert_)}
        name, value = needed[self.type]
        if value is None:
            raise ValueError(f"an SLA of type {self.type} must have `{name}`")
        return self


class Check(Authored):
    """A question asked before an execution is created."""

    when: str = Field(validation_alias=AliasChoices("when", "condition"))
    message: str | None = None
    style: Annotated[Literal["SUCCESS", "INFO", "WARNING", "ERROR"], UPPER] = "INFO"
    behavior: Annotated[Literal["BLOCK_EXECUTION", "FAIL_EXECUTION", "CREATE_EXECUTION"], UPPER] = "BLOCK_EXECUTION"


class Quota(Authored):
    """How many executions may be created within a duration."""

    duration: IsoDuration
    limit: int = Field(gt=0)
    behavior: Annotated[Literal["FAIL", "CANCEL"], UPPER] = "FAIL"

    @model_validator(mode="after")
    def _long_enough(self) -> Quota:
        if self.duration < timedelta(minutes=1):
            raise ValueError("the `duration` of a quota must be at least PT1M")
        return self


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
        default=None, validation_alias=AliasChoices("pluginDefaults", "taskDefaults")
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
    listeners: list[Listener] | None = Field(default=None, json_schema_extra=DEPRECATED)


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
