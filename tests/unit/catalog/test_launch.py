"""New executions: labels, records, who may start, checks, children."""

from __future__ import annotations

import pytest
from small_flows import flow_source

from penstock.catalog.flows import FlowShelf
from penstock.catalog.launch import ChildWish, Launcher, ParentRun, Wish
from penstock.clock import ManualClock
from penstock.errors import Conflict, NotFound, Unprocessable
from penstock.model.execution import ExecutionKind, ExecutionTrigger, Label
from penstock.model.state import State
from penstock.store.sqlite import SqliteStore

NS = "company.team"
LABELS = "labels:\n  team: data\n  system.readOnly: 'true'\nvariables:\n  greeting: Hi\n"


def keys(labels: list[Label]) -> list[str]:
    return [f"{label.key}={label.value}" for label in labels]


def test_labels_stand_in_kestras_order_and_the_last_value_wins(shelf: FlowShelf, launcher: Launcher) -> None:
    shelf.create("main", flow_source(extra=LABELS))
    prepared = launcher.prepare("main", NS, "hello", wish=Wish(labels=[Label("team", "ops"), Label("run", "1")]))

    assert keys(prepared.context.labels) == [
        "team=ops",
        "run=1",
        "system.from=api",
        f"system.correlationId={prepared.execution.id}",
    ]
    assert prepared.context.variables == {"greeting": "Hi"}


def test_a_correlation_id_may_be_given_and_other_system_labels_may_not(shelf: FlowShelf, launcher: Launcher) -> None:
    shelf.create("main", flow_source())
    given = launcher.prepare("main", NS, "hello", wish=Wish(labels=[Label("system.correlationId", "abc")]))

    assert "system.correlationId=abc" in keys(given.context.labels)
    with pytest.raises(
        Unprocessable, match=r"System labels can only be set by Kestra itself, offending label: system\.x=y"
    ):
        launcher.prepare("main", NS, "hello", wish=Wish(labels=[Label("system.x", "y")]))
    with pytest.raises(Unprocessable, match="Invalid label key"):
        launcher.prepare("main", NS, "hello", wish=Wish(labels=[Label("Upper", "y")]))


def test_the_record_of_a_new_execution(shelf: FlowShelf, launcher: Launcher, clock: ManualClock) -> None:
    shelf.create("main", flow_source())
    trigger = ExecutionTrigger("hook", "io.kestra.plugin.core.trigger.Webhook", {"body": {"a": 1}})
    prepared = launcher.prepare(
        "main", NS, "hello", wish=Wish(trigger=trigger, kind=ExecutionKind.TEST, system_from="trigger")
    )
    execution = prepared.execution

    assert (execution.namespace, execution.flow_id, execution.flow_revision) == (NS, "hello", 1)
    assert execution.state is State.CREATED
    assert execution.histories[0].date == clock.now()
    assert execution.original_id == execution.id
    assert execution.metadata.attempt_number == 1
    assert execution.kind is ExecutionKind.TEST
    assert prepared.context.trigger == trigger
    assert prepared.command.execution_id == execution.id
    assert len(execution.id) == 22


def test_unknown_disabled_and_broken_flows_do_not_start(shelf: FlowShelf, launcher: Launcher) -> None:
    shelf.create("main", flow_source("off", extra="disabled: true\n"))
    shelf.create("main", "id: draft\nnamespace: company.team\ntasks: [", draft=True)

    with pytest.raises(NotFound, match=r"Requested Flow is not found\."):
        launcher.prepare("main", NS, "nope")
    with pytest.raises(Conflict, match=r"Requested Flow is disabled\."):
        launcher.prepare("main", NS, "off")
    with pytest.raises(NotFound):
        launcher.prepare("main", NS, "draft")
    with pytest.raises(Conflict, match="not valid"):
        launcher.prepare("main", NS, "draft", revision=1)


CHECKED = """inputs:
  - {id: n, type: INT, defaults: 1}
checks:
  - {when: "{{ inputs.n > 2 }}", message: too small, behavior: BEHAVIOR, style: WARNING}
"""


