"""What only the local disk does: names in the way, drafts, faults of the disk."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

import pytest

from penstock.blobs import LocalBlobs, local
from penstock.errors import BadRequest, Conflict, StoreUnavailable


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "storage")


def drafts(tmp_path: Path) -> list[str]:
    return os.listdir(tmp_path / "storage" / ".unfinished")


def test_files_lie_where_other_tools_find_them(blobs: LocalBlobs, tmp_path: Path) -> None:
    blobs.put("main", "/company/team/_files/a b.txt", b"x")
    assert (tmp_path / "storage/main/company/team/_files/a b.txt").read_bytes() == b"x"
    assert drafts(tmp_path) == []


def test_names_in_the_way(blobs: LocalBlobs, tmp_path: Path) -> None:
    blobs.put("main", "/a/file", b"x")
    for path in ("/a/file/below", "/a/file/far/below"):
        with pytest.raises(Conflict, match="one of its folders is a file"):
            blobs.put("main", path, b"x")
    with pytest.raises(Conflict, match="it is a folder"):
        blobs.put("main", "/a", b"x")
    assert blobs.exists("main", "/a/file/below") is False
    assert blobs.delete("main", "/a/file/below") is False
    assert drafts(tmp_path) == []


def test_a_name_too_long_is_the_callers_fault(blobs: LocalBlobs, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="longer than the disk allows"):
        blobs.put("main", "/a/" + "x" * 300, b"x")
    with pytest.raises(BadRequest, match="longer than the disk allows"):
        blobs.get("main", "/a/" + "x" * 300)
    assert drafts(tmp_path) == []


def test_a_full_disk_is_said_so_and_leaves_no_draft(
    blobs: LocalBlobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(local, "_rename", lambda *_, **__: full())
    with pytest.raises(StoreUnavailable, match="disk of the internal storage is full"):
        blobs.put("main", "/a/b", b"x")
    assert drafts(tmp_path) == []


def test_faults_of_the_source_pass_unchanged(blobs: LocalBlobs, tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"x"
        raise FileNotFoundError("their file")

    with pytest.raises(FileNotFoundError, match="their file"):
        blobs.put("main", "/a/b", broken())
    assert drafts(tmp_path) == []


def test_deleting_prunes_empty_folders_only(blobs: LocalBlobs, tmp_path: Path) -> None:
    blobs.put("main", "/a/b/c/d", b"x")
    blobs.put("main", "/a/e", b"x")
    blobs.delete("main", "/a/b/c/d")
    assert os.listdir(tmp_path / "storage/main/a") == ["e"]
    blobs.delete_prefix("main", "/a")
    assert os.listdir(tmp_path / "storage/main") == []


def test_old_drafts_are_swept_young_ones_stay(blobs: LocalBlobs, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    for name, age in (("old", timedelta(hours=2)), ("young", timedelta())):
        draft = tmp_path / "storage" / ".unfinished" / name
        draft.write_bytes(b"half")
        moment = (now - age).timestamp()
        os.utime(draft, (moment, moment))
    assert blobs.sweep_unfinished(now - timedelta(hours=1)) == 1
    assert drafts(tmp_path) == ["young"]


def test_links_are_not_followed_out_of_the_listing(blobs: LocalBlobs, tmp_path: Path) -> None:
    blobs.put("main", "/a/f", b"x")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"s")
    (tmp_path / "storage/main/a/link").symlink_to(tmp_path / "outside")
    assert [blob.path for blob in blobs.list("main", "/a")] == ["/a/f", "/a/link"]
    assert blobs.delete_prefix("main", "/a") == 2
    assert (tmp_path / "outside" / "secret").exists()


def test_a_reader_keeps_the_version_it_opened(blobs: LocalBlobs) -> None:
    blobs.put("main", "/a/f", b"first")
    with blobs.open("main", "/a/f") as file:
        blobs.put("main", "/a/f", b"second")
        assert file.read() == b"first"


def test_files_are_not_executable(blobs: LocalBlobs, tmp_path: Path) -> None:
    blobs.put("main", "/a/f", b"#!/bin/sh")
    assert stat.S_IMODE((tmp_path / "storage/main/a/f").stat().st_mode) & 0o111 == 0
