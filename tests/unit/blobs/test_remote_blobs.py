"""What only object stores need: reading on after a lost connection, keys, settings."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from obstore.store import AzureStore, GCSStore, MemoryStore, S3Store

from penstock.blobs import azure, gcs, s3
from penstock.blobs.azure import AzureSettings
from penstock.blobs.gcs import GcsSettings
from penstock.blobs.remote import RemoteBlobs
from penstock.blobs.s3 import S3Settings
from penstock.errors import BadRequest, StoreUnavailable
from penstock.ports.blobs import CHUNK

CONTENT = b"".join(b"%07d\n" % number for number in range(400_000))  # 3 MB


class Flaky(RemoteBlobs):
    """Requests that break after a chunk, as a server's idle limit does."""

    requests = 0

    def stream(self, *args: object, **kwargs: object) -> Iterator[memoryview]:
        self.requests += 1
        chunks = super().stream(*args, **kwargs)  # type: ignore[arg-type]
        yield next(chunks)[:CHUNK]
        raise StoreUnavailable("connection closed")


class Broken(RemoteBlobs):
    """Requests that never get an answer."""

    def stream(self, *args: object, **kwargs: object) -> Iterator[memoryview]:
        raise StoreUnavailable("connection refused")
        yield memoryview(b"")


def test_reading_goes_on_after_a_lost_connection() -> None:
    blobs = Flaky(MemoryStore())
    blobs.put("main", "/a/f", CONTENT)
    with blobs.open("main", "/a/f") as file:
        assert b"".join(file) == CONTENT
    assert blobs.requests > 1


def test_a_store_that_stays_away_is_said_so() -> None:
    blobs = Broken(MemoryStore())
    blobs.put("main", "/a/f", CONTENT)
    with blobs.open("main", "/a/f") as file, pytest.raises(StoreUnavailable, match="refused"):
        file.read()


def test_a_file_replaced_while_read_is_not_mixed() -> None:
    blobs = RemoteBlobs(MemoryStore())
    blobs.put("main", "/a/f", CONTENT)
    with blobs.open("main", "/a/f") as file:
        file.read(10)
        blobs.put("main", "/a/f", CONTENT.swapcase() + b"other")
        file.seek(2 * CHUNK + 5)
        with pytest.raises(StoreUnavailable, match="kestra:///a/f"):
            file.read(10)


def test_keys_hold_the_tenant() -> None:
    store = MemoryStore()
    RemoteBlobs(store).put("main", "/company/team/f.txt", b"x")
    assert [found["path"] for batch in store.list() for found in batch] == ["main/company/team/f.txt"]


def test_opening_asks_for_no_content() -> None:
    blobs = Flaky(MemoryStore())
    blobs.put("main", "/a/f", CONTENT)
    blobs.open("main", "/a/f").close()
    assert blobs.requests == 0


def test_settings_become_stores() -> None:
    assert isinstance(s3.s3_blobs(S3Settings(bucket="b", endpoint="http://x:1", prefix="p"))._store, S3Store)
    assert isinstance(gcs.gcs_blobs(GcsSettings(bucket="b", endpoint="http://x:1"))._store, GCSStore)
    settings = AzureSettings(container="c", account="a", account_key="a2V5", endpoint="http://x:1/a")
    assert isinstance(azure.azure_blobs(settings)._store, AzureStore)


def test_an_azure_connection_string() -> None:
    text = "DefaultEndpointsProtocol=https;AccountName=acc;AccountKey=a2V5PT0=;EndpointSuffix=core.windows.net"
    config = azure._config(AzureSettings(container="c", connection_string=text))
    assert config == {"account_name": "acc", "account_key": "a2V5PT0="}
    with pytest.raises(BadRequest, match="no AccountName"):
        azure._config(AzureSettings(container="c", connection_string="AccountKey=x"))


def test_secrets_of_settings_are_not_shown() -> None:
    shown = [
        repr(S3Settings(bucket="b", access_key_id="id", secret_access_key="hush", session_token="hush")),
        repr(GcsSettings(bucket="b", service_account="hush")),
        repr(AzureSettings(container="c", account_key="hush", sas_token="hush", connection_string="hush")),
    ]
    assert not any("hush" in text for text in shown)


def test_a_service_account_is_passed_on() -> None:
    account = json.dumps({"client_email": "x"})
    assert gcs._config(GcsSettings(bucket="b", service_account=account)) == {"service_account_key": account}
