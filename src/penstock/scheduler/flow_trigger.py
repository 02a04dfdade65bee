"""Flow triggers: what a state of another execution means to one of them (engine.md 7.4, 7.5).

Pure: a rule, the windows as they stand and an upstream execution in; a decision out. `flow_rules` makes the rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from msgspec.structs import replace

from penstock.model.execution import Label
from penstock.model.mappings import map_at
from penstock.model.state import TERMINATED, State
from penstock.ports.trigger_states import Met, Source, TriggerKey, Window, WindowKey
from penstock.scheduler.conditions import Scene, judge
from penstock.scheduler.upstream import Upstream
from penstock.scheduler.verdict import HOLDS, Verdict
from penstock.scheduler.windows import WindowRule, WindowType

DEFAULT_STATES = frozenset(TERMINATED | {State.PAUSED})
"""States a Flow trigger reacts to unless it names its own."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One dependency: its id within the window, what it asks of an execution, and where such executions come from."""

    id: str
    check: Callable[[Scene], Verdict]
    source: Source


@dataclass(frozen=True, slots=True)
class Gather:
    """Dependencies that are gathered in a window until `need` of them are met.

    reset: the window is forgotten when the trigger fires. once: it fires once per window.
    on_miss: labels of the FAILED execution that is created when the window ends unmet; None: nothing is.
    """

    condition_id: str
    entries: tuple[Entry, ...]
    need: int
    window: WindowRule = field(default_factory=WindowRule)
    reset: bool = True
    once: bool = False
    on_miss: tuple[Label, ...] | None = None


@dataclass(frozen=True, slots=True)
class FlowRule:
    """One Flow trigger.

    states: what it reacts to at all, asked before anything else (a Kestra rule: a dependency's own states cannot
    widen it). conditions, when: asked of each execution. gathers: what must come together.
    """

    key: TriggerKey
    type: str
    states: frozenset[State] = DEFAULT_STATES
    conditions: tuple[object, ...] = ()
    when: str | None = None
    gathers: tuple[Gather, ...] = ()
    sources: tuple[Source, ...] = (Source(),)


@dataclass(frozen=True, slots=True)
class FlowDecision:
    """What one transition came to.

    relevant: the execution was one this trigger looks at, so its journal gets a row.
    windows: rows as they are from now on. removed: windows that are gone. met: the dependencies behind a fire.
    """

    fires: bool = False
    relevant: bool = False
    verdict: Verdict = HOLDS
    windows: tuple[Window, ...] = ()
    removed: tuple[WindowKey, ...] = ()
    met: tuple[Met, ...] = ()


NOTHING = FlowDecision()
"""The transition does not concern the trigger."""


def decide(rule: FlowRule, windows: Mapping[str, Window], scene: Scene) -> FlowDecision:
    """What the transition in `scene.upstream` means to `rule`, whose windows by condition id are `windows`."""
    upstream = _upstream(scene)
    if upstream.state not in rule.states:
        return NOTHING
    verdict = judge(rule.conditions, rule.when, scene)
    if not verdict.holds:
        return FlowDecision(relevant=True, verdict=verdict)
    if not rule.gathers:
        return FlowDecision(fires=True, relevant=True)
    steps = [_step(rule.key, gather, windows.get(gather.condition_id), scene=scene) for gather in rule.gathers]
    return _together(rule, steps)


def trigger_outputs(upstream: Upstream, met: Iterable[Met]) -> dict[str, object]:
    """`trigger.outputs`: the last execution's outputs flat, and each dependency's own below its flow.

    Kestra 2.0 puts one and the same execution's outputs below `<namespace>.<flowId>`; here, as intended, each finds its
    own, also as `trigger.outputs.<flowId>`. Flat names win over those of flows.
    """
    found: dict[str, object] = {}
    for one in sorted(met, key=lambda m: m.at):
        map_at(found, one.namespace.split("."))[one.flow_id] = dict(one.outputs)
        map_at(found, (one.namespace,))[one.flow_id] = dict(one.outputs)
        found[one.flow_id] = dict(one.outputs)
    return {**found, **upstream.outputs}


