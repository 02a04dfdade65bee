"""Any flow under any schedule ends legally, its events give its state again, its counters equal a recount."""

from __future__ import annotations

from engine_flows import flows
from engine_legality import check_end, check_histories, check_replay, check_results
from engine_schedules import Schedule
from hypothesis import given
from hypothesis import strategies as st

SEEDS = st.integers(0, 2**32)


def check(schedule):
    harness = schedule.harness
    check_end(harness)
    check_histories(harness)
    check_results(harness)
    check_replay(harness)


@given(flows(), SEEDS)
def test_results_in_any_order(source, seed):
    check(Schedule(source, seed, crashes=False, operators=False).play().drain())


@given(flows(), SEEDS)
def test_operators_at_any_time(source, seed):
    check(Schedule(source, seed, crashes=False).play().drain())


@given(flows(), SEEDS)
def test_crashes_at_any_time(source, seed):
    check(Schedule(source, seed).play().drain())


@given(flows(), SEEDS)
def test_a_kill_at_any_time_ends(source, seed):
    schedule = Schedule(source, seed, operators=False)
    schedule.play(seed % 40)
    from penstock.engine import commands as c

    schedule.do(c.KillExecution(execution_id="execution"))
    check(schedule.drain())
