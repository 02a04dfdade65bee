"""What every table of namespace files does: revisions, folders, moves that share bytes."""

from __future__ import annotations

import pytest
from store_samples import at

from penstock.errors import Conflict, NotFound
from penstock.ports.namespace_files import NamespaceFileRow
from penstock.ports.reads import Filter, Sort

NS = ("main", "company.team")


def file(path, **given):
    """A revision of a file."""
    found = {
        "tenant_id": "main",
        "namespace": "company.team",
        "path": path,
        "size": 5,
        "uri": f"kestra:///files{path}",
        "created": at(0),
        "updated": at(0),
    }
    return NamespaceFileRow(**(found | given))


def paths(rows):
    """Paths of rows."""
    return [row.path for row in rows]


def test_revisions_of_a_file(store):
    files = store.namespace_files
    first = files.save(file("/main.py"))
    second = files.save(file("/main.py", uri="kestra:///second", size=9, created=at(7), updated=at(7)))
    assert (first.revision, second.revision, second.created) == (1, 2, at(0))
    assert files.latest(*NS, "/main.py") == second
    assert files.revision(*NS, "/main.py", number=1) == first
    assert files.revision(*NS, "/main.py", number=3) is None
    assert files.revisions(*NS, "/main.py") == [first, second]
    assert files.latest("main", "other", "/main.py") is None


def test_saving_a_file_makes_the_folders_above_it(store):
    files = store.namespace_files
    files.save(file("/a/b/c.txt", updated=at(3)))
    assert paths(files.list(*NS)) == ["/a", "/a/b", "/a/b/c.txt"]
    folder = files.latest(*NS, "/a/b")
    assert (folder.directory, folder.size, folder.uri, folder.created) == (True, 0, "", at(3))
    assert paths(files.list(*NS, "/a/b")) == ["/a/b/c.txt"]
    assert paths(files.list(*NS, "/a/")) == ["/a/b", "/a/b/c.txt"]
    assert files.list(*NS, "/nothing") == []


def test_a_folder_has_one_revision(store):
    files = store.namespace_files
    made = files.save(file("/dir", directory=True, updated=at(1)))
    assert files.save(file("/dir", directory=True, updated=at(2))) == made
    assert files.revisions(*NS, "/dir") == [made]


def test_files_and_folders_do_not_stand_in_each_others_place(store):
    files = store.namespace_files
    files.save(file("/a/b"))
    for wrong in (file("/a"), file("/a/b", directory=True), file("/a/b/c"), file("/a/b/c/d", directory=True)):
        with pytest.raises(Conflict):
            files.save(wrong)
    assert paths(files.list(*NS)) == ["/a", "/a/b"]


def test_names_that_share_a_beginning_are_not_below(store):
    files = store.namespace_files
    for path in ("/a/x", "/a.txt", "/ab/x", "/a0"):
        files.save(file(path))
    assert paths(files.list(*NS, "/a")) == ["/a/x"]
    assert paths(files.delete(*NS, "/a", now=at(1))) == ["/a", "/a/x"]
    assert paths(files.list(*NS)) == ["/a.txt", "/a0", "/ab", "/ab/x"]


def test_a_deleted_file_keeps_its_history(store):
    files = store.namespace_files
    kept = files.save(file("/f"))
    assert files.delete(*NS, "/f", now=at(4)) == [kept]
    assert files.delete(*NS, "/f", now=at(5)) == []
    assert files.latest(*NS, "/f") is None
    assert [(row.revision, row.deleted) for row in files.revisions(*NS, "/f")] == [(1, False), (2, True)]
    assert files.revision(*NS, "/f", number=1) == kept
    assert files.search("main").total == 0

    assert files.save(file("/f")).revision == 3
    assert files.latest(*NS, "/f").revision == 3


def test_a_folder_may_take_the_place_of_a_deleted_file(store):
    files = store.namespace_files
    files.save(file("/f"))
    files.delete(*NS, "/f", now=at(1))
    files.save(file("/f/inner"))
    assert paths(files.list(*NS)) == ["/f", "/f/inner"]
    assert files.latest(*NS, "/f").directory


def test_everything_is_deleted_from_the_root(store):
    files = store.namespace_files
    for path in ("/a/b", "/c"):
        files.save(file(path))
    files.save(file("/c", namespace="other"))
    assert paths(files.delete(*NS, "/", now=at(1))) == ["/a", "/a/b", "/c"]
    assert files.list(*NS) == []
    assert paths(files.list("main", "other")) == ["/c"]


def test_moves_share_the_bytes(store):
    files = store.namespace_files
    one, two = files.save(file("/from/one")), files.save(file("/from/deep/two"))
    pairs = files.move(*NS, "/from", to="/new/place", now=at(6))

    assert paths(files.list(*NS)) == ["/new", "/new/place", "/new/place/deep", "/new/place/deep/two", "/new/place/one"]
    moved = {old.path: new for old, new in pairs}
    assert moved["/from/one"].uri == one.uri
    assert (moved["/from/deep/two"].revision, moved["/from/deep/two"].size) == (1, two.size)
    assert files.purge(*NS, "/from/one", keep=0) == []

    files.delete(*NS, "/new/place/one", now=at(7))
    assert [row.uri for row in files.purge(*NS, "/new/place/one", keep=0)] == [one.uri]


def test_moves_that_cannot_be(store):
    files = store.namespace_files
    files.save(file("/a/b"))
    files.save(file("/c"))
    with pytest.raises(NotFound):
        files.move(*NS, "/nothing", to="/x", now=at(1))
    for to in ("/c", "/a/b/c", "/a", "/c/below"):
        with pytest.raises(Conflict):
            files.move(*NS, "/a", to=to, now=at(1))
    assert paths(files.list(*NS)) == ["/a", "/a/b", "/c"]


def test_old_revisions_are_purged(store):
    files = store.namespace_files
    for n in range(4):
        files.save(file("/f", uri=f"kestra:///{n}"))
    assert [row.uri for row in files.purge(*NS, "/f", keep=2)] == ["kestra:///0", "kestra:///1"]
    assert [row.revision for row in files.revisions(*NS, "/f")] == [3, 4]
    assert files.purge(*NS, "/f", keep=5) == []


def test_searches_for_files(store):
    files = store.namespace_files
    files.save(file("/scripts/main.py", size=10))
    files.save(file("/scripts/main.py", size=20, updated=at(9)))
    files.save(file("/README.md", updated=at(4)))
    files.save(file("/other", namespace="elsewhere"))

    def found(*conditions, **more):
        return paths(files.search("main", conditions, **more).results)

    assert found(Filter("q", "EQUALS", "MAIN")) == ["/scripts/main.py"]
    assert found(Filter("namespace", "EQUALS", "elsewhere")) == ["/other"]
    assert found(Filter("parentPath", "EQUALS", "/scripts")) == ["/scripts/main.py"]
    assert found(Filter("parentPath", "EQUALS", "/"), Filter("namespace", "EQUALS", NS[1])) == [
        "/README.md",
        "/scripts",
    ]
    assert found(Filter("path", "IN", "/README.md,/other")) == ["/README.md", "/other"]
    assert found(Filter("version", "EQUALS", "2")) == ["/scripts/main.py"]
    assert found(Filter("updated", "GREATER_THAN", at(3))) == ["/README.md", "/scripts/main.py"]
    assert found(Filter("directory", "EQUALS", "false"), sort=[Sort("size", descending=True)], page=1, size=1) == [
        "/scripts/main.py"
    ]
