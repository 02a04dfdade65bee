"""Encryption of secret values at rest, and secrets taken from the environment.

AES-GCM over base64(nonce + ciphertext + tag), the layout of Kestra's own encryption, so values written by Kestra with
the same key can be read. A vault holds several keys, newest first: the newest encrypts, every one decrypts, which is
all that a rotation needs. The authentication tag tells the right key from a wrong one.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from penstock.errors import BadRequest, Conflict

ENCRYPTED_TYPE = "io.kestra.datatype:aes_encrypted"
KEY_BYTES = 32

_NONCE_BYTES = 12
_TAG_BYTES = 16
_KEY_SIZES = (16, 24, 32)
_HEADER = (
    "# Encryption keys of Penstock, newest first. Whoever holds them reads every secret; without them none can be.\n"
)


class Vault:
    """Encrypts and decrypts with a ring of keys, newest first. Its text never shows a key."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """`keys` are raw AES keys of 16, 24 or 32 bytes, the first one encrypts.

        Raises:
            BadRequest: there is none, or one has another length.
        """
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if not keys:
            raise BadRequest("Encryption needs at least one key, found none")
        self._ciphers = [AESGCM(_checked(key)) for key in keys]

    def encrypt(self, plain: str, *, bound_to: str = "") -> str:
        """`plain` encrypted by the newest key, as base64 text; different each time.

        `bound_to` (for instance `namespace/KEY`) must be given again to decrypt, so that a value moved to another
        row cannot be read there. Leave it empty for Kestra's own format.
        """
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._ciphers[0].encrypt(nonce, plain.encode(), bound_to.encode() or None)
        return base64.b64encode(nonce + sealed).decode()

    def decrypt(self, value: str, *, bound_to: str = "") -> str:
        """The text that `value` was encrypted from.

        Raises:
            BadRequest: it is no encrypted value. The message never quotes it.
            Conflict: no key of the ring opens it (a lost key, an altered value, or another `bound_to`).
        """
        return self._open(value, bound_to)[1]

    def is_current(self, value: str, *, bound_to: str = "") -> bool:
        """Whether the newest key encrypted `value`, so that a rotation may pass it over. Raises as `decrypt`."""
        return self._open(value, bound_to)[0] == 0

    def reencrypt(self, value: str, *, bound_to: str = "") -> str:
        """`value` under the newest key; returned unchanged when it already is. Raises as `decrypt`."""
        age, plain = self._open(value, bound_to)
        return value if age == 0 else self.encrypt(plain, bound_to=bound_to)

    def wrap(self, plain: str) -> dict[str, str]:
        """Kestra's JSON form of an encrypted SECRET input or output."""
        return {"type": ENCRYPTED_TYPE, "value": self.encrypt(plain)}

    def unwrap(self, wrapped: Mapping[str, object]) -> str:
        """The plain text of Kestra's JSON form. Raises as `decrypt`."""
        value = wrapped.get("value")
        if not is_wrapped(wrapped) or not isinstance(value, str):
            raise BadRequest(f"Expected an encrypted value of type `{ENCRYPTED_TYPE}`, found keys {sorted(wrapped)}")
        return self.decrypt(value)

    def __repr__(self) -> str:
        return f"Vault({len(self._ciphers)} keys)"

    def _open(self, value: str, bound_to: str) -> tuple[int, str]:
        """The age of the key that opens `value` (0 is the newest), and the plain text."""
        from cryptography.exceptions import InvalidTag

        sealed = _sealed(value)
        for age, cipher in enumerate(self._ciphers):
            with suppress(InvalidTag):
                plain = cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound_to.encode() or None)
                return age, plain.decode()
        raise Conflict(
            f"Unable to decrypt a value: none of the {len(self._ciphers)} configured keys opens it. "
            "Add the key it was written with to the key file, or set the secret again"
        )


def is_wrapped(value: object) -> bool:
    """Whether `value` is Kestra's JSON form of an encrypted value."""
    return isinstance(value, Mapping) and value.get("type") == ENCRYPTED_TYPE and "value" in value


def parse_key(text: str) -> bytes:
    """The raw key written as base64 in `text`, as in `kestra.encryption.secret-key`.

    Raises:
        BadRequest: not base64, or not 16, 24 or 32 bytes. The message never quotes the key.
    """
    try:
        return _checked(base64.b64decode(text.strip(), validate=True))
    except binascii.Error as fault:
        raise BadRequest("Invalid encryption key: expected base64 of 32 random bytes") from fault


