"""Counts, not seconds: a transition costs the same with ten siblings and with ten thousand.

Events of a step, records it touches, and task runs that stay in memory are compared at N = 10 and N = 10,000.
"""

from __future__ import annotations

from collections import Counter

import pytest
from engine_shapes import FEW, MANY, SHAPES, result_of

from penstock.engine import commands as c
from penstock.engine.step import step
from penstock.model.state import State
from penstock.testing.harness import Harness

SETTLING = 6
"""Steps at either end that are not like those in the middle (the start, the last children)."""


class Measured(Harness):
    """A harness that counts, and keeps nothing of the past but the outputs that templates might ask for."""

    def __init__(self, source):
        super().__init__(source, record=False)
        self.costs = []
        self.most_live = 0

    def measured(self, command):
        decision = step(self.state, command, self.moment())
        touched = self.state.touched
        rows = len(touched.created_runs) + len(touched.runs) + len(touched.removed_runs)
        self.costs.append((len(decision.events), rows, touched.execution, touched.context, len(decision.jobs)))
        self.state.forget()
        self.most_live = max(self.most_live, len(self.state.runs))
        return decision

    def play_all(self):
        jobs, queue = [], [c.StartExecution(execution_id="execution", execution=self.initial, context=self.context)]
        while queue or jobs:
            command = queue.pop() if queue else result_of(jobs.pop(0), self.clock.now())
            decision = self.measured(command)
            queue.extend(decision.continues)
            jobs.extend(decision.jobs)
        assert self.state.execution.state is State.SUCCESS
        assert self.state.execution.closed
        return self


@pytest.mark.parametrize("shape", list(SHAPES))
def test_a_step_costs_the_same_whatever_lies_behind_it(shape):
    few, many = (Measured(SHAPES[shape](count)).play_all() for count in (FEW * 3, MANY))
    usual = Counter(few.costs[SETTLING:-SETTLING])
    found = Counter(many.costs[SETTLING:-SETTLING])
    assert set(found) == set(usual)
    assert max(cost[0] for cost in found) < 30
    assert many.most_live == few.most_live < 20
    assert len(many.state.runs) == 0
    assert len(many.state.recent) <= 64


def test_a_step_looks_at_a_bounded_number_of_task_runs():
    """The state reads a bounded number of task runs per event, counted by a dict that notes every look-up."""

    class Noting(dict):
        looks = 0

        def get(self, *key):
            Noting.looks += 1
            return super().get(*key)

        def __getitem__(self, key):
            Noting.looks += 1
            return super().__getitem__(key)

        def values(self):
            Noting.looks += len(self)
            return super().values()

    found = []
    for count in (FEW, 1_000):
        harness = Measured(SHAPES["loop"](count))
        harness.state.runs = Noting()
        Noting.looks = 0
        harness.play_all()
        found.append(Noting.looks / len(harness.costs))
    assert found[1] <= found[0] * 1.05 + 1
