"""Every condition type of the 1.x dialect, and how conditions and `when` are judged together (engine.md 7.1, 7.4).

Pure: a condition and a scene in, a verdict out. A condition that cannot be evaluated is false, with a warning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from penstock.errors import PenstockError
from penstock.model.state import State
from penstock.scheduler import calendar
from penstock.scheduler.fields import field_of, label_pairs
from penstock.scheduler.upstream import Upstream
from penstock.scheduler.verdict import HOLDS, Renderer, Verdict, is_true


@dataclass(frozen=True, slots=True)
class Scene:
    """What a condition may look at.

    variables: what its templates see. namespace, flow_id: the flow that declares the trigger.
    upstream: for Flow triggers, the execution they look at.
    """

    render: Renderer
    variables: Mapping[str, object]
    namespace: str = ""
    flow_id: str = ""
    upstream: Upstream | None = None


Seen = tuple[bool, dict[str, object]]
"""Whether a condition holds and what it saw."""

FAULTS = (PenstockError, ValueError, TypeError, LookupError, ArithmeticError, OverflowError)
"""What a condition written by a user may raise when it is evaluated."""


def judge(conditions: Sequence[object], when: str | None, scene: Scene) -> Verdict:
    """Whether all `conditions` and `when` hold; the first that does not is named."""
    for condition in conditions:
        verdict = judge_one(condition, scene)
        if not verdict.holds:
            return verdict
    return judge_when(when, scene)


def judge_when(when: str | None, scene: Scene) -> Verdict:
    """Whether the expression `when` is true; without one it is."""
    if when is None:
        return HOLDS
    try:
        text = scene.render.text(when, scene.variables)
    except FAULTS as fault:
        return Verdict(False, condition=when, warning=f"Unable to evaluate `when: {when}`: {fault}")
    return HOLDS if is_true(text) else Verdict(False, condition=when, values={"result": text})


def judge_one(condition: object, scene: Scene) -> Verdict:
    """Whether one condition holds."""
    name = condition_name(condition)
    try:
        holds, values = _evaluate(condition, scene)
    except FAULTS as fault:
        return Verdict(False, condition=name, warning=f"Evaluate condition '{name}' failed: {fault}")
    return HOLDS if holds else Verdict(False, condition=name, values=values)


def condition_name(condition: object) -> str:
    """The short name of a condition's type, one for all spellings: `ExecutionFlow`, `DayWeek`, `Not` …"""
    short = str(field_of(condition, "type", "")).rpartition(".")[2]
    return short if short in _KEPT else short.removesuffix("Condition")


def _evaluate(condition: object, scene: Scene) -> Seen:
    name = condition_name(condition)
    kind = _KINDS.get("Expression" if name == "Variable" else name)
    if kind is None:
        raise ValueError(f"there is no condition {name!r}")
    return kind(condition, scene)


# -- reading a condition ------------------------------------------------------------------------------------------


def _text(condition: object, name: str, scene: Scene) -> str | None:
    value = field_of(condition, name)
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return scene.render.text(value, scene.variables) if isinstance(value, str) else str(getattr(value, "value", value))


def _required(condition: object, name: str, scene: Scene) -> str:
    text = _text(condition, name, scene)
    if text is None:
        raise ValueError(f"`{name}` is required")
    return text


def _states(condition: object, name: str, scene: Scene) -> list[State] | None:
    value = field_of(condition, name)
    if value is None:
        return None
    if isinstance(value, str):
        value = scene.render.value(value, scene.variables)
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise ValueError(f"`{name.rstrip('_')}` must be a list of states, found {value!r}")
    return [State.read(str(getattr(state, "value", state))) for state in value]


def _children(condition: object) -> list[object]:
    children = field_of(condition, "conditions", [])
    if isinstance(children, Mapping):
        return list(children.values())
    return list(children) if isinstance(children, Sequence) else []


def _upstream(scene: Scene) -> Upstream:
    if scene.upstream is None:
        raise ValueError("it needs an execution: it belongs to a Flow trigger")
    return scene.upstream


# -- conditions on executions --------------------------------------------------------------------------------------


