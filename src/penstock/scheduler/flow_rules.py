"""Flow triggers as written, in either dialect, made into rules: dependencies, windows, and where to listen."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, time, timedelta, tzinfo
from hashlib import blake2b

from penstock.model.duration import parse_duration
from penstock.model.execution import Label
from penstock.model.state import State
from penstock.ports.trigger_states import Source, TriggerKey
from penstock.scheduler.calendar import read_time
from penstock.scheduler.conditions import FAULTS, Scene, condition_name, judge_one, judge_when
from penstock.scheduler.fields import field_of, label_pairs, list_of, text_of
from penstock.scheduler.flow_trigger import DEFAULT_STATES, Entry, FlowRule, Gather
from penstock.scheduler.schedule import zone_of
from penstock.scheduler.upstream import Upstream
from penstock.scheduler.verdict import HOLDS, Verdict, is_true
from penstock.scheduler.windows import DAY, WindowRule, WindowType

_ANYWHERE = (Source(),)
_SUCCEEDED = frozenset({State.SUCCESS, State.WARNING})


def flow_rule(key: TriggerKey, trigger: object) -> FlowRule:
    """The rule of a Flow trigger.

    Raises:
        ValueError: a property has a value that cannot be read.
    """
    conditions = list_of(field_of(trigger, "conditions"))
    plain = tuple(c for c in conditions if condition_name(c) != "MultipleCondition")
    gathers = [_multiple(c) for c in conditions if condition_name(c) == "MultipleCondition"]
    preconditions = field_of(trigger, "preconditions")
    if preconditions is not None:
        gathers.append(_preconditions(preconditions))
    if list_of(field_of(trigger, "depends_on")):
        gathers.append(_depends_on(key, trigger))
    return FlowRule(
        key=key,
        type=str(field_of(trigger, "type", "")),
        states=_states(field_of(trigger, "states")) or DEFAULT_STATES,
        conditions=plain,
        when=text_of(field_of(trigger, "when")),
        gathers=tuple(gathers),
        sources=_sources(plain, gathers),
    )


# -- 1.x -------------------------------------------------------------------------------------------------------------


def _preconditions(written: object) -> Gather:
    entries: list[Entry] = []
    for number, flow in enumerate(list_of(field_of(written, "flows")), 1):
        entries.append(_flow_entry(f"condition_{number}", flow, default=None))
    for number, where in enumerate(list_of(field_of(written, "where")), 1):
        entries.append(_where_entry(f"condition_{number}_{field_of(where, 'id', '')}", where))
    return Gather(
        condition_id=str(field_of(written, "id", "preconditions")),
        entries=tuple(entries),
        need=len(entries),
        window=_time_window(field_of(written, "time_window")),
        reset=field_of(written, "reset_on_success", True) is not False,
    )


def _multiple(written: object) -> Gather:
    children = field_of(written, "conditions", {})
    named = children.items() if isinstance(children, Mapping) else enumerate(list_of(children))
    entries = tuple(_condition_entry(str(name), child) for name, child in named)
    window = field_of(written, "time_window")
    return Gather(
        condition_id=str(field_of(written, "id", "multiple")),
        entries=entries,
        need=len(entries),
        window=_time_window(window if window is not None else written),
        reset=field_of(written, "reset_on_success", True) is not False,
    )


def _condition_entry(name: str, condition: object) -> Entry:
    def check(scene: Scene) -> Verdict:
        return judge_one(condition, scene)

    return Entry(name, check, _source_of_condition(condition) or Source())


def _time_window(written: object) -> WindowRule:
    """A `timeWindow`; of a MultipleCondition also its own older `window` and `windowAdvance`."""
    kind = text_of(field_of(written, "type")) or ""
    type_ = WindowType(kind) if kind in WindowType.__members__ else WindowType.DURATION_WINDOW
    end = field_of(written, "deadline") if type_ is WindowType.DAILY_TIME_DEADLINE else field_of(written, "end_time")
    return WindowRule(
        type=type_,
        length=_length(field_of(written, "window"), DAY),
        advance=_length(field_of(written, "window_advance"), timedelta()),
        start=_time(field_of(written, "start_time"), time(0, 0)),
        end=_time(end, time(23, 59, 59, 999000)),
    )


# -- 2.0 -------------------------------------------------------------------------------------------------------------


def _depends_on(key: TriggerKey, trigger: object) -> Gather:
    """Without `states` of its own, a dependency means the trigger's where it names some, else SUCCESS and WARNING."""
    default = None if _names_states(trigger) else _SUCCEEDED
    entries: dict[str, Entry] = {}
    for written in list_of(field_of(trigger, "depends_on")):
        entry = _flow_entry(_hash(written), written, default=default)
        entries[entry.id] = entry
    window = field_of(trigger, "window")
    once = field_of(window, "fire_once", False) is True
    return Gather(
        condition_id=f"depends_on_{key.trigger_id}",
        entries=tuple(entries.values()),
        need=_needed(trigger, len(entries)),
        window=_window(window),
        reset=window is None,
        once=once,
        on_miss=_on_miss(field_of(trigger, "on_miss") or field_of(window, "on_miss")),
    )


