"""An expression that takes the place of a condition holds exactly when the condition does."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from tests.unit.scheduler.fakes import World
from tests.unit.scheduler.test_trigger_conditions import FLOW

from penstock.definition.convert.asking import expression_of
from penstock.scheduler.conditions import Scene, judge_one, judge_when

CORE = "io.kestra.plugin.core.condition."
ZONE = ZoneInfo("Europe/Paris")
CONDITIONS: list[Mapping[str, object]] = [
    {"type": CORE + "DayWeek", "dayOfWeek": "MONDAY"},
    {"type": CORE + "DayWeekCondition", "date": "{{ trigger.date }}", "dayOfWeek": "sunday"},
    {"type": CORE + "DayWeekInMonth", "dayOfWeek": "FRIDAY", "dayInMonth": "LAST"},
    {"type": CORE + "DayWeekInMonth", "dayOfWeek": "TUESDAY", "dayInMonth": "SECOND"},
    {"type": CORE + "Weekend"},
    {"type": CORE + "PublicHoliday", "country": "FR"},
    {"type": CORE + "DateTimeBetween", "after": "2026-01-20T10:00:00+01:00", "before": "2026-02-01T00:00:00Z"},
    {"type": CORE + "DateTimeBetween", "after": "2026-02-01T00:00:00Z"},
    {"type": CORE + "DateTimeBetween", "before": "2026-01-31T09:30:00+01:00"},
    {"type": CORE + "TimeBetween", "after": "08:00:00+02:00", "before": "17:00:00+02:00"},
    {"type": CORE + "TimeBetween", "after": "09:30:00+01:00"},
    {"type": CORE + "TimeBetween", "before": "13:15:00Z"},
    {"type": CORE + "Expression", "expression": "{{ dayOfMonth(trigger.date) > 20 }}"},
    {
        "type": CORE + "Not",
        "conditions": [{"type": CORE + "Weekend"}, {"type": CORE + "DayWeek", "dayOfWeek": "MONDAY"}],
    },
    {
        "type": CORE + "Or",
        "conditions": [
            {"type": CORE + "Not", "conditions": [{"type": CORE + "Weekend"}]},
            {"type": CORE + "DayWeekInMonth", "dayOfWeek": "SUNDAY", "dayInMonth": "FIRST"},
        ],
    },
]


def dates() -> list[datetime]:
    first = datetime(2026, 1, 1, tzinfo=ZONE)
    return [first + timedelta(hours=7 * n, minutes=30 * n) for n in range(150)]


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda c: str(c["type"]).rpartition(".")[2])
def test_calendar_conditions(condition: Mapping[str, object]) -> None:
    asked = expression_of(condition)
    assert asked is not None
    render = World().renderer_of(FLOW)
    seen: set[bool] = set()
    for date in dates():
        if "TimeBetween" in str(condition["type"]) and not 4 <= date.hour < 20:
            continue  # Kestra compares times of two offsets there; the conversion tells so
        scene = Scene(render, {"trigger": {"date": date.isoformat()}}, "company.team", "mine")
        holds = judge_one(condition, scene).holds
        assert judge_when("{{ " + asked + " }}", scene).holds is holds, f"{date.isoformat()}: {asked}"
        seen.add(holds)
    assert seen == {True, False}


@pytest.mark.parametrize(
    "condition",
    [
        {"type": CORE + "HasRetryAttempt", "in": ["FAILED"]},
        {"type": CORE + "PublicHoliday"},
        {"type": CORE + "Expression", "expression": "{{ a }} and {{ b }}"},
        {"type": CORE + "TimeBetween", "after": "{{ inputs.after }}"},
        {"type": CORE + "Not", "conditions": [{"type": CORE + "HasRetryAttempt", "in": ["FAILED"]}]},
    ],
    ids=lambda c: str(c["type"]).rpartition(".")[2],
)
def test_no_expression_is_guessed(condition: Mapping[str, object]) -> None:
    assert expression_of(condition) is None
