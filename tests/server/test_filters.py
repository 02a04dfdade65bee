"""Query parameters into questions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from starlette.datastructures import QueryParams

from penstock.clock import ManualClock
from penstock.errors import Unprocessable
from penstock.ports.reads import AllOf, AnyOf, Filter, Sort
from penstock.server.errors import InvalidFilters, InvalidParameter
from penstock.server.filters import filters, paging, refuse_flat, renamed
from penstock.server.searchable import EXECUTIONS, FLOWS, LOGS

NOW = datetime(2026, 11, 25, 9, tzinfo=UTC)
CLOCK = ManualClock(NOW)


def asked(query: str, of: object = EXECUTIONS) -> list[object]:
    return list(filters(QueryParams(query), of, CLOCK))  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("filters[namespace][EQUALS]=a.b", Filter("namespace", "EQUALS", "a.b")),
        ("filters%5Bstate%5D%5BIN%5D=FAILED%2CKILLED", Filter("state", "IN", ["FAILED", "KILLED"])),
        ("filters[labels][EQUALS][team]=data", Filter("labels", "EQUALS", "data", "team")),
        ("filters[labels][EQUALS][a.b]=c", Filter("labels", "EQUALS", "c", "a.b")),
        ("filters[scope][EQUALS]=USER,SYSTEM", Filter("scope", "IN", ["USER", "SYSTEM"])),
        ("namespace=a", Filter("namespace", "PREFIX", "a")),
        ("state=FAILED,KILLED", Filter("state", "IN", ["FAILED", "KILLED"])),
        ("labels=team:data", Filter("labels", "EQUALS", "data", "team")),
    ],
)
def test_a_single_filter(query: str, expected: Filter) -> None:
    assert asked(query) == [expected]


def test_time_range_counts_back_from_now() -> None:
    (found,) = asked("filters[timeRange][EQUALS]=PT24H")
    since = (NOW - timedelta(hours=24)).isoformat()
    assert found == Filter("startDate", "GREATER_THAN_OR_EQUAL_TO", since)


def test_groups_may_stand_in_one_another() -> None:
    query = (
        "filters[and][0][or][0][namespace][EQUALS]=a&filters[and][0][or][1][flowId][EQUALS]=b"
        "&filters[and][1][state][IN]=FAILED"
    )
    either = AnyOf((Filter("namespace", "EQUALS", "a"), Filter("flowId", "EQUALS", "b")))
    assert asked(query) == [AllOf((either, Filter("state", "IN", ["FAILED"])))]


def test_an_unknown_field_names_those_that_there_are() -> None:
    with pytest.raises(Unprocessable, match=r"Unsupported field 'nope'. Expected one of: \[.*namespace"):
        asked("filters[nope][EQUALS]=x")


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(InvalidFilters, match=r"GREATER_THAN is not supported for field STATE.*Field LEVEL"):
        asked("filters[state][GREATER_THAN]=x&filters[level][IN]=INFO")


@pytest.mark.parametrize("query", ["filters[state]=x", "filters[=x", "filters[timeRange][EQUALS]=soon"])
def test_what_is_no_filter_is_refused(query: str) -> None:
    with pytest.raises(InvalidFilters):
        asked(query)


def test_groups_too_deep_are_refused() -> None:
    with pytest.raises(InvalidFilters):
        asked("filters" + "[and][0]" * 40 + "[state][EQUALS]=FAILED")


def test_flat_parameters_of_a_bulk_are_refused() -> None:
    with pytest.raises(InvalidFilters, match=r"filters\[namespace\]\[EQUALS\]"):
        refuse_flat(QueryParams("namespace=a"), FLOWS)


def test_the_least_level_of_log_lines() -> None:
    assert asked("minLevel=WARN", LOGS) == [Filter("level", "GREATER_THAN_OR_EQUAL_TO", "WARN")]


def test_fields_are_renamed_at_any_depth() -> None:
    inner = AnyOf((Filter("endDate", "LESS_THAN", "x"),))
    assert renamed([inner], {"endDate": "startDate"}) == [AnyOf((Filter("startDate", "LESS_THAN", "x"),))]


def test_paging_has_defaults() -> None:
    found = paging(QueryParams(""))
    assert (found.page, found.size, found.sort) == (1, 10, [])


def test_paging_and_sorting() -> None:
    found = paging(QueryParams("page=3&size=50&sort=state.startDate:desc&sort=id:asc"))
    assert (found.page, found.size) == (3, 50)
    assert found.sort == [Sort("state.startDate", descending=True), Sort("id")]


@pytest.mark.parametrize(
    "query", ["page=0", "size=0", "page=x", "size=99999999999999999999999", "size=10001", "page=-1"]
)
def test_a_page_that_is_none_is_refused(query: str) -> None:
    with pytest.raises(InvalidParameter):
        paging(QueryParams(query))


@pytest.mark.parametrize("query", ["sort=id", "sort=id:up", "sort=:asc"])
def test_a_sort_without_a_direction_is_refused(query: str) -> None:
    with pytest.raises(Unprocessable):
        paging(QueryParams(query))
