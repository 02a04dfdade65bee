"""ISO durations are read in every form Kestra reads and written as Java writes them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.model.duration import format_clock, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("PT30S", 30),
        ("PT1.5S", 1.5),
        ("PT0.25S", 0.25),
        ("PT10M", 600),
        ("PT1H30M", 5400),
        ("P1D", 86_400),
        ("P1DT1H", 90_000),
        ("P2W", 14 * 86_400),
        ("P1M", 30 * 86_400),
        ("P1Y", 365 * 86_400),
        ("-PT5S", -5),
        ("PT-5S", -5),
        ("pt5s", 5),
        (" PT5S ", 5),
    ],
)
def test_forms_that_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "P", "PT", "5s", "PT5", "P1S", "1D", "PT1D", "{{ inputs.d }}", "PT1H 5M"])
def test_other_texts_are_told_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="PT30S or P1D"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(), "PT0S"),
        (timedelta(days=1, hours=1, seconds=1.5), "PT25H1.5S"),
        (timedelta(minutes=2), "PT2M"),
        (timedelta(milliseconds=1), "PT0.001S"),
        (timedelta(seconds=-5), "PT-5S"),
    ],
)
def test_how_they_are_written(length: timedelta, text: str) -> None:
    assert format_duration(length) == text


@given(st.timedeltas(min_value=timedelta(days=-1000), max_value=timedelta(days=1000)))
def test_what_is_written_is_read_back(length: timedelta) -> None:
    assert parse_duration(format_duration(length)) == length


def test_clock_form_of_log_lines() -> None:
    assert format_clock(timedelta(hours=25, minutes=3, seconds=4, milliseconds=5)) == "25:03:04.005"
