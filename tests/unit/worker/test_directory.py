"""WorkingDirectory: children one after another in one folder."""

from __future__ import annotations

from datetime import timedelta

from penstock.clock import ManualClock
from penstock.model.flowables import WorkingDirectory
from penstock.model.job import JobKind
from penstock.model.state import State
from penstock.model.task import Task
from penstock.ports.platform import Caller
from penstock.testing.task_desk import TaskDesk

FILES = "io.kestra.plugin.core.storage.LocalFiles"
RETURN = "io.kestra.plugin.core.debug.Return"
FAIL = "io.kestra.plugin.core.execution.Fail"
SLEEP = "io.kestra.plugin.core.flow.Sleep"


def child(desk: TaskDesk, name: str, kind: str, **properties: object) -> Task:
    return desk.task(kind, **properties).model_copy(update={"id": name})


def directory(children: list[Task], **properties: object) -> WorkingDirectory:
    return WorkingDirectory.model_validate({"id": "wd", "type": WorkingDirectory.TYPE, "tasks": children, **properties})


def ends(desk: TaskDesk) -> dict[str, tuple[State, object]]:
    return {c.run.task_id: (c.run.state, c.outputs) for c in desk.notes.children}


def test_files_and_outputs_pass_from_child_to_child(desk: TaskDesk) -> None:
    children = [
        child(desk, "first", FILES, inputs={"out/stay.txt": "{{ taskrun.id }}"}),
        child(desk, "second", FILES, outputs=["out/*", "in.txt"]),
        child(desk, "third", RETURN, format="{{ outputs.second.uris['in.txt'] }} {{ outputs.before.value }}"),
    ]
    task = directory(children, inputFiles={"in.txt": "hi {{ flow.id }}"}, outputFiles=["out/*"])
    result = desk.run_directory(task, children, {"outputs": {"before": {"value": 7}}})
    assert result.state is State.SUCCESS
    found = ends(desk)
    uris = found["second"][1]["uris"]  # pyright: ignore[reportIndexIssue]
    assert desk.read(uris["in.txt"]) == b"hi desk"
    first = next(c.run.id for c in desk.notes.children if c.run.task_id == "first")
    assert desk.read(uris["out/stay.txt"]).decode() == first
    assert found["third"][1] == {"value": f"{uris['in.txt']} 7"}
    assert list((result.outputs or {})["outputFiles"]) == ["out/stay.txt"]  # pyright: ignore[reportArgumentType]


def test_task_runs_are_reported_as_they_start_and_end(desk: TaskDesk) -> None:
    children = [child(desk, "one", RETURN, format="{{ workerTaskrun.id }}")]
    result = desk.run_directory(directory(children), children)
    begun, ended = desk.notes.children
    assert [change.state for change in begun.run.histories] == [State.CREATED, State.RUNNING]
    assert [change.state for change in ended.run.histories] == [State.CREATED, State.RUNNING, State.SUCCESS]
    assert (ended.run.parent_id, ended.run.id) == (result.task_run_id, begun.run.id)
    assert [attempt.worker_id for attempt in ended.run.attempts] == ["desk"]
    assert ended.outputs == {"value": result.task_run_id}
    assert [(e.task_id, e.task_run_id) for e in desk.notes.logs] == [("one", ended.run.id)]


def test_inside_a_loop_outputs_lie_below_the_loop_value(desk: TaskDesk) -> None:
    children = [
        child(desk, "one", RETURN, format="{{ taskrun.value }}"),
        child(
            desk, "two", RETURN, format="{{ outputs.one.a.value }}{{ outputs.old.a.value }} {{ parent.taskrun.value }}"
        ),
    ]
    desk.run(
        directory(children),
        {"outputs": {"old": {"a": {"value": "!"}}}},
        kind=JobKind.WORKING_DIRECTORY,
        children=children,
        path=("a",),
    )
    last = desk.notes.children[-1]
    assert (last.outputs, last.run.value, last.run.path) == ({"value": "a! a"}, "a", ("a",))


def test_a_failure_stops_the_rest_unless_it_is_allowed(desk: TaskDesk) -> None:
    children = [
        child(desk, "soft", FAIL, allowFailure=True),
        child(desk, "skipped", RETURN, runIf="{{ false }}"),
        child(desk, "hard", FAIL),
        child(desk, "never", RETURN),
    ]
    result = desk.run_directory(directory(children), children)
    assert result.state is State.FAILED
    states = {name: state for name, (state, _) in ends(desk).items()}
    assert states == {"soft": State.WARNING, "skipped": State.SKIPPED, "hard": State.FAILED}


def test_a_broken_run_if_fails_the_child(desk: TaskDesk) -> None:
    children = [child(desk, "one", RETURN, runIf="{{ gone }}")]
    assert desk.run_directory(directory(children), children).state is State.FAILED
    assert "Failed to evaluate the runIf condition for task one" in desk.notes.logs[0].message


def test_a_child_has_its_own_timeout_and_a_kill_reaches_it(desk: TaskDesk) -> None:
    slow = [child(desk, "slow", SLEEP, duration="PT60S", timeout="PT0.05S")]
    assert desk.run_directory(directory(slow), slow).state is State.FAILED
    assert desk.notes.logs[-1].message == "Timeout after 00:00:00.050"
    sleeping = [child(desk, "sleeping", SLEEP, duration="PT60S"), child(desk, "never", RETURN)]
    job = desk.job(directory(sleeping), kind=JobKind.WORKING_DIRECTORY, children=sleeping)
    desk.send(job)
    desk.notes.wait_until(lambda notes: any(c.run.task_id == "sleeping" for c in notes.children))
    desk.queue.kill("exec")
    assert desk.notes.wait_for(job.task_run_id).state is State.KILLED
    assert "never" not in ends(desk)


def test_preparing_the_folder_may_fail(desk: TaskDesk) -> None:
    children = [child(desk, "one", RETURN)]
    result = desk.run_directory(directory(children, inputFiles={"../x": "no"}), children)
    assert result.state is State.FAILED
    assert "without `./`, `..`" in (result.error or "")
    assert desk.notes.children == []


def test_namespace_files_are_copied_without_the_excluded(desk: TaskDesk) -> None:
    files = desk.platform.bind(Caller("main", "company.team", "desk")).namespace_files
    for name in ("a/b/1.txt", "2.txt", "ignore/3.txt"):
        files.put(name, "company.team", data=name.encode())
    children = [child(desk, "take", FILES, outputs=["**.txt"])]
    task = directory(children, namespaceFiles={"enabled": True, "exclude": ["ignore/**"]})
    desk.run_directory(task, children)
    assert sorted(ends(desk)["take"][1]["uris"]) == ["2.txt", "a/b/1.txt"]  # pyright: ignore[reportIndexIssue]


def test_the_cache_is_there_in_the_next_execution_until_it_expires() -> None:
    clock = ManualClock()
    with TaskDesk(clock=clock) as desk:

        def run() -> object:
            children = [
                child(desk, "exists", FILES, outputs=["hello.txt"]),
                child(desk, "write", FILES, inputs={"hello.txt": "HELLO", "other.bin": "x"}),
            ]
            task = directory(children, cache={"patterns": ["*.txt"], "ttl": "PT5m"})
            desk.notes.children.clear()
            desk.run_directory(task, children)
            return list(ends(desk)["exists"][1]["uris"])  # pyright: ignore[reportIndexIssue]

        assert run() == []
        assert run() == ["hello.txt"]
        clock.advance(timedelta(minutes=6))
        assert run() == []