def _execution_flow(condition: object, scene: Scene) -> Seen:
    upstream = _upstream(scene)
    namespace, flow_id = _required(condition, "namespace", scene), _required(condition, "flow_id", scene)
    seen: dict[str, object] = {"namespace": upstream.namespace, "flowId": upstream.flow_id}
    return upstream.namespace == namespace and upstream.flow_id == flow_id, seen


def _execution_namespace(condition: object, scene: Scene) -> Seen:
    upstream = _upstream(scene)
    namespace = _required(condition, "namespace", scene)
    comparison = _text(condition, "comparison", scene) or (
        "PREFIX" if is_true(_text(condition, "prefix", scene)) else "EQUALS"
    )
    return _namespace_matches(upstream.namespace, namespace, comparison), {"namespace": upstream.namespace}


def _namespace_matches(found: str, wanted: str, comparison: str) -> bool:
    match comparison.upper():
        case "EQUALS":
            return found == wanted
        case "PREFIX":
            return found.startswith(wanted)
        case "SUFFIX":
            return found.endswith(wanted)
        case _:
            raise ValueError(f"`comparison` must be EQUALS, PREFIX or SUFFIX, found {comparison!r}")


def _execution_status(condition: object, scene: Scene) -> Seen:
    state = _upstream(scene).state
    wanted, unwanted = _states(condition, "in_", scene), _states(condition, "not_in", scene)
    holds = (wanted is None or state in wanted) and (unwanted is None or state not in unwanted)
    return holds, {"state": str(state)}


def _execution_labels(condition: object, scene: Scene) -> Seen:
    upstream = _upstream(scene)
    wanted = label_pairs(field_of(condition, "labels", {}))
    found = {key: upstream.labels.get(key) for key in wanted}
    return found == wanted, {"labels": {key: value for key, value in found.items() if value is not None}}


def _execution_outputs(condition: object, scene: Scene) -> Seen:
    upstream = _upstream(scene)
    if not upstream.outputs:
        return False, {"outputs": {}}
    trigger = scene.variables.get("trigger")
    known = dict(trigger) if isinstance(trigger, Mapping) else {}
    variables = {**scene.variables, "trigger": {**known, "outputs": upstream.outputs}}
    expression = field_of(condition, "expression", "false")
    text = scene.render.text(str(expression), variables)
    return is_true(text), {"result": text}


def _has_retry_attempt(condition: object, scene: Scene) -> Seen:
    wanted, unwanted = _states(condition, "in_", scene), _states(condition, "not_in", scene)
    states = [change.state for run in _upstream(scene).runs for a in run.attempts for change in a.histories]
    holds = (wanted is None or any(state in wanted for state in states)) and (
        unwanted is None or not any(state in unwanted for state in states)
    )
    return holds, {"attemptStates": sorted({str(state) for state in states})}


def _flow(condition: object, scene: Scene) -> Seen:
    """Deprecated: the same test, of the upstream execution's flow where there is one, else of the trigger's own."""
    namespace, flow_id = _subject(scene)
    holds = namespace == _required(condition, "namespace", scene) and flow_id == _required(condition, "flow_id", scene)
    return holds, {"namespace": namespace, "flowId": flow_id}


def _flow_namespace(condition: object, scene: Scene) -> Seen:
    namespace, _ = _subject(scene)
    wanted = _required(condition, "namespace", scene)
    if is_true(_text(condition, "prefix", scene)):
        return namespace.startswith(wanted), {"namespace": namespace}
    return namespace == wanted, {"namespace": namespace}


def _subject(scene: Scene) -> tuple[str, str]:
    if scene.upstream is None:
        return scene.namespace, scene.flow_id
    return scene.upstream.namespace, scene.upstream.flow_id


# -- conditions on dates --------------------------------------------------------------------------------------------


def _date(condition: object, scene: Scene) -> tuple[datetime, str]:
    """The moment a condition is about, and its text."""
    text = scene.render.text(str(field_of(condition, "date", "{{ trigger.date }}")), scene.variables)
    return calendar.read_moment(text), text


