"""Kestra's paths in internal storage, and the way between paths and URIs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import BadRequest
from penstock.ports import blob_paths as paths

EXECUTION = paths.execution_prefix("company.team", "my_flow", "7TIdh7RyGpNULrPR5Wzrys")


def test_kestras_places() -> None:
    assert EXECUTION == "/company/team/my-flow/executions/7TIdh7RyGpNULrPR5Wzrys"
    assert paths.task_file(EXECUTION, task_id="each_split", task_run_id="4vx", file="rows.ion") == (
        EXECUTION + "/tasks/each-split/4vx/rows.ion"
    )
    assert paths.input_file(EXECUTION, "my_file", file="data.csv") == EXECUTION + "/inputs/my_file/data.csv"
    assert paths.trigger_file(EXECUTION, "on_query", file="r.ion") == EXECUTION + "/trigger/on-query/r.ion"
    assert paths.namespace_file("company.team", "/src/main.py") == "/company/team/_files/src/main.py"
    assert paths.namespace_file("company.team", "src/main.py") == "/company/team/_files/src/main.py"
    assert paths.flow_states_prefix("company.team", "my_flow") == "/company/team/my-flow/states"
    assert paths.cache_file("a.b", "f", cache_id="wd_1", key="abc") == "/a/b/f/wd-1/cache/abc/cache.zip"
    assert paths.cache_file("a.b", "f", cache_id="wd_1") == "/a/b/f/wd-1/cache/cache.zip"


@pytest.mark.parametrize(
    ("identifier", "expected"),
    [("hello_world", "hello-world"), ("Hello World", "hello-world"), ("a__b", "a-b"), ("_a-", "a"), ("Été", "ete")],
)
def test_slugs(identifier: str, expected: str) -> None:
    assert paths.slug(identifier) == expected


def test_which_execution_a_file_belongs_to() -> None:
    found = paths.execution_folders(f"kestra://{EXECUTION}/tasks/a/b/c.ion")
    assert found == [paths.ExecutionFolder(execution_id="7TIdh7RyGpNULrPR5Wzrys", prefix=EXECUTION)]


def test_every_execution_a_file_may_belong_to() -> None:
    found = paths.execution_folders("/company/executions/hello/executions/abc/tasks/executions/run/f.txt")
    assert [folder.execution_id for folder in found] == ["hello", "abc", "run"]
    assert found[1].prefix == "/company/executions/hello/executions/abc"


@pytest.mark.parametrize(
    "path",
    [
        "/company/team/_files/executions",
        "/company/team/_files/executions/data.csv",
        "/company/team/hello/states/executions/offset.json",
        "/executions/x",
    ],
)
def test_files_outside_of_executions(path: str) -> None:
    assert paths.execution_folders(path) == []


def test_below() -> None:
    assert paths.is_below(f"kestra://{EXECUTION}/tasks/a/b/c.ion", EXECUTION)
    assert not paths.is_below(EXECUTION, EXECUTION)
    assert not paths.is_below(EXECUTION + "x/f", EXECUTION)
    assert paths.is_below("/f", "/")
    with pytest.raises(BadRequest):
        paths.is_below(f"{EXECUTION}/%2e%2e/other/f", EXECUTION)


@pytest.mark.parametrize("file", ["../../other/secret", "a/../../b", "%2e%2e/b", "..", "", "a//b", "a\\..\\b"])
def test_client_names_cannot_leave_their_folder(file: str) -> None:
    with pytest.raises(BadRequest):
        paths.namespace_file("company.team", file)
    with pytest.raises(BadRequest):
        paths.task_file(EXECUTION, task_id="t", task_run_id="r", file=file)


NAMES = st.text(min_size=1, max_size=20).filter(lambda name: "%" not in name)


@given(st.lists(NAMES, min_size=1, max_size=4))
def test_a_uri_is_the_path_again(names: list[str]) -> None:
    path = "/" + "/".join(names)
    try:
        accepted = paths.path_of(path)
    except BadRequest:
        return
    assert accepted == path
    assert paths.path_of(paths.uri_of(path)) == path


@given(st.text(alphabet="/.%25eEfFcCs\\a", max_size=24))
def test_no_accepted_path_holds_a_step_upward(text: str) -> None:
    for reference in ("/" + text, "kestra:///" + text):
        try:
            path = paths.path_of(reference)
        except BadRequest:
            continue
        assert path.startswith("/")
        assert not {"", ".", ".."} & set(path[1:].split("/"))
