"""Script tasks with real processes."""

from __future__ import annotations

import shutil
from datetime import timedelta

import pytest

from penstock.model.state import State
from penstock.plugin.script import join_commands
from penstock.plugins.scripts.languages import LANGUAGES
from penstock.plugins.scripts.python import with_prelude
from penstock.plugins.scripts.triggers import satisfied
from penstock.testing.task_desk import TaskDesk
from penstock.worker import TriggerPlace, TriggerRunner

SCRIPTS = "io.kestra.plugin.scripts."
PROCESS = {"type": "io.kestra.plugin.core.runner.Process"}


def shell(desk: TaskDesk, *commands: str, **properties: object) -> object:
    return desk.run_type(SCRIPTS + "shell.Commands", taskRunner=PROCESS, commands=list(commands), **properties)


def test_files_environment_and_variables(desk: TaskDesk) -> None:
    result = desk.run_type(
        SCRIPTS + "shell.Commands",
        {"who": "ada"},
        taskRunner=PROCESS,
        inputFiles={"in.txt": "from {{ flow.id }}", "copy.txt": desk.put_file("f", "stored")},
        outputFiles=["*.out", "data/**"],
        env={"NAME": "{{ who }}"},
        commands=[
            "cat in.txt copy.txt > all.out",
            'echo "hello $NAME"',
            'mkdir data; echo x > data/x.csv; test "$WORKING_DIR" = "$PWD" && echo {{ workingDir }} > here.out',
            """echo '::{"outputs":{"answer":42,"list":[1,2]}}::'""",
            """echo '::{"outputs":{"answer":43}}::'""",
        ],
    )
    found = dict(result.outputs or {})
    assert (result.state, found["exitCode"], found["vars"]) == (State.SUCCESS, 0, {"answer": 43, "list": [1, 2]})
    files = dict(found["outputFiles"])  # pyright: ignore[reportCallIssue, reportArgumentType]
    assert sorted(files) == ["all.out", "data/x.csv", "here.out"]
    assert desk.read(files["all.out"]) == b"from deskstored"
    assert str(desk.work_folder) in desk.read(files["here.out"]).decode()
    assert desk.lines(result) == [("INFO", "hello ada")]


def test_line_protocol_metrics_logs_and_faults(desk: TaskDesk) -> None:
    result = shell(
        desk,
        """echo '::{"metrics":[{"name":"c","type":"counter","value":2,"tags":{"a":1}}]}::'""",
        """echo '::{"metrics":[{"name":"t","type":"timer","value":1.5}]}::'""",
        """echo '::{"logs":[{"level":"WARN","message":"careful"}]}::'""",
        "echo '::{broken}::'",
        "echo 'no ::{\"outputs\":{}}:: message'",
        "echo bad >&2",
    )
    assert [(m.name, m.value) for m in result.metrics] == [("c", 2), ("t", 1500)]
    assert result.metrics[0].tags == {"a": "1"}
    lines = desk.lines(result)
    assert ("WARN", "careful") in lines
    assert ("ERROR", "bad") in lines
    assert ("INFO", 'no ::{"outputs":{}}:: message') in lines
    assert any(level == "WARN" and message.startswith("Invalid outputs") for level, message in lines)


def test_before_commands_are_logged_at_debug_and_fail_fast(desk: TaskDesk) -> None:
    result = shell(desk, "echo main", "false", "echo never", beforeCommands=["echo before"])
    assert (result.state, result.error) == (State.FAILED, "Command failed with exit code 1")
    assert desk.lines(result) == [("DEBUG", "before"), ("INFO", "main"), ("ERROR", "Command failed with exit code 1")]
    slow = shell(desk, "false", "echo on", failFast=False)
    assert (slow.state, desk.messages(slow)) == (State.SUCCESS, ["on"])


def test_outputs_are_kept_when_the_command_fails(desk: TaskDesk) -> None:
    result = shell(desk, "echo x > f.txt", """echo '::{"outputs":{"a":1}}::'""", "exit 3", outputFiles=["f.txt"])
    found = dict(result.outputs or {})
    assert (found["exitCode"], found["vars"], list(found["outputFiles"])) == (3, {"a": 1}, ["f.txt"])  # pyright: ignore


