"""The terminal as a user has it: each command in a process of its own, judged by what it prints and how it exits."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.live import LiveServer

FLOW = """\
id: hello
namespace: terminal
inputs:
  - {id: name, type: STRING}
tasks:
  - {id: quiet, type: io.kestra.plugin.core.debug.Return, format: "only at debug"}
  - {id: say, type: io.kestra.plugin.core.log.Log, message: "Hello {{ inputs.name }}"}
outputs:
  - {id: who, type: STRING, value: "{{ inputs.name }}"}
"""
FAILING = "id: fails\nnamespace: terminal\ntasks: [{id: no, type: io.kestra.plugin.core.execution.Fail}]\n"


def penstock(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "penstock", *map(str, words)], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    path = tmp_path / "hello.yaml"
    path.write_text(FLOW)
    return path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with LiveServer(tmp_path_factory.mktemp("home")) as running:
        yield running


def test_run_shows_the_log_and_the_tree(flow: Path) -> None:
    done = penstock("run", flow, "-i", "name=Ada")
    assert done.returncode == 0, done.stderr
    log, tree = done.stdout.split("✔ SUCCESS  terminal.hello", 1)
    assert "INFO  say | Hello Ada" in log
    assert "only at debug" not in log
    assert [line.split()[2] for line in tree.splitlines()[1:]] == ["quiet", "say"]


@pytest.mark.parametrize("extra", [[], ["--watch"]])
def test_run_shows_more_when_asked(flow: Path, extra: list[str]) -> None:
    done = penstock("run", flow, "-i", "name=Ada", "--log-level", "debug", *extra)
    log, tree = done.stdout.split("SUCCESS  terminal.hello", 1)
    assert "DEBUG quiet | only at debug" in log
    assert "say" in tree


def test_run_as_json_is_json_alone(flow: Path) -> None:
    body = json.loads(penstock("run", flow, "-i", "name=Ada", "--json").stdout)
    assert (body["state"]["current"], body["outputs"]) == ("SUCCESS", {"who": "Ada"})
    assert [run["taskId"] for run in body["taskRunList"]] == ["quiet", "say"]


def test_run_exits_by_the_end_of_the_flow(tmp_path: Path, flow: Path) -> None:
    failing = tmp_path / "fails.yaml"
    failing.write_text(FAILING)
    assert penstock("run", failing).returncode == 1
    missing = penstock("run", flow)
    assert missing.returncode == 2
    assert "name" in missing.stderr


def test_validate_names_every_problem_with_its_line(tmp_path: Path, flow: Path) -> None:
    assert penstock("validate", flow).returncode == 0
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(FLOW.replace("log.Log", "log.Lgo") + "triger: []\n")
    found = penstock("validate", wrong)
    assert found.returncode == 1
    text = found.stdout + found.stderr
    assert "io.kestra.plugin.core.log.Log" in text
    assert "triger" in text


def test_convert_prints_a_diff_and_leaves_the_file(tmp_path: Path) -> None:
    path = tmp_path / "old.yaml"
    path.write_text(FAILING.replace("tasks:", "pluginDefaults: [{type: io.kestra, values: {}}]\ntasks:"))
    before = path.read_text()
    done = penstock("convert", path, "--to", "2.0")
    assert done.returncode == 0, done.stderr
    assert path.read_text() == before


def test_a_server_from_the_terminal(server: LiveServer, flow: Path, tmp_path: Path) -> None:
    there = ["--server", server.url]
    assert penstock("flow", "push", flow, *there).stdout == "terminal.hello revision 1\n"
    flow.write_text(FLOW + "# again\n")
    assert penstock("flow", "push", flow, *there).stdout == "terminal.hello revision 2\n"
    assert penstock("flow", "get", "terminal", "hello", *there).stdout == FLOW + "# again\n"
    assert "terminal.hello  revision 2" in penstock("flow", "list", *there).stdout
    started = json.loads(penstock("execution", "start", "terminal", "hello", "-i", "name=Ada", "--wait", *there).stdout)
    assert started["state"]["current"] == "SUCCESS"
    assert json.loads(penstock("retention", *there).stdout)["due"][0]["executions"] == 0
    assert penstock("flow", "delete", "terminal", "hello", *there).returncode == 0
    gone = penstock("flow", "get", "terminal", "hello", *there)
    assert (gone.returncode, "404" in gone.stderr) == (1, True)


def test_a_server_that_is_not_there_is_told() -> None:
    done = penstock("flow", "list", "--server", "http://127.0.0.1:9")
    assert done.returncode == 3
    assert "cannot reach http://127.0.0.1:9" in done.stderr