def _date_time_between(condition: object, scene: Scene) -> Seen:
    moment, text = _date(condition, scene)
    after, before = _text(condition, "after", scene), _text(condition, "before", scene)
    if after is None and before is None:
        raise ValueError("`after` or `before` is required")
    holds = (after is None or moment > calendar.read_moment(after)) and (
        before is None or moment < calendar.read_moment(before)
    )
    return holds, {"date": text}


def _time_between(condition: object, scene: Scene) -> Seen:
    moment, text = _date(condition, scene)
    after, before = _text(condition, "after", scene), _text(condition, "before", scene)
    if after is None and before is None:
        raise ValueError("`after` or `before` is required")
    holds = (after is None or calendar.time_is_after(moment, calendar.read_time(after))) and (
        before is None or calendar.time_is_before(moment, calendar.read_time(before))
    )
    return holds, {"date": text}


def _day_week(condition: object, scene: Scene) -> Seen:
    moment, text = _date(condition, scene)
    found = calendar.weekday_of(moment)
    return found == _weekday(condition, scene), {"date": text, "dayOfWeek": found}


def _day_week_in_month(condition: object, scene: Scene) -> Seen:
    moment, text = _date(condition, scene)
    place = _required(condition, "day_in_month", scene).upper()
    holds = calendar.is_weekday_of_month(moment, _weekday(condition, scene), place)
    return holds, {"date": text}


def _weekend(condition: object, scene: Scene) -> Seen:
    moment, text = _date(condition, scene)
    return calendar.is_weekend(moment), {"date": text}


def _public_holiday(condition: object, scene: Scene) -> Seen:
    moment, text = _date(condition, scene)
    country = _text(condition, "country", scene)
    if not country:
        raise ValueError("`country` is required (ISO 3166-1 alpha-2, such as FR)")
    subdivision = _text(condition, "sub_division", scene)
    day = moment.date()
    return calendar.is_public_holiday(day, country, subdivision), {"date": text, "country": country}


def _weekday(condition: object, scene: Scene) -> str:
    weekday = _required(condition, "day_of_week", scene).upper()
    if weekday not in calendar.WEEKDAYS:
        raise ValueError(f"`dayOfWeek` must be MONDAY … SUNDAY, found {weekday!r}")
    return weekday


# -- conditions on anything ------------------------------------------------------------------------------------------


def _expression(condition: object, scene: Scene) -> Seen:
    """False when blank or `false`; we read truth as everywhere else, so `0` is false too (plugins.yaml)."""
    text = scene.render.text(str(field_of(condition, "expression", "")), scene.variables)
    return is_true(text), {"result": text}


def _not(condition: object, scene: Scene) -> Seen:
    """True when none of the children holds; a child that cannot be evaluated makes it false, not true."""
    for child in _children(condition):
        holds, values = _evaluate(child, scene)
        if holds:
            return False, {"holds": condition_name(child), **values}
    return True, {}


def _or(condition: object, scene: Scene) -> Seen:
    seen: dict[str, object] = {}
    for child in _children(condition):
        holds, values = _evaluate(child, scene)
        if holds:
            return True, values
        seen[condition_name(child)] = values
    return False, seen


_KEPT = frozenset({"MultipleCondition", "FlowCondition", "FlowNamespaceCondition"})
"""Types whose name itself ends in `Condition`."""

_KINDS: dict[str, Callable[[object, Scene], Seen]] = {
    "ExecutionFlow": _execution_flow,
    "ExecutionNamespace": _execution_namespace,
    "ExecutionStatus": _execution_status,
    "ExecutionLabels": _execution_labels,
    "ExecutionOutputs": _execution_outputs,
    "HasRetryAttempt": _has_retry_attempt,
    "FlowCondition": _flow,
    "FlowNamespaceCondition": _flow_namespace,
    "DateTimeBetween": _date_time_between,
    "TimeBetween": _time_between,
    "DayWeek": _day_week,
    "DayWeekInMonth": _day_week_in_month,
    "Weekend": _weekend,
    "PublicHoliday": _public_holiday,
    "Expression": _expression,
    "Not": _not,
    "Or": _or,
}
"""Condition types by short name."""
