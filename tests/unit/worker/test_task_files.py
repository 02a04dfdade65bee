"""Files of a task run: the working directory and internal storage."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.errors import BadRequest, Forbidden, NotFound
from penstock.ids import new_id
from penstock.model.job import Job
from penstock.ports.platform import Caller
from penstock.testing.task_desk import TaskDesk
from penstock.worker.files import RunFiles
from penstock.worker.folder import Folder

RETURN = "io.kestra.plugin.core.debug.Return"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path, new_id=new_id)


def run_files(desk: TaskDesk, *, allowed: list[Path] | None = None) -> tuple[RunFiles, Job]:
    job = desk.job(desk.task(RETURN))
    caller = Caller("main", "company.team", "desk")
    files = RunFiles(job, desk.blobs, platform=lambda: desk.platform.bind(caller), allowed=allowed or [])
    return files, job


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "./x", "a/../../x", "", ".", "a\\b", "a\x00"])
def test_a_name_that_leads_outside_is_refused(folder: Folder, name: str) -> None:
    with pytest.raises(BadRequest, match="Invalid file name"):
        folder.put(name, b"x")


def test_a_link_that_leads_outside_is_neither_written_nor_collected(folder: Folder, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("s")
    (folder.path / "link").symlink_to(outside)
    (folder.path / "file").symlink_to(outside / "secret")
    with pytest.raises(BadRequest):
        folder.put("link/new", b"x")
    folder.put("file", b"mine")
    assert (outside / "secret").read_text() == "s"
    assert folder.find(["**"]) == ["file"]


def test_the_folder_exists_only_once_it_is_used(folder: Folder, tmp_path: Path) -> None:
    assert folder.find(["*"]) == []
    assert list(tmp_path.iterdir()) == []
    folder.put("a/b.csv", iter([b"1", b"2"]))
    assert folder.find(["**/*.csv"]) == ["a/b.csv"]
    folder.remove()
    assert list(tmp_path.iterdir()) == []


def test_files_lie_below_the_task_run(desk: TaskDesk) -> None:
    files, job = run_files(desk)
    uri = files.put("rows.ion", b"1")
    assert uri == f"kestra:///company/team/desk/executions/exec/tasks/task/{job.task_run_id}/rows.ion"
    assert (files.get(uri), files.size(uri), files.exists(uri)) == (b"1", 1, True)
    assert [blob.uri for blob in files.files_of_execution()] == [uri]
    assert files.delete(uri)
    assert not files.exists(uri)
    with pytest.raises(NotFound):
        files.open(uri)


def test_namespace_files_by_uri(desk: TaskDesk) -> None:
    files, _ = run_files(desk)
    desk.platform.bind(Caller("main", "other", "x")).namespace_files.put("a b.txt", "company.team", data=b"own")
    desk.platform.bind(Caller("main", "other", "x")).namespace_files.put("q.sql", "other", data=b"theirs")
    assert files.get("nsfile:///a%20b.txt") == b"own"
    assert files.get("nsfile://other/q.sql") == b"theirs"
    assert files.size("nsfile://other/q.sql") == 6
    assert not files.exists("nsfile:///none")


def test_local_files_only_where_an_administrator_allows(desk: TaskDesk, tmp_path: Path) -> None:
    allowed = tmp_path / "open"
    allowed.mkdir()
    (allowed / "a.txt").write_text("a")
    (tmp_path / "b.txt").write_text("b")
    files, _ = run_files(desk, allowed=[allowed])
    assert files.get(f"file://{allowed}/a.txt") == b"a"
    for path in (f"{tmp_path}/b.txt", f"{allowed}/../b.txt"):
        with pytest.raises(Forbidden, match="no allowed folder"):
            files.get(f"file://{path}")


@pytest.mark.parametrize("uri", ["/etc/passwd", "s3://bucket/x", "kestra:///a/../../b"])
def test_other_references_are_refused(desk: TaskDesk, uri: str) -> None:
    files, _ = run_files(desk)
    with pytest.raises(BadRequest):
        files.open(uri)


def test_only_stored_files_can_be_deleted(desk: TaskDesk) -> None:
    files, _ = run_files(desk)
    with pytest.raises(BadRequest, match="only `kestra://`"):
        files.delete("nsfile:///a")