def _names_states(trigger: object) -> bool:
    fields_set = getattr(trigger, "model_fields_set", None)
    return "states" in fields_set if fields_set is not None else field_of(trigger, "states") is not None


def _needed(trigger: object, count: int) -> int:
    match (text_of(field_of(trigger, "mode")) or "ALL").upper():
        case "ANY":
            return 1
        case "AT_LEAST":
            wanted = field_of(trigger, "min_satisfied", count)
            return min(int(str(wanted)), count)
        case _:
            return count


def _window(written: object) -> WindowRule:
    """A 2.0 `window`: a deadline, from/to, lookback (sliding), or every/offset (aligned, a day by default)."""
    zone = _zone(field_of(written, "timezone"))
    deadline, start, end = (field_of(written, name) for name in ("deadline", "from_", "to"))
    if deadline is not None:
        return WindowRule(WindowType.DAILY_TIME_DEADLINE, end=_time(deadline, time(23, 59, 59)), zone=zone)
    if start is not None or end is not None:
        first, last = _time(start, time(0, 0)), _time(end, time(23, 59, 59, 999000))
        return WindowRule(WindowType.DAILY_TIME_WINDOW, start=first, end=last, zone=zone)
    lookback = field_of(written, "lookback")
    if lookback is not None:
        return WindowRule(WindowType.SLIDING_WINDOW, length=_length(lookback, DAY), zone=zone)
    every, offset = _length(field_of(written, "every"), DAY), _length(field_of(written, "offset"), timedelta())
    return WindowRule(WindowType.DURATION_WINDOW, length=every, advance=offset, zone=zone)


def _on_miss(written: object) -> tuple[Label, ...] | None:
    if written is None:
        return None
    return tuple(Label(k, v) for k, v in label_pairs(field_of(written, "labels", {})).items())


def _hash(written: object) -> str:
    states = sorted(map(str, _states(field_of(written, "states"))))
    labels = sorted(label_pairs(field_of(written, "labels", {})).items())
    parts = [field_of(written, name) for name in ("namespace", "flow_id", "when")]
    return blake2b(repr((parts, states, labels)).encode(), digest_size=8).hexdigest()


# -- what one dependency asks ----------------------------------------------------------------------------------------


def _flow_entry(entry_id: str, written: object, *, default: frozenset[State] | None) -> Entry:
    namespace, flow_id = text_of(field_of(written, "namespace")), text_of(field_of(written, "flow_id"))
    states = _states(field_of(written, "states")) or default
    labels = label_pairs(field_of(written, "labels", {}))
    when = text_of(field_of(written, "when"))

    def check(scene: Scene) -> Verdict:
        upstream = scene.upstream
        if upstream is None or not _is_from(upstream, namespace, flow_id):
            return Verdict(False, condition=entry_id)
        if states is not None and upstream.state not in states:
            return Verdict(False, condition=entry_id, values={"state": str(upstream.state)})
        if any(upstream.labels.get(key) != value for key, value in labels.items()):
            return Verdict(False, condition=entry_id, values={"labels": dict(upstream.labels)})
        return judge_when(when, scene)

    return Entry(entry_id, check, Source(namespace, flow_id))


def _is_from(upstream: Upstream, namespace: str | None, flow_id: str | None) -> bool:
    return namespace in (None, upstream.namespace) and flow_id in (None, upstream.flow_id)


def _where_entry(entry_id: str, written: object) -> Entry:
    filters = list_of(field_of(written, "filters"))
    any_of = (text_of(field_of(written, "operand")) or "AND").upper() == "OR"

    def check(scene: Scene) -> Verdict:
        try:
            held = [_filter_holds(one, scene) for one in filters]
        except FAULTS as fault:
            return Verdict(False, condition=entry_id, warning=f"Evaluate condition '{entry_id}' failed: {fault}")
        holds = any(held) if any_of else all(held)
        return HOLDS if holds else Verdict(False, condition=entry_id)

    return Entry(entry_id, check, Source() if any_of else _source_of_filters(filters))


