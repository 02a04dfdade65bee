"""Triggers of the core, in both dialects (engine.md 7). Polling and realtime triggers come from plugins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field, SerializeAsAny, model_validator

from penstock.model.authored import DEPRECATED, UPPER, Authored, Dynamic, Free, refuse
from penstock.model.conditions import Condition, TimeWindow
from penstock.model.duration import IsoDuration
from penstock.model.flow_values import Labels
from penstock.model.state import State
from penstock.model.task import TASK_ID, LogLevel, WorkerRouting

_CORE = "io.kestra.plugin.core.trigger."
_OLD = "io.kestra.core.models.triggers.types."
Recover = Annotated[Literal["ALL", "LAST", "NONE"], UPPER]


class Trigger(Authored):
    """What every trigger has: `conditions` of 1.x must all hold, and so must `when` of 2.0."""

    TYPE: ClassVar[str] = ""
    ALIASES: ClassVar[tuple[str, ...]] = ()
    CHILDREN: ClassVar[Mapping[str, str]] = {"conditions": "list"}

    id: str = Field(pattern=TASK_ID, max_length=256)
    type: str
    version: str | None = None
    description: str | None = None
    disabled: bool = False
    labels: Labels = []
    log_level: LogLevel | None = None
    log_to_file: bool = False
    stop_after: list[State] | None = None
    fail_on_trigger_error: bool = False
    allow_concurrent: bool = False
    conditions: list[SerializeAsAny[Condition]] | None = None
    when: str | None = None
    inputs: Mapping[str, Free] | None = None
    worker_group: WorkerRouting | None = None
    worker_selector: WorkerRouting | None = None
    assets: Mapping[str, object] | None = None


class Schedule(Trigger):
    """Fires at the dates of a cron expression."""

    TYPE: ClassVar[str] = _CORE + "Schedule"
    ALIASES: ClassVar[tuple[str, ...]] = (_OLD + "Schedule",)
    CHILDREN: ClassVar[Mapping[str, str]] = {"conditions": "list", "scheduleConditions": "list"}

    cron: str
    with_seconds: bool = False
    timezone: str | None = None
    interval: IsoDuration | None = None
    late_maximum_delay: IsoDuration | None = None
    recover_missed_schedules: Recover | None = None
    schedule_conditions: list[SerializeAsAny[Condition]] | None = Field(default=None, json_schema_extra=DEPRECATED)
    backfill: Mapping[str, Free] | None = Field(default=None, json_schema_extra=DEPRECATED)


class ScheduleOnDates(Trigger):
    """Fires once at each of the given dates."""

    TYPE: ClassVar[str] = _CORE + "ScheduleOnDates"

    dates: Dynamic[list[str]]
    timezone: str | None = None
    interval: IsoDuration | None = None
    recover_missed_schedules: Recover | None = None


class Webhook(Trigger):
    """Fires at a request to its address."""

    TYPE: ClassVar[str] = _CORE + "Webhook"
    ALIASES: ClassVar[tuple[str, ...]] = (_OLD + "Webhook",)

    key: str = Field(max_length=256)
    wait: bool = False
    return_outputs: bool = False
    response_content_type: Literal["application/json", "text/plain"] | None = None
    response_code: Dynamic[int] | None = None
    fetch_type: Annotated[Literal["FETCH", "STORE", "NONE"], UPPER] | None = None


class UpstreamFlow(Authored):
    """A flow in `preconditions.flows`; absent fields match anything."""

    namespace: str | None = None
    flow_id: str | None = None
    states: list[State] | None = None
    labels: Mapping[str, Free] | list[Mapping[str, Free]] | None = None


class WhereFilter(Authored):
    """One comparison of a `where` entry."""

    field: Annotated[Literal["FLOW_ID", "NAMESPACE", "STATE", "EXPRESSION"], UPPER]
    type: Annotated[Literal[
        "EQUAL_TO", "NOT_EQUAL_TO", "IN", "NOT_IN", "IS_TRUE", "IS_FALSE", "IS_NULL", "IS_NOT_NULL",
        "STARTS_WITH", "ENDS_WITH", "REGEX", "CONTAINS",
    ], UPPER]  # fmt: skip
    value: str | None = None
    values: list[str] | None = None

    @model_validator(mode="after")
    def _operand(self) -> WhereFilter:
        if self.type in ("IN", "NOT_IN"):
            if not self.values:
                raise ValueError(f"a filter of type {self.type} must have `values`")
        elif self.value is None and (self.field == "EXPRESSION" or not self.type.startswith("IS_")):
            raise ValueError(f"a filter of type {self.type} must have a `value`")
        return self


class Where(Authored):
    """Comparisons joined by AND or OR: one precondition."""

    id: str
    operand: Annotated[Literal["AND", "OR"], UPPER] = "AND"
    filters: list[WhereFilter] = Field(min_length=1)


class Preconditions(Authored):
    """1.x: what must have happened within a window."""

    id: str
    time_window: TimeWindow | None = None
    reset_on_success: bool = True
    flows: list[UpstreamFlow] | None = None
    where: list[Where] | None = None


class Dependency(Authored):
    """2.0: one entry of `dependsOn`."""

    namespace: str | None = None
    flow_id: str | None = None
    states: list[State] | None = None
    labels: Mapping[str, Free] | list[Mapping[str, Free]] | None = None
    when: str | None = None


_WINDOW_FORMS = {
    "deadline": "deadline", "from": "daily", "to": "daily", "lookback": "sliding", "every": "fixed", "offset": "fixed",
}  # fmt: skip
_WINDOW_PAIRS = (("from", "to"), ("to", "from"))


class Window(Authored):
    """2.0: the window of `dependsOn`, in one of four forms."""

    deadline: str | None = None
    from_: str | None = Field(default=None, alias="from")
    to: str | None = None
    lookback: IsoDuration | None = None
    every: IsoDuration | None = None
    offset: IsoDuration | None = None
    timezone: str | None = None
    fire_once: bool = False

    @model_validator(mode="after")
    def _one_form(self) -> Window:
        given = set(self.model_dump(by_alias=True, exclude_none=True)) & set(_WINDOW_FORMS)
        forms = {_WINDOW_FORMS[name] for name in given}
        if len(forms) > 1:
            listed = ", ".join(f"`{name}`" for name in sorted(given))
            raise ValueError(f"expected one of `deadline`, `from` and `to`, `lookback`, or `every`, found {listed}")
        refuse(f"a window with `{a}` must have `{b}`" for a, b in _WINDOW_PAIRS if a in given and b not in given)
        return self


class OnMiss(Authored):
    """2.0: what happens when a window ends unsatisfied."""

    behavior: str | None = None
    labels: Labels = []


class FlowTrigger(Trigger):
    """Fires at state changes of other executions."""

    TYPE: ClassVar[str] = _CORE + "Flow"
    ALIASES: ClassVar[tuple[str, ...]] = (_OLD + "Flow",)

    states: list[State] | None = None
    preconditions: Preconditions | None = None
    depends_on: list[Dependency] | None = None
    window: Window | None = None
    mode: Annotated[Literal["ALL", "ANY", "AT_LEAST"], UPPER] = "ALL"
    min_satisfied: int | None = Field(default=None, gt=0)
    on_miss: OnMiss | None = None

    @model_validator(mode="after")
    def _reachable(self) -> FlowTrigger:
        wanted, known = self.min_satisfied, len(self.depends_on or ())
        if self.mode == "AT_LEAST" and wanted is None:
            raise ValueError("`mode: AT_LEAST` must have `minSatisfied`")
        if wanted is not None and self.depends_on is not None and wanted > known:
            raise ValueError(f"`minSatisfied` is {wanted}, but `dependsOn` has only {known} entries")
        return self


CORE_TRIGGERS: tuple[type[Trigger], ...] = (Schedule, ScheduleOnDates, Webhook, FlowTrigger)