def test_output_folder_and_named_output_files(desk: TaskDesk) -> None:
    result = shell(desk, "echo 1 > {{ outputDir }}/a.txt", 'echo 2 > {{ outputFiles["b.txt"] }}', outputFiles=["b.txt"])
    assert sorted((result.outputs or {})["outputFiles"]) == ["a.txt", "b.txt"]


def test_timeout_ends_the_process_tree(desk: TaskDesk) -> None:
    result = shell(desk, "trap '' TERM; sleep 60 & wait; sleep 60", timeout="PT0.2S")
    assert (result.state, result.error) == (State.FAILED, "Timeout after 00:00:00.200")
    assert (result.outputs or {})["exitCode"] in (137, 143)
    assert result.ended_at - result.started_at < timedelta(seconds=10)


def test_a_kill_ends_the_process(desk: TaskDesk) -> None:
    job = desk.send(desk.job(desk.task(SCRIPTS + "shell.Commands", taskRunner=PROCESS, commands=["echo up; sleep 60"])))
    desk.notes.wait_until(lambda notes: any(entry.message == "up" for entry in notes.logs))
    desk.queue.kill("exec")
    assert desk.notes.wait_for(job.task_run_id).state is State.KILLED


def test_a_process_left_behind_does_not_hold_the_task(desk: TaskDesk) -> None:
    result = shell(desk, "sleep 20 & echo hi")
    assert desk.messages(result) == ["hi"]
    assert result.ended_at - result.started_at < timedelta(seconds=10)


def test_scripts_and_interpreters(desk: TaskDesk) -> None:
    script = desk.run_type(SCRIPTS + "shell.Script", taskRunner=PROCESS, script="for i in 1 2; do\n echo $i\ndone")
    assert desk.messages(script) == ["1", "2"]
    bash = shell(desk, "[[ a == a ]] && echo yes", interpreter=["bash", "-c"])
    assert desk.messages(bash) == ["yes"]
    missing = shell(desk, "x", interpreter=["no-such-shell", "-c"])
    assert "Cannot start `no-such-shell`" in (missing.error or "")


def test_very_long_commands(desk: TaskDesk) -> None:
    result = shell(desk, f"text='{'x' * 200_000}'", "echo $text | wc -c")
    assert desk.messages(result) == ["200001"]


def test_the_environment_of_the_worker_is_not_passed_on(desk: TaskDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "leaked")
    result = shell(desk, 'echo "[$SECRET_TOKEN]"; env | grep -c SECRET || true')
    assert desk.messages(result) == ["[]", "0"]


def test_given_environment_is_passed_on() -> None:
    with TaskDesk(settings={"process.environment": {"TZ": "UTC+3"}}) as desk:
        assert desk.messages(shell(desk, "echo $TZ")) == ["UTC+3"]  # pyright: ignore[reportArgumentType]


def test_python_script_with_the_kestra_module(desk: TaskDesk) -> None:
    script = """
        from kestra import Kestra
        print([true, false, null])
        Kestra.outputs({"rows": 1})
        Kestra.counter("n", 2, {"k": "v"})
        Kestra.logger().warning("careful")
    """
    result = desk.run_type(SCRIPTS + "python.Script", taskRunner=PROCESS, script="\n".join(
        line.removeprefix("        ") for line in script.splitlines()
    ))  # fmt: skip
    assert (result.outputs or {})["vars"] == {"rows": 1}
    assert desk.lines(result) == [("INFO", "[True, False, None]"), ("WARN", "careful")]
    assert [(m.name, m.value) for m in result.metrics] == [("n", 2)]


def test_python_failure_keeps_its_trace_and_commands_run(desk: TaskDesk) -> None:
    failed = desk.run_type(SCRIPTS + "python.Script", taskRunner=PROCESS, script="raise ValueError('no')")
    assert failed.error == "Command failed with exit code 1"
    assert ("ERROR", "ValueError: no") in desk.lines(failed)
    ran = desk.run_type(
        SCRIPTS + "python.Commands",
        taskRunner=PROCESS,
        inputFiles={"main.py": "print(6 * 7)"},
        commands=["python main.py"],
    )
    assert desk.messages(ran) == ["42"]


