"""Functions that read JSON, Ion and YAML, and encryption."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING

from penstock.expr.errors import EvaluationError, preview
from penstock.expr.functions.table import FUNCTIONS, flag
from penstock.expr.json_text import read_json
from penstock.expr.registry import MISSING, given
from penstock.expr.secrets import Secret, texts_in
from penstock.expr.text import java_text

if TYPE_CHECKING:
    from penstock.expr.frame import Frame


@FUNCTIONS.add("fromJson json", "json")
def from_json(frame: Frame, text: object) -> object:
    """The value of a JSON text; `json` is the deprecated name of 1.x."""
    if text is MISSING:
        raise EvaluationError("The 'fromJson' function expects an argument 'json'.")
    if text is None:
        return None
    if not isinstance(text, str):
        raise EvaluationError(
            "The 'fromJson' function expects an argument 'json' with type string.",
            hint=f"it is {preview(text)}, already a value: leave `fromJson` out",
        )
    value = read_json(str(text), what="json")
    if isinstance(text, Secret):
        frame.absorb(texts_in(value))
    return value


@FUNCTIONS.add("fromIon", "ion", "allRows")
def from_ion(frame: Frame, ion: object, every: object) -> object:
    """The first value of an Ion text or binary, or a list of all."""
    from penstock.expr.ion_text import read_ion

    if ion is MISSING:
        raise EvaluationError("The 'fromIon' function expects an argument 'ion'.")
    if ion is None:
        return None
    if not isinstance(ion, (str, bytes)):
        raise EvaluationError(
            "The 'fromIon' function expects an argument 'ion' with type string.", hint=f"it is {preview(ion)}"
        )
    source = str(ion) if isinstance(ion, str) else ion
    return read_ion(source, every=flag("fromIon", "allRows", every, default=False))


@FUNCTIONS.add("yaml", "yaml")
def from_yaml(frame: Frame, text: object) -> object:
    """The value of a YAML text; anchors are not resolved."""
    from penstock.expr.yaml_text import read_yaml

    if not given(text):
        raise EvaluationError("The 'yaml' function expects an argument 'yaml'.")
    if not isinstance(text, str):
        raise EvaluationError(
            "The 'yaml' function expects an argument 'yaml' with type string.", hint=f"it is {preview(text)}"
        )
    return read_yaml(str(text))


@FUNCTIONS.add("encrypt", "key", "plaintext")
def encrypt(frame: Frame, key: object, text: object) -> object:
    """AES-GCM with a base64 key: a random 12-byte start, the cipher text and its tag, in base64."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if key is MISSING or text is MISSING:
        raise EvaluationError("The 'encrypt' function expects two arguments 'key' and 'plaintext'.")
    if text is None or text == "":
        return text
    context = frame.context
    start = hashlib.sha256(f"{context.new_id()}{context.random()!r}".encode()).digest()[:12]
    sealed = AESGCM(_key("encrypt", frame, key)).encrypt(start, java_text(frame, text).encode("utf-8", "replace"), None)
    return base64.b64encode(start + sealed).decode()


@FUNCTIONS.add("decrypt", "key", "encrypted")
def decrypt(frame: Frame, key: object, text: object) -> object:
    """The text that `encrypt` made secret."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if key is MISSING or text is MISSING:
        raise EvaluationError("The 'decrypt' function expects two arguments 'key' and 'encrypted'.")
    if text is None or text == "":
        return text
    cipher = AESGCM(_key("decrypt", frame, key))
    try:
        sealed = base64.b64decode(java_text(frame, text), validate=True)
        return cipher.decrypt(sealed[:12], sealed[12:], None).decode("utf-8", "replace")
    except (InvalidTag, binascii.Error, ValueError) as error:
        raise EvaluationError(
            "The 'decrypt' function could not decrypt the text", hint="wrong key, or not encrypted"
        ) from error


def _key(name: str, frame: Frame, key: object) -> bytes:
    try:
        raw = base64.b64decode(java_text(frame, key), validate=True)
    except (binascii.Error, ValueError) as error:
        raise EvaluationError(f"The '{name}' function expects a 'key' in base64.") from error
    if len(raw) not in (16, 24, 32):
        raise EvaluationError(f"The '{name}' function expects a 'key' of 16, 24 or 32 bytes in base64, not {len(raw)}.")
    return raw
