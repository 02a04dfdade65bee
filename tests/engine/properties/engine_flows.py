"""Random flows: every flowable, nested, with retries, handlers, conditions and disabled tasks."""

from __future__ import annotations

import itertools
import json

from hypothesis import strategies as st

CORE = "io.kestra.plugin.core."
DEPTH = 3

CONDITIONS = ["true", "false", "{{ 1 == 1 }}", "{{ kv('flag') }}", "{{ nowhere.found }}"]


@st.composite
def flows(draw):
    """The source of a valid flow, as JSON (which is YAML)."""
    names = (f"t{n}" for n in itertools.count())
    flow = {"id": "random", "namespace": "company.team", "tasks": draw(_tasks(names, DEPTH))}
    if draw(_sometimes(3)):
        flow["errors"] = draw(_tasks(names, 1))
    if draw(_sometimes(3)):
        flow["finally"] = draw(_tasks(names, 1))
    if draw(_sometimes(3)):
        flow["afterExecution"] = draw(_tasks(names, 1))
    if draw(_sometimes(8)):
        flow["retry"] = draw(_retries(new_execution=draw(_sometimes(2))))
    if draw(_sometimes(5)):
        value = draw(st.sampled_from(["done", "{{ kv('x') }}", "{{ nowhere.found }}"]))
        flow["outputs"] = [{"id": "out", "type": "STRING", "value": value}]
    if draw(_sometimes(6)):
        flow["sla"] = [draw(_slas())]
    if draw(_sometimes(8)):
        flow["concurrency"] = {"limit": 1, "behavior": draw(st.sampled_from(["QUEUE", "CANCEL", "FAIL"]))}
    return json.dumps(flow)


def _sometimes(one_in):
    return st.integers(1, one_in).map(lambda n: n == one_in)


@st.composite
def _slas(draw):
    behavior = draw(st.sampled_from(["FAIL", "CANCEL", "NONE"]))
    if draw(st.booleans()):
        return {"id": "long", "type": "MAX_DURATION", "duration": "PT5S", "behavior": behavior}
    assertion = "{{ labels.team is not defined }}"
    return {
        "id": "sure",
        "type": "EXECUTION_ASSERTION",
        "assert": assertion,
        "behavior": behavior,
        "labels": {"sla": "missed"},
    }


@st.composite
def _retries(draw, *, new_execution=False):
    kind = draw(st.sampled_from(["constant", "exponential", "random"]))
    times = {
        "constant": {"interval": "PT1S"},
        "exponential": {"interval": "PT1S", "maxInterval": "PT10S"},
        "random": {"minInterval": "PT1S", "maxInterval": "PT3S"},
    }[kind]
    retry = {"type": kind, **times, "maxAttempts": draw(st.integers(1, 3))}
    if draw(_sometimes(4)):
        retry["warningOnRetry"] = True
    if draw(_sometimes(4)):
        retry["maxDuration"] = "PT20S"
    if new_execution:
        retry["behavior"] = "CREATE_NEW_EXECUTION"
    return retry


@st.composite
def _tasks(draw, names, depth):
    return [draw(_task(names, depth)) for _ in range(draw(st.integers(1, 3)))]


@st.composite
def _task(draw, names, depth):
    makers = _LEAVES if depth <= 0 or draw(_sometimes(2)) else _FLOWABLES
    task = {"id": next(names), **draw(draw(st.sampled_from(makers))(names, depth - 1))}
    if draw(_sometimes(8)):
        task["retry"] = draw(_retries(new_execution=draw(_sometimes(6))))
    if draw(_sometimes(8)):
        task["allowFailure"] = True
    if draw(_sometimes(12)):
        task["allowWarning"] = True
    if draw(_sometimes(15)):
        task["disabled"] = True
    if draw(_sometimes(8)):
        task["runIf"] = draw(st.sampled_from(CONDITIONS))
    return task


def _handlers(draw, names, task):
    if draw(_sometimes(5)):
        task["errors"] = draw(_tasks(names, 0))
    if draw(_sometimes(6)):
        task["finally"] = draw(_tasks(names, 0))
    return task


@st.composite
def _plain(draw, names, depth):
    kind = draw(st.sampled_from(["log.Log", "debug.Return", "execution.Fail"]))
    own = {"log.Log": {"message": "hello"}, "debug.Return": {"format": "value"}, "execution.Fail": {}}[kind]
    return {"type": CORE + kind, **own}


@st.composite
def _updating(draw, names, depth):
    choice = draw(st.integers(0, 5))
    if choice == 0:
        state = draw(st.sampled_from(["SUCCESS", "WARNING", "FAILED", "CANCELLED", "KILLED"]))
        return {"type": CORE + "execution.Exit", "state": state}
    if choice <= 2:
        return {"type": CORE + "execution.Labels", "labels": {"team": "data"}}
    if choice <= 4:
        return {"type": CORE + "execution.SetVariables", "variables": {"a": 1}, "overwrite": draw(st.booleans())}
    return {"type": CORE + "execution.UnsetVariables", "variables": ["a"]}


@st.composite
def _subflow(draw, names, depth):
    own = {
        "namespace": "company.team",
        "flowId": "child",
        "wait": draw(st.booleans()),
        "transmitFailed": draw(st.booleans()),
    }
    if draw(_sometimes(4)):
        own["inputs"] = {"x": "{{ kv('x') }}"}
    return {"type": CORE + "flow.Subflow", **own}


