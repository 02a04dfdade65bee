"""How to test a flow: no server, no waiting; `uv run pytest examples`."""

from __future__ import annotations

from pathlib import Path

from penstock.model.job import Job
from penstock.model.state import State
from penstock.testing.harness import Answer, Harness

ORDERS = (Path(__file__).parent / "orders.yaml").read_text()


def ids(harness: Harness) -> list[str]:
    return [run.task_id for run in harness.task_runs()]


def test_a_large_order_is_looked_at() -> None:
    harness = Harness(ORDERS, inputs={"limit": 100}).finish(ships)
    assert harness.state.execution.state is State.SUCCESS
    assert ids(harness).count("look") == 1


def test_with_a_higher_limit_nobody_looks() -> None:
    harness = Harness(ORDERS, inputs={"limit": 1000}).finish(ships)
    assert "look" not in ids(harness)


def test_shipping_is_tried_three_times_and_then_somebody_is_told() -> None:
    harness = Harness(ORDERS, inputs={"limit": 100}).finish()  # the scripted worker lets every Fail task fail
    ship = next(run for run in harness.task_runs() if run.task_id == "ship")
    assert len(ship.attempts) == 3
    assert harness.state.execution.state is State.FAILED
    assert ids(harness)[-1] == "alert"


def ships(job: Job) -> Answer:
    """A worker on which shipping works at once."""
    prices = {"book": "12", "desk": "240", "lamp": "35"}
    if job.task.id == "price":
        item = job.variables["item"]
        assert isinstance(item, dict)
        return State.SUCCESS, {"value": prices[item["value"]]}
    return State.SUCCESS, None
