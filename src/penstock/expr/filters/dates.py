"""Filters on dates."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from penstock.expr.dates.arithmetic import plus
from penstock.expr.dates.moment import Moment
from penstock.expr.dates.reading import moment_of
from penstock.expr.dates.writing import write_moment
from penstock.expr.errors import EvaluationError, preview
from penstock.expr.filters.table import FILTERS
from penstock.expr.registry import given
from penstock.expr.text import java_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.expr.frame import Frame


def text_or_none(frame: Frame, value: object) -> str | None:
    """An optional text argument."""
    return java_text(frame, value) if given(value) else None


def _moment(frame: Frame, value: object, zone: object, existing: object) -> Moment:
    return moment_of(frame, value, zone=text_or_none(frame, zone), existing=text_or_none(frame, existing))


@FILTERS.add("date", "format", "timeZone", "existingFormat", "locale")
def date(frame: Frame, value: object, form: object, zone: object, existing: object, locale: object) -> object:
    """The date as text, in a preset, style or Java pattern."""
    if value is None:
        return None
    moment = _moment(frame, value, zone, existing)
    return write_moment(moment, text_or_none(frame, form), text_or_none(frame, locale))


@FILTERS.add("dateAdd", "amount", "unit", "format", "timeZone", "existingFormat", "locale")
def date_add(
    frame: Frame,
    value: object,
    amount: object,
    unit: object,
    form: object,
    zone: object,
    existing: object,
    locale: object,
) -> object:
    """The date some units later, as text."""
    if value is None:
        return None
    if not given(unit):
        raise EvaluationError("The 'dateAdd' filter expects an argument 'unit'.", hint="e.g. dateAdd(-1, 'DAYS')")
    moment = plus(_moment(frame, value, zone, existing), _amount(amount), java_text(frame, unit))
    return write_moment(moment, text_or_none(frame, form), text_or_none(frame, locale))


def _amount(value: object) -> int:
    """A number of units; a text that holds one counts."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value == value and abs(value) < 2**63:
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,18}", value):
        return int(value)
    raise EvaluationError("The 'dateAdd' filter expects an argument 'amount' that is a number.")


def _timestamp(name: str, take: Callable[[int], int]) -> None:
    @FILTERS.add(name, "timeZone", "existingFormat")
    def timestamp(frame: Frame, value: object, zone: object, existing: object) -> object:
        """The time since 1970."""
        if value is None:
            return None
        if isinstance(value, bool):
            raise EvaluationError(f"The '{name}' filter can not be applied to {preview(value)}")
        return take(_moment(frame, value, zone, existing).epoch_nanos)


_timestamp("timestamp", lambda nanos: nanos // 1_000_000_000)
_timestamp("timestampMilli", lambda nanos: nanos // 1_000_000)
_timestamp("timestampMicro", lambda nanos: nanos // 1000)
_timestamp("timestampNano", lambda nanos: nanos)
