"""Flows of N task runs in every shape, and a worker that answers one job at a time."""

from __future__ import annotations

from penstock.model.job import JobKind, Result
from penstock.model.state import State

CORE = "io.kestra.plugin.core."
FEW, MANY = 10, 10_000


def _log(name):
    return f"{{id: {name}, type: {CORE}log.Log, message: hi}}"


def _flow(tasks):
    return f"id: shape\nnamespace: company.team\ntasks:\n{tasks}\n"


def sequential(count):
    return _flow("\n".join(f"  - {_log(f't{n:05}')}" for n in range(count)))


def parallel(count):
    children = "\n".join(f"      - {_log(f't{n:05}')}" for n in range(count))
    return _flow(f"  - id: p\n    type: {CORE}flow.Parallel\n    concurrent: 4\n    tasks:\n{children}")


def dag(count):
    """A chain with a side branch at every step: each task waits for the one before it."""
    lines = [f"      - task: {_log('t00000')}"]
    for n in range(1, count):
        lines.append(f"      - task: {_log(f't{n:05}')}\n        dependsOn: [t{n - 1:05}]")
    return _flow(f"  - id: d\n    type: {CORE}flow.Dag\n    tasks:\n" + "\n".join(lines))


def dag_fan(count):
    """One task that all others wait for, and one that waits for all of them."""
    lines = [f"      - task: {_log('first')}"]
    names = [f"t{n:05}" for n in range(count)]
    lines += [f"      - task: {_log(name)}\n        dependsOn: [first]" for name in names]
    lines.append(f"      - task: {_log('last')}\n        dependsOn: [{', '.join(names)}]")
    return _flow(f"  - id: d\n    type: {CORE}flow.Dag\n    concurrent: 4\n    tasks:\n" + "\n".join(lines))


def _values(count):
    return "[" + ", ".join(f'"v{n:05}"' for n in range(count)) + "]"


def for_each(count):
    return _flow(
        f"  - id: each\n    type: {CORE}flow.ForEach\n    concurrencyLimit: 3\n    values: {_values(count)}\n"
        f"    tasks: [{_log('a')}, {_log('b')}]"
    )


def loop(count):
    return _flow(
        f"  - id: loop\n    type: {CORE}flow.Loop\n    concurrencyLimit: 3\n    values: {_values(count)}\n"
        f"    tasks: [{_log('a')}, {_log('b')}]"
    )


SHAPES = {shape.__name__: shape for shape in (sequential, parallel, dag, dag_fan, for_each, loop)}


def result_of(job, now):
    """What the worker says of a job: done, with a small output."""
    assert job.kind is JobKind.TASK
    return Result(
        execution_id=job.execution_id, task_run_id=job.task_run_id, stamp=job.stamp, worker_id="w", state=State.SUCCESS,
        started_at=now, ended_at=now, outputs={"value": "x"},
    )  # fmt: skip
