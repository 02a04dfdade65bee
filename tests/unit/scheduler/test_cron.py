from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim, CronSimError
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from penstock.scheduler.cron import parse_cron

PARIS = ZoneInfo("Europe/Paris")
ZONES = ["UTC", "Europe/Paris", "America/New_York", "Asia/Kolkata", "America/Sao_Paulo", "Africa/Casablanca"]


def following(text: str, start: str, count: int, *, zone: str = "UTC", with_seconds: bool = False) -> list[str]:
    cron, where = parse_cron(text, with_seconds=with_seconds), ZoneInfo(zone)
    moment = datetime.fromisoformat(start)
    found = []
    for _ in range(count):
        moment = cron.next(moment, where)
        assert moment is not None
        found.append(moment.isoformat())
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 9 * * *", ["2026-01-01T09:00:00+00:00", "2026-01-02T09:00:00+00:00"]),
        ("*/20 8-9 * * *", ["2026-01-01T08:00:00+00:00", "2026-01-01T08:20:00+00:00"]),
        ("0 0 L * *", ["2026-01-31T00:00:00+00:00", "2026-02-28T00:00:00+00:00"]),
        ("0 0 * * 7", ["2026-01-04T00:00:00+00:00", "2026-01-11T00:00:00+00:00"]),
        ("0 0 * * SUN", ["2026-01-04T00:00:00+00:00", "2026-01-11T00:00:00+00:00"]),
        ("0 0 * feb-mar MON", ["2026-02-02T00:00:00+00:00", "2026-02-09T00:00:00+00:00"]),
        ("0 0 29 2 *", ["2028-02-29T00:00:00+00:00", "2032-02-29T00:00:00+00:00"]),
        ("0 0 13 * 5", ["2026-01-02T00:00:00+00:00", "2026-01-09T00:00:00+00:00"]),
        ("5/25 0 1 * *", ["2026-01-01T00:05:00+00:00", "2026-01-01T00:30:00+00:00"]),
        ("0 0 * * 5L", ["2026-01-30T00:00:00+00:00", "2026-02-27T00:00:00+00:00"]),
        ("0 0 * * 1#2", ["2026-01-12T00:00:00+00:00", "2026-02-09T00:00:00+00:00"]),
        ("@hourly", ["2026-01-01T01:00:00+00:00", "2026-01-01T02:00:00+00:00"]),
        ("@weekly", ["2026-01-04T00:00:00+00:00", "2026-01-11T00:00:00+00:00"]),
        ("@yearly", ["2027-01-01T00:00:00+00:00", "2028-01-01T00:00:00+00:00"]),
    ],
)
def test_dates_that_an_expression_names(text: str, expected: list[str]) -> None:
    assert following(text, "2026-01-01T00:00:00+00:00", 2) == expected


def test_six_fields_have_seconds() -> None:
    found = following("*/30 * * * * *", "2026-01-01T00:00:10+00:00", 2, with_seconds=True)
    assert found == ["2026-01-01T00:00:30+00:00", "2026-01-01T00:01:00+00:00"]


def test_a_fixed_time_that_is_skipped_comes_as_much_later() -> None:
    assert following("30 2 * * *", "2026-03-28T12:00:00+00:00", 2, zone="Europe/Paris") == [
        "2026-03-29T03:30:00+02:00",
        "2026-03-30T02:30:00+02:00",
    ]


def test_a_fixed_time_that_is_repeated_happens_once() -> None:
    assert following("30 2 * * *", "2026-10-24T12:00:00+00:00", 2, zone="Europe/Paris") == [
        "2026-10-25T02:30:00+02:00",
        "2026-10-26T02:30:00+01:00",
    ]


def test_an_interval_follows_the_hands() -> None:
    assert following("0 * * * *", "2026-03-29T00:30:00+00:00", 2, zone="Europe/Paris") == [
        "2026-03-29T03:00:00+02:00",
        "2026-03-29T04:00:00+02:00",
    ]
    assert following("30 * * * *", "2026-10-24T23:45:00+00:00", 3, zone="Europe/Paris") == [
        "2026-10-25T02:30:00+02:00",
        "2026-10-25T02:30:00+01:00",
        "2026-10-25T03:30:00+01:00",
    ]