@dataclass(frozen=True, slots=True)
class _Step:
    """What one gather made of a transition. `touched`: the execution met one of its dependencies."""

    satisfied: bool = False
    touched: bool = False
    verdict: Verdict = HOLDS
    window: Window | None = None
    removed: WindowKey | None = None
    met: tuple[Met, ...] = ()


def _together(rule: FlowRule, steps: Sequence[_Step]) -> FlowDecision:
    """The decision of all gathers: the trigger fires when each is satisfied by this transition."""
    fires = all(step.satisfied for step in steps)
    unmet = next((step.verdict for step in steps if not step.satisfied), HOLDS)
    return FlowDecision(
        fires=fires,
        relevant=fires or any(step.touched or step.verdict.warning for step in steps),
        verdict=HOLDS if fires else unmet,
        windows=tuple(step.window for step in steps if step.window is not None),
        removed=tuple(step.removed for step in steps if step.removed is not None),
        met=tuple(met for step in steps for met in step.met),
    )


def _step(key: TriggerKey, gather: Gather, window: Window | None, *, scene: Scene) -> _Step:
    upstream = _upstream(scene)
    now = upstream.at
    current = _current(key, gather, window, now=now)
    met, warning = _met(gather, scene, upstream)
    if not met:
        return _Step(verdict=Verdict(False, condition=gather.condition_id, warning=warning))
    if current is None or current.fired:
        reason = "the window has fired" if current is not None else "outside of the window"
        return _Step(touched=True, verdict=Verdict(False, condition=gather.condition_id, values={"reason": reason}))
    results = {**current.results, **met}
    stored = replace(current, results=results, version=window.version + 1 if window is not None else 1)
    if len(results) < gather.need:
        return _Step(touched=True, verdict=_missing(gather, results, warning), window=stored)
    return _satisfied(gather, window, stored)


def _satisfied(gather: Gather, window: Window | None, stored: Window) -> _Step:
    met = tuple(stored.results.values())
    if gather.once:
        return _Step(satisfied=True, touched=True, window=replace(stored, fired=True), met=met)
    if gather.reset:
        return _Step(satisfied=True, touched=True, removed=window.key if window is not None else None, met=met)
    return _Step(satisfied=True, touched=True, window=stored, met=met)


def _current(key: TriggerKey, gather: Gather, window: Window | None, *, now: datetime) -> Window | None:
    """The window that `now` lies in, perhaps a new one; None where there is none at this moment."""
    if window is not None and window.end >= now:
        early = now < window.start and gather.window.type is not WindowType.SLIDING_WINDOW
        return None if early else window
    start, end = gather.window.around(now)
    if not start <= now <= end:
        return None
    return Window(
        tenant_id=key.tenant_id,
        namespace=key.namespace,
        flow_id=key.flow_id,
        trigger_id=key.trigger_id,
        condition_id=gather.condition_id,
        start=start,
        end=end,
    )


def _met(gather: Gather, scene: Scene, upstream: Upstream) -> tuple[dict[str, Met], str | None]:
    """The dependencies that this execution meets, and the warning of one that could not be evaluated."""
    met: dict[str, Met] = {}
    warning: str | None = None
    for entry in gather.entries:
        verdict = entry.check(scene)
        warning = warning or verdict.warning
        if verdict.holds:
            met[entry.id] = Met(
                execution_id=upstream.id,
                namespace=upstream.namespace,
                flow_id=upstream.flow_id,
                at=upstream.at,
                outputs=upstream.outputs,
            )
    return met, warning


def _missing(gather: Gather, results: Mapping[str, Met], warning: str | None) -> Verdict:
    missing = [entry.id for entry in gather.entries if entry.id not in results]
    values: dict[str, object] = {"met": len(results), "needed": gather.need, "missing": missing}
    return Verdict(False, condition=gather.condition_id, values=values, warning=warning)


def _upstream(scene: Scene) -> Upstream:
    if scene.upstream is None:
        raise ValueError("a Flow trigger looks at an execution")
    return scene.upstream
