"""Every example runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from penstock.cli.run import run_flow
from penstock.model.task import LogLevel
from penstock.plugin.registry import PluginRegistry
from penstock.testing.task_desk import TaskDesk

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_flow_runs(path: Path, tmp_path: Path) -> None:
    code = run_flow(path, [], labels=[], watch=False, as_json=False, level=LogLevel.INFO, home=str(tmp_path), also=[])
    assert code == 0


def test_tests_of_flows_pass() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", str(EXAMPLES)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout


def test_plugin_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES / "plugin"))
    import acme_penstock  # pyright: ignore[reportMissingImports]

    registry = PluginRegistry()
    registry.add(acme_penstock)
    shout = registry.resolve("io.acme.Shout")
    assert shout is not None
    with TaskDesk() as desk:
        result = desk.run(shout(id="s", type="io.acme.text.Shout", text="{{ word }}", times=2), {"word": "hey"})
    assert result.outputs == {"text": "HEY!!", "loudness": 2}
