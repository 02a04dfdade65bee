"""What reaches the disk per transition: rows and bytes through the real SQLite store, at N = 10 and N = 10,000."""

from __future__ import annotations

import random
from collections import Counter
from itertools import count as counting

import pytest
from engine_shapes import FEW, MANY, SHAPES, result_of

from penstock.blobs.memory import MemoryBlobs
from penstock.clock import ManualClock
from penstock.definition import parse_flow
from penstock.engine import commands as c
from penstock.engine.moment import Surroundings
from penstock.engine.plan import Plan
from penstock.executor import Executor, LocalFeed, OutputKeeper, Parts
from penstock.model.execution import Execution, ExecutionContext, Metadata, Scope
from penstock.model.state import State, StateChange
from penstock.plugin.registry import installed
from penstock.store.sqlite import SqliteStore

SETTLING = 8


class Desk:
    """Takes jobs in; the test answers them one by one."""

    def __init__(self):
        self.jobs = []

    def send(self, jobs):
        self.jobs.extend(jobs)

    def kill(self, execution_id, task_run_id):
        raise AssertionError("nothing is killed here")

    def forget(self, execution_id):
        pass


class Rows:
    """An executor over a real store, stepped by hand: one command, one commit."""

    def __init__(self, folder, source):
        self.store = SqliteStore(folder / "penstock.db")
        self.clock = ManualClock()
        self.desk = Desk()
        self.costs = []
        flow = parse_flow(source, types=installed()).flow
        plan = Plan(flow, 1)
        blobs = MemoryBlobs(self.clock)
        numbers = counting(1)
        self.executor = Executor(
            Parts(
                journal=self.store.journal,
                blobs=blobs,
                dispatch=self.desk,
                feed=LocalFeed(),
                plan_of=lambda *_: plan,
                launch_child=None,
                clock=self.clock,
                new_id=lambda: f"run{next(numbers):07}",
                random=random.random,
                around=Surroundings(),
                keeper=OutputKeeper(blobs),
            )
        )
        now = self.clock.now()
        self.start = c.StartExecution(
            execution_id="execution",
            execution=Execution(
                id="execution",
                tenant_id="main",
                namespace=flow.namespace,
                flow_id=flow.id,
                flow_revision=1,
                state=State.CREATED,
                histories=[StateChange(State.CREATED, now)],
                scope=Scope(),
                original_id="execution",
                metadata=Metadata(1, now),
            ),
            context=ExecutionContext(inputs={"big": "x" * 50_000}),
        )

    def commit(self, command):
        counters = self.store.counters
        rows, size = counters.rows, counters.bytes
        assert self.executor._work([(command, None)])
        self.costs.append((counters.rows - rows, counters.bytes - size))

    def play_all(self):
        self.commit(self.start)
        while self.desk.jobs:
            self.commit(result_of(self.desk.jobs.pop(0), self.clock.now()))
        head = self.store.journal.load("execution").execution
        assert head.state is State.SUCCESS
        assert head.closed
        self.store.close()
        return self


@pytest.mark.slow
@pytest.mark.parametrize("shape", list(SHAPES))
def test_a_transition_writes_the_same_rows_and_bytes(shape, tmp_path):
    few, many = (_played(tmp_path / str(count), shape, count) for count in (FEW * 4, MANY))
    usual, found = few.costs[SETTLING:-SETTLING], many.costs[SETTLING:-SETTLING]
    assert set(Counter(rows for rows, _ in found)) == set(Counter(rows for rows, _ in usual))
    digits = 8 * (len(str(MANY)) - len(str(FEW)))  # counters of a scope are written as numbers
    assert max(size for _, size in found) - max(size for _, size in usual) <= digits


def _played(folder, shape, count):
    folder.mkdir()
    return Rows(folder, SHAPES[shape](count)).play_all()
