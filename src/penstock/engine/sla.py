"""Service levels: deadlines and assertions, and what a violation does (engine.md 5.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.engine import events as e
from penstock.engine.rendering import render_here
from penstock.engine.runs import as_condition, stop_run
from penstock.expr import ExpressionError, truthy
from penstock.model.duration import format_duration
from penstock.model.execution import Label, merge_labels
from penstock.model.state import TERMINATED, State
from penstock.model.task import LogLevel

if TYPE_CHECKING:
    from penstock.engine.draft import Draft
    from penstock.model.flow import Sla


def set_deadlines(draft: Draft) -> None:
    """A timer for each MAX_DURATION, counted from the start of the execution."""
    began = draft.state.execution.histories[0].date
    for sla in draft.plan.deadlines:
        draft.emit(e.TimerSet(f"sla:{sla.id}", began + sla.duration))


def deadline_due(draft: Draft, sla_id: str) -> None:
    """A deadline has come: a violation unless the execution is over."""
    execution = draft.state.execution
    sla = next((s for s in draft.plan.deadlines if s.id == sla_id), None)
    if sla is None or execution.state in TERMINATED or execution.state is State.KILLING:
        return
    length = format_duration(draft.moment.now - execution.histories[0].date)
    reason = f"execution duration of {length} exceed the maximum duration of {format_duration(sla.duration)}."
    violate(draft, sla, reason, acts=True)


def check_assertions(draft: Draft) -> bool:
    """Evaluate every EXECUTION_ASSERTION; whether the execution goes on. Of several violations only the first acts."""
    if not draft.plan.assertions or draft.killing or draft.state.execution.state in TERMINATED:
        return True
    acted = False
    for sla in draft.plan.assertions:
        try:
            answer = render_here(draft, {"assert": sla.assert_}, None, draft.plan.root)["assert"]
        except ExpressionError as error:
            draft.log(LogLevel.WARN, f"Ignoring SLA '{sla.id}' because of the error: {error}")
            continue
        if not truthy(as_condition(answer)):
            acted = violate(draft, sla, f"assertion is false: {sla.assert_}.", acts=not acted) or acted
    return draft.state.execution.state not in TERMINATED


def violate(draft: Draft, sla: Sla, reason: str, *, acts: bool) -> bool:
    """Log, label, and (when it `acts`) end the execution as the SLA's behaviour says; whether it ended."""
    draft.log(LogLevel.WARN, f"SLA '{sla.id}' violated: {reason}")
    if sla.labels:
        added = [Label(label.key, label.value) for label in sla.labels]
        draft.emit(e.LabelsSet(merge_labels(draft.state.context.labels, added)))
    behavior = str(sla.behavior)
    if not acts or behavior == "NONE":
        return False
    if behavior == "FAIL":
        draft.log(LogLevel.ERROR, f"Execution failed due to SLA '{sla.id}' violated: {reason}")
    _end_by_sla(draft, State.FAILED if behavior == "FAIL" else State.CANCELLED)
    return True


def _end_by_sla(draft: Draft, state: State) -> None:
    """Every live task run ends at once with `state`; workers are told to stop, started executions are killed."""
    for run in reversed(draft.state.live()):
        stop_run(draft, run, state)
    draft.decision.kills.append(None)
    draft.decision.cascade = True
    draft.rules.finish(draft, state)
