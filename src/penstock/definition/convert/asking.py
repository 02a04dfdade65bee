"""Conditions of 1.x as expressions of 2.0; None where no expression asks the same."""

from __future__ import annotations

import re
from collections.abc import Mapping

from penstock.definition.convert.templates import inner_expression, literal, operand

_EARLIEST, _LATEST = "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"
_TIME = re.compile(r"(?P<h>\d\d):(?P<m>\d\d)(?::(?P<s>\d\d))?(?:\.\d+)?(?P<zone>Z|[+-]\d\d:\d\d)$")
Condition = Mapping[str, object]


def short_name(condition: Condition) -> str:
    """A condition's type without its package and without the `Condition` that older names end with."""
    name = str(condition.get("type")).rpartition(".")[2]
    return "Expression" if name == "VariableCondition" else name.removesuffix("Condition")


def expression_of(condition: Condition) -> str | None:
    """The expression that holds exactly when the condition does."""
    ask = _ASKED.get(short_name(condition))
    return ask(condition) if ask is not None else None


def joined(parts: list[str], word: str) -> str:
    """Expressions joined by `and` or `or`, each in parentheses where it needs them."""
    return parts[0] if len(parts) == 1 else f" {word} ".join(_closed(part) for part in parts)


def _closed(part: str) -> str:
    return f"({part})" if re.search(r"\b(?:and|or|not)\b|\?|^[^()]*\|", part) else part


def _date(condition: Condition) -> str:
    return operand(str(condition.get("date", "{{ trigger.date }}")))


def _day_week(condition: Condition) -> str:
    return f"dayOfWeek({_date(condition)}) == {literal(str(condition.get('dayOfWeek')).upper())}"


def _day_week_in_month(condition: Condition) -> str:
    day, place = str(condition.get("dayOfWeek")).upper(), str(condition.get("dayInMonth")).upper()
    return f"isDayWeekInMonth({_date(condition)}, {literal(day)}, {literal(place)})"


def _weekend(condition: Condition) -> str:
    return f"isWeekend({_date(condition)})"


def _public_holiday(condition: Condition) -> str | None:
    country, division = condition.get("country"), condition.get("subDivision")
    if country is None:
        return None  # 1.x takes the country of the server's locale
    more = f", {operand(str(division))}" if division is not None else ""
    return f"isPublicHoliday({_date(condition)}, {operand(str(country))}{more})"


def _date_time_between(condition: Condition) -> str:
    after, before = condition.get("after", _EARLIEST), condition.get("before", _LATEST)
    return f"isDateBetween({_date(condition)}, {operand(str(after))}, {operand(str(before))})"


def _time_between(condition: Condition) -> str | None:
    parts: list[str] = []
    for name, sign in (("after", ">"), ("before", "<")):
        bound = condition.get(name)
        if bound is None:
            continue
        found = _TIME.match(str(bound))
        if found is None:
            return None
        zone = "+00:00" if found["zone"] == "Z" else found["zone"]
        number = int(f"{found['h']}{found['m']}{found['s'] or '00'}")
        parts.append(f"({_date(condition)} | date('HHmmss', timeZone={literal(zone)}) | number) {sign} {number}")
    return joined(parts, "and") if parts else None


def _expression(condition: Condition) -> str | None:
    return inner_expression(str(condition.get("expression")))


def _execution_flow(condition: Condition) -> str:
    namespace, flow_id = operand(str(condition.get("namespace"))), operand(str(condition.get("flowId")))
    return f"trigger.namespace == {namespace} and trigger.flowId == {flow_id}"


def _execution_namespace(condition: Condition) -> str | None:
    wanted = operand(str(condition.get("namespace")))
    implied = "PREFIX" if condition.get("prefix") is True else "EQUALS"
    match str(condition.get("comparison") or implied).upper():
        case "EQUALS":
            return f"trigger.namespace == {wanted}"
        case "PREFIX":
            return f"trigger.namespace | startsWith({wanted})"
        case "SUFFIX":
            return f"trigger.namespace | endsWith({wanted})"
        case _:
            return None


def _execution_status(condition: Condition) -> str | None:
    parts: list[str] = []
    for name, word in (("in", ""), ("notIn", "not ")):
        states = condition.get(name)
        if isinstance(states, list):
            listed = ", ".join(literal(str(state)) for state in states)
            parts.append(f"{word}([{listed}] contains trigger.state)" if word else f"[{listed}] contains trigger.state")
        elif states is not None:
            return None
    return joined(parts, "and") if parts else None


def _inner(condition: Condition, word: str) -> str | None:
    inner = condition.get("conditions")
    parts = (
        [expression_of(one) if isinstance(one, Mapping) else None for one in inner] if isinstance(inner, list) else []
    )
    known = [part for part in parts if part is not None]
    return joined(known, word) if known and len(known) == len(parts) else None


def _not(condition: Condition) -> str | None:
    inside = _inner(condition, "or")
    return f"not ({inside})" if inside is not None else None


def _or(condition: Condition) -> str | None:
    return _inner(condition, "or")


_ASKED = {
    "DayWeek": _day_week,
    "DayWeekInMonth": _day_week_in_month,
    "Weekend": _weekend,
    "PublicHoliday": _public_holiday,
    "DateTimeBetween": _date_time_between,
    "TimeBetween": _time_between,
    "Expression": _expression,
    "ExecutionOutputs": _expression,
    "ExecutionFlow": _execution_flow,
    "ExecutionNamespace": _execution_namespace,
    "ExecutionStatus": _execution_status,
    "Not": _not,
    "Or": _or,
}
