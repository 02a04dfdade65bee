"""Triggers: when they fire."""

from __future__ import annotations

from collections.abc import Iterator

from penstock.definition.draft import Draft, Placed
from penstock.definition.schedules import cron_fault
from penstock.definition.yaml_source import Path
from penstock.expr.dates.zones import zone_of
from penstock.expr.errors import ExpressionError
from penstock.model.triggers import Schedule


def schedules(draft: Draft) -> Iterator[tuple[Path, str]]:
    """Cron expressions can be read and time zones exist."""
    for trigger in draft.triggers:
        if trigger.cls is not None and issubclass(trigger.cls, Schedule):
            yield from _cron(trigger)
        zone = trigger.written.get("timezone")
        if isinstance(zone, str) and "{{" not in zone and (fault := _zone_fault(zone)):
            yield (*trigger.path, "timezone"), fault


def _cron(trigger: Placed) -> Iterator[tuple[Path, str]]:
    cron = trigger.written.get("cron")
    if not isinstance(cron, str):
        return
    fault = cron_fault(cron, with_seconds=trigger.written.get("withSeconds") is True)
    if fault is not None:
        yield (*trigger.path, "cron"), f"invalid cron expression '{cron}': {fault}"


def _zone_fault(name: str) -> str | None:
    try:
        zone_of(name)
    except ExpressionError as error:
        return str(error).splitlines()[0]
    return None


CHECKS = (schedules,)
