"""Internal storage in S3, or in anything that speaks its protocol (MinIO, Ceph, R2 …)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from penstock.blobs.remote import RETRY, RemoteBlobs, client_options

if TYPE_CHECKING:
    from obstore.store import S3Config


@dataclass(frozen=True, slots=True)
class S3Settings:
    """Where the bucket is and who asks; without keys obstore looks in the usual AWS places (variables, roles).

    `endpoint` is the server's URL when it is not AWS; plain `http://` is accepted there. `prefix` is a folder inside
    the bucket.
    """

    bucket: str
    region: str = "us-east-1"
    endpoint: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    prefix: str | None = None
    virtual_hosted_style: bool = False


def s3_blobs(settings: S3Settings) -> RemoteBlobs:
    """Internal storage in the bucket of `settings`. Connects at the first request."""
    from obstore.store import S3Store

    store = S3Store(
        settings.bucket,
        prefix=settings.prefix,
        config=_config(settings),
        client_options=client_options(settings.endpoint),
        retry_config=RETRY,
    )
    return RemoteBlobs(store)


def _config(settings: S3Settings) -> S3Config:
    config: S3Config = {
        "region": settings.region,
        "virtual_hosted_style_request": settings.virtual_hosted_style,
    }
    if settings.endpoint:
        config["endpoint"] = settings.endpoint
    if settings.access_key_id:
        config["access_key_id"] = settings.access_key_id
    if settings.secret_access_key:
        config["secret_access_key"] = settings.secret_access_key
    if settings.session_token:
        config["session_token"] = settings.session_token
    return config
