"""The shared conformance cases and template files against a live server.

The cases lie beside the repository (`../shared/conformance`), or in the folders and files named by `PENSTOCK_CASES` (a path
list): folders of cases run through the harness, `.yaml` files are template cases.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.live import LiveServer

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("PENSTOCK_SHARED", str(ROOT.parent / "shared"))) / "conformance"
HAVE = ("large-contexts", "env:CONFORMANCE", "secret:CONFORMANCE", "scripts", "jdbc-sqlite")

pytestmark = [
    pytest.mark.skipif(not (SHARED / "run.py").is_file(), reason="the shared conformance cases are not here"),
    pytest.mark.slow,
    pytest.mark.timeout(1200),
]


def places() -> list[Path]:
    """The shared folders, and those of PENSTOCK_CASES."""
    extra = [Path(p) for p in os.environ.get("PENSTOCK_CASES", "").split(os.pathsep) if p]
    return [SHARED / "cases", SHARED / "expressions.yaml", *extra]


def case_folders() -> list[Path]:
    return [p for p in places() if p.is_dir()]


def template_files() -> list[Path]:
    return [p for p in places() if p.is_file()]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory):
    home = tmp_path_factory.mktemp("home")
    with LiveServer(
        home, env={"ENV_CONFORMANCE": "conformance-env", "SECRET_CONFORMANCE": "Y29uZm9ybWFuY2Utc2VjcmV0"}
    ) as live:
        yield live


@pytest.mark.parametrize("folder", case_folders(), ids=lambda p: p.name)
def test_cases(server: LiveServer, folder: Path) -> None:
    command = [
        sys.executable,
        str(SHARED / "run.py"),
        "--base-url",
        server.url,
        "--cases",
        str(folder),
        "--parallel",
        "8",
    ]
    for name in HAVE:
        command += ["--have", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert " passed, 0 failed" in done.stdout


@pytest.mark.parametrize("file", template_files(), ids=lambda p: p.name)
def test_templates(file: Path) -> None:
    command = [sys.executable, "-m", "penstock.testing.expressions", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
