"""Functions of templates that need the outside."""

from __future__ import annotations

import pytest

from penstock.model.entries import LogEntry
from penstock.model.state import State
from penstock.model.task import LogLevel
from penstock.plugin.platform import KvEntry
from penstock.ports.platform import Caller
from penstock.testing.task_desk import TaskDesk

RETURN = "io.kestra.plugin.core.debug.Return"


def text(desk: TaskDesk, template: str) -> object:
    result = desk.run_type(RETURN, format=template)
    return (result.outputs or {}).get("value") if result.state is State.SUCCESS else result.error


def test_kv_looks_in_parents_only_without_a_namespace(desk: TaskDesk) -> None:
    desk.platform.entries["company", "k"] = KvEntry("company", "k", {"field": "up"})
    assert text(desk, "{{ kv('k').field }}") == "up"
    assert text(desk, "{{ kv('k', 'company').field }}") == "up"
    assert "does not exist in the namespace 'company.team'" in str(text(desk, "{{ kv('k', 'company.team') }}"))
    assert text(desk, "{{ kv('k', 'company.team', false) ?? 'none' }}") == "none"


def test_files_of_the_namespace_and_of_storage(desk: TaskDesk) -> None:
    desk.platform.bind(Caller("main", "x", "x")).namespace_files.put("q/a.sql", "company.team", data=b"SELECT 1")
    uri = desk.put_file("in.txt", "hello")
    assert text(desk, "{{ read('q/a.sql') }}") == "SELECT 1"
    assert text(desk, f"{{{{ read('{uri}') }}}} {{{{ fileSize('{uri}') }}}}") == "hello 5"
    assert text(desk, "{{ fileExists('q/b.sql') }} {{ isFileEmpty('q/a.sql') }}") == "false false"
    assert "File not found" in str(text(desk, "{{ read('q/none') }}"))


def test_secret_fields(desk: TaskDesk) -> None:
    desk.platform.secret_texts["DB"] = '{"user": "ada", "port": 5432}'
    assert text(desk, "{{ secret('DB', subkey='user') | length }}") == "3"
    assert "Cannot find secret sub-key" in str(text(desk, "{{ secret('DB', subkey='nope') }}"))
    assert "Cannot find secret for key 'X'" in str(text(desk, "{{ secret('X') }}"))


def test_error_logs_of_the_execution(desk: TaskDesk) -> None:
    for level in (LogLevel.INFO, LogLevel.ERROR):
        desk.platform.log_entries.append(
            LogEntry(
                namespace="n", flow_id="f", execution_id="exec", timestamp=desk.clock.now(), level=level, message="m"
            )
        )
    assert text(desk, "{{ errorLogs() | length }} {{ errorLogs()[0].message }}") == "1 m"


def test_random_port(desk: TaskDesk) -> None:
    assert 1024 < int(str(text(desk, "{{ randomPort() }}"))) < 65536


@pytest.mark.parametrize("template", ["{{ appLink() }}"])
def test_what_is_not_here_says_so(desk: TaskDesk, template: str) -> None:
    assert "no apps" in str(text(desk, template))