def _filter_holds(written: object, scene: Scene) -> bool:
    """One filter of a `where`; for EXPRESSION the rendered `value` is the operand too."""
    value = text_of(field_of(written, "value"))
    operand = _operand(written, value, scene)
    values = [str(v) for v in list_of(field_of(written, "values"))]
    text = "" if operand is None else str(operand)
    match (text_of(field_of(written, "type")) or "").upper():
        case "EQUAL_TO":
            return operand is not None and text == value
        case "NOT_EQUAL_TO":
            return text != value
        case "IN":
            return text in values
        case "NOT_IN":
            return text not in values
        case "IS_TRUE":
            return is_true(operand)
        case "IS_FALSE":
            return not is_true(operand)
        case "IS_NULL":
            return operand is None or text == ""
        case "IS_NOT_NULL":
            return operand is not None and text != ""
        case "STARTS_WITH":
            return text.startswith(value or "")
        case "ENDS_WITH":
            return text.endswith(value or "")
        case "REGEX":
            return re.fullmatch(value or "", text) is not None
        case "CONTAINS":
            return (value or "") in text
        case other:
            raise ValueError(f"there is no filter type {other!r}")


def _operand(written: object, value: str | None, scene: Scene) -> object:
    upstream = scene.upstream
    if upstream is None:
        return None
    match (text_of(field_of(written, "field")) or "").upper():
        case "FLOW_ID":
            return upstream.flow_id
        case "NAMESPACE":
            return upstream.namespace
        case "STATE":
            return str(upstream.state)
        case "EXPRESSION":
            return scene.render.text(value, scene.variables) if value is not None else None
        case other:
            raise ValueError(f"there is no filter field {other!r}")


# -- where to listen -------------------------------------------------------------------------------------------------


def _sources(conditions: Sequence[object], gathers: Sequence[Gather]) -> tuple[Source, ...]:
    """Executions that can concern the trigger: what a plain condition pins down, else what its dependencies name."""
    narrowed = [source for c in conditions if (source := _source_of_condition(c)) is not None]
    exact = [source for source in narrowed if source.flow_id is not None]
    if exact or (narrowed and not gathers):
        return ((exact or narrowed)[0],)
    entries = [entry.source for gather in gathers for entry in gather.entries]
    if not entries or Source() in entries:
        return tuple(narrowed[:1]) or _ANYWHERE
    return tuple(dict.fromkeys(entries))


def _source_of_condition(condition: object) -> Source | None:
    """What a condition pins down without being evaluated; a template pins nothing."""
    namespace = _literal(field_of(condition, "namespace"))
    match condition_name(condition):
        case "ExecutionFlow" | "FlowCondition":
            flow_id = _literal(field_of(condition, "flow_id"))
            return Source(namespace, flow_id) if namespace and flow_id else None
        case "ExecutionNamespace" if namespace and not _compares(condition):
            return Source(namespace)
        case _:
            return None


def _compares(condition: object) -> bool:
    comparison = text_of(field_of(condition, "comparison"))
    prefix = field_of(condition, "prefix", False)
    return comparison not in (None, "EQUALS") or (comparison is None and prefix is not False)


def _source_of_filters(filters: Sequence[object]) -> Source:
    pinned: dict[str, str] = {}
    for one in filters:
        value = text_of(field_of(one, "value"))
        if text_of(field_of(one, "type")) == "EQUAL_TO" and value is not None:
            pinned[text_of(field_of(one, "field")) or ""] = value
    return Source(pinned.get("NAMESPACE"), pinned.get("FLOW_ID"))


def _literal(value: object) -> str | None:
    text = text_of(value)
    return None if text is None or "{" in text else text


# -- values ----------------------------------------------------------------------------------------------------------


def _states(written: object) -> frozenset[State]:
    return frozenset(State.read(text_of(state) or "") for state in list_of(written))


def _length(written: object, default: timedelta) -> timedelta:
    if isinstance(written, timedelta):
        return written
    return default if written is None else parse_duration(str(written))


def _time(written: object, default: time) -> time:
    return default if written is None else read_time(written)


def _zone(written: object) -> tzinfo:
    return UTC if written is None else zone_of(str(written))
