"""Secret texts: a mark that stays on a text, and masking in everything that is written."""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Final, Self
from urllib.parse import quote, quote_plus

MASK: Final = "******"
_SHORT: Final = 3


class Secret(str):
    """A text that holds a secret; `sources` are the secret texts it was made from.

    Every text a template makes with a secret is a Secret again, so that whoever writes a log knows what to mask.
    Its `repr` does not show it; its `str` does, since plugins need the text.
    """

    __slots__ = ("sources",)
    sources: frozenset[str]

    def __new__(cls, text: str, sources: Iterable[str] | None = None) -> Self:
        made = super().__new__(cls, text)
        made.sources = frozenset((str(text),)) if sources is None else frozenset(sources)
        return made

    def __repr__(self) -> str:
        return f"Secret({MASK!r})"

    def __add__(self, other: str) -> Secret:
        return Secret(str(self) + str(other), self.sources | sources_of(other))

    def __radd__(self, other: str) -> Secret:
        return Secret(str(other) + str(self), self.sources | sources_of(other))

    def __reduce__(self) -> tuple[type[Secret], tuple[str, frozenset[str]]]:
        return Secret, (str(self), self.sources)


def sources_of(value: object) -> frozenset[str]:
    """The secret texts inside a text, empty for a plain one."""
    return value.sources if isinstance(value, Secret) else frozenset()


def taint(value: object, sources: Iterable[str]) -> object:
    """`value` with every text in it (keys excepted) marked; maps and lists are copied."""
    if isinstance(value, str):
        return Secret(str(value), sources_of(value).union(sources))
    if isinstance(value, dict):
        return {key: taint(item, sources) for key, item in value.items()}
    if isinstance(value, list):
        return [taint(item, sources) for item in value]
    return value


def texts_in(value: object) -> set[str]:
    """The texts inside a value that was read out of a secret: each is as secret as the whole.

    Those of three characters or less are left out: masking them would cover ordinary text.
    """
    if isinstance(value, str):
        return {str(value)} if len(value) > _SHORT else set()
    if isinstance(value, Mapping):
        value = list(value.values())
    return set().union(*map(texts_in, value)) if isinstance(value, (list, tuple)) else set()


def shown(value: object) -> object:
    """`value` as it may be kept where people read it: in every marked text its secrets are masked."""
    if isinstance(value, Secret):
        return mask(str(value), value.sources)
    if isinstance(value, Mapping):
        return {shown(key): shown(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [shown(item) for item in value]
    return value


def mask(text: str, secrets: Iterable[str]) -> str:
    """`text` with each secret replaced by `******`, also where it is written in another form.

    The forms: as it stands, base64 (plain and URL-safe, padded or not, at any alignment within a longer text),
    URL-encoded (form and percent), JSON-escaped, and shell-quoted. Long secrets go first, so that one inside another
    leaves no rest.
    """
    if not text:
        return text
    forms = {form for secret in secrets if secret for form in _forms(str(secret))}
    present = sorted((form for form in forms if form in text), key=len, reverse=True)
    if not present:
        return str(text)
    return re.sub("|".join(map(re.escape, present)), MASK, text)


def _forms(secret: str) -> set[str]:
    raw = secret.encode("utf-8", "surrogatepass")
    forms = {
        secret,
        quote(raw, safe=""),
        quote(raw),
        quote_plus(raw),
        re.sub(r"%[0-9A-F]{2}", lambda code: code[0].lower(), quote(raw, safe="")),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        json.dumps(json.dumps(secret))[1:-1],
        json.dumps(json.dumps(secret)[1:-1])[1:-1],
        json.dumps(json.dumps(secret, ensure_ascii=False)[1:-1], ensure_ascii=False)[1:-1],
        secret.replace("'", "'\\''"),
        secret.replace("'", "'\"'\"'"),
        shlex.quote(secret),
        re.sub(r'(["\\$`])', r"\\\1", secret),
    }
    return forms | _base64_forms(raw)


def _base64_forms(raw: bytes) -> set[str]:
    """base64 of the secret alone, and the part of it that does not depend on what stands before and after it."""
    forms: set[str] = set()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        alone = encode(raw).decode()
        forms.update((alone, alone.rstrip("=")))
        if len(raw) < 6:
            continue  # the stable part of a short secret is so short that it would mask ordinary text
        for shift in range(3):
            encoded = encode(bytes(shift) + raw).decode().rstrip("=")
            stable_start = -(-shift * 8 // 6)
            stable_end = (shift + len(raw)) * 8 // 6
            forms.add(encoded[stable_start:stable_end])
    return forms
