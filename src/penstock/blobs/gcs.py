"""Internal storage in Google Cloud Storage."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from penstock.blobs.remote import RemoteBlobs

if TYPE_CHECKING:
    from obstore.store import GCSConfig


@dataclass(frozen=True, slots=True)
class GcsSettings:
    """Where the bucket is and who asks; without a service account Google's application default credentials serve.

    `service_account` is the JSON text of a key, `endpoint` the URL of a stand-in (asked without a signature).
    `prefix` is a folder inside the bucket.
    """

    bucket: str
    service_account: str | None = field(default=None, repr=False)
    endpoint: str | None = None
    prefix: str | None = None


def gcs_blobs(settings: GcsSettings) -> RemoteBlobs:
    """Internal storage in the bucket of `settings`. Connects at the first request."""
    from obstore.store import GCSStore

    plain_http = (settings.endpoint or "").startswith("http://")
    store = GCSStore(
        settings.bucket, prefix=settings.prefix, config=_config(settings), client_options={"allow_http": plain_http}
    )
    return RemoteBlobs(store)


def _config(settings: GcsSettings) -> GCSConfig:
    config: GCSConfig = {}
    if settings.service_account:
        config["service_account_key"] = settings.service_account
    if settings.endpoint:
        config["base_url"] = settings.endpoint
        config["skip_signature"] = True
    return config
