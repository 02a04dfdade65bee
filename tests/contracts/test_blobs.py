"""What every backend of internal storage must do: memory, local disk, object stores."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from blob_servers import (  # noqa: F401 - fixtures
    azure_endpoint,
    azure_storage,
    gcs_endpoint,
    gcs_storage,
    s3_endpoint,
    s3_storage,
)
from obstore.store import MemoryStore

from penstock.blobs import LocalBlobs, MemoryBlobs
from penstock.blobs.remote import RemoteBlobs
from penstock.errors import BadRequest, NotFound
from penstock.ports.blobs import CHUNK, Blobs

TENANT = "main"
BLOCK = bytes(range(256)) * 4096  # 1 MiB


SERVERS = ("s3", "gcs", "azure")


@pytest.fixture(
    params=[
        "memory",
        "local",
        "local-fsync",
        "obstore",
        *(pytest.param(name, marks=pytest.mark.service) for name in SERVERS),
    ]
)
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    if request.param == "memory":
        return MemoryBlobs()
    if request.param == "obstore":
        return RemoteBlobs(MemoryStore())
    if request.param.startswith("local"):
        return LocalBlobs(tmp_path / "storage", fsync=request.param == "local-fsync")
    return request.getfixturevalue(f"{request.param}_storage")


def test_what_is_put_is_read_back(blobs: Blobs) -> None:
    uri = blobs.put(TENANT, "/company/team/a.txt", b"hello")
    assert uri == "kestra:///company/team/a.txt"
    assert blobs.get(TENANT, uri) == b"hello"
    assert blobs.get(TENANT, "/company/team/a.txt") == b"hello"
    assert blobs.size(TENANT, uri) == 5
    assert blobs.exists(TENANT, uri)


def test_an_empty_file_is_a_file(blobs: Blobs) -> None:
    uri = blobs.put(TENANT, "/a/empty", b"")
    assert blobs.get(TENANT, uri) == b""
    assert blobs.size(TENANT, uri) == 0
    assert blobs.get_range(TENANT, uri, start=0, length=10) == b""
    with blobs.open(TENANT, uri) as file:
        assert file.read() == b""


def test_put_replaces(blobs: Blobs) -> None:
    blobs.put(TENANT, "/a/f", b"long first content")
    uri = blobs.put(TENANT, "/a/f", b"second")
    assert blobs.get(TENANT, uri) == b"second"


@pytest.mark.parametrize("size", [0, 3, CHUNK, 7 * CHUNK + 5])
@pytest.mark.parametrize("kind", ["bytes", "file", "chunks", "small chunks"])
def test_every_kind_of_content(blobs: Blobs, size: int, kind: str) -> None:
    content = (BLOCK * 8)[:size]
    step = 1000 if kind == "small chunks" else CHUNK
    forms = {
        "bytes": lambda: content,
        "file": lambda: io.BytesIO(content),
        "chunks": lambda: (content[at : at + step] for at in range(0, size, step)),
        "small chunks": lambda: iter([content[at : at + step] for at in range(0, size, step)]),
    }
    uri = blobs.put(TENANT, "/kinds/f", forms[kind]())
    assert blobs.size(TENANT, uri) == size
    assert blobs.get(TENANT, uri) == content


def test_open_streams_seeks_and_reads_lines(blobs: Blobs) -> None:
    content = b"".join(b"line %d\n" % number for number in range(400_000))
    uri = blobs.put(TENANT, "/a/lines", content)
    with blobs.open(TENANT, uri) as file:
        assert next(iter(file)) == b"line 0\n"
        assert sum(1 for _ in file) == 399_999
        assert file.read(10) == b""
        assert file.seek(0, os.SEEK_END) == len(content)
        assert file.tell() == len(content)
        file.seek(-7, os.SEEK_END)
        assert file.read() == content[-7:]
        file.seek(5)
        assert file.read(2) == b"0\n"
        assert file.readable()


def test_ranges(blobs: Blobs) -> None:
    uri = blobs.put(TENANT, "/a/f", b"0123456789")
    assert blobs.get_range(TENANT, uri, start=0, length=3) == b"012"
    assert blobs.get_range(TENANT, uri, start=7, length=3) == b"789"
    assert blobs.get_range(TENANT, uri, start=7, length=100) == b"789"
    assert blobs.get_range(TENANT, uri, start=10, length=1) == b""
    assert blobs.get_range(TENANT, uri, start=50, length=1) == b""
    assert blobs.get_range(TENANT, uri, start=3, length=0) == b""
    for start, length in [(-1, 3), (0, -1)]:
        with pytest.raises(BadRequest, match="range"):
            blobs.get_range(TENANT, uri, start=start, length=length)


def test_a_missing_file_is_named(blobs: Blobs) -> None:
    for read in (
        lambda: blobs.get(TENANT, "/a/none"),
        lambda: blobs.open(TENANT, "kestra:///a/none").read(),
        lambda: blobs.stat(TENANT, "/a/none"),
        lambda: blobs.size(TENANT, "/a/none"),
        lambda: blobs.get_range(TENANT, "/a/none", start=0, length=1),
        lambda: blobs.copy(TENANT, "/a/none", "/a/b"),
    ):
        with pytest.raises(NotFound, match=r"kestra:///a/none \(File not found\)"):
            read()
    assert not blobs.exists(TENANT, "/a/none")
    assert blobs.delete(TENANT, "/a/none") is False


def test_a_folder_is_not_a_file(blobs: Blobs) -> None:
    blobs.put(TENANT, "/a/b/c", b"x")
    assert not blobs.exists(TENANT, "/a/b")
    assert blobs.delete(TENANT, "/a/b") is False
    with pytest.raises(NotFound):
        blobs.get(TENANT, "/a/b")
    with pytest.raises(NotFound):
        blobs.stat(TENANT, "/a/b")
    with pytest.raises(NotFound):
        blobs.open(TENANT, "/a/b").read()
    assert blobs.exists(TENANT, "/a/b/c")


def test_stat(blobs: Blobs) -> None:
    before = datetime.now(UTC) - timedelta(seconds=2)
    uri = blobs.put(TENANT, "/a/f", b"abc")
    stat = blobs.stat(TENANT, uri)
    assert (stat.path, stat.size, stat.uri) == ("/a/f", 3, uri)
    assert before < stat.modified < datetime.now(UTC) + timedelta(seconds=2)


def test_list_is_deep_sorted_and_bounded_by_the_folder(blobs: Blobs) -> None:
    for path in ["/a/b/2", "/a/b/1", "/a/b.txt", "/a/b-c/x", "/a/b", "/ab/x", "/a/z/y/x"]:
        if path == "/a/b":
            continue  # a disk cannot hold a file and a folder of one name
        blobs.put(TENANT, path, path.encode())
    assert [blob.path for blob in blobs.list(TENANT, "/a")] == ["/a/b-c/x", "/a/b.txt", "/a/b/1", "/a/b/2", "/a/z/y/x"]
    assert [blob.path for blob in blobs.list(TENANT, "kestra:///a/b/")] == ["/a/b/1", "/a/b/2"]
    assert [blob.size for blob in blobs.list(TENANT, "/ab")] == [5]
    assert len(list(blobs.list(TENANT, "/"))) == 6
    assert list(blobs.list(TENANT, "/nowhere/at/all")) == []
    assert list(blobs.list(TENANT, "/a/b.txt")) == []


def test_delete(blobs: Blobs) -> None:
    uri = blobs.put(TENANT, "/a/b/f", b"x")
    blobs.put(TENANT, "/a/g", b"x")
    assert blobs.delete(TENANT, uri) is True
    assert not blobs.exists(TENANT, uri)
    assert [blob.path for blob in blobs.list(TENANT, "/")] == ["/a/g"]
    blobs.put(TENANT, "/a/b", b"now a file")
    assert blobs.get(TENANT, "/a/b") == b"now a file"


def test_delete_prefix_takes_the_folder_and_nothing_else(blobs: Blobs) -> None:
    for path in ["/a/b/1", "/a/b/c/2", "/a/b.txt", "/a/bc/3"]:
        blobs.put(TENANT, path, b"x")
    assert blobs.delete_prefix(TENANT, "/a/b") == 2
    assert [blob.path for blob in blobs.list(TENANT, "/")] == ["/a/b.txt", "/a/bc/3"]
    assert blobs.delete_prefix(TENANT, "/a/b") == 0
    with pytest.raises(BadRequest, match="root"):
        blobs.delete_prefix(TENANT, "/")
    assert len(list(blobs.list(TENANT, "/"))) == 2


def test_copy(blobs: Blobs) -> None:
    content = BLOCK * 2 + b"end"
    blobs.put(TENANT, "/a/f", content)
    blobs.put(TENANT, "/b/g", b"old")
    assert blobs.copy(TENANT, "kestra:///a/f", "/b/g") == "kestra:///b/g"
    assert blobs.get(TENANT, "/b/g") == content
    blobs.put(TENANT, "/a/f", b"changed")
    assert blobs.get(TENANT, "/b/g") == content


def test_tenants_do_not_see_one_another(blobs: Blobs) -> None:
    blobs.put("one", "/a/f", b"1")
    blobs.put("two", "/a/f", b"2")
    assert blobs.get("one", "/a/f") == b"1"
    assert blobs.delete_prefix("one", "/a") == 1
    assert list(blobs.list("one", "/")) == []
    assert blobs.get("two", "/a/f") == b"2"


@pytest.mark.parametrize(
    "path",
    ["/a/../b", "/../etc/passwd", "..", "", "/", "a/b", "/a//b", "/a/", "/a/./b", "/a\\b", "/a/\x00", "/a\n/b",
     "/a/\ud800",
     "/%2e%2e/b", "/a/%2E%2E", "/a/%2fb", "/a%5cb", "/%252e%252e/b", "kestra:///a/%2e%2e/b", "kestra:///a/..%2f..%2fb",
     "kestra:///%252e%252e/b", "kestra:///a%00", "kestra://a/b", "kestra:///", "file:///etc/passwd", "kestra:///%ff"],
)  # fmt: skip
def test_paths_that_lead_astray_are_refused(blobs: Blobs, path: str) -> None:
    blobs.put(TENANT, "/a/b", b"x")
    for use in (
        lambda: blobs.put(TENANT, path, b"evil"),
        lambda: blobs.get(TENANT, path),
        lambda: blobs.open(TENANT, path),
        lambda: blobs.stat(TENANT, path),
        lambda: blobs.size(TENANT, path),
        lambda: blobs.exists(TENANT, path),
        lambda: blobs.get_range(TENANT, path, start=0, length=1),
        lambda: blobs.delete(TENANT, path),
        lambda: blobs.copy(TENANT, path, "/a/c"),
        lambda: blobs.copy(TENANT, "/a/b", path),
    ):
        with pytest.raises(BadRequest):
            use()
    assert [blob.path for blob in blobs.list(TENANT, "/")] == ["/a/b"]


@pytest.mark.parametrize("tenant", ["", ".", "..", "a/b", "../x", ".unfinished", "a\\b", "a\x00"])
def test_odd_tenants_are_refused(blobs: Blobs, tenant: str) -> None:
    for use in (
        lambda: blobs.put(tenant, "/f", b"evil"),
        lambda: blobs.get(tenant, "/f"),
        lambda: list(blobs.list(tenant, "/")),
        lambda: blobs.delete_prefix(tenant, "/a"),
    ):
        with pytest.raises(BadRequest, match="tenant"):
            use()


@pytest.mark.parametrize(
    "name",
    ["a b.txt", "100%.txt", "50%25.csv", "ü–日本.txt", "a#b?c.txt", "x+y&z=1;v,w.txt", "'\"`{}|^[]<>.t", "...", "~"],
)
def test_odd_names_survive(blobs: Blobs, name: str) -> None:
    uri = blobs.put(TENANT, f"/odd names/{name}", name.encode())
    assert uri.startswith("kestra:///odd%20names/")
    assert blobs.get(TENANT, uri) == name.encode()
    assert blobs.get(TENANT, f"/odd names/{name}") == name.encode()
    [blob] = blobs.list(TENANT, "/odd names")
    assert (blob.path, blob.uri) == (f"/odd names/{name}", uri)
    assert blobs.copy(TENANT, uri, "/copy") == "kestra:///copy"
    assert blobs.delete(TENANT, uri)


@pytest.mark.parametrize("size", [10, 12 * CHUNK])
def test_a_source_that_fails_leaves_the_old_file(blobs: Blobs, size: int) -> None:
    def failing() -> Iterator[bytes]:
        for at in range(0, size, CHUNK):
            yield BLOCK[: min(CHUNK, size - at)]
        raise OSError("the source broke")

    blobs.put(TENANT, "/a/old", b"old")
    for path in ("/a/old", "/a/new"):
        with pytest.raises(OSError, match="the source broke"):
            blobs.put(TENANT, path, failing())
    assert blobs.get(TENANT, "/a/old") == b"old"
    assert not blobs.exists(TENANT, "/a/new")


def test_many_threads(blobs: Blobs) -> None:
    def work(number: int) -> bool:
        path = f"/shared/{number % 3}/{number}"
        uri = blobs.put(TENANT, path, b"%d" % number)
        same = blobs.get(TENANT, uri) == b"%d" % number
        return blobs.delete(TENANT, uri) and same

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(100)))
    assert list(blobs.list(TENANT, "/")) == []
