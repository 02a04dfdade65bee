"""Which internal storage a process uses: chosen by the setting `storage`."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from penstock.blobs import LocalBlobs
from penstock.errors import BadRequest
from penstock.ports.blobs import Blobs
from penstock.settings import Settings


def internal_storage(settings: Settings) -> Blobs:
    """Internal storage of the settings: a folder of the home, or a bucket.

    Raises:
        BadRequest: an unknown type or key (the nearest one is suggested), or a needed key that is missing.
    """
    values = dict(settings.storage)
    kind = values.pop("type", "local")
    if kind == "local":
        _refuse_unknown(values, {"path"}, kind)
        folder = values.get("path") or settings.folder / "storage"
        return LocalBlobs(Path(str(folder)), fsync=settings.durability == "power")
    made = _REMOTE.get(str(kind))
    if made is None:
        raise BadRequest(f"setting storage.type: expected one of local, {', '.join(_REMOTE)}, found {kind!r}")
    return made(values)


def _s3(values: Mapping[str, object]) -> Blobs:
    from penstock.blobs.s3 import S3Settings, s3_blobs

    return s3_blobs(_filled(S3Settings, values, "s3"))


def _gcs(values: Mapping[str, object]) -> Blobs:
    from penstock.blobs.gcs import GcsSettings, gcs_blobs

    return gcs_blobs(_filled(GcsSettings, values, "gcs"))


def _azure(values: Mapping[str, object]) -> Blobs:
    from penstock.blobs.azure import AzureSettings, azure_blobs

    return azure_blobs(_filled(AzureSettings, values, "azure"))


_REMOTE: dict[str, Callable[[Mapping[str, object]], Blobs]] = {"s3": _s3, "gcs": _gcs, "azure": _azure}


def _filled(kind: type[Any], values: Mapping[str, object], name: str) -> Any:
    _refuse_unknown(values, {field.name for field in fields(kind)}, name)
    try:
        return kind(**values)
    except TypeError as error:
        needed = fields(kind)[0].name
        raise BadRequest(f"setting storage of type {name}: `{needed}` is needed") from error


def _refuse_unknown(values: Mapping[str, object], known: set[str], name: object) -> None:
    for key in values:
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean `{close[0]}`?" if close else f"expected {', '.join(sorted(known))}"
            raise BadRequest(f"setting storage of type {name}: unknown key `{key}`, {hint}")