def test_prelude_stands_after_future_imports() -> None:
    assert with_prelude("print(1)").splitlines()[1] == "print(1)"
    lines = with_prelude("'''doc'''\nfrom __future__ import annotations\nx = 1\n").splitlines()
    assert lines[1] == "from __future__ import annotations"
    assert lines[2].startswith("true, false, null")


@pytest.mark.parametrize(("language", "script"), [("node", "console.log(1 + 1)"), ("perl", "print 1 + 1")])
def test_other_languages(desk: TaskDesk, language: str, script: str) -> None:
    if shutil.which(LANGUAGES[language][1].split()[0]) is None:
        pytest.skip(f"{language} is not installed")
    result = desk.run_type(f"{SCRIPTS}{language}.Script", taskRunner=PROCESS, script=script)
    assert desk.messages(result) == ["2"]
    commands = desk.run_type(f"{SCRIPTS}{language}.Commands", taskRunner=PROCESS, commands=["echo ok"])
    assert desk.messages(commands) == ["ok"]


def test_docker_without_a_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock.plugins.scripts.docker.shutil.which", lambda name: None)
    with TaskDesk() as desk:
        failed = desk.run_type(SCRIPTS + "shell.Commands", commands=["echo hi"])
        assert failed.state is State.FAILED
        assert "the `docker` command is not installed" in (failed.error or "")
        assert "scripts.docker-fallback" in (failed.error or "")
    with TaskDesk(settings={"scripts.docker-fallback": "process"}) as desk:
        ran = desk.run_type(SCRIPTS + "shell.Commands", commands=["echo hi"], containerImage="ubuntu")
        assert desk.lines(ran)[1] == ("INFO", "hi")
        assert desk.lines(ran)[0][0] == "WARN"
    with TaskDesk(settings={"scripts.default-runner": PROCESS["type"]}) as desk:
        assert desk.messages(desk.run_type(SCRIPTS + "shell.Commands", commands=["echo hi"])) == ["hi"]


def test_legacy_runner_and_unknown_runner(desk: TaskDesk) -> None:
    ran = desk.run_type(SCRIPTS + "shell.Commands", commands=["echo hi"], runner="PROCESS", docker={"image": "x"})
    assert desk.messages(ran) == ["hi"]
    with pytest.raises(ValueError, match=r"did you mean `io\.kestra\.plugin\.core\.runner\.Process`"):
        desk.task(SCRIPTS + "shell.Commands", commands=[], taskRunner={"type": "io.kestra.plugin.core.runner.Proces"})


def test_join_commands() -> None:
    assert join_commands([], ["a", "b"], fail_fast=False) == "a\nb"
    assert join_commands(["x"], ["a"], fail_fast=True).splitlines()[0] == "set -e"


@pytest.mark.parametrize(
    ("condition", "code", "variables", "error", "expected"),
    [
        ("exit 1", 1, {}, None, True),
        ("exit 0", 1, {}, None, False),
        ('"ready": true', 0, {"ready": True}, None, True),
        ("code [0-9]+", 3, {}, "exit code 3", True),
        ("[broken", 0, {"a": "[broken"}, None, True),
    ],
)
def test_exit_conditions(
    condition: str, code: int, variables: dict[str, object], error: str | None, expected: object
) -> None:
    assert satisfied(condition, exit_code=code, variables=variables, error=error) is expected


def test_a_script_trigger_fires_at_the_edge(desk: TaskDesk) -> None:
    runner = TriggerRunner(desk.notes, desk.equipment)
    kind = SCRIPTS + "shell.CommandsTrigger"
    trigger = desk.types.resolve(kind).model_validate(  # pyright: ignore
        {
            "id": "watch",
            "type": kind,
            "taskRunner": PROCESS,
            "commands": ["""echo '::{"outputs":{"on":{{ vars.on }}}}::'"""],
            "exitCondition": '"on": true',
        }
    )

    def fires(on: str) -> object:
        place = TriggerPlace("main", "company.team", "desk", 1, "next", {"vars": {"on": on}})
        found = runner.evaluate(trigger, place).result(30)
        return found and found["vars"]

    assert [fires("false"), fires("true"), fires("true"), fires("false"), fires("true")] == [
        None,
        {"on": True},
        None,
        None,
        {"on": True},
    ]
    runner.close()
