"""Requests recorded from Kestra 2.0, made again against us: the same status, the same body but for ids and times."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from tests.server.conftest import SHARED
from tests.server.recorded.replaying import Recording, Replaying, flows_of, logged_in, recordings

FOLDER = SHARED / "reference" / "recorded" / "kestra-2.0"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the recorded answers are not here")

FLOWS = flows_of(Path(__file__).parent / "recorded" / "flows_2_0.yaml")


def _failed(replay: Replaying) -> None:
    replay.save(FLOWS["failing"])
    replay.start("failing", "6H7RWvbmdKT8epGmqjbhZW")
    replay.wait("6H7RWvbmdKT8epGmqjbhZW")


def _warned(replay: Replaying) -> None:
    replay.save(FLOWS["warner"])
    replay.start("warner", "63rsH5RAE5bTTM0wEF3FYE")
    replay.wait("63rsH5RAE5bTTM0wEF3FYE")


def _paused(replay: Replaying) -> None:
    replay.save(FLOWS["pausing"])
    replay.start("pausing", "7CTesZKPWVqnDzQSjINzR2")
    replay.wait("7CTesZKPWVqnDzQSjINzR2", "PAUSED")


def _running(replay: Replaying) -> None:
    replay.save(FLOWS["slow"])
    replay.start("slow", "3nkI1L4MIwnByZrYzxtzGA")
    while len(replay.wait("3nkI1L4MIwnByZrYzxtzGA", "RUNNING")["taskRunList"]) < 2:
        pass
    while replay.wait("3nkI1L4MIwnByZrYzxtzGA", "RUNNING")["taskRunList"][1]["state"]["current"] != "RUNNING":
        pass


def _queued(replay: Replaying) -> None:
    replay.start("slow", "2LG5H0eFG8ueYRBStV03X0")
    replay.wait("2LG5H0eFG8ueYRBStV03X0", "QUEUED")


def _killed(replay: Replaying) -> None:
    replay.wait("3nkI1L4MIwnByZrYzxtzGA")


def _started_after_the_killed(replay: Replaying) -> None:
    replay.wait("2LG5H0eFG8ueYRBStV03X0", "RUNNING")


def _looped(replay: Replaying) -> None:
    replay.save(FLOWS["looper"])
    replay.start("looper", "1gZnti91xndrFhVYhFH8SH")
    replay.wait("1gZnti91xndrFhVYhFH8SH")


def _nested(replay: Replaying) -> None:
    replay.save(FLOWS["parent"])
    replay.start("parent", "1Sl97BsvUnecGtAWxZnqaj")
    body = replay.wait("1Sl97BsvUnecGtAWxZnqaj")
    replay.comparing.bind("7MEQfVJYYia0bzefqlcbxK", body["taskRunList"][0]["id"])


BEFORE = {
    "18": lambda r: r.wait("5z1sgdp0rsKeXDgQfvAebS"),
    "31": _failed,
    "34": _warned,
    "35": _paused,
    "39": lambda r: r.wait("7CTesZKPWVqnDzQSjINzR2"),
    "41": _running,
    "42": _queued,
    "44": _killed,
    "46": _started_after_the_killed,
    "48": _looped,
    "52": _nested,
    "54": lambda r: r.save(FLOWS["hook"]),
    "56": lambda r: r.save(FLOWS["sched"]),
    "58": lambda r: r.save(FLOWS["checked"]),
}

Known = Mapping[str, Sequence[tuple[str, str]]]

_TEXT = "the words of Java's validation; ours name the place and the line"
_AHEAD = "the executor has gone on by the time of the answer"
_OURS = "a member beside those of Kestra's answer"

KNOWN: Known = {
    "03": [(r"\.message|\._embedded\.errors\[\d\]\.(message|path)", _TEXT)],
    "04": [(r"\.message|\._embedded\.errors(\[\d\]\.path)?", _TEXT)],
    "05": [(r"\.message|\._embedded\.errors\[0\]\.(message|path)", _TEXT)],
    "06": [(r"\.message|\._embedded\.errors\[0\]\.(message|path)", _TEXT)],
    "07": [(r"\[1\]\.constraints", _TEXT)],
    "08": [(r"\.triggers", _OURS)],
    "01": [(r"\.triggers", _OURS)],
    "13": [
        (r"\.nodes\[[01]\]\.uid", "ids of a graph are made each time"),
        (r"\.edges\[.*", "edges come in another order"),
    ],
    "17": [(r"\.(taskRunList|state).*", _AHEAD)],
    "22": [("", "a line at DEBUG tells that the flow has ended")],
    "24": [("status", "level EQUALS is what 1.x clients send, so it is accepted")],
    "26": [(r"\.message", "we name the fields that there are")],
    "31": [(r"\.state\.histories", "a failure that is retried is told as RETRYING at once")],
    "32": [("", "a line at DEBUG tells that the flow has ended"), (r"\[\d\]\.message", "a traceback of Python's")],
    "33": [(r"\.(taskRunList|state).*", _AHEAD)],
    "37": [(r"\.(taskRunList|state).*", _AHEAD)],
    "40": [(r"\.resumed\.by", _OURS)],
    "41": [(r"\.metadata\.concurrencyScopes", "slots are counted, not kept in the execution")],
    "42": [(r"\.metadata\.concurrencyScopes", "slots are counted, not kept in the execution")],
    "43": [(r"\.(taskRunList|state|metadata\.concurrencyScopes).*", _AHEAD)],
    "44": [(r"\.metadata\.concurrencyScopes", "slots are counted, not kept in the execution")],
    "46": [(r"\.invalids\[0\]\.path", _OURS)],
    "48": [(r"\.loopRun.*", _OURS)],
    "50": [
        (r"\.results\[\d\]\.loopRun\.(parent\.(taskRunList|state).*|parentId)", "the parent as it is, not as it was")
    ],
    "51": [(r"\.loopRun\.(parent\.(taskRunList|state).*|parentId)", "the parent as it is, not as it was")],
    "53": [(r"\.results\[0\]\.labels\[\d\].*", "labels of a child come in another order")],
    "54": [(r"\.trigger\.variables\.headers\.Authorization", "the recorded request had no login")],
    "56": [(r"\.results\[0\]\.(abstractTrigger|triggerContext)", "the names of 1.x beside those of 2.0")],
    "59": [(r"\.(taskRunList|state).*", _AHEAD)],
    "64": [(r"\.is(Template|BasicAuth)Enabled", _OURS)],
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
