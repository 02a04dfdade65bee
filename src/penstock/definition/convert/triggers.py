"""Conditions and preconditions of triggers become `when`, `states`, `dependsOn` and `window` (engine.md 7.4, 7.5)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from penstock.definition.convert.asking import expression_of, joined, short_name
from penstock.definition.convert.plain import CORE
from penstock.definition.convert.rewriting import Edit, Entry, Notes, Plugin, Source, plugins
from penstock.definition.convert.templates import inner_expression, literal, operand
from penstock.definition.type_index import TypeIndex
from penstock.definition.yaml_source import load_document

_FLOW = CORE + "trigger.Flow"
_OLD = ("conditions", "scheduleConditions", "preconditions")
_DEFAULT_STATES = ("SUCCESS", "WARNING", "FAILED", "KILLED", "CANCELLED", "RETRIED", "PAUSED")
_DAY = {"P1D", "PT24H"}
_NOTHING = {"P0D", "PT0S", "PT0M", "PT0H"}
Values = Mapping[str, object]


class _Kept(Exception):
    """A trigger that has no 2.0 form which does the same; the text says why."""


@dataclass(slots=True)
class _Asked:
    """What a trigger asks, in 2.0's words."""

    whens: list[str] = field(default_factory=list)
    states: list[str] | None = None
    of_one: dict[str, object] = field(default_factory=dict)
    depends_on: list[dict[str, object]] = field(default_factory=list)
    window: dict[str, object] | None = None


def convert_triggers(source: Source, types: TypeIndex, notes: Notes) -> Iterator[Edit]:
    """Every trigger whose conditions all have a 2.0 form; the others stay as they are, with the reason."""
    document = load_document(source.text).value
    written = document.get("triggers") if isinstance(document, Mapping) else None
    for trigger in plugins(source.root):
        old = [trigger.entries[name] for name in _OLD if name in trigger.entries]
        if not trigger.is_trigger or not old or not isinstance(written, list):
            continue
        try:
            asked = _asked(trigger, written[int(trigger.path[1])], notes=notes)
        except _Kept as reason:
            notes.tell(old[0].key, f"trigger `{trigger.id}`: {reason}")
            continue
        yield from _rewritten(source, trigger, old, asked)


def _asked(trigger: Plugin, written: Values, *, notes: Notes) -> _Asked:
    asked = _Asked()
    when = written.get("when")
    if isinstance(when, str):
        asked.whens.append(_inner(when))
    conditions = [one for name in _OLD[:2] for one in _maps(written.get(name))]
    if any(short_name(one) == "TimeBetween" for one in conditions):
        notes.tell(
            trigger.node,
            f"trigger `{trigger.id}`: the time of day is now read at the offset of the bounds, where TimeBetween compared "
            "times of two offsets: check dates around midnight",
        )
    if trigger.type != _FLOW:
        asked.whens += [_expression(one) for one in conditions]
        return asked
    gathers = "preconditions" in written or any(short_name(one) == "Multiple" for one in conditions)
    for one in conditions:
        _flow_condition(one, written, asked=asked, gathers=gathers)
    if asked.of_one:
        asked.depends_on.append(asked.of_one)
    preconditions = written.get("preconditions")
    if isinstance(preconditions, Mapping):
        _preconditions(preconditions, asked)
    if asked.depends_on and "dependsOn" in written:
        raise _Kept("it has `dependsOn` beside the older form, put them together")
    if "states" not in written and asked.states is None:
        for entry in asked.depends_on:
            # 1.x: any state that the trigger reacts to; 2.0 means success where neither names states
            entry.setdefault("states", list(_DEFAULT_STATES))
    return asked


def _flow_condition(condition: Values, written: Values, *, asked: _Asked, gathers: bool) -> None:
    """`states` and `dependsOn` find the executions of a Flow trigger by an index, so they go before `when`."""
    name = short_name(condition)
    if name == "ExecutionStatus" and _is_plain_states(condition, written, asked):
        asked.states = [str(state) for state in condition["in"]]  # type: ignore[attr-defined]
    elif name == "Multiple":
        _multiple(condition, asked)
    elif not gathers and _is_of_one(condition, asked):
        names = ("namespace", "flowId", "labels") if name != "ExecutionNamespace" else ("namespace",)
        asked.of_one.update({key: condition[key] for key in names if key in condition})
    else:
        asked.whens.append(_expression(condition))


def _is_of_one(condition: Values, asked: _Asked) -> bool:
    """Whether a condition can be fields of the one dependency that stands for all conditions of a trigger."""
    match short_name(condition):
        case "ExecutionFlow":
            return not {"namespace", "flowId"} & asked.of_one.keys()
        case "ExecutionLabels":
            return "labels" not in asked.of_one
        case "ExecutionNamespace":
            exact = str(condition.get("comparison", "EQUALS")).upper() == "EQUALS" and not condition.get("prefix")
            return exact and "namespace" not in asked.of_one and "{{" not in str(condition.get("namespace"))
        case _:
            return False


def _is_plain_states(condition: Values, written: Values, asked: _Asked) -> bool:
    wanted = condition.get("in")
    free = "states" not in written and asked.states is None and condition.get("notIn") is None
    return free and isinstance(wanted, list) and {str(state) for state in wanted} <= set(_DEFAULT_STATES)


