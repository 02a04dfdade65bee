"""Requests recorded from Kestra 1.1, made again against us: what 1.x clients read must be there.

Where 2.0 answers otherwise than 1.1, we answer as 2.0 does; those places are listed with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
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

Known = Mapping[str, Sequence[tuple[str, str]]]

_TEXT = "the words of 2.0, or with place and line"
_AHEAD = "the executor has gone on by the time of the answer"
_WRITTEN = "flows are shown as they were written"

KNOWN: Known = {
    "*": [
        (r".*\.outputs", "outputs are not in executions since 2.0, they have routes of their own"),
        (r".*histories", "SUBMITTED is a state since 2.0, FAILED before RETRYING is none"),
        (r".*labels(\[\d\]\.(key|value))?", "system.from is a label since 2.0"),
        (r".*\.deleted", "lines and metrics have no such member since 2.0"),
        (r".*\.attempts", "flowables have attempts since 2.0"),
        (r".*\.triggers", "always there"),
        (r".*\.taskRunList", "empty where nothing has run; searches have none since 2.0"),
        (r".*\.variables", "searches have none since 2.0"),
        (r".*\.(warningOnRetry|behavior|maxAttempt|defaults|metrics)", _WRITTEN),
    ],
    "03": [("status", "409 since 2.0")],
    "04": [(r"\.message", _TEXT)],
    "05": [(r"\.message|\._embedded\..*", _TEXT)],
    "06": [(r"\.message|\._embedded\..*", _TEXT)],
    "07": [(r"\.message|\._embedded\..*", _TEXT)],
    "08": [(r"\.message|\._embedded\..*", _TEXT)],
    "09": [(r"\.message|\._embedded\..*", _TEXT)],
    "10": [(r"\[1\]\.constraints", _TEXT)],
    "18": [
        (r"\.nodes\[[01]\]\.uid", "ids of a graph are made each time"),
        (r"\.edges\[.*", "edges come in another order"),
    ],
    "19": [(r"\.message|\._embedded\..*", _TEXT)],
    "20": [(r"\.message|\._embedded\..*", _TEXT)],
    "21": [(r"\.inputs\[1\]\.errors\[0\]\.message", _TEXT)],
    "23": [(r"\.state\..*", _AHEAD)],
    "25": [(r"\[1\]\.message", "an id in a text")],
    "26": [
        (r"\.results\[\d\]\.(taskId|taskRunId|level|message)|\.total", "the oldest come first, the flow's end is told")
    ],
    "27": [(r"\.results\[\d\]\.value", "a time that was measured")],
    "28": [(r"\..*", "an executor sees the whole flow")],
    "30": [("status|\\..*", "409 since 2.0")],
    "32": [(r"\.message", _TEXT)],
    "33": [(r"\.(taskRunList|state|metadata).*", _AHEAD)],
    "35": [(r"\..*", "what has run before differs by timing")],
    "38": [("", "the flow's end is told"), (r"\[\d\]\..*", "a traceback of Python's; the end comes before its task")],
    "41": [(r"\.message|\._embedded\..*", _TEXT)],
    "42": [("status", "200 with the execution since 2.0")],
    "44": [("status", "200 with the execution since 2.0")],
    "45": [(r"\.metadata\.attemptNumber", "a killed pause is no resumed one since 2.0")],
    "49": [(r"\.results\[\d\]\..*", "the newest come first")],
    "54": [
        (r"\.results\[0\]\.(trigger|state|triggerContext\.date)", "the names of 2.0 beside those of 1.x; never fired")
    ],
    "55": [(r"\.date", "never fired")],
    "56": [(r"\.message", "no path of the server's disk is told")],
    "58": [(r"\.(trigger\.variables\.headers\..*|state\.duration)", "headers of another client")],
    "60": [("status", "any content type is taken since 2.0")],
    "64": [(r"\.invalids\[0\]\.path", "a member beside those of Kestra's answer")],
    "66": [(r"\..*", "another version")],
    "68": [("", "compared below")],
    "69": [(r"\.message", _TEXT)],
    "70": [(r"\.message", _TEXT)],
    "71": [(r"\.message", _TEXT)],
    "72": [(r"\.total", "the number of all that match, on any page")],
}
"""Number -> (paths, why that difference is meant to be)."""


def _is_known(number: str, difference: str) -> bool:
    path = difference.partition(":")[0]
    rules = (*KNOWN.get("*", ()), *KNOWN.get(number, ()))
    return any(re.fullmatch(pattern, path) for pattern, _ in rules)


RECORDED = recordings(FOLDER) if FOLDER.is_dir() else []


@pytest.fixture(scope="module")
def differences(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list[str]]]:
    """All requests in their order, once."""
    with logged_in(tmp_path_factory.mktemp("home")) as client:
        yield Replaying(client).all(RECORDED, BEFORE)


@pytest.mark.parametrize("recording", RECORDED, ids=lambda r: f"{r.number}-{r.name}")
def test_answers_as_recorded(differences: dict[str, list[str]], recording: Recording) -> None:
    assert [d for d in differences[recording.number] if not _is_known(recording.number, d)] == []
