"""Files of namespaces: revisions, folders, archives, patterns."""

from __future__ import annotations

import io
import zipfile
from datetime import timedelta

import pytest

from penstock.blobs import MemoryBlobs
from penstock.catalog import namespace_files
from penstock.catalog.globs import select
from penstock.catalog.namespace_files import NamespaceFileStore, read_sources
from penstock.clock import ManualClock
from penstock.errors import BadRequest, Conflict, LimitExceeded, NotFound, Unprocessable

NS = "company.team"


def content(files: NamespaceFileStore, path: str, revision: int | None = None) -> bytes:
    with files.open("main", NS, path, revision=revision) as source:
        return source.read()


def zipped(entries: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, data in entries.items():
            archive.writestr(path, data)
    return buffer.getvalue()


def test_a_file_lies_where_users_expect_it(files: NamespaceFileStore) -> None:
    row = files.put("main", NS, "scripts/main.py", b"print()")

    assert row.uri == "kestra:///company/team/_files/scripts/main.py"
    assert (row.path, row.size, row.revision) == ("/scripts/main.py", 7, 1)
    assert content(files, "/scripts/main.py") == b"print()"


def test_every_write_is_a_revision_and_earlier_ones_stay(files: NamespaceFileStore) -> None:
    files.put("main", NS, "a.txt", b"one")
    files.put("main", NS, "a.txt", iter([b"t", b"wo"]))

    assert [content(files, "a.txt", n) for n in (1, 2)] == [b"one", b"two"]
    assert content(files, "a.txt") == b"two"
    assert [row.revision for row in files.revisions("main", NS, "a.txt")] == [1, 2]


def test_a_moved_file_keeps_its_bytes_when_the_old_path_is_written_again(files: NamespaceFileStore) -> None:
    files.put("main", NS, "a.txt", b"old")
    files.move("main", NS, "/a.txt", to="/b/c.txt")
    files.put("main", NS, "a.txt", b"new")

    assert content(files, "b/c.txt") == b"old"
    assert content(files, "a.txt") == b"new"
    with pytest.raises(Conflict):
        files.move("main", NS, "/a.txt", to="/b/c.txt")
    with pytest.raises(NotFound):
        files.move("main", NS, "/gone", to="/x")


def test_folders_list_their_own_entries(files: NamespaceFileStore) -> None:
    files.put("main", NS, "a/b/c.txt", b"1")
    files.put("main", NS, "a/d.txt", b"22")
    files.make_folder("main", NS, "empty")

    assert [(f.file_name, f.directory) for f in files.directory("main", NS)] == [("a", True), ("empty", True)]
    assert [(f.file_name, f.directory, f.size) for f in files.directory("main", NS, "/a")] == [
        ("b", True, 0),
        ("d.txt", False, 2),
    ]
    assert files.stats("main", NS, "/a").directory
    assert files.stats("main", NS, "/a/d.txt").size == 2
    assert files.stats("main", NS, "/").directory
    with pytest.raises(NotFound):
        files.stats("main", NS, "/nope")


def test_deleting_a_folder_deletes_what_is_below_it(files: NamespaceFileStore) -> None:
    files.put("main", NS, "a/b.txt", b"1")
    files.put("main", NS, "c.txt", b"1")

    assert len(files.delete("main", NS, "/a")) >= 1
    assert [row.path for row in files.files("main", NS)] == ["/c.txt"]
    with pytest.raises(NotFound):
        files.open("main", NS, "a/b.txt")
    assert files.put("main", NS, "a/b.txt", b"2").revision > 1


def test_an_archive_is_unpacked_and_packed_again(files: NamespaceFileStore) -> None:
    files.upload("main", NS, "/in/x.zip", name="x.zip", data=zipped({"a.txt": b"1", "sub/b.txt": b"2"}))
    assert [row.path for row in files.files("main", NS)] == ["/in/a.txt", "/in/sub/b.txt"]

    with zipfile.ZipFile(io.BytesIO(b"".join(files.export("main", NS)))) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {"in/a.txt": b"1", "in/sub/b.txt": b"2"}


def test_archives_cannot_leave_their_folder_nor_swell(
    files: NamespaceFileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadRequest):
        files.upload("main", NS, "/x.zip", name="x.zip", data=zipped({"../../evil.txt": b"1"}))
    with pytest.raises(BadRequest, match="no ZIP"):
        files.upload("main", NS, "/x.zip", name="x.zip", data=b"not a zip")
    monkeypatch.setattr(namespace_files, "ZIP_LIMIT", 10)
    with pytest.raises(LimitExceeded):
        files.upload("main", NS, "/x.zip", name="x.zip", data=zipped({"big": b"0" * 11}))


@pytest.mark.parametrize("path", ["", "/", "../a", "a/../../b", "/a//b", ".versions/x", "%2e%2e/a"])
def test_paths_that_lead_elsewhere_are_refused(files: NamespaceFileStore, path: str) -> None:
    with pytest.raises(BadRequest):
        files.put("main", NS, path, b"1")


def test_old_revisions_are_purged_with_their_bytes(
    files: NamespaceFileStore, blobs: MemoryBlobs, clock: ManualClock
) -> None:
    for number in range(4):
        files.put("main", NS, "a.txt", str(number).encode())
        clock.advance(timedelta(days=1))
    files.put("main", NS, "b.txt", b"b")

    assert files.purge("main", [NS], pattern="*.txt", keep=3) == 1
    assert files.purge("main", [NS], before=clock.now()) == 2
    assert content(files, "a.txt") == b"3"
    assert len(list(blobs.list("main", "/company/team/_files"))) == 2


def test_a_purge_spares_bytes_that_a_moved_file_still_names(files: NamespaceFileStore) -> None:
    files.put("main", NS, "a.txt", b"moved")
    files.move("main", NS, "a.txt", to="b.txt")
    files.put("main", NS, "a.txt", b"new")

    files.purge("main", [NS], keep=1)
    assert content(files, "b.txt") == b"moved"


PATHS = ["/main.py", "/src/main.py", "/src/a/deep.sql", "/README.md", "/data.csv"]


@pytest.mark.parametrize(
    ("include", "exclude", "found"),
    [
        ([], [], PATHS),
        (["main.py"], [], ["/main.py", "/src/main.py"]),
        (["/main.py"], [], ["/main.py"]),
        (["*.py"], [], ["/main.py"]),
        (["**.py"], [], ["/main.py", "/src/main.py"]),
        (["**/*.{sql,csv}"], [], ["/src/a/deep.sql", "/data.csv"]),
        (["src/**"], [], ["/src/main.py", "/src/a/deep.sql"]),
        (["/src/*"], [], ["/src/main.py"]),
        (["[Rd]*.??*"], ["data.csv"], ["/README.md"]),
        ([], ["**/*.py", "README*"], ["/src/a/deep.sql", "/data.csv"]),
        (["regex:.*deep.*"], [], ["/src/a/deep.sql"]),
    ],
)
def test_patterns_select_paths(include: list[str], exclude: list[str], found: list[str]) -> None:
    assert select(PATHS, include, exclude) == found


def test_patterns_and_texts_find_files(files: NamespaceFileStore) -> None:
    for path in PATHS:
        files.put("main", NS, path, b"")

    assert [row.path for row in files.matching("main", NS, include=["*.md"])] == ["/README.md"]
    assert files.paths_holding("main", NS, "READ") == ["/README.md"]


def test_flows_are_imported_from_zip_or_yaml() -> None:
    assert read_sources(zipped({"a.yml": b"id: a"}), name="x.zip") == {"a.yml": "id: a"}
    assert read_sources(b"id: a\n---\nid: b\n", name="x.yaml") == {"0": "id: a\n", "1": "id: b\n"}
    with pytest.raises(Unprocessable):
        read_sources(b"", name="x.txt")
