"""What authors are told of cron expressions is what the scheduler can read."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from penstock.definition.schedules import cron_fault
from penstock.scheduler.cron import parse_cron

BOUND = st.sampled_from(
    ["*", "?", "L", "0", "1", "5", "7", "12", "23", "31", "59", "60", "JAN", "dec", "MON", "sun", "x", ""]
)
STEP = st.sampled_from(["", "/1", "/5", "/60", "/0", "/x", "L", "#2", "#6", "W"])
TERM = st.builds(lambda a, b, c: a + b + c, BOUND, st.sampled_from(["", "-5", "-12", "-0", "-FRI", "-x"]), STEP)
FIELD = st.lists(TERM, min_size=1, max_size=2).map(",".join)


@given(st.lists(FIELD, min_size=4, max_size=7).map(" ".join), st.booleans())
def test_the_same_expressions_are_read(text: str, with_seconds: bool) -> None:
    try:
        parse_cron(text, with_seconds=with_seconds)
    except ValueError:
        assert cron_fault(text, with_seconds=with_seconds) is not None
    else:
        assert cron_fault(text, with_seconds=with_seconds) is None
