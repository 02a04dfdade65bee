"""Expressions that people try out see what the engine sees, and show no secret."""

from __future__ import annotations

import pytest
from desks import FakeExecutor
from small_flows import flow_source

from penstock.blobs import MemoryBlobs
from penstock.catalog.evaluate import Evaluator
from penstock.catalog.files import FileResolver
from penstock.catalog.flows import FlowShelf
from penstock.catalog.host import CatalogHost
from penstock.catalog.inputs import reveal
from penstock.catalog.launch import Wish
from penstock.catalog.outputs import type_outputs
from penstock.catalog.platform import Parts
from penstock.catalog.rendering import Renderer, Settings
from penstock.catalog.vault import Vault
from penstock.clock import ManualClock
from penstock.engine.moment import Surroundings
from penstock.engine.plan import Plan
from penstock.errors import NotFound
from penstock.executor.archive import StoredArchive
from penstock.executor.outputs import OutputKeeper
from penstock.executor.residents import Residents
from penstock.model.execution import Label, Scope, TaskRun
from penstock.model.flow import FlowOutput
from penstock.model.state import State, StateChange
from penstock.ports.journal import Batch, OutputRow
from penstock.ports.platform import Caller
from penstock.store.sqlite import SqliteStore

NS = "company.team"
FLOW = """id: hello
namespace: company.team
labels: {team: data}
variables: {greeting: Hi}
inputs:
  - {id: who, type: STRING, defaults: Ada}
  - {id: key, type: SECRET, defaults: hunter2}
tasks:
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    values: [a]
    tasks:
      - {id: say, type: io.kestra.plugin.core.log.Log, message: Hi}
"""


@pytest.fixture
def evaluator(
    parts: Parts, shelf: FlowShelf, store: SqliteStore, blobs: MemoryBlobs, clock: ManualClock, vault: Vault
) -> Evaluator:
    def host_of(caller: Caller) -> CatalogHost:
        return CatalogHost(
            caller, key_values=parts.key_values, secrets=parts.secrets, files=FileResolver(blobs, parts.files)
        )

    def plan_of(tenant: str, namespace: str, flow_id: str, revision: int) -> Plan:
        found = shelf.at(tenant, namespace, flow_id, revision=revision)
        assert found is not None
        return Plan(found.flow, revision, tenant)

    return Evaluator(
        Renderer(Settings(envs={"stage": "test"}), clock=clock, host_of=host_of),
        shelf=shelf,
        reads=store.reads,
        archive=StoredArchive(store.journal, blobs, OutputKeeper(blobs), Residents(store.journal, plan_of)),
        around=Surroundings(reveal=lambda inputs: reveal(inputs, vault), envs={"stage": "test"}),
        plan_of=plan_of,
        clock=clock,
    )


@pytest.fixture
def execution(parts: Parts, store: SqliteStore, executor: FakeExecutor, clock: ManualClock) -> str:
    """An execution that runs, with one iteration of its loop ended."""
    executor.hold = True
    parts.shelf.create("main", FLOW)
    parts.desk.start("main", NS, "hello", wish=Wish(execution_id="e1", labels=[Label("run", "1")]))
    history = [StateChange(State.SUCCESS, clock.now())]
    each = TaskRun(id="r1", task_id="each", state=State.RUNNING, histories=history, scope=Scope())
    say = TaskRun(
        id="r2",
        task_id="say",
        parent_id="r1",
        path=("a",),
        value="a",
        state=State.SUCCESS,
        histories=history,
        sequence=1,
    )
    output = OutputRow(execution_id="e1", task_run_id="r2", task_id="say", path=("a",), value={"value": "said"})
    store.journal.commit(Batch(created_runs=[("e1", each), ("e1", say)], outputs=[output]))
    return "e1"


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("{{ inputs.who }} {{ vars.greeting }} {{ envs.stage }}", "Ada Hi test"),
        ("{{ flow.namespace }}.{{ flow.id }} r{{ flow.revision }}", "company.team.hello r1"),
        ("{{ labels.team }} {{ labels.run }} {{ labels.system.from }}", "data 1 api"),
        ("{{ execution.id }}", "e1"),
        ("{{ outputs.say['a'].value }}", "said"),
        ("{{ tasks.each.state }}", "RUNNING"),
        ("{{ inputs.key }} {{ secret('FROM_ENV') }}", "****** ******"),
        ("{{ kv('gone', errorOnMissing=false) ?? 'none' }}", "none"),
    ],
)
def test_an_execution_is_asked(evaluator: Evaluator, execution: str, expression: str, result: str) -> None:
    assert evaluator.in_execution("main", execution, expression).result == result


