from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from penstock.model.state import State, StateChange
from penstock.scheduler import DeclaredFlow
from penstock.scheduler.conditions import Scene, judge, judge_one
from penstock.scheduler.windows import WindowRule, WindowType

from .fakes import World, condition, key_of

FLOW = DeclaredFlow(key_of("mine").flow, 1, ())


def scene(**variables: object) -> Scene:
    return Scene(World().renderer_of(FLOW), variables, "company.team", "mine")


def upstream(**seen: object) -> Scene:
    """A scene with an upstream execution of which only what is given is known."""
    known = {"namespace": "company.team", "flow_id": "up", "state": State.SUCCESS, "labels": {}, "outputs": {}}
    shown = SimpleNamespace(**{**known, **seen})
    return Scene(World().renderer_of(FLOW), {"trigger": {}}, "company.team", "mine", shown)  # pyright: ignore


def at(date: str) -> Scene:
    return scene(trigger={"date": date})


@pytest.mark.parametrize(
    ("name", "properties", "date", "holds"),
    [
        ("DayWeek", {"dayOfWeek": "THURSDAY"}, "2026-01-01T00:00:00Z", True),
        ("DayWeek", {"dayOfWeek": "THURSDAY"}, "2026-01-01T23:30:00+01:00", True),
        ("DayWeek", {"dayOfWeek": "FRIDAY"}, "2026-01-01T00:00:00Z", False),
        ("DayWeek", {"dayOfWeek": "MONDAY", "date": "2026-01-05T00:00:00Z"}, "2026-01-01T00:00:00Z", True),
        ("DayWeekInMonth", {"dayOfWeek": "MONDAY", "dayInMonth": "FIRST"}, "2026-01-05T00:00:00Z", True),
        ("DayWeekInMonth", {"dayOfWeek": "MONDAY", "dayInMonth": "SECOND"}, "2026-01-05T00:00:00Z", False),
        ("DayWeekInMonth", {"dayOfWeek": "MONDAY", "dayInMonth": "FOURTH"}, "2026-01-26T00:00:00Z", True),
        ("DayWeekInMonth", {"dayOfWeek": "MONDAY", "dayInMonth": "LAST"}, "2026-01-26T00:00:00Z", True),
        ("DayWeekInMonth", {"dayOfWeek": "MONDAY", "dayInMonth": "LAST"}, "2026-01-19T00:00:00Z", False),
        ("Weekend", {}, "2026-01-03T00:00:00Z", True),
        ("Weekend", {}, "2026-01-05T00:00:00Z", False),
        ("PublicHoliday", {"country": "FR"}, "2026-07-14T00:00:00Z", True),
        ("PublicHoliday", {"country": "FR"}, "2026-07-15T00:00:00Z", False),
        ("PublicHoliday", {"country": "DE", "subDivision": "BY"}, "2026-01-06T00:00:00Z", True),
        ("PublicHoliday", {"country": "DE"}, "2026-01-06T00:00:00Z", False),
        ("DateTimeBetween", {"after": "2026-01-01T00:00:00Z"}, "2026-01-01T00:00:00Z", False),
        ("DateTimeBetween", {"after": "2026-01-01T00:00:00Z"}, "2026-01-01T00:00:01Z", True),
        ("DateTimeBetween", {"before": "2026-01-01T01:00:00+01:00"}, "2025-12-31T23:59:59Z", True),
        (
            "DateTimeBetween",
            {"after": "2026-01-01T00:00:00Z", "before": "2026-02-01T00:00:00Z"},
            "2026-03-01T00:00:00Z",
            False,
        ),
        ("TimeBetween", {"after": "09:00:00Z", "before": "17:00:00Z"}, "2026-01-01T12:00:00Z", True),
        ("TimeBetween", {"after": "09:00:00Z", "before": "17:00:00Z"}, "2026-01-01T17:00:00Z", False),
        ("TimeBetween", {"after": "09:00:00+02:00"}, "2026-01-01T08:00:00Z", True),
        ("TimeBetween", {"after": "09:00:00"}, "2026-07-01T09:30:00+02:00", True),
        ("Expression", {"expression": "{{ trigger.date | date('yyyy') == '2026' }}"}, "2026-01-01T00:00:00Z", True),
        ("Expression", {"expression": "{{ '' }}"}, "2026-01-01T00:00:00Z", False),
    ],
)
def test_conditions_on_dates(name: str, properties: dict[str, object], date: str, holds: bool) -> None:
    verdict = judge_one(condition(name, **properties), at(date))
    assert verdict.warning is None
    assert verdict.holds is holds