@st.composite
def _pause(draw, names, depth):
    own = {"type": CORE + "flow.Pause"}
    if draw(st.booleans()):
        own["pauseDuration"] = "PT2S"
        own["behavior"] = draw(st.sampled_from(["RESUME", "WARN", "FAIL", "CANCEL"]))
    elif draw(st.booleans()):
        own["timeout"] = "PT3S"
    if draw(_sometimes(4)):
        own["onPause"] = {"id": next(names), "type": CORE + "log.Log", "message": "waiting"}
    return _handlers(draw, names, own)


@st.composite
def _approval(draw, names, depth):
    own = {"type": "io.kestra.plugin.core.flow.Approval", "onApprove": draw(_tasks(names, 0)), "timeout": "PT4S"}
    return own


@st.composite
def _sequential(draw, names, depth):
    kind = draw(st.sampled_from(["Sequential", "AllowFailure", "Parallel"]))
    own = {"type": CORE + "flow." + kind, "tasks": draw(_tasks(names, depth))}
    if kind == "Parallel" and draw(st.booleans()):
        own["concurrent"] = draw(st.integers(0, 2))
    return _handlers(draw, names, own)


@st.composite
def _dag(draw, names, depth):
    tasks = draw(_tasks(names, depth))
    entries = []
    for n, task in enumerate(tasks):
        before = [other["id"] for other in tasks[:n]]
        wanted = draw(st.lists(st.sampled_from(before), unique=True)) if before else []
        entries.append({"task": task, **({"dependsOn": wanted} if wanted else {})})
    return _handlers(draw, names, {"type": CORE + "flow.Dag", "tasks": entries, "concurrent": draw(st.integers(0, 2))})


@st.composite
def _if(draw, names, depth):
    own = {"type": CORE + "flow.If", "condition": draw(st.sampled_from(CONDITIONS)), "then": draw(_tasks(names, depth))}
    if draw(st.booleans()):
        own["else"] = draw(_tasks(names, depth))
    return _handlers(draw, names, own)


@st.composite
def _switch(draw, names, depth):
    own = {"type": CORE + "flow.Switch", "value": draw(st.sampled_from(["a", "b", "{{ kv('x') }}"]))}
    own["cases"] = {"a": draw(_tasks(names, depth))}
    if draw(st.booleans()):
        own["defaults"] = draw(_tasks(names, depth))
    return _handlers(draw, names, own)


VALUES = [[], ["a"], ["a", "b", "a"], [1, 2, 3, 4], ["a", None], "{{ kv('x') }}"]


@st.composite
def _for_each(draw, names, depth):
    kind = draw(st.sampled_from(["ForEach", "EachSequential", "EachParallel"]))
    values = draw(st.sampled_from(VALUES))
    own = {"type": CORE + "flow." + kind, "tasks": draw(_tasks(names, depth))}
    own["values" if kind == "ForEach" else "value"] = values
    if kind == "ForEach":
        own["concurrencyLimit"] = draw(st.integers(0, 2))
    return _handlers(draw, names, own)


@st.composite
def _loop(draw, names, depth):
    values = draw(st.sampled_from([*VALUES, {"k": "v", "l": "w"}]))
    own = {"type": CORE + "flow.Loop", "values": values, "tasks": draw(_tasks(names, depth))}
    own["concurrencyLimit"] = draw(st.integers(0, 2))
    own["transmitFailed"] = draw(st.booleans())
    if draw(_sometimes(3)):
        own["outputs"] = [
            {"id": "o", "type": "STRING", "value": draw(st.sampled_from(["{{ item.value }}", "{{ kv('x') }}"]))}
        ]
    if draw(_sometimes(5)):
        own["breakWhen"] = draw(st.sampled_from(["{{ item.index == 1 }}", "{{ nowhere.found }}", "false"]))
    return _handlers(draw, names, own)


@st.composite
def _loop_until(draw, names, depth):
    own = {
        "type": CORE + "flow.LoopUntil",
        "condition": draw(st.sampled_from(["true", "false", "{{ kv('x') }}"])),
        "failOnMaxReached": draw(st.booleans()),
        "checkFrequency": {"interval": "PT1S", "maxIterations": draw(st.integers(1, 3))},
        "tasks": draw(_tasks(names, depth)),
    }
    return _handlers(draw, names, own)


@st.composite
def _working_directory(draw, names, depth):
    leaves = [{"id": next(names), "type": CORE + "log.Log", "message": "in"} for _ in range(draw(st.integers(1, 3)))]
    return _handlers(draw, names, {"type": CORE + "flow.WorkingDirectory", "tasks": leaves})


@st.composite
def _for_each_item(draw, names, depth):
    own = {
        "type": CORE + "flow.ForEachItem",
        "items": "kestra:///items.txt",
        "namespace": "company.team",
        "flowId": "child",
        "wait": draw(st.booleans()),
        "transmitFailed": draw(st.booleans()),
    }
    if draw(_sometimes(4)):
        own["inputs"] = {"x": "{{ kv('x') }}"}
    return _handlers(draw, names, own)


_LEAVES = [_plain, _plain, _plain, _updating, _subflow, _pause]
_FLOWABLES = [
    _sequential, _sequential, _dag, _if, _switch, _for_each, _for_each, _loop, _loop, _loop_until, _working_directory,
    _for_each_item, _approval,
]  # fmt: skip