def test_a_task_run_is_asked(evaluator: Evaluator, execution: str) -> None:
    expression = "{{ taskrun.value }} {{ task.id }} {{ parent.task.id }}"

    assert evaluator.in_execution("main", execution, expression, task_run_id="r2").result == "a say each"


def test_what_is_wrong_is_an_answer_too(evaluator: Evaluator, execution: str) -> None:
    answer = evaluator.in_execution("main", execution, "{{ outputs.gone.value }}")

    assert answer.result is None
    assert answer.error is not None
    assert answer.error.startswith("Unable to find `gone`")
    assert answer.stack_trace is not None
    with pytest.raises(NotFound):
        evaluator.in_execution("main", "other", "x")
    with pytest.raises(NotFound):
        evaluator.in_execution("main", execution, "x", task_run_id="other")


def test_flows_and_namespaces_are_asked_without_an_execution(evaluator: Evaluator, shelf: FlowShelf) -> None:
    shelf.create("main", flow_source(extra="labels: {team: data}\nvariables: {x: 1}\n"))
    rendered = evaluator.in_flow("main", NS, "hello", ["{{ vars.x }}", "{{ labels.team }}", "{{ inputs.a }}"])

    assert [answer.result for answer in rendered.values()] == ["1", "data", None]
    assert evaluator.in_namespace("main", NS, ["{{ flow.namespace }}"])["{{ flow.namespace }}"].result == NS
    with pytest.raises(NotFound):
        evaluator.in_flow("main", NS, "gone", [])


def declared(**facts: object) -> FlowOutput:
    return FlowOutput.model_validate({"id": "x", "value": "", **facts})


@pytest.mark.parametrize(
    ("facts", "value", "typed"),
    [
        ({"type": "INT"}, "42", 42),
        ({"type": "BOOL"}, "true", True),
        ({"type": "JSON"}, '{"a": 1}', {"a": 1}),
        ({"type": "STRING"}, 42, "42"),
        ({}, {"a": 1}, {"a": 1}),
        ({"type": "INT", "required": False}, None, None),
        ({"type": "ARRAY", "itemType": "INT"}, ["1"], [1]),
        ({"type": "FILE"}, "kestra:///a", "kestra:///a"),
    ],
)
def test_flow_outputs_are_typed(facts: dict[str, object], value: object, typed: object) -> None:
    assert type_outputs([declared(**facts)], {"x": value}) == {"x": typed}


def test_flow_outputs_that_do_not_fit_say_so(vault: Vault) -> None:
    with pytest.raises(ValueError, match=r"^Invalid value for output `x`\. Cause:  errors:"):
        type_outputs([declared(type="INT")], {"x": "ten"})
    with pytest.raises(ValueError, match=r"^Invalid value for output `x`\. Cause: the value is null"):
        type_outputs([declared(type="INT")], {"x": None})
    with pytest.raises(ValueError, match="internal storage"):
        type_outputs([declared(type="FILE")], {"x": "/etc/passwd"})
    with pytest.raises(ValueError, match="encryption is not configured"):
        type_outputs([declared(type="SECRET")], {"x": "s"})
    sealed = type_outputs([declared(type="SECRET")], {"x": "s"}, vault)
    assert reveal(sealed, vault) == {"x": "s"}
