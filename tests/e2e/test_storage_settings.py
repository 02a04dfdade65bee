"""The setting `storage`: a flow's files lie in a bucket of a real S3 server, and mistakes are told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from tests.e2e.house import TENANT, House

from penstock.app.storage import internal_storage
from penstock.blobs import LocalBlobs
from penstock.errors import BadRequest
from penstock.model.state import State
from penstock.settings import Settings

FLOW = """
id: bucket
namespace: e2e
tasks:
  - {id: big, type: io.kestra.plugin.core.debug.Return, format: "{{ range(1, 9000) }}"}
  - {id: kept, type: io.kestra.plugin.core.storage.Write, content: hello}
  - {id: read, type: io.kestra.plugin.core.debug.Return, format: "{{ read(outputs.kept.uri) }}"}
"""


@pytest.fixture(scope="module")
def bucket() -> Iterator[dict[str, object]]:
    moto = pytest.importorskip("moto.server", reason="moto[server] is not installed")
    running = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    with urlopen(Request(f"{endpoint}/flows", method="PUT")):
        pass
    yield {
        "type": "s3",
        "bucket": "flows",
        "prefix": "team",
        "endpoint": endpoint,
        "access_key_id": "k",
        "secret_access_key": "s",
    }
    running.stop()


def test_files_and_large_outputs_lie_in_the_bucket(tmp_path: Path, bucket: dict[str, object]) -> None:
    with House(tmp_path, storage=bucket) as house:
        ended = house.run(FLOW)
        big = house.outputs(ended.id, "big")["value"]
        read = house.outputs(ended.id, "read")["value"]
        paths = [blob.path for blob in house.app.blobs.list(TENANT, "/e2e/bucket")]

    assert ended.state is State.SUCCESS
    assert (read, str(big).count(",")) == ("hello", 8999)
    assert len(paths) == 2
    assert not (tmp_path / "storage").exists()


def test_a_folder_elsewhere(tmp_path: Path) -> None:
    blobs = internal_storage(Settings(home=str(tmp_path), storage={"path": str(tmp_path / "elsewhere")}))
    assert isinstance(blobs, LocalBlobs)
    blobs.put(TENANT, "/a/b", b"1")
    assert [one.name for one in tmp_path.iterdir()] == ["elsewhere"]


@pytest.mark.parametrize(
    ("storage", "message"),
    [
        ({"type": "ftp"}, "expected one of local, s3, gcs, azure, found 'ftp'"),
        ({"type": "s3"}, "`bucket` is needed"),
        ({"type": "azure", "contaner": "x"}, "unknown key `contaner`, did you mean `container`?"),
        ({"folder": "x"}, "unknown key `folder`, expected path"),
    ],
)
def test_mistakes_are_told(storage: dict[str, object], message: str) -> None:
    with pytest.raises(BadRequest) as found:
        internal_storage(Settings(storage=storage))
    assert message in str(found.value)