def _expression(condition: Values) -> str:
    found = expression_of(condition)
    if found is None:
        raise _Kept(f"its condition {short_name(condition)} has no expression that asks the same")
    return found


def _multiple(condition: Values, asked: _Asked) -> None:
    inner = condition.get("conditions")
    for one in inner.values() if isinstance(inner, Mapping) else ():
        if not isinstance(one, Mapping) or short_name(one) != "ExecutionFlow":
            raise _Kept("its MultipleCondition asks for more than flows, write a `dependsOn` entry for each part")
        asked.depends_on.append({"namespace": one.get("namespace"), "flowId": one.get("flowId")})
    own = {name: condition[name] for name in ("window", "windowAdvance") if name in condition}
    _window(condition.get("timeWindow") or own or None, reset=condition.get("resetOnSuccess", True), asked=asked)


def _preconditions(preconditions: Values, asked: _Asked) -> None:
    for one in _maps(preconditions.get("flows")):
        asked.depends_on.append(dict(one))
    for one in _maps(preconditions.get("where")):
        asked.depends_on.append({"when": "{{ " + _where(one) + " }}"})
    _window(preconditions.get("timeWindow"), reset=preconditions.get("resetOnSuccess", True), asked=asked)


def _window(written: object, *, reset: object, asked: _Asked) -> None:
    window = written if isinstance(written, Mapping) else {}
    kind = str(window.get("type", "DURATION_WINDOW"))
    match kind:
        case "DURATION_WINDOW":
            length, advance = window.get("window", "P1D"), window.get("windowAdvance")
            advance = None if str(advance) in _NOTHING else advance
            plain = advance is None and str(length) in _DAY
            if plain and reset is not False:
                return  # the same as no window at all: a day, forgotten when the trigger fires
            asked.window = {"every": length, **({"offset": advance} if advance is not None else {})}
        case "SLIDING_WINDOW":
            asked.window = {"lookback": window.get("window", "P1D")}
        case "DAILY_TIME_DEADLINE":
            asked.window = {"deadline": window.get("deadline")}
        case "DAILY_TIME_WINDOW":
            asked.window = {"from": window.get("startTime"), "to": window.get("endTime")}
        case _:
            raise _Kept(f"its time window {kind} is not known")
    if reset is not False:
        # a 2.0 window goes on after the trigger fired; `fireOnce` ends it, one fire per window
        raise _Kept(
            "its window starts anew when the trigger fires, a `window` of 2.0 does not: "
            f"write `window: {_flow_style(asked.window)}`, and `fireOnce: true` where one fire per window is meant"
        )


def _flow_style(values: Mapping[str, object]) -> str:
    return "{" + ", ".join(f"{name}: {value}" for name, value in values.items()) + "}"


_FIELDS = {"FLOW_ID": "flow.id", "NAMESPACE": "flow.namespace", "STATE": "execution.state"}


def _where(where: Values) -> str:
    word = "or" if str(where.get("operand", "AND")).upper() == "OR" else "and"
    return joined([_filter(one) for one in _maps(where.get("filters"))], word)


def _filter(one: Values) -> str:
    field_name, kind = str(one.get("field")).upper(), str(one.get("type")).upper()
    value, values = one.get("value"), one.get("values")
    left = _FIELDS.get(field_name) or operand(str(value))
    right = literal(str(value)) if field_name in _FIELDS else left
    listed = "[" + ", ".join(literal(str(v)) for v in values) + "]" if isinstance(values, list) else "[]"
    known = {
        "EQUAL_TO": f"{left} == {right}",
        "NOT_EQUAL_TO": f"{left} != {right}",
        "IN": f"{listed} contains {left}",
        "NOT_IN": f"not ({listed} contains {left})",
        "IS_TRUE": f"{left}",
        "IS_FALSE": f"not ({left})",
        "STARTS_WITH": f"{left} | startsWith({right})",
        "ENDS_WITH": f"{left} | endsWith({right})",
        "CONTAINS": f"{left} contains {right}",
    }
    if kind not in known or (field_name not in _FIELDS and kind not in ("IS_TRUE", "IS_FALSE", "IN", "NOT_IN")):
        raise _Kept(f"its filter {field_name} {kind} has no expression that asks the same")
    return known[kind]


def _inner(when: str) -> str:
    found = inner_expression(when)
    if found is None:
        raise _Kept("its `when` is no single expression, its conditions cannot be added to it")
    return found


def _maps(value: object) -> list[Values]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _rewritten(source: Source, trigger: Plugin, old: list[Entry], asked: _Asked) -> Iterator[Edit]:
    """The new properties stand where the first of the old ones stood."""
    values: dict[str, object] = {}
    if asked.states is not None:
        values["states"] = asked.states
    if asked.depends_on:
        values["dependsOn"] = asked.depends_on
    if asked.window is not None:
        values["window"] = asked.window
    if asked.whens:
        values["when"] = "{{ " + joined(asked.whens, "and") + " }}"
    present = trigger.entries.get("when")
    if present is not None:
        yield source.drop(trigger.node, present)
    yield source.replace(trigger.node, old[0], values)
    for entry in old[1:]:
        yield source.drop(trigger.node, entry)
