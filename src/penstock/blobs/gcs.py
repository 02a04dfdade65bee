"""Internal storage in Google Cloud Storage."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from penstock.blobs.remote import RETRY, RemoteBlobs, client_options

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

    store = GCSStore(
        settings.bucket,
        prefix=settings.prefix,
        config=_config(settings),
        client_options=client_options(settings.endpoint),
        retry_config=RETRY,
    )
    return RemoteBlobs(store)


def _config(settings: GcsSettings) -> GCSConfig:
    config: GCSConfig = {}
    if settings.service_account:
        config["service_account_key"] = settings.service_account
    if settings.endpoint:
        config["service_account_key"] = _stand_in_account(settings.endpoint)
    return config


def _stand_in_account(endpoint: str) -> str:
    """An account that makes requests go to `endpoint` without a token."""
    account = {
        "gcs_base_url": endpoint,
        "disable_oauth": True,
        "client_email": "",
        "private_key": "",
        "private_key_id": "",
    }
    return json.dumps(account)
