"""What becomes of a schedule's row when its date has come (engine.md 7.2, 7.3).

Pure: rows and declarations in, a step out; nothing is stored or started here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo

from msgspec.structs import replace

from penstock.model.duration import parse_duration
from penstock.model.entries import LogEntry
from penstock.model.task import LogLevel
from penstock.ports.trigger_states import Evaluation, Outcome, PendingFire, TriggerKind, TriggerState
from penstock.scheduler import backfill
from penstock.scheduler.conditions import FAULTS, Scene, judge
from penstock.scheduler.cron import parse_cron
from penstock.scheduler.dates import AGAIN, GivenDates, read_dates
from penstock.scheduler.declared import AnyTrigger, DeclaredFlow, allows_concurrent, fails_on_error
from penstock.scheduler.fields import field_of, list_of, text_of
from penstock.scheduler.firing import Fired, Firing, Occasion
from penstock.scheduler.launching import fire_id, own_variables
from penstock.scheduler.notes import evaluation, log, skipped
from penstock.scheduler.schedule import EARLY, Dates, DateVariables, Recovery, iso, zone_of
from penstock.scheduler.verdict import Renderer, Verdict

RETRY = timedelta(minutes=1)
"""When a schedule whose dates cannot be computed is looked at again."""

PlannedDates = Dates | GivenDates


@dataclass(frozen=True, slots=True)
class Defaults:
    """What triggers get that do not say otherwise; from the settings."""

    zone: tzinfo = UTC
    recovery: Recovery = Recovery.ALL


@dataclass(frozen=True, slots=True)
class Due:
    """A row whose date has come. absent_since: when the present scheduler started, if the date is from before.

    busy: an execution of this trigger lives.
    """

    state: TriggerState
    flow: DeclaredFlow
    trigger: AnyTrigger
    now: datetime
    busy: bool = False
    absent_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be written. waits: the row stays as it is until its live execution has ended."""

    state: TriggerState
    fire: PendingFire | None = None
    evaluations: list[Evaluation] = field(default_factory=list)
    logs: list[LogEntry] = field(default_factory=list)
    waits: bool = False


def planned_dates(
    flow: DeclaredFlow, trigger: AnyTrigger, render: Renderer, *, kind: TriggerKind, defaults: Defaults
) -> PlannedDates:
    """The dates of a Schedule or ScheduleOnDates.

    Raises:
        ValueError, PenstockError: the cron expression, a date or the zone cannot be read or rendered.
    """
    own: Mapping[str, object] = {"trigger": own_variables(trigger)}
    zone_text = text_of(field_of(trigger, "timezone"))
    zone = zone_of(render.text(zone_text, own)) if zone_text else defaults.zone
    recovery = Recovery(text_of(field_of(trigger, "recover_missed_schedules")) or defaults.recovery)
    if kind is TriggerKind.SCHEDULE_ON_DATES:
        return GivenDates(read_dates(_dates(trigger, render, own), zone), zone=zone, recovery=recovery)
    conditions = [
        *list_of(field_of(trigger, "conditions")),
        *list_of(field_of(trigger, "schedule_conditions")),
    ]
    when = text_of(field_of(trigger, "when"))
    late = field_of(trigger, "late_maximum_delay")

    def judged(dates: DateVariables) -> Verdict:
        shown = dates.as_mapping()
        variables = {"trigger": {**own_variables(trigger), **shown}, "schedule": shown}
        return judge(conditions, when, Scene(render, variables, flow.key.namespace, flow.key.flow_id))

    return Dates(
        cron=parse_cron(
            str(field_of(trigger, "cron", "")), with_seconds=field_of(trigger, "with_seconds", False) is True
        ),
        zone=zone,
        recovery=recovery,
        late=late if isinstance(late, timedelta) or late is None else parse_duration(str(late)),
        judge=judged,
        conditional=bool(conditions) or when is not None,
    )


def _dates(trigger: AnyTrigger, render: Renderer, variables: Mapping[str, object]) -> list[object]:
    """The `dates` as written, rendered; the whole list may be one expression."""
    written = field_of(trigger, "dates", [])
    values = render.value(written, variables) if isinstance(written, str) else written
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise ValueError(f"`dates` must be a list of date-times, found {values!r}")
    return [render.text(value, variables) if isinstance(value, str) else value for value in values]


def evaluate(due: Due, firing: Firing, defaults: Defaults) -> Step:
    """What becomes of a due row of a schedule."""
    try:
        render = firing.renderer_of(due.flow)
        dates = planned_dates(due.flow, due.trigger, render, kind=due.state.kind, defaults=defaults)
    except FAULTS as fault:
        return _unplannable(due, fault)
    state, notes = _after_absence(due, dates)
    if state.backfill is None:
        state, late = _not_late(state, dates, due)
        notes += late
    else:
        state = replace(state, next_date=state.backfill.current_date)
    planned = state.next_date
    if planned is None or planned > due.now + EARLY:
        return Step(state, evaluations=notes)
    if not dates.has(planned):
        return Step(_advance(state, dates, due.now), evaluations=notes)
    if due.busy and not allows_concurrent(due.trigger):
        reason = f"the execution {state.execution_id} is still live"
        limited = evaluation(state.key, Outcome.LIMITED, at=due.now, planned=planned, reason=reason)
        return Step(state, evaluations=[*notes, limited], waits=True)
    return _run(due, state, dates, firing, notes=notes)


