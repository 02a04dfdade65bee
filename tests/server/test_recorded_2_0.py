"""Requests recorded from Kestra 2.0, made again against us: the same status, the same body but for ids and times."""

from __future__ import annotations

from collections.abc import Iterator
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
