"""Opening a database file: what is not ours stays as it is, what is ours is brought up to date."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime

import pytest

from penstock.errors import CorruptStore, StoreUnavailable
from penstock.store.sqlite import SqliteStore
from penstock.store.sqlite.opening import APPLICATION_ID
from penstock.store.sqlite.statements import migrations


def reopened(path, **given):
    """Whether the file opens and closes again."""
    SqliteStore(path, **given).close()
    return True


def refused_and_untouched(path, match):
    """The file is refused, with a message, and not a byte of it or its neighbours has changed."""
    before = {p.name: p.read_bytes() for p in path.parent.iterdir()}
    with pytest.raises(CorruptStore, match=match):
        SqliteStore(path)
    return {p.name: p.read_bytes() for p in path.parent.iterdir()} == before


def test_a_new_file_is_ours_and_opens_again(tmp_path):
    path = tmp_path / "p.db"
    assert reopened(path)
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    assert connection.execute("PRAGMA user_version").fetchone() == (migrations()[-1][0],)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
    assert reopened(path, durability="power")


def test_an_empty_file_becomes_ours(tmp_path):
    (tmp_path / "p.db").touch()
    assert reopened(tmp_path / "p.db")


def test_a_file_that_is_no_database(tmp_path):
    path = tmp_path / "p.db"
    path.write_bytes(b"these are my notes, do not overwrite them" * 200)
    assert refused_and_untouched(path, "does not begin as")


def test_the_database_of_another_program(tmp_path):
    path = tmp_path / "p.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE photos (id)")
    connection.close()
    assert refused_and_untouched(path, "another program")


def test_a_damaged_page_of_the_schema(tmp_path):
    path = tmp_path / "p.db"
    reopened(path)
    data = bytearray(path.read_bytes())
    data[100:4000] = b"\xff" * 3900
    path.write_bytes(data)
    assert refused_and_untouched(path, "malformed|not a database")


def test_a_file_that_was_cut_off(tmp_path):
    path = tmp_path / "p.db"
    reopened(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    assert refused_and_untouched(path, "should have|malformed")


def test_a_newer_schema_is_refused(tmp_path):
    path = tmp_path / "p.db"
    reopened(path)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    assert refused_and_untouched(path, "999, made by a newer Penstock")


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(StoreUnavailable, match="Cannot open"):
        SqliteStore(tmp_path / "nowhere" / "p.db")


def test_a_failed_migration_leaves_nothing_behind(tmp_path, monkeypatch):
    path = tmp_path / "p.db"
    broken = [(1, "CREATE TABLE one (id);\nCREATE TABLE one (id);")]
    with monkeypatch.context() as patch:
        patch.setattr("penstock.store.sqlite.opening.migrations", lambda: broken)
        with pytest.raises(StoreUnavailable, match="already exists"):
            SqliteStore(path)
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,)
    connection.close()
    assert reopened(path)


def test_later_migrations_are_applied_once(tmp_path, monkeypatch):
    path = tmp_path / "p.db"
    reopened(path)
    later = [*migrations(), (2, "-- One more; with a comment.\nCREATE TABLE extra (id);\n")]
    monkeypatch.setattr("penstock.store.sqlite.opening.migrations", lambda: later)
    assert reopened(path)
    assert reopened(path)
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM extra").fetchone() == (0,)
    connection.close()


def test_a_file_has_one_owner(tmp_path):
    path = tmp_path / "p.db"
    first = SqliteStore(path)
    with pytest.raises(StoreUnavailable, match=r"in use by another Penstock process \(pid \d+\)"):
        SqliteStore(path)
    first.close()
    first.close()
    assert reopened(path)


def test_a_closed_store_says_so(tmp_path):
    store = SqliteStore(tmp_path / "p.db")
    store.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        store.journal.unfinished()
    with pytest.raises(StoreUnavailable, match="closed"):
        store.key_values.purge_expired(datetime(2026, 1, 1, tzinfo=UTC))
