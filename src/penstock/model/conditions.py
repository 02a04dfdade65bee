"""Conditions of the 1.x dialect: questions to the execution or the date that would fire a trigger (engine.md 7.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field, SerializeAsAny, model_validator

from penstock.model.authored import DEPRECATED, UPPER, Authored, Dynamic, Free, refuse
from penstock.model.duration import IsoDuration
from penstock.model.flow_values import Labels

_PREFIX = "io.kestra.plugin.core.condition."
_OLD = "io.kestra.core.models.conditions.types."
DATE = "{{ trigger.date }}"
WeekDay = Annotated[Literal["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"], UPPER]


class Condition(Authored):
    """The root of all conditions; `CHILDREN` names the fields that hold conditions, as for tasks."""

    TYPE: ClassVar[str] = ""
    ALIASES: ClassVar[tuple[str, ...]] = ()
    CHILDREN: ClassVar[Mapping[str, str]] = {}

    type: str
    description: str | None = None


class DateTimeBetween(Condition):
    """The date lies after `after` and before `before`."""

    TYPE: ClassVar[str] = _PREFIX + "DateTimeBetween"
    date: str = DATE
    after: str | None = None
    before: str | None = None

    @model_validator(mode="after")
    def _bounded(self) -> DateTimeBetween:
        if self.after is None and self.before is None:
            raise ValueError("expected `after`, `before` or both")
        return self


class DayWeek(Condition):
    """The date falls on a day of the week."""

    TYPE: ClassVar[str] = _PREFIX + "DayWeek"
    date: str = DATE
    day_of_week: Dynamic[WeekDay]


class DayWeekInMonth(Condition):
    """The date is the first … last such weekday of its month."""

    TYPE: ClassVar[str] = _PREFIX + "DayWeekInMonth"
    date: str = DATE
    day_of_week: Dynamic[WeekDay]
    day_in_month: Dynamic[Annotated[Literal["FIRST", "SECOND", "THIRD", "FOURTH", "LAST"], UPPER]]


class TimeBetween(Condition):
    """The time of day lies after `after` and before `before`."""

    TYPE: ClassVar[str] = _PREFIX + "TimeBetween"
    date: str = DATE
    after: str | None = None
    before: str | None = None

    @model_validator(mode="after")
    def _bounded(self) -> TimeBetween:
        if self.after is None and self.before is None:
            raise ValueError("expected `after`, `before` or both")
        return self


class Weekend(Condition):
    """The date is a Saturday or Sunday."""

    TYPE: ClassVar[str] = _PREFIX + "Weekend"
    date: str = DATE


class PublicHoliday(Condition):
    """The date is a public holiday."""

    TYPE: ClassVar[str] = _PREFIX + "PublicHoliday"
    date: str = DATE
    country: str | None = None
    sub_division: str | None = None


class ExecutionFlow(Condition):
    """The execution is of this flow."""

    TYPE: ClassVar[str] = _PREFIX + "ExecutionFlow"
    namespace: str
    flow_id: str


class FlowCondition(ExecutionFlow):
    """The older name of ExecutionFlow."""

    TYPE: ClassVar[str] = _PREFIX + "FlowCondition"


class ExecutionNamespace(Condition):
    """The execution's namespace equals, begins or ends with this one."""

    TYPE: ClassVar[str] = _PREFIX + "ExecutionNamespace"
    namespace: str
    comparison: Annotated[Literal["EQUALS", "PREFIX", "SUFFIX"], UPPER] | None = None
    prefix: Dynamic[bool] = False


class FlowNamespaceCondition(Condition):
    """The older form of ExecutionNamespace."""

    TYPE: ClassVar[str] = _PREFIX + "FlowNamespaceCondition"
    namespace: str
    prefix: bool = False


class ExecutionStatus(Condition):
    """The execution's state is among `in` and not among `notIn`."""

    TYPE: ClassVar[str] = _PREFIX + "ExecutionStatus"
    in_: Free = Field(default=None, alias="in")
    not_in: Free = None


