"""Requests recorded from Kestra 1.1, made again against us: what 1.x clients read must be there.

Where 2.0 answers otherwise than 1.1, we answer as 2.0 does; those places are listed with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.conftest import SHARED
from tests.server.recorded.replaying import Recording, Replaying, flows_of, logged_in, recordings

FOLDER = SHARED / "reference" / "recorded" / "kestra-1.1"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the recorded answers are not here")

FLOWS = flows_of(Path(__file__).parent / "recorded" / "flows_1_1.yaml")


def _failed(replay: Replaying) -> None:
    replay.save(FLOWS["fails"])
    replay.start("fails", "58GiydxWzU9YuNuqkjp7LF")
    replay.wait("58GiydxWzU9YuNuqkjp7LF")


def _paused(replay: Replaying) -> None:
    replay.save(FLOWS["waits"])
    replay.start("waits", "3eJwxNMik4v1mdsCwM2iPr")
    replay.wait("3eJwxNMik4v1mdsCwM2iPr", "PAUSED")


def _paused_again(replay: Replaying) -> None:
    replay.start("waits", "2QKiWhFQmy9ayYd9pUqDqz")
    replay.wait("2QKiWhFQmy9ayYd9pUqDqz", "PAUSED")


def _cancelled(replay: Replaying) -> None:
    replay.save(FLOWS["warns"])
    replay.start("warns", "56QsPZXXaBlsaSAt1gwJVs")
    replay.start("warns", "5WZeBHWypDArT3iLCi6zEi")
    replay.wait("5WZeBHWypDArT3iLCi6zEi")


def _retried(replay: Replaying) -> None:
    replay.save(FLOWS["again"])
    replay.start("again", "3JU1KiiBb1LLPu0zsxSDDJ")
    replay.wait("3JU1KiiBb1LLPu0zsxSDDJ", "RETRIED")
    path = "/api/v1/main/executions/search?filters[flowId][EQUALS]=again&filters[state][EQUALS]=FAILED"
    while not (second := replay.client.get(path).json()["results"]):
        pass
    replay.comparing.bind("4KqXQU5okw6SI3f8Y0REKN", second[0]["id"])


def _file(replay: Replaying) -> None:
    path = "/api/v1/main/namespaces/company.recorded/files"
    done = replay.client.post(path, params={"path": "/a/b.txt"}, files={"fileContent": ("b.txt", b"b")})
    assert done.status_code == 200, done.text


def _disabled(replay: Replaying) -> None:
    source = FLOWS["hook"] + "\ndisabled: true\n"
    done = replay.client.put("/api/v1/main/flows/company.recorded/hook", content=source)
    assert done.status_code == 200, done.text


def _child(replay: Replaying) -> None:
    replay.start("child", "10kbEZ22SpaSqxjfhvpgMN")
    replay.wait("10kbEZ22SpaSqxjfhvpgMN")


BEFORE = {
    "24": lambda r: r.wait("5MbVC58nJ0ErjAvwygj6N6"),
    "37": _failed,
    "40": _paused,
    "43": lambda r: r.wait("3eJwxNMik4v1mdsCwM2iPr"),
    "44": _paused_again,
    "45": lambda r: r.wait("2QKiWhFQmy9ayYd9pUqDqz"),
    "46": _cancelled,
    "47": lambda r: r.wait("56QsPZXXaBlsaSAt1gwJVs"),
    "48": _retried,
    "56": _file,
    "58": lambda r: r.save(FLOWS["hook"]),
    "61": _disabled,
    "68": _child,
}

KNOWN: dict[str, dict[str, str]] = {}
"""Number -> path of a difference -> why it is meant to be."""

RECORDED = recordings(FOLDER) if FOLDER.is_dir() else []


@pytest.fixture(scope="module")
def differences(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list[str]]]:
    """All requests in their order, once."""
    with logged_in(tmp_path_factory.mktemp("home")) as client:
        yield Replaying(client).all(RECORDED, BEFORE)


@pytest.mark.parametrize("recording", RECORDED, ids=lambda r: f"{r.number}-{r.name}")
def test_answers_as_recorded(differences: dict[str, list[str]], recording: Recording) -> None:
    known = KNOWN.get(recording.number, {})
    unknown = [d for d in differences[recording.number] if d.partition(":")[0] not in known]
    assert unknown == []
