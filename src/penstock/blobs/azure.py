"""Internal storage in Azure Blob Storage."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from penstock.blobs.remote import RETRY, RemoteBlobs, client_options
from penstock.errors import BadRequest

if TYPE_CHECKING:
    from obstore.store import AzureConfig


@dataclass(frozen=True, slots=True)
class AzureSettings:
    """Where the container is and who asks; without a key obstore looks for a managed or workload identity.

    `connection_string` is the one the portal shows and stands for account, key and endpoint together. `endpoint`
    holds the account too (`http://127.0.0.1:10000/devstoreaccount1`). `prefix` is a folder inside the container.
    """

    container: str
    account: str | None = None
    account_key: str | None = field(default=None, repr=False)
    sas_token: str | None = field(default=None, repr=False)
    connection_string: str | None = field(default=None, repr=False)
    endpoint: str | None = None
    prefix: str | None = None


def azure_blobs(settings: AzureSettings) -> RemoteBlobs:
    """Internal storage in the container of `settings`. Connects at the first request.

    Raises:
        BadRequest: the connection string lacks its account.
    """
    from obstore.store import AzureStore

    config = _config(settings)
    store = AzureStore(
        settings.container,
        prefix=settings.prefix,
        config=config,
        client_options=client_options(config.get("endpoint")),
        retry_config=RETRY,
    )
    return RemoteBlobs(store)


def _config(settings: AzureSettings) -> AzureConfig:
    parts = _parts(settings.connection_string)
    config: AzureConfig = {}
    if account := settings.account or parts.get("AccountName"):
        config["account_name"] = account
    if key := settings.account_key or parts.get("AccountKey"):
        config["account_key"] = key
    if token := settings.sas_token or parts.get("SharedAccessSignature"):
        config["sas_key"] = token
    if endpoint := settings.endpoint or parts.get("BlobEndpoint"):
        config["endpoint"] = endpoint
    return config


def _parts(connection_string: str | None) -> dict[str, str]:
    if not connection_string:
        return {}
    pairs = (part.partition("=") for part in connection_string.split(";"))
    parts = {name.strip(): value.strip() for name, _, value in pairs if name.strip()}
    if "AccountName" not in parts:
        raise BadRequest("Invalid Azure connection string: expected `AccountName=…;AccountKey=…`, found no AccountName")
    return parts