def _run(due: Due, state: TriggerState, dates: PlannedDates, firing: Firing, *, notes: list[Evaluation]) -> Step:
    """Fires the date, or passes it over when the conditions say no."""
    planned, key, now = state.next_date or due.now, state.key, due.now
    verdict = dates.verdict(planned)
    following = _advance(state, dates, now)
    if verdict.warning:
        return _failed(due, following, verdict, firing, dates=dates, notes=notes)
    if not verdict.holds:
        return Step(following, evaluations=[*notes, skipped(key, verdict, at=now, planned=planned)])
    occasion = _occasion(due, state, dates)
    try:
        fired = firing.fire(occasion)
    except FAULTS as fault:
        return _broken(due, following, occasion, firing, fault=fault, notes=notes)
    return _fired(following, fired, planned=planned, notes=notes)


def _occasion(due: Due, state: TriggerState, dates: PlannedDates) -> Occasion:
    planned = state.next_date or due.now
    running = state.backfill
    return Occasion(
        flow=due.flow,
        trigger=due.trigger,
        execution_id=fire_id(state.key, iso(planned.astimezone(UTC)), state.version),
        at=due.now,
        variables=dates.variables(planned).as_mapping(),
        inputs=running.inputs if running else {},
        labels=running.labels if running else (),
        schedule_date=due.now,
    )


def _fired(state: TriggerState, fired: Fired, *, planned: datetime, notes: list[Evaluation]) -> Step:
    fire = fired.fire
    row = evaluation(state.key, Outcome.FIRED, at=fire.at, planned=planned, execution_id=fire.id)
    new = replace(state, execution_id=fire.id, last_triggered=planned)
    return Step(new, fire=fire, evaluations=[*notes, row], logs=fired.logs)


def _failed(
    due: Due,
    state: TriggerState,
    verdict: Verdict,
    firing: Firing,
    *,
    dates: PlannedDates,
    notes: list[Evaluation],
) -> Step:
    """A condition that cannot be evaluated makes a FAILED execution, failOnTriggerError or not (a Kestra rule)."""
    message = verdict.warning or ""
    occasion = _occasion(due, due.state, dates)
    return _tell(due, state, firing, occasion, message=message, failing=True, notes=notes)


def _broken(
    due: Due, state: TriggerState, occasion: Occasion, firing: Firing, *, fault: Exception, notes: list[Evaluation]
) -> Step:
    """The execution could not be made: a warning, and a FAILED execution where failOnTriggerError asks for one."""
    message = f"Unable to evaluate the trigger: {fault}"
    failing = fails_on_error(due.trigger)
    return _tell(due, state, firing, occasion, message=message, failing=failing, notes=notes)


def _tell(
    due: Due,
    state: TriggerState,
    firing: Firing,
    occasion: Occasion,
    *,
    message: str,
    failing: bool,
    notes: list[Evaluation],
) -> Step:
    logs = [log(state.key, LogLevel.WARN, message, at=due.now)]
    fire: PendingFire | None = None
    if failing and due.flow.runnable:
        try:
            fired = firing.failed(occasion, message)
        except FAULTS as fault:
            logs.append(log(state.key, LogLevel.WARN, f"No FAILED execution could be made: {fault}", at=due.now))
        else:
            fire = fired.fire
            logs += fired.logs
    row = evaluation(
        state.key,
        Outcome.ERROR,
        at=due.now,
        planned=due.state.next_date,
        reason=message,
        execution_id=fire.id if fire else None,
    )
    return Step(state, fire=fire, evaluations=[*notes, row], logs=logs)


def _unplannable(due: Due, fault: Exception) -> Step:
    """A schedule whose dates cannot be computed: said in journal and log, looked at again later."""
    key, now = due.state.key, due.now
    message = f"Unable to compute the dates of the trigger: {fault}"
    return Step(
        replace(due.state, next_date=now + RETRY),
        evaluations=[evaluation(key, Outcome.ERROR, at=now, planned=due.state.next_date, reason=message)],
        logs=[log(key, LogLevel.WARN, message, at=now)],
    )


def _after_absence(due: Due, dates: PlannedDates) -> tuple[TriggerState, list[Evaluation]]:
    """The row once recoverMissedSchedules has been applied to a date from before the start."""
    state, since = due.state, due.absent_since
    if since is None or state.backfill is not None or state.next_date is None or state.next_date >= since:
        return state, []
    kept = dates.after_absence(state.next_date, since)
    if kept == state.next_date:
        return state, []
    reason = f"missed while no scheduler ran, recoverMissedSchedules is {dates.recovery}"
    row = evaluation(state.key, Outcome.LATE, at=due.now, planned=state.next_date, reason=reason)
    return replace(state, next_date=kept), [row]


def _not_late(state: TriggerState, dates: PlannedDates, due: Due) -> tuple[TriggerState, list[Evaluation]]:
    planned = state.next_date
    if planned is None or not dates.is_late(planned, due.now):
        return state, []
    reason = "later than lateMaximumDelay allows"
    row = evaluation(state.key, Outcome.LATE, at=due.now, planned=planned, reason=reason)
    return replace(state, next_date=dates.first_not_late(due.now)), [row]


def _advance(state: TriggerState, dates: PlannedDates, now: datetime) -> TriggerState:
    """The row with its next date, counted from the planned one so that none is lost."""
    if state.backfill is not None:
        return backfill.advance(state, dates, now=now)
    following = dates.next(state.next_date or now)
    if following is None and isinstance(dates, GivenDates):
        following = now + AGAIN
    return replace(state, next_date=following)
