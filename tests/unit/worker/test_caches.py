"""`taskCache`."""

from __future__ import annotations

from datetime import timedelta

from penstock.clock import ManualClock
from penstock.testing.task_desk import TaskDesk

RETURN = "io.kestra.plugin.core.debug.Return"


def cached(desk: TaskDesk, n: int, **more: object) -> object:
    result = desk.run_type(RETURN, {"n": n, "made": desk.clock.now().isoformat()}, format="{{ n }}", taskCache=more)
    return result.outputs, any("cache" in message for message in desk.messages(result))


def test_the_same_rendered_task_is_not_run_again() -> None:
    with TaskDesk() as desk:
        assert cached(desk, 1, enabled=True) == ({"value": "1"}, False)
        assert cached(desk, 1, enabled=True) == ({"value": "1"}, True)
        assert cached(desk, 2, enabled=True) == ({"value": "2"}, False)
        assert cached(desk, 1, enabled=False) == ({"value": "1"}, False)


def test_outputs_expire() -> None:
    clock = ManualClock()
    with TaskDesk(clock=clock) as desk:
        cached(desk, 1, enabled=True, ttl="PT1H")
        clock.advance(timedelta(minutes=59))
        assert cached(desk, 1, enabled=True, ttl="PT1H") == ({"value": "1"}, True)
        clock.advance(timedelta(minutes=2))
        assert cached(desk, 1, enabled=True, ttl="PT1H") == ({"value": "1"}, False)


def test_what_holds_a_secret_is_not_kept() -> None:
    with TaskDesk() as desk:
        desk.platform.secret_texts["S"] = "secret-text"
        for _ in range(2):
            result = desk.run_type(RETURN, format="{{ secret('S') }}", taskCache={"enabled": True})
            assert not any("cache" in message for message in desk.messages(result))