@pytest.mark.parametrize(
    ("behavior", "state"), [("FAIL_EXECUTION", State.FAILED), ("CREATE_EXECUTION", None)], ids=["fail", "create"]
)
def test_failed_checks_that_do_not_block(
    shelf: FlowShelf, launcher: Launcher, behavior: str, state: State | None
) -> None:
    shelf.create("main", flow_source(extra=CHECKED.replace("BEHAVIOR", behavior)))
    prepared = launcher.prepare("main", NS, "hello", wish=Wish(checks=True))

    assert prepared.final_state is state
    assert [(c.message, c.style, c.behavior) for c in prepared.checks] == [("too small", "WARNING", behavior)]
    assert launcher.prepare("main", NS, "hello", wish=Wish(checks=True, inputs={"n": "3"})).checks == []


def test_a_check_blocks_and_an_unreadable_one_blocks_too(shelf: FlowShelf, launcher: Launcher) -> None:
    shelf.create("main", flow_source(extra=CHECKED.replace("BEHAVIOR", "BLOCK_EXECUTION")))
    broken = CHECKED.replace("BEHAVIOR", "CREATE_EXECUTION").replace("inputs.n > 2", "missing")
    shelf.create("main", flow_source("broken", extra=broken))

    blocked = "Flow execution blocked: one or more condition checks evaluated to false.\nFailed checks: too small"
    with pytest.raises(Unprocessable, match=blocked):
        launcher.prepare("main", NS, "hello", wish=Wish(checks=True))
    with pytest.raises(Unprocessable, match=r"Failed to evaluate check condition\. Cause: "):
        launcher.prepare("main", NS, "broken", wish=Wish(checks=True))
    launcher.prepare("main", NS, "hello")  # triggers and subflows do not evaluate checks


def parent_run(launcher: Launcher, labels: list[Label]) -> ParentRun:
    prepared = launcher.prepare("main", NS, "parent", wish=Wish(labels=labels))
    return ParentRun(prepared.execution, prepared.context, task_id="sub", task_run_id="run1", value="a", iteration=0)


def test_a_child_knows_its_parent_and_shares_its_correlation_id(shelf: FlowShelf, launcher: Launcher) -> None:
    shelf.create("main", flow_source("parent"))
    shelf.create("main", flow_source("child", extra="labels:\n  team: child\n"))
    parent = parent_run(launcher, [Label("team", "parent"), Label("env", "dev")])

    plain = launcher.child(parent, ChildWish(NS, "child", labels=[Label("own", "x")]))
    assert keys(plain.context.labels) == [
        "team=child",
        "own=x",
        f"system.correlationId={parent.execution.id}",
        "system.from=api",
    ]
    assert plain.context.trigger is not None
    assert plain.context.trigger.id == "sub"
    assert plain.context.trigger.variables == {
        "executionId": parent.execution.id,
        "namespace": NS,
        "flowId": "parent",
        "flowRevision": 1,
        "taskRunId": "run1",
        "taskId": "sub",
        "taskRunValue": "a",
        "taskRunIteration": 0,
    }
    inherited = launcher.child(parent, ChildWish(NS, "child", inherit_labels=True))
    assert keys(inherited.context.labels)[:2] == ["team=child", "env=dev"]


def test_a_child_that_cannot_start_says_why(shelf: FlowShelf, launcher: Launcher) -> None:
    shelf.create("main", flow_source("parent"))
    shelf.create("main", flow_source("off", extra="disabled: true\n"))
    shelf.create("main", flow_source("asks", extra="inputs:\n  - {id: n, type: INT}\n"))
    parent = parent_run(launcher, [])

    with pytest.raises(NotFound, match=r"Unable to find flow 'company\.team'\.'gone' with revision '0'"):
        launcher.child(parent, ChildWish(NS, "gone"))
    with pytest.raises(Conflict, match="Cannot execute a flow which is disabled"):
        launcher.child(parent, ChildWish(NS, "off"))
    with pytest.raises(Unprocessable, match="Missing required input:n"):
        launcher.child(parent, ChildWish(NS, "asks"))


def test_starting_a_known_flow_asks_the_store_nothing(shelf: FlowShelf, launcher: Launcher, store: SqliteStore) -> None:
    shelf.create("main", flow_source())
    assert shelf.current("main", NS, "hello") is not None
    store.close()  # whatever asked the store now would fail

    assert launcher.prepare("main", NS, "hello").execution.flow_id == "hello"
