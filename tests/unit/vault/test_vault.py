"""Encryption at rest, key files and their rotation, secrets of the environment."""

from __future__ import annotations

import base64
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.catalog.vault import (
    ENCRYPTED_TYPE,
    Vault,
    is_wrapped,
    load_or_create_key,
    parse_key,
    read_keys,
    rotate_key,
    secrets_of_environment,
)
from penstock.errors import BadRequest, Conflict

OLD, NEW = b"o" * 32, b"n" * 32


@given(st.text(), st.text(max_size=9))
def test_what_is_encrypted_is_decrypted(plain: str, bound_to: str) -> None:
    vault = Vault([NEW])
    value = vault.encrypt(plain, bound_to=bound_to)
    assert vault.decrypt(value, bound_to=bound_to) == plain
    assert value != vault.encrypt(plain, bound_to=bound_to)


def test_the_layout_is_kestras() -> None:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    written_by_kestra = base64.b64encode(b"nonce-of-12b" + AESGCM(OLD).encrypt(b"nonce-of-12b", b"secret", None))
    assert Vault([OLD]).decrypt(written_by_kestra.decode()) == "secret"
    raw = base64.b64decode(Vault([OLD]).encrypt("secret"))
    assert AESGCM(OLD).decrypt(raw[:12], raw[12:], None) == b"secret"
    assert len(raw) == 12 + len("secret") + 16


def test_the_wrapped_form() -> None:
    vault = Vault([NEW])
    wrapped = vault.wrap("s3cret")
    assert wrapped["type"] == ENCRYPTED_TYPE == "io.kestra.datatype:aes_encrypted"
    assert is_wrapped(wrapped)
    assert vault.unwrap(wrapped) == "s3cret"
    assert not is_wrapped("text")
    assert not is_wrapped({"type": ENCRYPTED_TYPE})
    with pytest.raises(BadRequest, match="aes_encrypted"):
        vault.unwrap({"type": "other", "value": "x"})


def test_rotation_keeps_old_values_readable_and_writes_with_the_new_key() -> None:
    old_value = Vault([OLD]).encrypt("s", bound_to="ns/K")
    both = Vault([NEW, OLD])
    assert both.decrypt(old_value, bound_to="ns/K") == "s"
    assert not both.is_current(old_value, bound_to="ns/K")
    moved = both.reencrypt(old_value, bound_to="ns/K")
    assert both.is_current(moved, bound_to="ns/K")
    assert both.reencrypt(moved, bound_to="ns/K") == moved
    assert Vault([NEW]).decrypt(moved, bound_to="ns/K") == "s"


def test_values_that_do_not_open() -> None:
    value = Vault([OLD]).encrypt("s", bound_to="a/K")
    altered = value[:-6] + ("A" if value[-6] != "A" else "B") + value[-5:]
    for vault, sealed, bound_to in (
        (Vault([NEW]), value, "a/K"),
        (Vault([OLD]), value, "b/K"),
        (Vault([OLD]), altered, "a/K"),
    ):
        with pytest.raises(Conflict, match="none of the 1 configured keys"):
            vault.decrypt(sealed, bound_to=bound_to)
    for nonsense in ("not base64!", "", "AAAA", "ä"):
        with pytest.raises(BadRequest, match="encrypted value"):
            Vault([OLD]).decrypt(nonsense)


def test_keys_are_checked_and_never_shown() -> None:
    assert parse_key(base64.b64encode(OLD).decode() + "\n") == OLD
    for text in ("short", base64.b64encode(b"x" * 31).decode(), "%%%"):
        with pytest.raises(BadRequest, match="encryption key") as fault:
            parse_key(text)
        assert text not in str(fault.value)
    with pytest.raises(BadRequest, match="at least one"):
        Vault([])
    assert repr(Vault([OLD])) == "Vault(1 keys)"


def test_the_key_file_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "encryption.key"
    keys = load_or_create_key(path)
    assert [len(key) for key in keys] == [32]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_or_create_key(path) == keys
    assert os.listdir(path.parent) == ["encryption.key"]


def test_many_starts_at_once_agree_on_one_key(tmp_path: Path) -> None:
    path = tmp_path / "k"
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: load_or_create_key(path), range(16)))
    assert all(keys == found[0] for keys in found)


def test_a_rotated_key_file(tmp_path: Path) -> None:
    path = tmp_path / "k"
    [first] = load_or_create_key(path)
    value = Vault([first]).encrypt("s")
    keys = rotate_key(path)
    assert keys[1:] == [first]
    assert read_keys(path) == keys
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Vault(keys).decrypt(value) == "s"


def test_a_broken_key_file_is_named_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "k"
    path.write_text("# only a comment\n\n")
    with pytest.raises(BadRequest, match="holds no key"):
        load_or_create_key(path)
    path.write_text("# c\nnonsense\n")
    with pytest.raises(BadRequest, match="Line 2 of the key file"):
        load_or_create_key(path)
    assert path.read_text() == "# c\nnonsense\n"
    with pytest.raises(BadRequest, match="Cannot read"):
        read_keys(tmp_path / "absent")


def test_secrets_of_the_environment() -> None:
    found = secrets_of_environment(
        {
            "SECRET_DB_PASSWORD": base64.b64encode(b"s3cret").decode(),
            "SECRET_wrapped": base64.b64encode(b"x" * 100).decode()[:76]
            + "\n"
            + base64.b64encode(b"x" * 100).decode()[76:],
            "SECRET_PLAIN": "not base64",
            "SECRET_BYTES": base64.b64encode(b"\xff\xfe").decode(),
            "SECRET_": "",
            "PENSTOCK_SECRET_TOKEN": "plain text",
            "PENSTOCK_SECRET_DB_PASSWORD": "wins",
            "OTHER": "x",
        }
    )
    assert found.values == {"DB_PASSWORD": "wins", "WRAPPED": "x" * 100, "TOKEN": "plain text"}
    assert found.undecodable == ("SECRET_BYTES", "SECRET_PLAIN")
    assert found.find("db_password") == "wins"
    assert found.find("PLAIN") is None
    assert "plain text" not in repr(found)