@pytest.mark.parametrize(
    ("text", "with_seconds", "says"),
    [
        ("* * * *", False, "expected 5 fields, found 4"),
        ("* * * * *", True, "expected 6 fields, found 5"),
        ("60 * * * *", False, "expected 0 to 59 for the minute, found '60'"),
        ("* * 0 * *", False, "expected 1 to 31 for the day of month"),
        ("* * * * 5-1", False, "runs backwards"),
        ("*/0 * * * *", False, "expected a number from 1"),
        ("@never", False, "expected one of @yearly"),
        ("a * * * *", False, "found 'A'"),
        ("* * * * 1#6", False, "behind `/` or `#`"),
    ],
)
def test_what_is_no_expression_is_refused_with_its_field(text: str, with_seconds: bool, says: str) -> None:
    with pytest.raises(ValueError, match="Invalid cron expression") as caught:
        parse_cron(text, with_seconds=with_seconds)
    assert says in str(caught.value)


def test_a_date_that_never_comes_is_none() -> None:
    assert parse_cron("0 0 31 2 *").next(datetime(2026, 1, 1, tzinfo=UTC), UTC) is None
    assert parse_cron("0 0 31 2 *").previous(datetime(2026, 1, 1, tzinfo=UTC), UTC) is None


def seconds_between(first: datetime, last: datetime) -> st.SearchStrategy[datetime]:
    return st.integers(0, int((last - first).total_seconds())).map(lambda s: first + timedelta(seconds=s))


def _field(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    span = st.tuples(number, number).map(lambda p: f"{min(p)}-{max(p)}")
    several = st.lists(number, min_size=2, max_size=3).map(lambda found: ",".join(map(str, found)))
    return st.one_of(st.just("*"), st.integers(1, 12).map(lambda n: f"*/{n}"), number.map(str), span, several)


# `*/n` for days is left out: cronsim joins it with the other day by AND, Kestra's cron by OR.
expressions = st.tuples(
    _field(0, 59),
    _field(0, 23),
    st.one_of(st.just("*"), st.just("L"), st.integers(1, 31).map(str)),
    st.one_of(st.just("*"), st.integers(1, 12).map(str), st.just("JAN-JUN")),
    st.one_of(st.just("*"), st.integers(0, 7).map(str), st.just("MON-FRI")),
).map(" ".join)
moments = st.one_of(
    seconds_between(datetime(2024, 1, 1, tzinfo=UTC), datetime(2027, 12, 31, tzinfo=UTC)),
    st.sampled_from(["2024-03-31T01:00", "2024-10-27T01:00", "2024-03-10T07:00", "2024-11-03T06:00"]).flatmap(
        lambda change: st.integers(-14_000, 14_000).map(
            lambda s: datetime.fromisoformat(change).replace(tzinfo=UTC) + timedelta(seconds=s)
        )
    ),
)


@settings(deadline=None, max_examples=300)
@given(expressions, moments, st.sampled_from(ZONES))
def test_dates_are_those_of_an_independent_implementation(text: str, start: datetime, zone: str) -> None:
    where = ZoneInfo(zone)
    try:
        expected = CronSim(text, start.astimezone(where))
    except CronSimError:
        assume(False)
        return
    cron, moment = parse_cron(text), start
    for _ in range(4):
        theirs, ours = next(expected), cron.next(moment, where)
        assert ours is not None
        if cron.fixed and _clock_was_put_forward(ours, where):
            return  # a skipped fixed time comes right after the gap by Debian's rule, later by Java's: on purpose
        if cron.fixed and moment.astimezone(where).fold:
            return  # a fixed time in an hour that is shown twice had its turn in the first; theirs does not know of it
        assert ours == theirs
        moment = ours


def _clock_was_put_forward(moment: datetime, zone: ZoneInfo) -> bool:
    day_before = (moment.astimezone(UTC) - timedelta(days=1)).astimezone(zone)
    now, before = moment.astimezone(zone).utcoffset(), day_before.utcoffset()
    assert now is not None
    assert before is not None
    return now > before


@settings(deadline=None, max_examples=300)
@given(expressions, moments, st.sampled_from(ZONES))
def test_previous_undoes_next(text: str, start: datetime, zone: str) -> None:
    cron, where = parse_cron(text), ZoneInfo(zone)
    first = cron.next(start, where)
    assume(first is not None)
    assert first is not None
    second = cron.next(first, where)
    assume(second is not None)
    assert second is not None
    assert start < first < second
    assert cron.previous(second, where) == first
    assert cron.previous(first + timedelta(microseconds=1), where) == first
