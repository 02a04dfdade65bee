"""`listeners` of 1.x: tasks after the end, when conditions on the execution hold (engine.md 3.5).

They run as afterExecution tasks whose `runIf` says what the conditions say.
"""

from __future__ import annotations

from collections.abc import Sequence

from penstock.model import conditions as k
from penstock.model.flow import Listener
from penstock.model.task import Task


def conditional_tasks(listener: Listener) -> list[Task]:
    """The tasks of a listener, each guarded by its conditions."""
    guards = [guard(condition) for condition in listener.conditions or ()]
    if not guards:
        return list(listener.tasks)
    return [task.model_copy(update={"run_if": _both(guards, task.run_if)}) for task in listener.tasks]


def _both(guards: Sequence[str], own: str | None) -> str:
    text = "{{ (" + ") and (".join(guards) + ") }}"
    return text if own is None else f"{{% if {text[3:-3]} %}}{own}{{% endif %}}"


def guard(condition: k.Condition) -> str:
    """The expression that holds when a condition does."""
    match condition:
        case k.ExecutionStatus():
            return " and ".join([*_states(condition.in_, "isIn"), *_states(condition.not_in, "not")]) or "true"
        case k.ExecutionFlow():
            return f"flow.namespace == {_text(condition.namespace)} and flow.id == {_text(condition.flow_id)}"
        case k.ExecutionNamespace() | k.FlowNamespaceCondition():
            return _namespace(condition)
        case k.ExecutionLabels():
            held = [f"(labels[{_text(x.key)}] ?? '') == {_text(x.value)}" for x in condition.labels]
            return " and ".join(held) or "true"
        case k.Expression() | k.ExecutionOutputs():
            inner = str(condition.expression).strip().removeprefix("{{").removesuffix("}}").strip()
            return f"({inner})"
        case k.Not():
            return f"not ({' or '.join(f'({guard(c)})' for c in condition.conditions)})"
        case k.Or():
            return " or ".join(f"({guard(c)})" for c in condition.conditions)
        case _:
            return "true"


def _states(states: object, how: str) -> list[str]:
    if not isinstance(states, list) or not states:
        return []
    names = "[" + ", ".join(_text(str(s).upper()) for s in states) + "]"
    return [f"execution.state isIn {names}" if how == "isIn" else f"not (execution.state isIn {names})"]


def _namespace(condition: k.ExecutionNamespace | k.FlowNamespaceCondition) -> str:
    wanted = _text(condition.namespace)
    comparison = getattr(condition, "comparison", None) or ("PREFIX" if condition.prefix else "EQUALS")
    if comparison == "PREFIX":
        return f"(flow.namespace | startsWith({wanted}))"
    if comparison == "SUFFIX":
        return f"(flow.namespace | endsWith({wanted}))"
    return f"flow.namespace == {wanted}"


def _text(value: str) -> str:
    escaped = value.replace("'", "\\'")
    return f"'{escaped}'"