@pytest.mark.parametrize(
    ("name", "properties", "holds"),
    [
        ("ExecutionFlow", {"namespace": "company.team", "flowId": "up"}, True),
        ("ExecutionFlow", {"namespace": "company", "flowId": "up"}, False),
        ("FlowCondition", {"namespace": "company.team", "flowId": "up"}, True),
        ("FlowNamespaceCondition", {"namespace": "company", "prefix": True}, True),
        ("FlowNamespaceCondition", {"namespace": "company"}, False),
        ("ExecutionNamespace", {"namespace": "company.team"}, True),
        ("ExecutionNamespace", {"namespace": "company"}, False),
        ("ExecutionNamespace", {"namespace": "company", "prefix": True}, True),
        ("ExecutionNamespace", {"namespace": "company", "comparison": "PREFIX"}, True),
        ("ExecutionNamespace", {"namespace": "team", "comparison": "SUFFIX"}, True),
        ("ExecutionStatus", {"in": ["SUCCESS", "WARNING"]}, True),
        ("ExecutionStatus", {"in": ["FAILED"]}, False),
        ("ExecutionStatus", {"notIn": ["FAILED"]}, True),
        ("ExecutionStatus", {"notIn": ["SUCCESS"]}, False),
        ("ExecutionStatus", {}, True),
        ("ExecutionLabels", {"labels": {"team": "data"}}, True),
        ("ExecutionLabels", {"labels": [{"key": "team", "value": "ops"}]}, False),
        ("ExecutionOutputs", {"expression": "{{ trigger.outputs.rows > 3 }}"}, True),
        ("ExecutionOutputs", {"expression": "{{ trigger.outputs.rows > 30 }}"}, False),
        ("HasRetryAttempt", {"in": ["FAILED"]}, True),
        ("HasRetryAttempt", {"in": ["KILLED"]}, False),
        ("HasRetryAttempt", {"notIn": ["FAILED"]}, False),
    ],
)
def test_conditions_on_executions(name: str, properties: dict[str, object], holds: bool) -> None:
    changes = [StateChange(State.RUNNING, datetime.now(UTC)), StateChange(State.FAILED, datetime.now(UTC))]
    run = SimpleNamespace(attempts=[SimpleNamespace(histories=changes)])
    seen = upstream(labels={"team": "data", "env": "dev"}, outputs={"rows": 12}, runs=[run])
    verdict = judge_one(condition(name, **properties), seen)
    assert verdict.warning is None
    assert verdict.holds is holds


def test_not_and_or_join_conditions() -> None:
    saturday = at("2026-01-03T00:00:00Z")
    weekend, monday = condition("Weekend"), condition("DayWeek", dayOfWeek="MONDAY")
    assert judge_one(condition("Or", conditions=[monday, weekend]), saturday).holds
    assert not judge_one(condition("Or", conditions=[monday]), saturday).holds
    assert not judge_one(condition("Not", conditions=[monday, weekend]), saturday).holds
    assert judge_one(condition("Not", conditions=[monday]), saturday).holds


def test_a_condition_that_cannot_be_evaluated_is_false_with_a_warning() -> None:
    for broken in (
        condition("Expression", expression="{{ nothing.here }}"),
        condition("DayWeek", dayOfWeek="{{ 'NEVERDAY' }}"),
        condition("DayWeek", dayOfWeek="MONDAY", date="soon"),
        condition("PublicHoliday", country="XX"),
        condition("PublicHoliday"),
        condition("TimeBetween", after="soon"),
        condition("ExecutionFlow", namespace="a", flowId="b"),
        condition("Not", conditions=[condition("DayWeek", dayOfWeek="{{ 'NEVERDAY' }}")]),
    ):
        verdict = judge_one(broken, at("2026-01-01T00:00:00Z"))
        assert not verdict.holds
        assert verdict.warning


def test_conditions_and_when_must_both_hold_and_the_one_that_does_not_is_named() -> None:
    seen = at("2026-01-03T00:00:00Z")
    assert judge([condition("Weekend")], "{{ true }}", seen).holds
    assert judge([condition("Weekend")], "{{ 1 > 2 }}", seen).condition == "{{ 1 > 2 }}"
    named = judge([condition("DayWeek", dayOfWeek="MONDAY")], "{{ true }}", seen)
    assert (named.condition, named.values["dayOfWeek"]) == ("DayWeek", "SATURDAY")


NOW = datetime(2026, 3, 29, 10, 47, 13, 250_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("rule", "start", "end"),
    [
        (WindowRule(), "2026-03-29T00:00:00", "2026-03-29T23:59:59.999"),
        (WindowRule(length=timedelta(hours=1)), "2026-03-29T10:00:00", "2026-03-29T10:59:59.999"),
        (WindowRule(length=timedelta(minutes=15)), "2026-03-29T10:45:00", "2026-03-29T10:59:59.999"),
        (WindowRule(length=timedelta(seconds=5)), "2026-03-29T10:47:13", "2026-03-29T10:47:17.999"),
        (WindowRule(length=timedelta(hours=6)), "2026-03-29T10:00:00", "2026-03-29T15:59:59.999"),
        (WindowRule(advance=timedelta(hours=6)), "2026-03-29T06:00:00", "2026-03-30T05:59:59.999"),
        (WindowRule(advance=timedelta(hours=18)), "2026-03-28T18:00:00", "2026-03-29T17:59:59.999"),
        (
            WindowRule(WindowType.SLIDING_WINDOW, length=timedelta(hours=2)),
            "2026-03-29T10:47:13.250",
            "2026-03-29T12:47:13.250",
        ),
        (WindowRule(WindowType.DAILY_TIME_DEADLINE, end=time(9)), "2026-03-29T00:00:00", "2026-03-29T09:00:00"),
        (
            WindowRule(WindowType.DAILY_TIME_WINDOW, start=time(6), end=time(12)),
            "2026-03-29T06:00:00",
            "2026-03-29T12:00:00",
        ),
        (
            WindowRule(WindowType.DAILY_TIME_WINDOW, start=time(22), end=time(11)),
            "2026-03-28T22:00:00",
            "2026-03-29T11:00:00",
        ),
        (
            WindowRule(WindowType.DAILY_TIME_DEADLINE, end=time(9), zone=ZoneInfo("Europe/Paris")),
            "2026-03-28T23:00:00",
            "2026-03-29T07:00:00",
        ),
    ],
)
def test_the_window_of_a_moment(rule: WindowRule, start: str, end: str) -> None:
    found = rule.around(NOW)
    assert found == tuple(datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (start, end))