def load_or_create_key(path: Path) -> list[bytes]:
    """The keys in the file at `path`, newest first; a new file with one new key (mode 0600) when there is none.

    Several processes may start at once: one creates the file, all read the same.

    Raises:
        BadRequest: the file holds no key, or a line that is none.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _create(path, [secrets.token_bytes(KEY_BYTES)])
    return read_keys(path)


def read_keys(path: Path) -> list[bytes]:
    """The keys in the file at `path`: one base64 text per line, newest first; blank lines and `#` are skipped.

    Raises:
        BadRequest: the file holds no key, or a line that is none, or it cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as fault:
        raise BadRequest(f"Cannot read the key file {path}: {fault}") from fault
    keys = [_key_of_line(path, number, line) for number, line in enumerate(lines, 1) if _holds_key(line)]
    if not keys:
        raise BadRequest(f"The key file {path} holds no key: expected a line with base64 of 32 random bytes")
    return keys


def rotate_key(path: Path) -> list[bytes]:
    """Puts a new key before the others in the key file, in one step, and returns all of them.

    Values stay readable; `Vault.reencrypt` brings them under the new key, after which older lines may be removed.
    """
    keys = [secrets.token_bytes(KEY_BYTES), *read_keys(path)]
    draft = _draft(path, keys)
    os.replace(draft, path)
    return keys


@dataclass(frozen=True, slots=True)
class EnvironmentSecrets:
    """Secrets found in an environment: values by upper-case name, and the variables that could not be decoded."""

    values: Mapping[str, str]
    undecodable: tuple[str, ...]

    def find(self, key: str) -> str | None:
        """The secret `key`, whatever its case, or None."""
        return self.values.get(key.upper())

    def __repr__(self) -> str:
        return f"EnvironmentSecrets({sorted(self.values)})"


def secrets_of_environment(environ: Mapping[str, str]) -> EnvironmentSecrets:
    """The secrets in `environ`: `SECRET_X` holds base64, as in Kestra, `PENSTOCK_SECRET_X` plain text and wins.

    A `SECRET_X` that is not base64 of UTF-8 is named in `undecodable` and otherwise left out, Kestra's rule.
    """
    values: dict[str, str] = {}
    undecodable: list[str] = []
    for name, text in environ.items():
        if name.startswith("SECRET_") and name != "SECRET_":
            decoded = _decoded(text)
            if decoded is None:
                undecodable.append(name)
            else:
                values[name.removeprefix("SECRET_").upper()] = decoded
    plain = {
        name.removeprefix("PENSTOCK_SECRET_").upper(): text
        for name, text in environ.items()
        if name.startswith("PENSTOCK_SECRET_") and name != "PENSTOCK_SECRET_"
    }
    return EnvironmentSecrets(values=values | plain, undecodable=tuple(sorted(undecodable)))


def _decoded(text: str) -> str | None:
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def _checked(key: bytes) -> bytes:
    if len(key) not in _KEY_SIZES:
        raise BadRequest(f"Invalid encryption key: expected 32 bytes (or 16, 24), found {len(key)}")
    return key


def _sealed(value: str) -> bytes:
    try:
        sealed = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as fault:
        raise BadRequest("Invalid encrypted value: expected base64") from fault
    if len(sealed) < _NONCE_BYTES + _TAG_BYTES:
        raise BadRequest(f"Invalid encrypted value: expected at least {_NONCE_BYTES + _TAG_BYTES} bytes of base64")
    return sealed


def _holds_key(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _key_of_line(path: Path, number: int, line: str) -> bytes:
    try:
        return parse_key(line)
    except BadRequest as fault:
        raise BadRequest(f"Line {number} of the key file {path}: {fault}") from fault


def _create(path: Path, keys: Sequence[bytes]) -> None:
    """Creates the key file, unless another process was first; never overwrites."""
    draft = _draft(path, keys)
    try:
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        os.unlink(draft)


def _draft(path: Path, keys: Sequence[bytes]) -> str:
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mkstemp gives mode 0600
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(_HEADER)
        file.writelines(base64.b64encode(key).decode() + "\n" for key in keys)
        file.flush()
        os.fsync(file.fileno())
    return draft