class HasRetryAttempt(Condition):
    """An attempt of the execution has (or lacks) one of these states."""

    TYPE: ClassVar[str] = _PREFIX + "HasRetryAttempt"
    in_: Free = Field(default=None, alias="in")
    not_in: Free = None


class ExecutionLabels(Condition):
    """The execution carries all these labels."""

    TYPE: ClassVar[str] = _PREFIX + "ExecutionLabels"
    labels: Labels


class ExecutionOutputs(Condition):
    """A template over `trigger.outputs` holds."""

    TYPE: ClassVar[str] = _PREFIX + "ExecutionOutputs"
    expression: Free


class Expression(Condition):
    """A template holds."""

    TYPE: ClassVar[str] = _PREFIX + "Expression"
    expression: str


class Not(Condition):
    """None of the conditions holds."""

    TYPE: ClassVar[str] = _PREFIX + "Not"
    CHILDREN: ClassVar[Mapping[str, str]] = {"conditions": "list"}
    conditions: list[SerializeAsAny[Condition]] = Field(min_length=1)


class Or(Condition):
    """At least one of the conditions holds."""

    TYPE: ClassVar[str] = _PREFIX + "Or"
    CHILDREN: ClassVar[Mapping[str, str]] = {"conditions": "list"}
    conditions: list[SerializeAsAny[Condition]] = Field(min_length=1)


_WINDOWS = {
    "DURATION_WINDOW": ((), ("window", "windowAdvance")),
    "SLIDING_WINDOW": ((), ("window",)),
    "DAILY_TIME_DEADLINE": (("deadline",), ("deadline",)),
    "DAILY_TIME_WINDOW": (("startTime", "endTime"), ("startTime", "endTime")),
}
"""What a window of each type must have, and all that it may have."""


class TimeWindow(Authored):
    """The window in which conditions must come together."""

    type: Annotated[Literal["DURATION_WINDOW", "SLIDING_WINDOW", "DAILY_TIME_DEADLINE", "DAILY_TIME_WINDOW"], UPPER] = (
        "DURATION_WINDOW"
    )
    window: IsoDuration | None = None
    window_advance: IsoDuration | None = None
    deadline: str | None = None
    start_time: str | None = None
    end_time: str | None = None

    @model_validator(mode="after")
    def _fits_its_type(self) -> TimeWindow:
        given = [name for name in self.model_dump(by_alias=True, exclude_none=True) if name != "type"]
        needed, allowed = _WINDOWS[self.type]
        missing = [f"Time window of type `{self.type}` must have `{name}`" for name in needed if name not in given]
        extra = [f"Time window of type `{self.type}` cannot have `{name}`" for name in given if name not in allowed]
        refuse([*missing, *extra])
        return self


class MultipleCondition(Condition):
    """Named conditions that must all hold within a window."""

    TYPE: ClassVar[str] = _PREFIX + "MultipleCondition"
    CHILDREN: ClassVar[Mapping[str, str]] = {"conditions": "each"}
    id: str
    time_window: TimeWindow | None = None
    reset_on_success: bool = True
    window: IsoDuration | None = Field(default=None, json_schema_extra=DEPRECATED)
    window_advance: IsoDuration | None = Field(default=None, json_schema_extra=DEPRECATED)
    conditions: Mapping[str, SerializeAsAny[Condition]]


CORE_CONDITIONS: tuple[type[Condition], ...] = (
    DateTimeBetween, DayWeek, DayWeekInMonth, TimeBetween, Weekend, PublicHoliday, ExecutionFlow, FlowCondition,
    ExecutionNamespace, FlowNamespaceCondition, ExecutionStatus, HasRetryAttempt, ExecutionLabels, ExecutionOutputs,
    Expression, Not, Or, MultipleCondition,
)  # fmt: skip


def condition_aliases(cls: type[Condition]) -> tuple[str, ...]:
    """The older names of a condition type (`VariableCondition` is the oldest name of Expression)."""
    name = cls.TYPE.removeprefix(_PREFIX)
    if name.endswith("Condition"):
        return (_OLD + name,)
    old = "VariableCondition" if name == "Expression" else f"{name}Condition"
    return (_OLD + old, f"{_PREFIX}{name}Condition")
