"""Real servers that the suite of internal storage runs against; each starts once and is skipped where it is absent."""

from __future__ import annotations

import base64
import hmac
import itertools
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import quote, unquote
from urllib.request import Request, urlopen

import pytest

from penstock.blobs.azure import AzureSettings, azure_blobs
from penstock.blobs.gcs import GcsSettings, gcs_blobs
from penstock.blobs.remote import RemoteBlobs
from penstock.blobs.s3 import S3Settings, s3_blobs

AZURITE_ACCOUNT = "devstoreaccount1"
AZURITE_KEY = base64.b64encode(b"a key of the tests, not of anything else").decode()


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """moto's S3 server on a port of its own."""
    server = pytest.importorskip("moto.server", reason="moto[server] is not installed")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def s3_storage(s3_endpoint: str) -> RemoteBlobs:
    """Storage below a prefix in a new bucket of the S3 server."""
    bucket = _bucket_name()
    _ask(f"{s3_endpoint}/{bucket}", "PUT", headers=_AWS)
    settings = S3Settings(
        bucket=bucket, endpoint=s3_endpoint, access_key_id="k", secret_access_key="s", prefix="company/storage"
    )
    return s3_blobs(settings)


@pytest.fixture(scope="session")
def gcs_endpoint() -> Iterator[str]:
    """A stand-in for Google Cloud Storage: moto's S3 server behind the few headers that differ.

    Google's XML API, which the client uses, is S3's but for the names of headers. fake-gcs-server, to be had as
    a Go module, refuses that API's uploads (tried with 1.56).
    """
    server = pytest.importorskip("moto.server", reason="moto[server] is not installed")
    serving = pytest.importorskip("werkzeug.serving")
    application = server.DomainDispatcherApplication(server.create_backend_app)

    def translated(environ: dict[str, object], start: object) -> object:
        for name in [name for name in environ if name.startswith("HTTP_X_GOOG_")]:
            environ[name.replace("HTTP_X_GOOG_", "HTTP_X_AMZ_")] = environ.pop(name)
        environ["HTTP_AUTHORIZATION"] = _AWS["Authorization"]
        path, mark, query = str(environ["RAW_URI"]).partition("?")
        environ["RAW_URI"] = environ["REQUEST_URI"] = quote(unquote(path)) + mark + query  # moto knows no `%2D`, `%2F`
        return application(environ, start)

    running = serving.make_server("127.0.0.1", 0, translated, threaded=True)
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    thread.join(10)
    running.server_close()


@pytest.fixture
def gcs_storage(gcs_endpoint: str) -> RemoteBlobs:
    """Storage in a new bucket of the stand-in for Google Cloud Storage."""
    bucket = _bucket_name()
    _ask(f"{gcs_endpoint}/{bucket}", "PUT", headers=_AWS)
    return gcs_blobs(GcsSettings(bucket=bucket, endpoint=gcs_endpoint))


@pytest.fixture(scope="session")
def azure_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Azurite's blob server (`npm install -g azurite`)."""
    program = _program("azurite-blob")
    port = _free_port()
    folder = tmp_path_factory.mktemp("azurite")
    command = [program, "--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", str(folder), "--silent"]
    url = f"http://127.0.0.1:{port}"
    accounts = {"AZURITE_ACCOUNTS": f"{AZURITE_ACCOUNT}:{AZURITE_KEY}"}
    with _running([*command, "--skipApiVersionCheck"], url, log=folder / "log", variables=accounts):
        yield f"{url}/{AZURITE_ACCOUNT}"


@pytest.fixture
def azure_storage(azure_endpoint: str) -> RemoteBlobs:
    """Storage in a new container of Azurite."""
    container = _bucket_name()
    _ask(f"{azure_endpoint}/{container}?restype=container", "PUT", headers=_azure_signature(container))
    connection = f"AccountName={AZURITE_ACCOUNT};AccountKey={AZURITE_KEY};BlobEndpoint={azure_endpoint}"
    return azure_blobs(AzureSettings(container=container, connection_string=connection))


def _azure_signature(container: str) -> dict[str, str]:
    """The headers of Azure's Shared Key scheme for the creation of a container."""
    moment = formatdate(usegmt=True)
    signed = f"x-ms-date:{moment}\nx-ms-version:2021-08-06\n/{AZURITE_ACCOUNT}/{AZURITE_ACCOUNT}/{container}"
    text = "PUT" + "\n" * 12 + signed + "\nrestype:container"
    signature = base64.b64encode(hmac.digest(base64.b64decode(AZURITE_KEY), text.encode(), "sha256")).decode()
    return {
        "x-ms-date": moment,
        "x-ms-version": "2021-08-06",
        "Content-Length": "0",
        "Authorization": f"SharedKey {AZURITE_ACCOUNT}:{signature}",
    }


@contextmanager
def _running(command: list[str], url: str, *, log: Path, variables: dict[str, str] | None = None) -> Iterator[None]:
    """Runs a server until the block ends; enters it once the server answers."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, **(variables or {})})
        try:
            _await_answer(process, url, log=log)
            yield
        finally:
            process.terminate()
            process.wait(10)


def _await_answer(process: subprocess.Popen[bytes], url: str, *, log: Path) -> None:
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        try:
            urlopen(url, timeout=1).close()
        except HTTPError:
            return
        except (URLError, OSError):
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"{process.args!r} does not answer at {url}:\n{log.read_text()}")


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not on the PATH")
    return found


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def _ask(url: str, method: str, *, headers: dict[str, str], body: bytes | None = None) -> None:
    urlopen(Request(url, method=method, headers=headers, data=body)).close()


_AWS = {"Authorization": "AWS4-HMAC-SHA256 Credential=k/20260101/us-east-1/s3/aws4_request"}
_numbers = itertools.count()


def _bucket_name() -> str:
    return f"bucket-{next(_numbers)}"
